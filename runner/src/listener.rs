//! Where players come in to an edge: an address, and whether TLS is spoken there.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use reqwest::Url;

use crate::spec::Answers;

/// An edge's listener, as players reach it. Read from a text it is `https://198.51.100.3` or `http://198.51.100.3:8080`, without a port
/// the scheme's own; `198.51.100.3:80` alone is one without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    address: SocketAddr,
    has_tls: bool,
}

impl Listener {
    /// One with a certificate.
    #[must_use]
    pub const fn tls(address: SocketAddr) -> Self {
        Self {
            address,
            has_tls: true,
        }
    }

    /// One that speaks plain HTTP.
    #[must_use]
    pub const fn plain(address: SocketAddr) -> Self {
        Self {
            address,
            has_tls: false,
        }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) const fn has_tls(&self) -> bool {
        self.has_tls
    }

    /// What players ask for to get to a path of a host there. A port that is not the scheme's own is part of it.
    pub(crate) fn url(&self, answers: &Answers, host: &str, base: &str) -> String {
        let (scheme, path) = match (answers, self.has_tls) {
            (Answers::Websocket { path }, false) => ("ws", path),
            (Answers::Websocket { path }, true) => ("wss", path),
            (Answers::Http { path }, false) => ("http", path),
            (Answers::Http { path }, true) => ("https", path),
        };
        match (self.address.port(), self.has_tls) {
            (80, false) | (443, true) => format!("{scheme}://{host}{base}{path}"),
            (port, _) => format!("{scheme}://{host}:{port}{base}{path}"),
        }
    }
}

impl From<SocketAddr> for Listener {
    fn from(address: SocketAddr) -> Self {
        Self::plain(address)
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.has_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.address)
    }
}

/// A text is no listener.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not the address of a listener, such as https://198.51.100.3, http://198.51.100.3:8080 or 198.51.100.3:80"
)]
pub struct ListenerError(String);

impl FromStr for Listener {
    type Err = ListenerError;

    fn from_str(text: &str) -> Result<Self, ListenerError> {
        if let Ok(address) = text.parse() {
            return Ok(Self::plain(address));
        }
        parse(text).ok_or_else(|| ListenerError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Listener> {
    let url = Url::parse(text).ok()?;
    let has_tls = match url.scheme() {
        "http" => false,
        "https" => true,
        _ => return None,
    };
    let host = url.host_str()?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address = host.parse::<IpAddr>().ok()?;
    let port = url.port_or_known_default()?;
    let listener = Listener {
        address: SocketAddr::new(address, port),
        has_tls,
    };
    // it has neither a path nor anything else of a URL
    let plain = listener.url(&Answers::Http { path: "/".into() }, url.host_str()?, "");
    (url.as_str() == plain).then_some(listener)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_read_as_people_write_it() {
        for (text, shown) in [
            ("198.51.100.3:80", "http://198.51.100.3:80"),
            ("198.51.100.3:8080", "http://198.51.100.3:8080"),
            ("http://198.51.100.3", "http://198.51.100.3:80"),
            ("https://198.51.100.3", "https://198.51.100.3:443"),
            ("https://198.51.100.3/", "https://198.51.100.3:443"),
            ("https://198.51.100.3:8443", "https://198.51.100.3:8443"),
            ("https://[2001:db8::3]", "https://[2001:db8::3]:443"),
        ] {
            assert_eq!(text.parse::<Listener>().unwrap().to_string(), shown);
        }
        for text in [
            "",
            "198.51.100.3",
            "https://games.example.org",
            "https://198.51.100.3/play",
            "https://198.51.100.3?x",
            "https://ada@198.51.100.3",
            "wss://198.51.100.3",
        ] {
            let refused = text.parse::<Listener>().unwrap_err();
            assert!(refused.to_string().starts_with(&format!("{text:?} is not")));
        }
    }

    #[test]
    fn players_are_sent_to_what_they_can_ask_for() {
        let socket = Answers::Websocket {
            path: "/play".into(),
        };
        let page = Answers::Http { path: "/".into() };
        for (listener, answers, url) in [
            ("198.51.100.3:80", &socket, "ws://host/games/a/play"),
            ("198.51.100.3:81", &socket, "ws://host:81/games/a/play"),
            ("http://198.51.100.3:443", &page, "http://host:443/games/a/"),
            ("https://198.51.100.3", &page, "https://host/games/a/"),
            ("https://198.51.100.3", &socket, "wss://host/games/a/play"),
            (
                "https://198.51.100.3:80",
                &socket,
                "wss://host:80/games/a/play",
            ),
        ] {
            let listener: Listener = listener.parse().unwrap();
            assert_eq!(listener.url(answers, "host", "/games/a"), url);
        }
    }
}
