//! Settings of a cloud as a person typed them in `clouds.yaml`: every scalar as the text that stands there.
//!
//! YAML would make numbers of `password: 12345678` and `project_name: 1e5`; to OpenStack's own clients both are text. What is not understood
//! is never left out silently: a project that was named and overlooked would put a blade into another one.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::config::ConfigError;

/// Keys of `auth` that are used here.
const AUTH: [&str; 22] = [
    "application_credential_id",
    "application_credential_name",
    "application_credential_secret",
    "auth_url",
    "default_domain",
    "default_domain_id",
    "default_domain_name",
    "password",
    "project_domain_id",
    "project_domain_name",
    "project_id",
    "project_name",
    "tenant_id",
    "tenant_name",
    "token",
    "user_domain_id",
    "user_domain_name",
    "user_id",
    "username",
    // other words for the same, as openstacksdk takes them
    "user_name",
    "user",
    "tenant",
];

/// Keys beside `auth` that are used here.
const BESIDE: [&str; 6] = [
    "auth_type",
    "cacert",
    "insecure",
    "interface",
    "region_name",
    "verify",
];

/// Settings of one cloud.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    auth: BTreeMap<String, String>,
    beside: BTreeMap<String, String>,
}

impl Settings {
    /// Those of the variables `OS_*`.
    pub(super) fn of_variables(variables: &BTreeMap<String, String>) -> Self {
        let mut settings = Self::default();
        for (name, value) in variables {
            let Some(name) = name.strip_prefix("OS_").map(str::to_ascii_lowercase) else {
                continue;
            };
            // there are many, for other clients
            settings.take(&name, value);
        }
        settings
    }

    fn take(&mut self, key: &str, value: &str) {
        let (known, settings) = match BESIDE.contains(&key) {
            true => (true, &mut self.beside),
            false => (AUTH.contains(&key), &mut self.auth),
        };
        if known && !value.is_empty() {
            settings
                .entry(key.to_owned())
                .or_insert_with(|| value.to_owned());
        }
    }

    /// A setting of `auth`.
    pub(super) fn auth(&self, key: &str) -> Option<String> {
        let other: &[&str] = match key {
            "project_name" => &["tenant_name", "tenant"],
            "project_id" => &["tenant_id"],
            "username" => &["user_name", "user"],
            _ => &[],
        };
        let mut keys = std::iter::once(key).chain(other.iter().copied());
        keys.find_map(|key| self.auth.get(key).cloned())
    }

    /// A setting beside `auth`.
    pub(super) fn beside(&self, key: &str) -> Option<&str> {
        self.beside.get(key).map(String::as_str)
    }

    /// A setting beside `auth` that is yes or no.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        let text = self.beside(key)?.to_ascii_lowercase();
        Some(!matches!(text.as_str(), "false" | "no" | "off" | "0"))
    }

    /// Takes the settings of another file over these.
    pub(super) fn merge(&mut self, other: &Self) {
        self.auth.extend(other.auth.clone());
        self.beside.extend(other.beside.clone());
    }

    /// The keys of `auth` that mean nothing here.
    pub(super) fn unknown(&self) -> impl Iterator<Item = &str> {
        let keys = self.auth.keys().map(String::as_str);
        keys.filter(|key| !AUTH.contains(key))
    }
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Settings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the settings of a cloud")
            }

            fn visit_unit<E>(self) -> Result<Settings, E> {
                Ok(Settings::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Settings, A::Error> {
                let mut settings = Settings::default();
                let mut beside_auth = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "auth" {
                        let auth: BTreeMap<String, Option<String>> = map.next_value()?;
                        let stated = auth
                            .into_iter()
                            .filter_map(|(key, value)| Some((key, value?)));
                        settings.auth = stated.filter(|(_, value)| !value.is_empty()).collect();
                    } else if BESIDE.contains(&&*key) || AUTH.contains(&&*key) {
                        beside_auth.extend(
                            map.next_value::<Option<String>>()?
                                .map(|value| (key, value)),
                        );
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                // openstacksdk takes what belongs to `auth` beside it as well
                for (key, value) in beside_auth {
                    settings.take(&key, &value);
                }
                Ok(settings)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// The clouds of a file; `None`: there is no such file.
pub(super) fn clouds(path: &Path) -> Result<Option<BTreeMap<String, Settings>>, ConfigError> {
    let error = |reason: String| ConfigError::File {
        path: path.display().to_string(),
        reason,
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(reason) if reason.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(reason) => return Err(error(reason.to_string())),
    };
    #[derive(Deserialize)]
    struct File {
        #[serde(default)]
        clouds: BTreeMap<String, Settings>,
    }
    // the parser's message would show the line, and the line may hold a password
    let file: File = serde_saphyr::from_str(&text).map_err(|_| {
        error("it is no YAML with a map `clouds` whose settings are plain values".to_owned())
    })?;
    Ok(Some(file.clouds))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    fn read(text: &str) -> Settings {
        serde_saphyr::from_str(text).unwrap()
    }

    #[test]
    fn numbers_and_booleans_are_text() {
        let settings = read(
            "auth: {password: 12345678, project_name: 1e5, username: 0123, user_domain_name: yes}\nregion_name: 1",
        );
        let auth = |key| settings.auth(key).unwrap();
        assert_eq!(
            [
                auth("password"),
                auth("project_name"),
                auth("username"),
                auth("user_domain_name")
            ],
            ["12345678", "1e5", "0123", "yes"]
        );
        assert_eq!(settings.beside("region_name"), Some("1"));
    }

    #[test]
    fn project_is_found_wherever_openstacksdk_finds_it() {
        for text in [
            "auth: {project_name: p}",
            "auth: {tenant_name: p}",
            "auth: {username: a}\nproject_name: p",
            "auth: {username: a}\ntenant_name: p",
            "base: &base {project_name: p}\nauth: {<<: *base}",
        ] {
            assert_eq!(
                read(text).auth("project_name").as_deref(),
                Some("p"),
                "{text}"
            );
        }
        assert_eq!(
            read("auth: {project_name: p}\nproject_name: q")
                .auth("project_name")
                .as_deref(),
            Some("p")
        );
    }

    #[test]
    fn flags_are_read_in_any_spelling() {
        for (text, expected) in [
            ("verify: false", Some(false)),
            ("verify: no", Some(false)),
            ("verify: True", Some(true)),
            ("verify: 0", Some(false)),
            ("region_name: x", None),
        ] {
            assert_eq!(read(text).flag("verify"), expected, "{text}");
        }
    }

    #[test]
    fn unknown_keys_are_told_and_others_ignored() {
        let settings = read(
            "auth: {username: a, projekt_name: p}\nidentity_api_version: 3\nprofile: {a: [1]}",
        );
        assert_eq!(settings.unknown().collect::<Vec<_>>(), ["projekt_name"]);
    }
}
