//! Names: of runs, of their owners, of secrets and of variables.

use std::borrow::Cow;

use super::text::text;

/// A pod's name is its job's with six characters more, and Kubernetes allows 63 in a label.
const LONGEST_NAME: usize = 50;
/// As Kubernetes has it for names of Secrets.
const LONGEST_SECRET: usize = 253;

text! {
    /// The name of a run: lower-case letters, digits and hyphens, beginning with a letter, 50 characters at most. An owner has one
    /// run of a name at a time.
    RunName, "name of a run", label
}

text! {
    /// Whose runs they are: the name of the application that embeds the runner, as [`RunName`]. A process that is started anew under
    /// the same name takes the runs of the one before it over.
    Owner, "name of an owner", label
}

text! {
    /// The name of a secret that the executor keeps, as Kubernetes has it for its Secrets.
    SecretName, "name of a secret", secret
}

text! {
    /// The name of an environment variable: letters, digits and underscores, not beginning with a digit. `MKYS_…` is the runner's.
    Variable, "name of a variable", variable
}

fn label(name: &str) -> Option<Cow<'static, str>> {
    if name.len() > LONGEST_NAME {
        return Some(format!("it is longer than {LONGEST_NAME} characters").into());
    }
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        return Some("it does not begin with a lower-case letter".into());
    }
    hyphened(name, |c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

fn secret(name: &str) -> Option<Cow<'static, str>> {
    if name.is_empty() {
        return Some("it is empty".into());
    }
    if name.len() > LONGEST_SECRET {
        return Some(format!("it is longer than {LONGEST_SECRET} characters").into());
    }
    name.split('.').find_map(|part| {
        if part.is_empty() || part.starts_with('-') {
            return Some("its parts between dots begin with a letter or digit".into());
        }
        hyphened(part, |c| c.is_ascii_lowercase() || c.is_ascii_digit())
    })
}

fn hyphened(name: &str, allowed: fn(char) -> bool) -> Option<Cow<'static, str>> {
    if let Some(other) = name.chars().find(|&c| c != '-' && !allowed(c)) {
        return Some(format!("{other:?} is not allowed in it").into());
    }
    name.ends_with('-').then(|| "it ends with a hyphen".into())
}

fn variable(name: &str) -> Option<Cow<'static, str>> {
    if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        return Some("it does not begin with a letter or an underscore".into());
    }
    if let Some(other) = name
        .chars()
        .find(|&c| c != '_' && !c.is_ascii_alphanumeric())
    {
        return Some(format!("{other:?} is not allowed in it").into());
    }
    name.starts_with("MKYS_")
        .then(|| "names that begin with MKYS_ are the runner's own".into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_when_they_are_read() {
        let table = [
            ("", "it does not begin with a lower-case letter"),
            ("9lives", "it does not begin with a lower-case letter"),
            ("Chess", "it does not begin with a lower-case letter"),
            ("chess_1", "'_' is not allowed in it"),
            ("chess-", "it ends with a hyphen"),
        ];
        for (name, reason) in table {
            assert_eq!(name.parse::<RunName>().unwrap_err().reason, reason);
        }
        assert!("a".repeat(51).parse::<RunName>().is_err());
        assert_eq!("chess-42".parse::<RunName>().unwrap().as_str(), "chess-42");
        let error = serde_json::from_str::<RunName>("\"Chess\"").unwrap_err();
        assert!(
            error.to_string().contains("\"Chess\" is no name of a run"),
            "{error}"
        );
    }

    #[test]
    fn secrets_are_named_as_in_kubernetes() {
        for bad in ["", "a..b", "-a", "a/b", "../a", "A"] {
            assert!(bad.parse::<SecretName>().is_err(), "{bad:?}");
        }
        assert!("registry.example.org".parse::<SecretName>().is_ok());
    }

    #[test]
    fn variables_of_the_runner_are_its_own() {
        for bad in ["", "1A", "A-B", "MKYS_IN"] {
            assert!(bad.parse::<Variable>().is_err(), "{bad:?}");
        }
        assert!("_seed2".parse::<Variable>().is_ok());
    }
}
