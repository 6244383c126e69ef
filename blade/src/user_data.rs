//! What a server runs at its first boot: the blade's own user data between MKYS' start-up script.
//!
//! The script mounts volumes, installs probes, and tells Heat when the server serves. It is POSIX
//! sh and needs curl or wget, so it runs on cloud images and on a busybox alike. User data that is
//! a script is run from within it; any other kind (`#cloud-config`, …) goes beside it in a MIME
//! archive, which cloud-init takes apart. A server that needs none of this gets its user data as it
//! was written.
//!
//! The script reaches Heat as three pieces, joined there: only ours go through `str_replace`, so
//! that nothing in the blade's own text can be mistaken for a placeholder.

use serde_json::{Map, Value, json};

use crate::blade::{Probe, Server};
use crate::revision;

/// Nova takes 65,535 characters of base64: this many bytes before encoding.
pub const NOVA_USER_DATA_LIMIT: usize = 65_535 / 4 * 3;

/// Room for what Heat puts in: the signal's URL and token, and volumes' ids.
const FILLED_IN: usize = 1_024;

const BOUNDARY: &str = "mkys-user-data";

/// The texts around the blade's own user data.
#[derive(Debug, PartialEq)]
pub(crate) struct Wrapper {
    head: String,
    tail: String,
}

/// How a server's user data is put together.
pub(crate) enum UserData {
    None,
    AsWritten,
    Wrapped(Wrapper),
}

impl UserData {
    pub(crate) fn of(server: &Server, probe_source: Option<&str>) -> Self {
        let mounts = server.volumes.values().any(|volume| volume.mount.is_some());
        let needed = mounts || !server.probes.is_empty() || server.ready.is_some();
        match (needed, &server.user_data) {
            (false, None) => Self::None,
            (false, Some(_)) => Self::AsWritten,
            (true, text) => Self::Wrapped(wrap(server, text.as_deref(), probe_source)),
        }
    }

    /// The property's value: `parameter` holds the blade's own text, `fill` what Heat puts in.
    pub(crate) fn property(
        self,
        parameter: &str,
        has_text: bool,
        fill: &Map<String, Value>,
    ) -> Option<Value> {
        let own = json!({ "get_param": parameter });
        match self {
            Self::None => None,
            Self::AsWritten => Some(own),
            Self::Wrapped(Wrapper { head, tail }) => {
                let piece = |text: String| {
                    let used: Map<_, _> = fill
                        .iter()
                        .filter(|(token, _)| text.contains(token.as_str()))
                        .map(|(token, value)| (token.clone(), value.clone()))
                        .collect();
                    if used.is_empty() {
                        return Value::String(text);
                    }
                    json!({ "str_replace": { "template": text, "params": used } })
                };
                let mut pieces = vec![piece(head)];
                pieces.extend(has_text.then_some(own));
                pieces.extend((!tail.is_empty()).then(|| piece(tail)));
                Some(json!({ "list_join": ["", pieces] }))
            }
        }
    }
}

/// What base64 makes of the first bytes of each kind of user data: a script, `#cloud-config`, gzip, a MIME archive.
const ENCODED: [&str; 5] = [
    "IyEv",
    "I2Nsb3Vk",
    "H4sI",
    "Q29udGVudC1UeXBl",
    "TUlNRS1WZXJzaW9u",
];

/// Says why a guest could not read a text, although Nova takes it.
fn unreadable(text: &str) -> Option<&'static str> {
    let is_base64 = |one: char| one.is_ascii_alphanumeric() || "+/=\r\n".contains(one);
    if ENCODED.iter().any(|start| text.starts_with(start)) && text.chars().all(is_base64) {
        return Some(
            "It is base64, which a guest takes for text that it does not know. The encoding for Nova is done by MKYS: leave `base64encode` \
             (`base64gzip`, `filebase64`) out.",
        );
    }
    let script = text
        .starts_with("#!")
        .then(|| text.lines().next())
        .flatten();
    // `lines` takes the line end of Windows off
    if script.is_some_and(|line| text[line.len()..].starts_with("\r\n")) {
        return Some(
            "It has Windows line ends (CRLF), so the guest would look for an interpreter whose name ends with one. Save it with LF, or use \
             `replace(…, \"\\r\\n\", \"\\n\")`.",
        );
    }
    None
}

