//! Which cloud, and who one is there: `clouds.yaml`, `secure.yaml` and `OS_*`, as OpenStack's own
//! clients read them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::settings::{self, Settings};
use super::source::{NamedBy, Source};

/// Where settings come from; an argument, so that it can be tested.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `OS_*` variables, `HOME`, `XDG_CONFIG_HOME`.
    pub variables: BTreeMap<String, String>,
    /// The working directory.
    pub directory: PathBuf,
}

impl Environment {
    /// The process' own.
    pub fn of_process() -> Self {
        let directory = std::env::current_dir().unwrap_or_default();
        Self {
            variables: std::env::vars().collect(),
            directory,
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// A path as a person writes it, with `~` for the home directory.
    fn path(&self, written: &str) -> PathBuf {
        match (written.strip_prefix("~/"), self.get("HOME")) {
            (Some(below), Some(home)) => Path::new(home).join(below),
            _ => PathBuf::from(written),
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = self
            .get("OS_CLIENT_CONFIG_FILE")
            .map(PathBuf::from)
            .into_iter()
            .collect();
        files.push(self.directory.join("clouds.yaml"));
        let config = self.get("XDG_CONFIG_HOME").map(PathBuf::from);
        let config = config.or_else(|| Some(Path::new(self.get("HOME")?).join(".config")));
        files.extend(config.map(|config| config.join("openstack/clouds.yaml")));
        files.push(PathBuf::from("/etc/openstack/clouds.yaml"));
        files
    }
}

/// What is missing or wrong in the settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Nothing says which cloud.
    #[error(
        "no cloud is named: set `cloud` in the provider's configuration, OS_CLOUD, or OS_AUTH_URL \
         with its credential"
    )]
    None,
    /// The named cloud stands in no file.
    #[error("cloud {cloud:?} is in none of the files read ({files}); they have: {known}")]
    UnknownCloud {
        /// The name.
        cloud: String,
        /// Files that exist.
        files: String,
        /// Clouds in them.
        known: String,
    },
    /// There is no file that could have it.
    #[error(
        "cloud {cloud:?} is looked for in {places}, and none of these files exists: put a clouds.yaml \
         there, or name one in OS_CLIENT_CONFIG_FILE"
    )]
    NoFile {
        /// The name.
        cloud: String,
        /// Where a file was looked for.
        places: String,
    },
    /// A file is no `clouds.yaml`.
    #[error("{path} cannot be read: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// No client can be made.
    #[error("the client of the cloud cannot be made: {reason}")]
    Client {
        /// Why not.
        reason: String,
    },
    /// A setting of the credential means nothing here.
    #[error(
        "{place} has {key}, which MKYS does not know and so could only ignore: take it out, or correct its name"
    )]
    Unknown {
        /// What was read.
        place: String,
        /// The setting.
        key: String,
    },
    /// A setting is missing.
    #[error("{place} lacks {what}")]
    Missing {
        /// What was read.
        place: String,
        /// The setting.
        what: &'static str,
    },
}

/// How one proves who one is.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    /// A user with a password.
    Password {
        /// The user.
        user: Named,
        /// The password.
        password: SecretString,
    },
    /// An application credential; it belongs to one project.
    ApplicationCredential {
        /// Its id, or its name together with its user.
        id: Result<String, (String, Named)>,
        /// The secret.
        secret: SecretString,
    },
    /// A token that was got elsewhere.
    Token(SecretString),
}

/// A thing by id, or by name within a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) domain_id: Option<String>,
    pub(crate) domain_name: Option<String>,
}

/// Everything needed to talk to a cloud.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub(crate) source: Source,
    pub(crate) auth_url: String,
    pub(crate) proof: Proof,
    pub(crate) project: Option<Named>,
    pub(crate) region: Option<String>,
    pub(crate) interface: String,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) verify: bool,
}

