//! Where requests are logged: a syslog server, which bounds what it keeps.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A syslog server: the path of a socket of this machine such as `/dev/log`, or an address with its port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LogServer {
    /// A datagram socket.
    Socket(PathBuf),
    /// A UDP port.
    Address(SocketAddr),
}

impl FromStr for LogServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // only what cannot mean anything else reaches NGINX' configuration
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
        if text.starts_with('/') && text.chars().all(plain) {
            return Ok(Self::Socket(text.into()));
        }
        let address = text.parse().map(Self::Address);
        address.map_err(|_| {
            format!(
                "{text:?} is neither the path of a socket, such as /dev/log, nor an address with its port"
            )
        })
    }
}

impl TryFrom<String> for LogServer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<LogServer> for String {
    fn from(server: LogServer) -> Self {
        server.to_string()
    }
}

/// As it is set.
impl fmt::Display for LogServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_texts_are_no_servers() {
        let cases = [
            ("/dev/log", true),
            ("192.0.2.9:514", true),
            ("[2001:db8::1]:514", true),
            ("192.0.2.9", false),
            ("syslog", false),
            ("/dev/log;", false),
            ("/dev/log combined", false),
            ("", false),
        ];
        for (text, is_server) in cases {
            let server: Result<LogServer, _> = text.parse();
            assert_eq!(server.is_ok(), is_server, "{text}");
            let again = server.map(String::from);
            assert!(again.is_err() || again == Ok(text.to_owned()), "{text}");
        }
    }
}