/// Says why Nova would refuse the server's user data, or the guest could not read it.
pub(crate) fn check(server: &Server) -> Result<(), (&'static str, String)> {
    if let Some(why) = server.user_data.as_deref().and_then(unreadable) {
        return Err(("The server cannot read its user data", why.to_owned()));
    }
    let own = server.user_data.as_deref().map_or(0, str::len);
    let around = match UserData::of(server, Some(&"x".repeat(256))) {
        UserData::Wrapped(Wrapper { head, tail }) => head.len() + tail.len() + FILLED_IN,
        UserData::None | UserData::AsWritten => 0,
    };
    let total = own + around;
    if total <= NOVA_USER_DATA_LIMIT {
        return Ok(());
    }
    let detail = format!(
        "{own} bytes, with {around} bytes of MKYS' own start-up part around them, are more than \
         the {NOVA_USER_DATA_LIMIT} bytes (65,535 characters of base64) that Nova takes. Keep \
         within {} bytes and let the server fetch the rest when it boots.",
        NOVA_USER_DATA_LIMIT.saturating_sub(around)
    );
    Err(("User data too large", detail))
}

fn wrap(server: &Server, own: Option<&str>, probe_source: Option<&str>) -> Wrapper {
    let mut head = String::from(include_str!("user_data/start.sh"));
    if server.ready.is_some() {
        head.push_str(include_str!("user_data/ready.sh"));
    }
    if server.volumes.values().any(|volume| volume.mount.is_some()) {
        head.push_str(include_str!("user_data/volume.sh"));
    }
    if !server.probes.is_empty() {
        head.push_str(include_str!("user_data/probe.sh"));
    }
    for (name, volume) in &server.volumes {
        if let Some(mount) = &volume.mount {
            head.push_str(&format!(
                "mkys_mount '{}' '{mount}'\n",
                volume_token(name.as_ref())
            ));
        }
    }
    for probe in &server.probes {
        match probe {
            Probe::Node => {
                let source = probe_source.unwrap_or_default();
                head.push_str(&format!("mkys_probe_node '{source}'\n"));
            }
        }
    }
    let mut tail = String::new();
    if let Some(ready) = &server.ready {
        let url = format!("http://127.0.0.1:{}{}", ready.port, ready.path);
        tail.push_str(&format!(
            "mkys_ready '{url}' {} &\n",
            ready.within.as_secs()
        ));
    }
    match own {
        None => Wrapper { head, tail },
        Some(own) if own.starts_with("#!") => {
            let end = format!("MKYS_{}", revision::hex(own.as_bytes(), 16));
            head.push_str(&format!("cat >/run/mkys/user-data <<'{end}'\n"));
            let run = "chmod 700 /run/mkys/user-data\n\
                       /run/mkys/user-data || mkys_fail \"user data exited with $?\"\n";
            Wrapper {
                head,
                tail: format!("\n{end}\n{run}{tail}"),
            }
        }
        Some(own) => {
            let kind = mime_type(own);
            let opening = format!(
                "Content-Type: multipart/mixed; boundary=\"{BOUNDARY}\"\nMIME-Version: 1.0\n\n\
                 --{BOUNDARY}\nContent-Type: text/x-shellscript; charset=\"utf-8\"\n\n{head}{tail}\n\
                 --{BOUNDARY}\nContent-Type: {kind}; charset=\"utf-8\"\n\n"
            );
            Wrapper {
                head: opening,
                tail: format!("\n--{BOUNDARY}--\n"),
            }
        }
    }
}

/// The blade's own text in what a server was given, the reverse of what the wrapping does.
pub fn own_text(given: &str) -> Option<&str> {
    let between = |start: &str, end: &str| {
        let (_, rest) = given.split_once(start)?;
        rest.rsplit_once(end).map(|(own, _)| own)
    };
    if given.starts_with("Content-Type: multipart/mixed; boundary=\"mkys-user-data\"") {
        let (_, second) =
            given.split_once("\n--mkys-user-data\nContent-Type: text/x-shellscript")?;
        let (_, second) = second.split_once("\n--mkys-user-data\n")?;
        let (_, own) = second.split_once("\n\n")?;
        return own
            .rsplit_once("\n--mkys-user-data--\n")
            .map(|(own, _)| own);
    }
    if !given.contains("\nmkys_failed=\n") {
        return Some(given);
    }
    let (_, rest) = given.split_once("cat >/run/mkys/user-data <<'MKYS_")?;
    let (digest, _) = rest.split_once("'\n")?;
    let end = format!("\nMKYS_{digest}\n");
    between(&format!("<<'MKYS_{digest}'\n"), &end)
}

/// What Heat replaces by a volume's id.
pub(crate) fn volume_token(volume: &str) -> String {
    format!("@mkys-volume-{volume}@")
}