impl Credentials {
    /// Reads the settings of `cloud`, or of what the environment names.
    ///
    /// # Errors
    ///
    /// When no cloud is named, it is not to be found, or lacks something.
    pub fn read(cloud: Option<&str>, environment: &Environment) -> Result<Self, ConfigError> {
        match (cloud, environment.get("OS_CLOUD")) {
            (Some(cloud), _) => Self::of_cloud(cloud, NamedBy::Configuration, environment),
            (None, Some(cloud)) => Self::of_cloud(cloud, NamedBy::Variable, environment),
            (None, None) => Self::of_environment(environment),
        }
    }

    fn of_cloud(
        cloud: &str,
        named_by: NamedBy,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let mut read = Vec::new();
        let mut known = Vec::new();
        for path in environment.files() {
            let Some(clouds) = settings::clouds(&path)? else {
                continue;
            };
            read.push(path.display().to_string());
            if let Some(mut settings) = clouds.get(cloud).cloned() {
                let secure = settings::clouds(&path.with_file_name("secure.yaml"))?;
                let secret = secure.as_ref().and_then(|secure| secure.get(cloud));
                if let Some(secret) = secret {
                    settings.merge(secret);
                }
                let source = Source::File {
                    cloud: cloud.to_owned(),
                    secure: secret.is_some(),
                    path,
                    named_by,
                };
                return Self::of_settings(source, &settings, environment);
            }
            known.extend(clouds.keys().cloned());
        }
        if read.is_empty() {
            let places = environment.files();
            let places: Vec<_> = places
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            return Err(ConfigError::NoFile {
                cloud: cloud.to_owned(),
                places: places.join(", "),
            });
        }
        let list = |names: Vec<String>| match names.is_empty() {
            true => "none".to_owned(),
            false => names.join(", "),
        };
        let (files, known) = (list(read), list(known));
        Err(ConfigError::UnknownCloud {
            cloud: cloud.to_owned(),
            files,
            known,
        })
    }

    fn of_environment(environment: &Environment) -> Result<Self, ConfigError> {
        if environment.get("OS_AUTH_URL").is_none() {
            return Err(ConfigError::None);
        }
        let settings = Settings::of_variables(&environment.variables);
        Self::of_settings(Source::Environment, &settings, environment)
    }

    fn of_settings(
        source: Source,
        settings: &Settings,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let auth = |key: &str| settings.auth(key);
        if let Some(key) = settings.unknown().next() {
            return Err(ConfigError::Unknown {
                place: source.to_string(),
                key: format!("auth.{key}"),
            });
        }
        let missing = |what| ConfigError::Missing {
            place: source.to_string(),
            what,
        };
        let named = |what: &str| {
            let own = |kind: &str| auth(&format!("{what}_domain_{kind}"));
            let default = |kind: &str| {
                auth(&format!("default_domain_{kind}"))
                    .or_else(|| auth("default_domain").filter(|_| kind == "id"))
            };
            Named {
                id: auth(&format!("{what}_id")),
                name: auth(&format!("{what}_name")),
                domain_id: own("id").or_else(|| default("id").filter(|_| own("name").is_none())),
                domain_name: own("name"),
            }
        };
        let mut user = named("user");
        user.name = auth("username");
        let secret = |key: &'static str| auth(key).map(SecretString::from);
        let proof = if let Some(secret) = secret("application_credential_secret") {
            let id = match (
                auth("application_credential_id"),
                auth("application_credential_name"),
            ) {
                (Some(id), _) => Ok(id),
                (None, Some(name)) => Err((name, user)),
                (None, None) => return Err(missing("auth.application_credential_id")),
            };
            Proof::ApplicationCredential { id, secret }
        } else if let Some(password) = secret("password") {
            if user.id.is_none() && user.name.is_none() {
                return Err(missing("auth.username"));
            }
            Proof::Password { user, password }
        } else if let Some(token) = secret("token") {
            Proof::Token(token)
        } else {
            return Err(missing(
                "auth.password, auth.token or auth.application_credential_secret",
            ));
        };
        let project = named("project");
        let verify = settings.flag("verify").unwrap_or(true);
        let insecure = settings.flag("insecure").unwrap_or(false);
        let ca_file = settings.beside("cacert").map(|path| environment.path(path));
        Ok(Self {
            auth_url: auth("auth_url").ok_or_else(|| missing("auth.auth_url"))?,
            proof,
            project: Some(project).filter(|one| one.id.is_some() || one.name.is_some()),
            region: settings.beside("region_name").map(str::to_owned),
            interface: settings.beside("interface").unwrap_or("public").to_owned(),
            ca_file,
            verify: verify && !insecure,
            source,
        })
    }

