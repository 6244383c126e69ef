//! Who is signed in on the administrators' pages.
//!
//! A session is a random cookie, known to this process alone: a restart signs everybody out. Forms
//! carry a second random text that only pages of the session show, so that no other site can post
//! for a signed-in administrator. Whether the token that one signed in with is still good is asked
//! each time: a session ends with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use subtle::ConstantTimeEq;

use crate::token;

/// The cookie's name over TLS: a browser takes one of this prefix from this host alone, never from another host of the domain
/// (RFC 6265bis, section 4.1.3).
const SECURE_NAME: &str = "__Host-mkys_session";
/// Its name where there is no TLS. Another host of the domain can set one of the same name, so each that comes is tried.
const PLAIN_NAME: &str = "mkys_session";
const LASTS: Duration = Duration::from_secs(8 * 60 * 60);
/// Sessions at once; the oldest goes first.
const MOST: usize = 256;

#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Hash of the token that one signed in with.
    pub(super) token: Vec<u8>,
    pub(super) form_token: String,
    until: Instant,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Sessions(Arc<Mutex<HashMap<String, Session>>>);

impl Sessions {
    /// Opens a session of whoever has a token, and gives its cookie.
    pub(super) fn open(&self, token: &str, now: Instant) -> Result<String, getrandom::Error> {
        let token = token::hash(token);
        let (cookie, form_token) = (token::generate()?, token::generate()?);
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.until > now);
        if sessions.len() >= MOST {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.until);
            if let Some(oldest) = oldest.map(|(cookie, _)| cookie.clone()) {
                sessions.remove(&oldest);
            }
        }
        let until = now + LASTS;
        sessions.insert(
            cookie.clone(),
            Session {
                token,
                form_token,
                until,
            },
        );
        Ok(cookie)
    }

    /// The session of a request.
    pub(super) fn of(&self, headers: &HeaderMap, now: Instant) -> Option<Session> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = cookies(headers).filter_map(|cookie| sessions.get(cookie));
        known.find(|session| session.until > now).cloned()
    }

    /// Ends the session of a request, if its form token is right.
    pub(super) fn close(&self, headers: &HeaderMap, form_token: &str) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for cookie in cookies(headers) {
            if sessions
                .get(cookie)
                .is_some_and(|session| session.wrote(form_token))
            {
                sessions.remove(cookie);
            }
        }
    }
}

impl Session {
    /// Whether a form came from a page of this session.
    pub(super) fn wrote(&self, form_token: &str) -> bool {
        self.form_token
            .as_bytes()
            .ct_eq(form_token.as_bytes())
            .into()
    }
}

/// The header field that sets a session's cookie; an empty one is taken away.
pub(super) fn set_cookie(cookie: &str, is_secure: bool) -> String {
    let age = if cookie.is_empty() { "; Max-Age=0" } else { "" };
    match is_secure {
        true => format!("{SECURE_NAME}={cookie}; Path=/; HttpOnly; SameSite=Strict; Secure{age}"),
        false => format!("{PLAIN_NAME}={cookie}; Path=/admin; HttpOnly; SameSite=Strict{age}"),
    }
}

/// All cookies of a request that may be a session's.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(COOKIE).iter();
    let pairs = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .filter(|(name, _)| [SECURE_NAME, PLAIN_NAME].contains(name))
        .map(|(_, value)| value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    fn with(cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, cookie.parse().unwrap());
        headers
    }

    #[test]
    fn foreign_cookies_are_skipped() {
        let sessions = Sessions::default();
        let now = Instant::now();
        let cookie = sessions.open("mkys_x", now).unwrap();
        for others in [
            "",
            "mkys_session=evil; ",
            "__Host-mkys_session=evil; mkys_session=; ",
        ] {
            let headers = with(&format!("{others}mkys_session={cookie}"));
            assert!(sessions.of(&headers, now).is_some(), "{others}");
        }
        assert!(sessions.of(&with("mkys_session=evil"), now).is_none());
        assert!(
            sessions
                .of(&with(&format!("other={cookie}")), now)
                .is_none()
        );
        let after = now + LASTS;
        assert!(
            sessions
                .of(&with(&format!("mkys_session={cookie}")), after)
                .is_none()
        );
    }

    #[test]
    fn secure_cookie_is_host_only() {
        let secure = set_cookie("x", true);
        assert!(secure.starts_with("__Host-mkys_session=x; Path=/; ") && secure.contains("Secure"));
        assert!(!secure.contains("Domain") && set_cookie("", true).contains("Max-Age=0"));
    }
}