/// What Heat replaces by the URL to signal.
pub(crate) const ENDPOINT_TOKEN: &str = "@mkys-endpoint@";
/// What Heat replaces by the token to signal with.
pub(crate) const TOKEN_TOKEN: &str = "@mkys-token@";

fn mime_type(own: &str) -> &'static str {
    // the first lines that cloud-init tells its formats apart by
    const KINDS: [(&str, &str); 5] = [
        ("#cloud-config-archive", "text/cloud-config-archive"),
        ("#cloud-config", "text/cloud-config"),
        ("#include", "text/x-include-url"),
        ("#cloud-boothook", "text/cloud-boothook"),
        ("## template: jinja", "text/jinja2"),
    ];
    let kind = KINDS.iter().find(|(start, _)| own.starts_with(start));
    kind.map_or("text/plain", |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use super::*;
    use crate::blade::Ready;

    fn server(user_data: Option<String>, ready: bool) -> Server {
        Server {
            image: "i".into(),
            flavor: "f".into(),
            networks: Vec::new(),
            key_pair: None,
            user_data,
            probes: BTreeSet::new(),
            volumes: BTreeMap::new(),
            ready: ready.then(|| Ready {
                port: 80,
                path: "/".into(),
                within: Duration::from_secs(60),
            }),
        }
    }

    #[test]
    fn the_limit_is_exact_without_a_wrapper_and_counts_it_with_one() {
        let script = |bytes: usize| Some(format!("#!{}", "x".repeat(bytes - 2)));
        assert!(check(&server(script(NOVA_USER_DATA_LIMIT), false)).is_ok());
        assert!(check(&server(script(NOVA_USER_DATA_LIMIT + 1), false)).is_err());
        let error = check(&server(script(NOVA_USER_DATA_LIMIT), true));
        assert!(error.is_err_and(|(_, detail)| detail.contains("start-up part")));
    }

    #[test]
    fn encoded_text_and_windows_line_ends_are_refused() {
        for (text, word) in [
            ("IyEvYmluL3NoCmVjaG8gaGVsbG8K", "is base64"),
            (
                "I2Nsb3VkLWNvbmZpZwpwYWNrYWdlczogW25naW54XQo=\n",
                "is base64",
            ),
            (
                "H4sIAAAAAAAAA1NW1E/KzNMvzuBKTc7IV8hIzcnJBwBxEzH9FQAAAA==",
                "is base64",
            ),
            ("#!/bin/sh\r\necho hello\r\n", "Windows line ends"),
        ] {
            let refused = check(&server(Some(text.into()), true));
            assert!(
                refused.is_err_and(|(_, detail)| detail.contains(word)),
                "{text}"
            );
        }
        for text in [
            "#!/bin/sh\nprintf 'a\\r\\n'\n",
            "IyEv is text of mine",
            "#cloud-config\r\n{}\r\n",
            "#!/bin/sh",
        ] {
            assert!(check(&server(Some(text.into()), true)).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_script_cannot_end_the_document_it_stands_in() {
        let own = "#!/bin/sh\ncat <<X\nMKYS_\nX\n";
        let UserData::Wrapped(wrapper) = UserData::of(&server(Some(own.into()), true), None) else {
            panic!("a server with a readiness probe is wrapped");
        };
        let end = wrapper.tail.lines().nth(1).unwrap();
        assert!(!own.lines().any(|line| line == end));
        assert!(wrapper.head.ends_with(&format!("<<'{end}'\n")));
    }

    #[test]
    fn the_blades_own_text_is_found_again() {
        for own in [
            "#!/bin/sh\necho\n",
            "#!/bin/sh",
            "#cloud-config\na: [1]\n",
            "#include\nx",
            "text",
        ] {
            for ready in [false, true] {
                let server = server(Some(own.into()), ready);
                let given = match UserData::of(&server, None) {
                    UserData::Wrapped(Wrapper { head, tail }) => format!("{head}{own}{tail}"),
                    _ => own.to_owned(),
                };
                assert_eq!(own_text(&given), Some(own), "{given}");
            }
        }
    }

    #[test]
    fn cloud_config_goes_beside_the_script_in_an_archive() {
        let own = "#cloud-config\npackages: [nginx]\n";
        let UserData::Wrapped(wrapper) = UserData::of(&server(Some(own.into()), true), None) else {
            panic!("a server with a readiness probe is wrapped");
        };
        assert!(wrapper.head.starts_with("Content-Type: multipart/mixed"));
        assert!(wrapper.head.contains("Content-Type: text/cloud-config;"));
        assert!(wrapper.tail.ends_with("--mkys-user-data--\n"));
    }
}