    /// Keystone's version 3 address.
    pub(crate) fn keystone(&self) -> String {
        let url = self.auth_url.trim_end_matches('/');
        if url.ends_with("/v3") {
            url.to_owned()
        } else {
            format!("{url}/v3")
        }
    }

    /// Who, for messages.
    pub(crate) fn who(&self) -> String {
        let name = |user: &Named| {
            user.name
                .clone()
                .or_else(|| user.id.clone())
                .unwrap_or_default()
        };
        match &self.proof {
            Proof::Password { user, .. } => format!("user {:?}", name(user)),
            Proof::ApplicationCredential { id: Ok(id), .. } => {
                format!("application credential {id}")
            }
            Proof::ApplicationCredential {
                id: Err((credential, user)),
                ..
            } => {
                format!("application credential {credential:?} of {:?}", name(user))
            }
            Proof::Token(_) => "the given token".to_owned(),
        }
    }

    /// The `identity` part of an authentication request.
    pub(crate) fn identity(&self) -> Value {
        use serde_json::json;
        match &self.proof {
            Proof::Password { user, password } => {
                let mut user = user.reference();
                user["password"] = json!(password.expose_secret());
                json!({ "methods": ["password"], "password": { "user": user } })
            }
            Proof::ApplicationCredential { id, secret } => {
                let secret = secret.expose_secret();
                let credential = match id {
                    Ok(id) => json!({ "id": id, "secret": secret }),
                    Err((name, user)) => {
                        json!({ "name": name, "user": user.reference(), "secret": secret })
                    }
                };
                json!({
                    "methods": ["application_credential"],
                    "application_credential": credential,
                })
            }
            Proof::Token(token) => {
                json!({ "methods": ["token"], "token": { "id": token.expose_secret() } })
            }
        }
    }

    /// Whether the credential is bound to the project it was made in.
    pub(crate) fn is_bound(&self) -> bool {
        matches!(self.proof, Proof::ApplicationCredential { .. })
    }
}

impl Named {
    /// How Keystone takes it in a request.
    pub(crate) fn reference(&self) -> Value {
        use serde_json::json;
        if let Some(id) = &self.id {
            return json!({ "id": id });
        }
        let domain = match (&self.domain_id, &self.domain_name) {
            (Some(id), _) => json!({ "id": id }),
            (None, Some(name)) => json!({ "name": name }),
            (None, None) => json!({ "id": "default" }),
        };
        json!({ "name": self.name, "domain": domain })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        let variables = pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        Environment {
            variables: variables.collect(),
            directory: "/nowhere".into(),
        }
    }

