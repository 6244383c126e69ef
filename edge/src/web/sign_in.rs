//! Who is signed in on the administrators' pages.
//!
//! A session is a random cookie, known to this process alone: a restart signs everybody out. Forms
//! carry a second random text that only pages of the session show, so that no other site can post
//! for a signed-in administrator. Whether the token that one signed in with is still good is asked
//! each time: a session ends with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use jiff::{Timestamp, ToSpan};
use subtle::ConstantTimeEq;

use crate::token;

pub(super) const COOKIE_NAME: &str = "mkys_session";
const HOURS: i64 = 8;
/// Sessions at once; the oldest goes first.
const MOST: usize = 256;

#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Hash of the token that one signed in with.
    pub(super) token: Vec<u8>,
    pub(super) form_token: String,
    until: Timestamp,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Sessions(Arc<Mutex<HashMap<String, Session>>>);

impl Sessions {
    /// Opens a session of whoever has a token, and gives its cookie.
    pub(super) fn open(&self, token: &str, now: Timestamp) -> Result<String, getrandom::Error> {
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
        let until = now + HOURS.hours();
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
    pub(super) fn of(&self, headers: &HeaderMap, now: Timestamp) -> Option<Session> {
        let cookie = cookie(headers)?;
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions
            .get(&cookie)
            .filter(|session| session.until > now)
            .cloned()
    }

    /// Ends the session of a request.
    pub(super) fn close(&self, headers: &HeaderMap) {
        if let Some(cookie) = cookie(headers) {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&cookie);
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

fn cookie(headers: &HeaderMap) -> Option<String> {
    let cookies = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let pairs = cookies
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .into_iter()
        .find(|(name, _)| *name == COOKIE_NAME)
        .map(|(_, value)| value.to_owned())
}
