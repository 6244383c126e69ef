//! What a person is told whose sign-in fails: Keystone's own words, where the setting that is to blame was read, and what to do.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::call::Service;
use super::config::{Credentials, Proof};
use super::error::{CloudError, Hint, reason};
use super::reach;

impl Credentials {
    /// No answer came from Keystone; `answered`: one came before, so the address is right.
    pub(super) fn unreachable(&self, error: &reqwest::Error, answered: bool) -> CloudError {
        let why = reach::why(error);
        let next = match (answered, why.contains("certificate")) {
            (true, _) => "It answered before.",
            (false, true) => {
                "Next: let `cacert` there name the file of the CA that signed its certificate."
            }
            (false, false) => {
                "Next: correct the address, or see to it that this machine gets there."
            }
        };
        CloudError::Unreachable {
            service: Service::Identity,
            url: self.keystone(),
            why,
            hint: Hint(format!("{}\n{next}", self.address())),
        }
    }

    /// Keystone, or what stands at its address, gave no token.
    pub(super) fn refused(&self, status: StatusCode, body: &str) -> CloudError {
        let url = self.keystone();
        let reason = reason(body);
        // Keystone wraps its words in `error`; whatever else has that address does not
        let is_keystone = serde_json::from_str::<Value>(body)
            .is_ok_and(|body| body.get("error").is_some_and(Value::is_object));
        match status {
            // an application credential that it does not know is "not found"
            StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND if is_keystone => {
                let hint = format!(
                    "Keystone at {url} says to {}: {reason}\nThe credentials are those of {}.\nNext: {}",
                    self.who(),
                    self.source,
                    self.next()
                );
                CloudError::Credential { hint: Hint(hint) }
            }
            StatusCode::NOT_FOUND => CloudError::NotKeystone {
                url,
                status,
                hint: Hint(format!(
                    "{}\nNext: correct the address; the OpenStack RC file that Horizon gives has it.",
                    self.address()
                )),
            },
            _ => CloudError::Refused {
                service: Service::Identity,
                method: Method::POST,
                path: "/auth/tokens".to_owned(),
                status,
                reason,
            },
        }
    }

    fn address(&self) -> String {
        format!("The address is `auth_url` of {}.", self.source)
    }

    fn next(&self) -> String {
        let trial = self.source.trial();
        match self.proof {
            Proof::Password { .. } => format!(
                "correct the user, the password, the project or their domains there; `{trial}` \
                 tries the same ones."
            ),
            Proof::ApplicationCredential { .. } => format!(
                "correct its id and secret there, or make another if it was deleted or has \
                 expired; `{trial}` tries the same one."
            ),
            Proof::Token(_) => {
                "put another token there: one lasts for some hours, and ends with its user's \
                 password or roles."
                    .to_owned()
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use std::time::{Duration, Instant};

    use mkys_plugin::Diagnostics;
    use serde_json::json;

    use super::super::{Cloud, Environment};
    use super::*;

    /// A file with a cloud whose Keystone is there.
    fn file(auth_url: &str) -> (tempfile::TempDir, Credentials) {
        let directory = tempfile::tempdir().unwrap();
        let cloud = json!({ "clouds": { "uni": { "auth": {
            "auth_url": auth_url, "username": "alice", "password": "hush", "project_name": "p",
        } } } });
        std::fs::write(directory.path().join("clouds.yaml"), cloud.to_string()).unwrap();
        let environment = Environment {
            directory: directory.path().into(),
            ..Environment::default()
        };
        let credentials = Credentials::read(Some("uni"), &environment).unwrap();
        (directory, credentials)
    }

    fn environment(pairs: &[(&str, &str)]) -> Credentials {
        let variables = pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        let environment = Environment {
            variables: variables.collect(),
            directory: "/nowhere".into(),
        };
        Credentials::read(None, &environment).unwrap()
    }

    fn told(error: CloudError) -> String {
        Diagnostics::from(error).to_string()
    }

    const REFUSAL: &str = r#"{"error":{"code":401,"message":"Not you.","title":"Unauthorized"}}"#;

    #[test]
    fn a_refused_credential_is_told_with_its_source() {
        let (directory, credentials) = file("http://k:5000");
        let said = told(credentials.refused(StatusCode::UNAUTHORIZED, REFUSAL));
        let path = directory.path().join("clouds.yaml");
        for words in [
            "The cloud refuses the credentials: Keystone at http://k:5000/v3 says to user \"alice\": Not you.",
            &*format!("cloud \"uni\" of {} (named by `cloud`", path.display()),
            "`openstack --os-cloud uni token issue`",
        ] {
            assert!(said.contains(words), "{words:?}: {said}");
        }
        assert!(!said.contains("hush"), "{said}");

        let credentials = environment(&[
            ("OS_AUTH_URL", "http://k/v3"),
            ("OS_APPLICATION_CREDENTIAL_ID", "abc"),
            ("OS_APPLICATION_CREDENTIAL_SECRET", "hush"),
        ]);
        let said = told(credentials.refused(StatusCode::NOT_FOUND, REFUSAL));
        for words in [
            "The cloud refuses the credentials",
            "application credential abc",
            "the environment (OS_*)",
        ] {
            assert!(said.contains(words), "{words:?}: {said}");
        }
    }

    #[test]
    fn an_address_where_something_else_answers_is_told() {
        let (_directory, credentials) = file("http://k:80");
        let said = told(credentials.refused(StatusCode::NOT_FOUND, "<html>Horizon</html>"));
        assert!(
            said.contains("No Keystone answers at http://k:80/v3: 404")
                && said.contains("`auth_url` of cloud \"uni\""),
            "{said}"
        );
    }

    #[tokio::test]
    async fn a_closed_port_is_told_in_seconds_whoever_else_waits() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", free.local_addr().unwrap());
        drop(free);
        let (_directory, credentials) = file(&url);
        let cloud = Cloud::new(credentials).unwrap();
        let began = Instant::now();
        let first = cloud.own().identity().await.unwrap_err();
        cloud.own().identity().await.unwrap_err();
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
        let said = told(first);
        let words = format!("Keystone at {url}/v3 cannot be reached: connection refused: ");
        assert!(said.starts_with(&words), "{said}");
        assert!(
            said.contains("The address is `auth_url` of cloud \"uni\""),
            "{said}"
        );
    }
}
