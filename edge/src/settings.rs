//! What an operator of the edge sets, in one YAML file.

mod log_server;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use mkys_edge_client::Audience;
use serde::{Deserialize, Serialize};

pub use log_server::LogServer;

/// The settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Folder of the database and of NGINX' files; nobody else may write there.
    pub state: PathBuf,
    /// Where the API listens, in plain HTTP: on an address that only the platform's own reach, or
    /// behind a proxy with a certificate.
    pub api: SocketAddr,
    /// Host name of the portal, on both listeners.
    pub portal_host: String,
    /// What the portal calls the platform.
    #[serde(default = "default_title")]
    pub title: String,
    /// Proxies that end TLS before the edge: what they say of a visitor's address (`X-Forwarded-For`) and scheme (`X-Forwarded-Proto`) is
    /// believed, and nobody else's word.
    #[serde(default)]
    pub trusted_proxies: Vec<IpNet>,
    /// NGINX' listener for the users audience.
    pub users: Listener,
    /// NGINX' listener for the devops audience.
    pub devops: Listener,
    /// How NGINX is run.
    #[serde(default)]
    pub nginx: Nginx,
}

/// A listener of NGINX.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Addresses with ports; on the audience's own external network.
    pub listen: Vec<SocketAddr>,
    /// Its certificate; without it the listener speaks plain HTTP.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// Addresses with ports where visitors are sent on to the same address by https, such as port 80.
    #[serde(default)]
    pub redirects: Vec<SocketAddr>,
}

/// A certificate with its key, PEM files.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate with its chain.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// For how many seconds browsers are to come by https alone (`Strict-Transport-Security`, RFC 6797); 0: services decide.
    #[serde(default)]
    pub hsts_s: u32,
}

/// How NGINX is run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Nginx {
    /// The program.
    pub program: PathBuf,
    /// Modules to load, in order; files.
    pub modules: Vec<PathBuf>,
    /// User of its workers.
    pub user: String,
    /// Number of workers; 0 is one a processor.
    pub workers: u16,
    /// Connections a worker.
    pub connections: u32,
    /// Memory for routes, in MiB. An entry for one audience takes 256 bytes or, with a long host and path, up to 1,024. As much again is for
    /// the use of session routes. A change takes effect when NGINX starts anew.
    pub routes_mib: u32,
    /// Largest body of a request, in MiB; 0 is no limit.
    pub body_mib: u32,
    /// How long a service may be silent before it answers a request, and between two parts of its answer, in seconds.
    pub answer_s: NonZeroU32,
    /// The syslog server that each request is told to; without it none is.
    pub access_log: Option<LogServer>,
}

impl Default for Nginx {
    fn default() -> Self {
        Self {
            program: "/usr/sbin/nginx".into(),
            modules: vec![
                "/usr/lib/nginx/modules/ndk_http_module.so".into(),
                "/usr/lib/nginx/modules/ngx_http_lua_module.so".into(),
            ],
            user: "www-data".to_owned(),
            workers: 0,
            connections: 16_384,
            routes_mib: 32,
            body_mib: 1_024,
            answer_s: NonZeroU32::MIN.saturating_add(299),
            access_log: None,
        }
    }
}

fn default_title() -> String {
    "Scientific platforms".to_owned()
}

/// What is wrong with the settings.
#[derive(Debug, strum::EnumCount, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("failed to read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{path}: {reason}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl Settings {
    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or holds something that NGINX could not be given.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path).map_err(|source| SettingsError::Read {
            path: path.to_owned(),
            source,
        })?;
        let invalid = |reason: String| SettingsError::Invalid {
            path: path.to_owned(),
            reason,
        };
        let settings: Self =
            serde_saphyr::from_str(&text).map_err(|error| invalid(error.to_string()))?;
        settings.check().map_err(invalid)?;
        Ok(settings)
    }

    /// Only what cannot mean anything else reaches NGINX' configuration.
    fn check(&self) -> Result<(), String> {
        let Nginx {
            program,
            modules,
            user,
            ..
        } = &self.nginx;
        let mut paths = vec![&self.state, program];
        paths.extend(modules);
        for tls in [&self.users.tls, &self.devops.tls].into_iter().flatten() {
            paths.extend([&tls.certificate, &tls.key]);
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
        for path in paths {
            let text = path.to_str().unwrap_or_default();
            if !text.starts_with('/') || !text.chars().all(plain) {
                return Err(format!(
                    "{path:?} is not an absolute path of letters, digits, '-', '_' and '.'"
                ));
            }
        }
        if user.is_empty() || !user.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(format!("nginx.user: {user:?} is not the name of a user"));
        }
        mkys_edge_client::check_host(&self.portal_host)
            .map_err(|error| format!("portal_host: {error}"))?;
        for (audience, listener) in self.listeners() {
            if listener.listen.is_empty() {
                return Err(format!(
                    "{audience}.listen: name at least one address with its port"
                ));
            }
        }
        let mut all = BTreeSet::from([self.api]);
        for (audience, listener) in self.listeners() {
            if !listener.redirects.is_empty() && listener.tls.is_none() {
                return Err(format!(
                    "{audience}.redirects: there is no `tls` to send visitors on to"
                ));
            }
            for address in listener.listen.iter().chain(&listener.redirects) {
                if address.port() == 0 {
                    return Err(format!("{audience}: {address} has no port"));
                }
                if !all.insert(*address) {
                    return Err(format!("{address} cannot be listened on twice"));
                }
            }
        }
        if self.nginx.routes_mib == 0 {
            return Err("nginx.routes_mib: at least 1".to_owned());
        }
        Ok(())
    }

    /// The listeners with their audience.
    pub fn listeners(&self) -> [(Audience, &Listener); 2] {
        [
            (Audience::Users, &self.users),
            (Audience::Devops, &self.devops),
        ]
    }
}
