//! A session: one play of one game, that players are sent to.

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Container, RunName, SpecError, duration};

/// A session.
///
/// ```
/// use jiff::SignedDuration;
/// use mkys_runner::{Answers, Container, Session};
///
/// let session = Session::builder()
///     .name("chess-7f3a".parse()?)
///     .container(Container::builder().image("registry.example.org/games/chess:1.2".parse()?).build())
///     .port(8080)
///     .answers(Answers::Websocket { path: "/play".to_owned() })
///     .idle(SignedDuration::from_mins(5))
///     .build();
/// session.check()?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, bon::Builder)]
#[serde(deny_unknown_fields)]
#[schemars(description = "A session: one play of one game, that players are sent to.")]
pub struct Session {
    /// Its name.
    pub name: RunName,
    /// Its container.
    pub container: Container,
    /// The TCP port that it listens on.
    pub port: u16,
    /// What it must answer before players are sent to it.
    #[serde(default)]
    #[builder(default)]
    pub answers: Answers,
    /// How long it may take to answer, once it runs; two minutes by default.
    #[serde(default = "two_minutes", with = "duration")]
    #[schemars(with = "String")]
    #[builder(default = two_minutes())]
    pub answers_within: SignedDuration,
    /// How long nobody may use it before it ends, such as `5m`; five minutes by default.
    #[serde(default = "five_minutes", with = "duration")]
    #[schemars(with = "String")]
    #[builder(default = five_minutes())]
    pub idle: SignedDuration,
    /// How long it may run, whoever uses it; four hours by default.
    #[serde(default = "four_hours", with = "duration")]
    #[schemars(with = "String")]
    #[builder(default = four_hours())]
    pub limit: SignedDuration,
}

/// What a session answers once it can be played.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Answers {
    /// A websocket handshake.
    Websocket {
        /// The path of the handshake.
        path: String,
    },
    /// A request, with a status below 400.
    Http {
        /// The path of the request.
        path: String,
    },
}

impl Default for Answers {
    fn default() -> Self {
        Self::Http {
            path: "/".to_owned(),
        }
    }
}

fn two_minutes() -> SignedDuration {
    SignedDuration::from_mins(2)
}

fn five_minutes() -> SignedDuration {
    SignedDuration::from_mins(5)
}

fn four_hours() -> SignedDuration {
    SignedDuration::from_hours(4)
}

impl Session {
    /// Finds fault with it, before anything is started.
    ///
    /// # Errors
    ///
    /// [`SpecError`] with the field and what is wrong with it.
    pub fn check(&self) -> Result<(), SpecError> {
        let Self {
            name: _,
            container,
            port,
            answers,
            answers_within,
            idle,
            limit,
        } = self;
        container.check()?;
        if *port < 1024 {
            // it is not root, and may not listen below
            let reason = format!(
                "{port} is not one that a user who is not root may listen on: 1024 to 65535"
            );
            return Err(SpecError::new("port", reason));
        }
        let (Answers::Websocket { path } | Answers::Http { path }) = answers;
        if !path.starts_with('/') || path.chars().any(|c| c.is_control() || c == ' ') {
            return Err(SpecError::new(
                "answers.path",
                format!("{path:?} is no path of a request"),
            ));
        }
        super::check_duration("answers_within", *answers_within)?;
        super::check_duration("idle", *idle)?;
        super::check_duration("limit", *limit)
    }
}
