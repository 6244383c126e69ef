//! NGINX' configuration, rendered from typed settings alone. Each has an id, a digest of all that it consists of, and a folder of its
//! own: a configuration that NGINX does not take leaves the one before whole.

use std::path::{Path, PathBuf};

use minijinja::Environment;
use minijinja::value::Serde;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::NginxError;
use crate::settings::{Listener, LogServer, Settings};

const TEMPLATE: &str = include_str!("../../nginx/nginx.conf.j2");
const PROXY: &str = include_str!("../../nginx/proxy.conf");
const LUA: [(&str, &str); 11] = [
    ("access", include_str!("../../nginx/lua/mkys/access.lua")),
    (
        "activity",
        include_str!("../../nginx/lua/mkys/activity.lua"),
    ),
    ("answer", include_str!("../../nginx/lua/mkys/answer.lua")),
    ("clock", include_str!("../../nginx/lua/mkys/clock.lua")),
    ("control", include_str!("../../nginx/lua/mkys/control.lua")),
    ("headers", include_str!("../../nginx/lua/mkys/headers.lua")),
    (
        "requests",
        include_str!("../../nginx/lua/mkys/requests.lua"),
    ),
    ("routes", include_str!("../../nginx/lua/mkys/routes.lua")),
    ("socket", include_str!("../../nginx/lua/mkys/socket.lua")),
    ("target", include_str!("../../nginx/lua/mkys/target.lua")),
    (
        "websocket",
        include_str!("../../nginx/lua/mkys/websocket.lua"),
    ),
];

/// Mozilla's "intermediate" ciphers of TLS 1.2.
const CIPHERS: &str = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
                       ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

/// A configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Configuration {
    /// Digest of all that it consists of.
    pub(super) id: String,
    /// The text of `nginx.conf`.
    pub(super) text: String,
}

impl Configuration {
    /// Renders the configuration for the settings, with so much memory for routes in MiB.
    ///
    /// # Errors
    ///
    /// [`NginxError::Render`] when the template is broken.
    pub(super) fn render(settings: &Settings, routes_mib: u32) -> Result<Self, NginxError> {
        let text = text(settings, routes_mib, "")?;
        let parts = LUA.iter().map(|(_, text)| *text).chain([PROXY, &text]);
        let digest = parts.fold(Sha256::new(), |digest, part| digest.chain_update(part));
        let digest = digest.finalize();
        let id: String = digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let text = self::text(settings, routes_mib, &id)?;
        Ok(Self { id, text })
    }

    /// Writes the files beside `nginx.conf` that it names.
    ///
    /// # Errors
    ///
    /// [`NginxError::Write`].
    pub(super) fn write_parts(&self, state: &Path) -> Result<(), NginxError> {
        let folder = folder(state, &self.id);
        super::make_folder(&folder.join("lua/mkys"))?;
        for (name, text) in LUA {
            super::write(
                &folder.join("lua/mkys").join(name).with_extension("lua"),
                text,
            )?;
        }
        super::write(&folder.join("proxy.conf"), PROXY)
    }

    /// Removes the parts of all configurations but this one and the one that NGINX ran by before.
    pub(super) fn remove_others(&self, state: &Path, before: Option<&str>) {
        let all = std::fs::read_dir(state.join("configurations"));
        for entry in all.into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_str();
            if name != Some(&self.id) && name != before {
                // what stays is looked at again at the next change
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
}

fn folder(state: &Path, id: &str) -> PathBuf {
    state.join("configurations").join(id)
}

fn text(settings: &Settings, routes_mib: u32, id: &str) -> Result<String, NginxError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.add_template("nginx.conf", TEMPLATE)?;
    let nginx = &settings.nginx;
    let workers = match nginx.workers {
        0 => "auto".to_owned(),
        number => number.to_string(),
    };
    let listeners = settings.listeners().map(|(audience, listener)| {
        let Listener {
            listen,
            tls,
            redirects,
        } = listener;
        json!({
            "audience": audience.as_str(),
            "addresses": listen,
            "tls": tls,
            "redirects": redirects,
        })
    });
    let values = json!({
        "configuration": id,
        "folder": folder(&settings.state, id),
        "modules": nginx.modules,
        "user": nginx.user,
        "workers": workers,
        "connections": nginx.connections,
        "open_files": open_files(nginx.connections),
        "routes_memory": format!("{routes_mib}m"),
        "body_limit": if nginx.body_mib == 0 { "0".to_owned() } else { format!("{}m", nginx.body_mib) },
        "answer_s": nginx.answer_s,
        "access_log": nginx.access_log.as_ref().map(|server| match server {
            LogServer::Socket(path) => format!("unix:{}", path.display()),
            LogServer::Address(address) => address.to_string(),
        }),
        "ciphers": CIPHERS,
        "trusted_proxies": settings.trusted_proxies,
        "state": settings.state,
        "listeners": listeners,
    });
    Ok(environment
        .get_template("nginx.conf")?
        .render(Serde(values))?)
}

/// The id of the configuration of a text of `nginx.conf`; none in one of an earlier version.
pub(super) fn id_of(text: &str) -> Option<&str> {
    text.lines()
        .find_map(|line| line.strip_prefix("# configuration "))
}

/// The memory for routes by a text of `nginx.conf`, in MiB.
pub(super) fn routes_mib_of(text: &str) -> Option<u32> {
    let mut lines = text.lines().map(str::trim);
    lines.find_map(|line| {
        let size = line.strip_prefix("lua_shared_dict mkys_routes ")?;
        size.strip_suffix("m;")?.parse().ok()
    })
}

/// Files a worker may have open: a relayed connection has two ends. Not more than this process may
/// give: NGINX would say so at each start.
fn open_files(connections: u32) -> u64 {
    let wanted = u64::from(connections) * 2 + 1024;
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let hard = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    hard.map_or(wanted, |hard: u64| wanted.min(hard))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(extra: &str) -> Settings {
        let text = format!(
            "{{state: /var/lib/mkys-edge, api: 10.0.0.1:8600, portal_host: portal.example.org, \
             users: {{listen: [198.51.100.3:80]}}, devops: {{listen: [198.51.100.131:443], \
             tls: {{certificate: /etc/edge.pem, key: /etc/edge.key, hsts_s: 31536000}}, redirects: [198.51.100.131:80]}}{extra}}}"
        );
        serde_saphyr::from_str(&text).unwrap()
    }

    #[test]
    fn the_configuration_is_as_people_read_it() {
        let settings = settings(", trusted_proxies: [192.0.2.0/28], nginx: {access_log: /dev/log}");
        let configuration = Configuration::render(&settings, 32).unwrap();
        let text = configuration
            .text
            .replace(&configuration.id, "CONFIGURATION");
        let text = text.replace(&open_files(16_384).to_string(), "OPEN_FILES");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn configuration_tells_id_and_memory() {
        let one = Configuration::render(&settings(""), 32).unwrap();
        assert_eq!(id_of(&one.text), Some(&*one.id));
        assert_eq!(routes_mib_of(&one.text), Some(32));
        let other = Configuration::render(&settings(""), 48).unwrap();
        assert_ne!(one.id, other.id);
        // as a version before ids wrote it
        let earlier = "http {\n    lua_shared_dict mkys_routes 4m;\n";
        assert_eq!((id_of(earlier), routes_mib_of(earlier)), (None, Some(4)));
    }
}