    fn with_files(clouds: &str, secure: Option<&str>) -> (tempfile::TempDir, Environment) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("clouds.yaml"), clouds).unwrap();
        if let Some(secure) = secure {
            std::fs::write(directory.path().join("secure.yaml"), secure).unwrap();
        }
        let environment = Environment {
            variables: BTreeMap::new(),
            directory: directory.path().into(),
        };
        (directory, environment)
    }

    #[test]
    fn a_cloud_that_is_nowhere_is_told_with_where_it_was_looked_for() {
        let said = |environment: &Environment| {
            let read = Credentials::read(Some("university"), environment);
            read.unwrap_err().to_string()
        };
        let (_directory, with_file) = with_files("clouds: {lab: {}}", None);
        let known = said(&with_file);
        assert!(
            known.contains("clouds.yaml") && known.contains("lab"),
            "{known}"
        );
        // the machine may have a file for all its users
        if !Path::new("/etc/openstack/clouds.yaml").exists() {
            let said = said(&environment(&[("HOME", "/nobody")]));
            let places =
                "looked for in /nowhere/clouds.yaml, /nobody/.config/openstack/clouds.yaml, ";
            assert!(said.contains(places), "{said}");
            assert!(
                said.ends_with("or name one in OS_CLIENT_CONFIG_FILE"),
                "{said}"
            );
        }
    }

    #[test]
    fn a_cloud_is_read_from_its_file_and_its_secret_from_the_other() {
        let clouds = "clouds:\n  lab:\n    region_name: RegionOne\n    cacert: /ca.pem\n    auth: \
                      {auth_url: \"http://k:5000\", username: a, project_name: p, \
                      user_domain_name: Default}\n";
        let secure = "clouds: {lab: {auth: {password: hush}}}";
        let (_directory, environment) = with_files(clouds, Some(secure));
        let credentials = Credentials::read(Some("lab"), &environment).unwrap();
        assert_eq!(credentials.keystone(), "http://k:5000/v3");
        assert_eq!(credentials.region.as_deref(), Some("RegionOne"));
        assert_eq!(credentials.ca_file.as_deref(), Some(Path::new("/ca.pem")));
        let identity = credentials.identity();
        assert_eq!(identity["password"]["user"]["password"], "hush");
        assert_eq!(identity["password"]["user"]["domain"]["name"], "Default");
        assert!(
            !format!("{credentials:?}").contains("hush"),
            "a secret would be logged"
        );
    }

    #[test]
    fn an_unknown_cloud_is_told_with_those_known() {
        let (_directory, environment) = with_files("clouds: {lab: {}, prod: {}}", None);
        let error = Credentials::read(Some("lob"), &environment)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("\"lob\"") && error.contains("lab, prod"),
            "{error}"
        );
    }

    #[test]
    fn certificates_may_be_below_home_and_checks_turned_off() {
        let auth = "auth: {auth_url: \"http://k\", username: a, password: b}";
        for (setting, verify) in [
            ("insecure: true", false),
            ("verify: no", false),
            ("insecure: false", true),
        ] {
            let clouds =
                format!("clouds:\n  lab:\n    {auth}\n    cacert: ~/ca.pem\n    {setting}\n");
            let (_directory, mut environment) = with_files(&clouds, None);
            environment
                .variables
                .insert("HOME".into(), "/home/a".into());
            let credentials = Credentials::read(Some("lab"), &environment).unwrap();
            assert_eq!(
                credentials.ca_file.as_deref(),
                Some(Path::new("/home/a/ca.pem"))
            );
            assert_eq!(credentials.verify, verify, "{setting}");
        }
    }

    #[test]
    fn unknown_setting_of_the_credential_is_refused() {
        let clouds = "clouds: {lab: {auth: {auth_url: x, username: a, password: b, projekt: p}}}";
        let (_directory, environment) = with_files(clouds, None);
        let said = Credentials::read(Some("lab"), &environment)
            .unwrap_err()
            .to_string();
        assert!(said.contains("has auth.projekt"), "{said}");
    }

    #[test]
    fn a_broken_file_is_named_and_not_quoted() {
        let (_directory, environment) = with_files("clouds: {lab: {auth: {password: hush", None);
        let error = Credentials::read(Some("lab"), &environment)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("clouds.yaml") && !error.contains("hush"),
            "{error}"
        );
    }

    #[test]
    fn the_environment_alone_is_enough() {
        let environment = environment(&[
            ("OS_AUTH_URL", "https://k/v3/"),
            ("OS_APPLICATION_CREDENTIAL_ID", "abc"),
            ("OS_APPLICATION_CREDENTIAL_SECRET", "hush"),
        ]);
        let credentials = Credentials::read(None, &environment).unwrap();
        assert!(credentials.is_bound());
        assert_eq!(credentials.keystone(), "https://k/v3");
        assert_eq!(
            credentials.identity()["application_credential"]["id"],
            "abc"
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let cases: [(&[(&str, &str)], &str); 3] = [
            (&[], "no cloud is named"),
            (&[("OS_AUTH_URL", "x")], "auth.password"),
            (
                &[("OS_AUTH_URL", "x"), ("OS_PASSWORD", "y")],
                "auth.username",
            ),
        ];
        for (pairs, expected) in cases {
            let error = Credentials::read(None, &environment(pairs))
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
