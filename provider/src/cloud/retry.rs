//! The one policy by which calls are tried again.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::{Method, StatusCode};

/// What came of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// An answer with this status.
    Answered(StatusCode),
    /// The connection was not made: nothing can have happened.
    NotConnected,
    /// The connection was made, and no answer came: it may have happened.
    Unanswered,
}

/// How long a cloud that has never answered is asked again. Its address is more likely wrong than its service about to come, and a
/// connection that times out was tried several times by the system already.
pub(super) const FIRST: Duration = Duration::from_secs(3);

/// How long silence is borne.
#[derive(Clone, Copy, Debug)]
pub(super) enum Patience {
    /// As long as the [`pauses`] last: the cloud has answered before.
    Known,
    /// Until then, and no longer.
    Until(Instant),
}

impl Patience {
    /// Whether there may be another try at `then`. An answer, even a bad one, says that somebody is there.
    pub(super) fn allows(self, attempt: Attempt, then: Instant) -> bool {
        match (self, attempt) {
            (Self::Known, _) | (_, Attempt::Answered(_)) => true,
            (Self::Until(limit), _) => then <= limit,
        }
    }
}

/// Whether trying again can help, and can do no harm.
pub(super) fn again(method: &Method, attempt: Attempt) -> bool {
    let repeatable = matches!(
        *method,
        Method::GET | Method::HEAD | Method::PUT | Method::DELETE
    );
    match attempt {
        Attempt::NotConnected => true,
        Attempt::Unanswered => repeatable,
        Attempt::Answered(status) => match status {
            // said before anything was done
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => true,
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => repeatable,
            // an ordinary hiccup of a busy service; only reading again is surely harmless
            StatusCode::INTERNAL_SERVER_ERROR => *method == Method::GET,
            _ => false,
        },
    }
}

/// The pauses between tries: about 10 s in all.
pub(super) fn pauses() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(300))
        .with_max_delay(Duration::from_secs(4))
        .with_max_times(5)
        .with_jitter()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_do_no_harm_is_tried_again() {
        let answered = |code: u16| Attempt::Answered(StatusCode::from_u16(code).unwrap());
        let cases = [
            (Method::POST, Attempt::NotConnected, true),
            (Method::POST, Attempt::Unanswered, false),
            (Method::PATCH, Attempt::Unanswered, false),
            (Method::GET, Attempt::Unanswered, true),
            (Method::DELETE, Attempt::Unanswered, true),
            (Method::POST, answered(503), true),
            (Method::POST, answered(504), false),
            (Method::GET, answered(504), true),
            (Method::GET, answered(500), true),
            (Method::PUT, answered(500), false),
            (Method::GET, answered(404), false),
            (Method::POST, answered(409), false),
        ];
        for (method, attempt, expected) in cases {
            assert_eq!(again(&method, attempt), expected, "{method} {attempt:?}");
        }
    }

    #[test]
    fn silence_of_a_cloud_that_never_answered_is_not_borne_for_long() {
        let now = Instant::now();
        let first = Patience::Until(now + FIRST);
        let busy = Attempt::Answered(StatusCode::SERVICE_UNAVAILABLE);
        let (soon, late) = (now + FIRST / 2, now + FIRST * 2);
        assert!(first.allows(Attempt::NotConnected, soon));
        assert!(!first.allows(Attempt::NotConnected, late));
        assert!(first.allows(busy, late));
        assert!(Patience::Known.allows(Attempt::NotConnected, late));
    }

    #[test]
    fn tries_end() {
        let total: Duration = pauses().sum();
        assert!(
            total > Duration::from_secs(3) && total < Duration::from_secs(25),
            "{total:?}"
        );
    }
}
