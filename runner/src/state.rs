//! The states of a run, and the one function that goes from one to the next.
//!
//! A run only ever goes forward. What to do follows from the state alone ([`State::wants`]), so an owner that was restarted goes on
//! from what it observes, with nothing else to remember.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::limits::Limits;
use crate::verdict::{Cause, Failure, Verdict};

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    /// Handed to the executor, which has not shown it yet.
    Submitted {
        /// Since when.
        since: Timestamp,
    },
    /// It exists and does not run yet.
    Starting {
        /// Since when.
        since: Timestamp,
        /// What it waits for, in the executor's words.
        words: String,
        /// What it failed for if it never started.
        cause: Cause,
    },
    /// It runs. A session has not answered yet.
    Running {
        /// Since when.
        since: Timestamp,
        /// Since when this owner has known that, and a session has been asked whether it answers: later than the other where an
        /// owner has taken it over.
        known: Timestamp,
        /// What was said when a session was asked last; empty for a computation, and before that.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        words: String,
    },
    /// A session that answers, and that players are sent to.
    Serving {
        /// Since when it has been running.
        since: Timestamp,
        /// When somebody used it last.
        active: Timestamp,
    },
    /// How it ended is known. Its result is taken, then what is left of it is destroyed.
    Ending {
        /// Since when.
        since: Timestamp,
        /// How it ended.
        verdict: Verdict,
        /// Whether its result is still to be taken.
        result: bool,
        /// Why that did not succeed when it was tried last: what it fails for if it never does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        untaken: Option<Failure>,
    },
    /// Nothing of it is left.
    Gone {
        /// How it ended.
        verdict: Verdict,
    },
}

/// What an executor sees of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// It waits for something: an image, a node, its turn.
    Waiting {
        /// What it failed for if it waited for good.
        cause: Cause,
        /// In the executor's words.
        words: String,
    },
    /// Its command runs.
    Running {
        /// Since when.
        since: Timestamp,
    },
    /// Its command ended by itself.
    Exited {
        /// Its exit code.
        code: i32,
        /// What it, or the executor for it, said last.
        words: String,
    },
    /// It failed otherwise, or will never start.
    Failed(Failure),
    /// It was seen before and is not there any more, and nobody saw it end.
    Missing {
        /// What was seen last.
        words: String,
    },
}

impl Observation {
    /// Whether nothing more is to be seen of the run.
    pub(crate) const fn is_end(&self) -> bool {
        matches!(
            self,
            Self::Exited { .. } | Self::Failed(_) | Self::Missing { .. }
        )
    }
}

/// What happens to a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The executor sees something.
    Seen(Observation),
    /// A session answered a handshake on the way that players take.
    Answered,
    /// A session was asked there, and did not answer as it must.
    Unanswered {
        /// In the words of whoever was asked.
        words: String,
    },
    /// A session was used, or nobody could tell whether it was.
    Used {
        /// When.
        at: Timestamp,
    },
    /// The caller ends it: a session's proper end, a computation's cancellation.
    Ended,
    /// Its result could not be taken, and may be the next time. What it fails for if it never is.
    Untaken(Failure),
    /// Its result was taken and acknowledged, or can't be.
    Taken(Result<(), Failure>),
    /// The executor proved that nothing of it is left.
    Absent,
    /// Time went by.
    Tick,
}

/// What is right to do in a state. All of it can be done again without harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wants {
    /// The container is to exist, and its lease to be renewed.
    pub container: bool,
    /// Players are to be sent to it.
    pub route: bool,
    /// Its result is to be taken.
    pub result: bool,
    /// What is left of it is to be destroyed.
    pub destroy: bool,
}

impl State {
    /// A run that was just handed to the executor.
    #[must_use]
    pub const fn submitted(now: Timestamp) -> Self {
        Self::Submitted { since: now }
    }

    /// A run whose end is on record: what may be left of it is destroyed.
    #[must_use]
    pub const fn recorded(now: Timestamp, verdict: Verdict) -> Self {
        Self::Ending {
            since: now,
            verdict,
            result: false,
            untaken: None,
        }
    }

    /// What is right to do.
    #[must_use]
    pub const fn wants(&self) -> Wants {
        let (container, route, result, destroy) = match self {
            Self::Submitted { .. } | Self::Starting { .. } | Self::Running { .. } => {
                (true, false, false, false)
            }
            Self::Serving { .. } => (true, true, false, false),
            // a result is read out of what is still there
            Self::Ending { result: true, .. } => (true, false, true, false),
            Self::Ending { result: false, .. } => (false, false, false, true),
            Self::Gone { .. } => (false, false, false, false),
        };
        Wants {
            container,
            route,
            result,
            destroy,
        }
    }

    /// What its time goes into here, for the record: `submitted`, `image`, `inputs` and `placement` before it runs, `running`, `serving`,
    /// `results` while they are taken, `destruction`, and `gone`.
    #[must_use]
    pub const fn phase(&self) -> &'static str {
        match self {
            Self::Submitted { .. } => "submitted",
            Self::Starting { cause, .. } => match cause {
                Cause::ImageMissing | Cause::ImageRefused => "image",
                Cause::Files => "inputs",
                _ => "placement",
            },
            Self::Running { .. } => "running",
            Self::Serving { .. } => "serving",
            Self::Ending { result: true, .. } => "results",
            Self::Ending { result: false, .. } => "destruction",
            Self::Gone { .. } => "gone",
        }
    }

    /// How it ended, once that is certain: a success is one only when its result was taken.
    #[must_use]
    pub const fn verdict(&self) -> Option<&Verdict> {
        match self {
            Self::Ending {
                verdict,
                result: false,
                ..
            }
            | Self::Gone { verdict } => Some(verdict),
            _ => None,
        }
    }

    /// The state after an event.
    ///
    /// ```
    /// use jiff::{SignedDuration, Timestamp};
    /// use mkys_runner::{Event, Limits, Observation, State, Verdict};
    ///
    /// let limits = Limits::computation(SignedDuration::from_mins(10));
    /// let now = Timestamp::UNIX_EPOCH;
    /// let state = State::submitted(now)
    ///     .next(&Event::Seen(Observation::Running { since: now }), now, &limits)
    ///     .next(&Event::Seen(Observation::Exited { code: 0, words: String::new() }), now, &limits);
    /// assert!(matches!(&state, State::Ending { verdict: Verdict::Succeeded, .. }));
    /// assert!(state.wants().result, "the result is taken before anything is destroyed");
    /// ```
    #[must_use]
    pub fn next(self, event: &Event, now: Timestamp, limits: &Limits) -> Self {
        match self {
            Self::Gone { .. } => self,
            Self::Ending { result: true, .. } => self.without_result(event, now, limits),
            Self::Ending { verdict, .. } if *event == Event::Absent => Self::Gone { verdict },
            Self::Ending { .. } => self,
            alive => alive.alive(event, now, limits),
        }
    }

    /// When the state is over for having lasted too long, unless something happens; `None` for what lasts for good.
    #[must_use]
    pub fn until(&self, limits: &Limits) -> Option<Timestamp> {
        let after = |since: &Timestamp, limit: SignedDuration| since.saturating_add(limit).ok();
        match self {
            Self::Submitted { since } => after(since, limits.submit),
            Self::Starting { since, .. } => after(since, limits.start),
            Self::Running { since, known, .. } => {
                let answer = limits.answer.and_then(|answer| after(known, answer));
                after(since, limits.run).into_iter().chain(answer).min()
            }
            Self::Serving { since, active } => {
                let idle = limits.idle.and_then(|idle| after(active, idle));
                after(since, limits.run).into_iter().chain(idle).min()
            }
            Self::Ending {
                since,
                result: true,
                untaken,
                ..
            } => after(since, to_take(untaken.as_ref(), limits)),
            Self::Ending { .. } | Self::Gone { .. } => None,
        }
    }

    /// The state after an event, of a run that ended well and whose result is not there yet.
    fn without_result(mut self, event: &Event, now: Timestamp, limits: &Limits) -> Self {
        let Self::Ending {
            since,
            verdict,
            untaken,
            ..
        } = &mut self
        else {
            return self;
        };
        let since = *since;
        let failed = |failure: Failure| end(since, failure.into(), false);
        // its command did all that was asked of it
        let lost = |words: &str| {
            let words = words.to_owned();
            end(since, Verdict::Lost { words }, false)
        };
        match event {
            Event::Taken(Ok(())) => end(since, verdict.clone(), false),
            // the work was done, and yet its caller has nothing of it
            Event::Taken(Err(failure)) => failed(failure.clone()),
            Event::Ended => {
                let words = match untaken {
                    Some(Failure { words, .. }) => format!("the caller cancelled it: {words}"),
                    None => "the caller cancelled it".to_owned(),
                };
                failed(Failure::new(Cause::Cancelled, words))
            }
            Event::Tick if now.duration_since(since) >= to_take(untaken.as_ref(), limits) => {
                let limit = to_take(untaken.as_ref(), limits);
                let words = format!("its result was not taken within {limit:#}");
                failed(match untaken {
                    Some(why) => Failure::new(why.cause, format!("{words}: {}", why.words)),
                    None => Failure::new(Cause::Result, words),
                })
            }
            Event::Absent => lost("it went away before its result was taken"),
            Event::Seen(Observation::Missing { words }) => lost(words),
            // somebody has an hour to make room, and an executor that is away meanwhile takes none of it
            Event::Untaken(_) if is_room_wanted(untaken.as_ref()) => self,
            Event::Untaken(why) => {
                *untaken = Some(why.clone());
                self
            }
            _ => self,
        }
    }

    fn alive(self, event: &Event, now: Timestamp, limits: &Limits) -> Self {
        let verdict = match event {
            Event::Seen(seen) => return self.seen(seen, now, limits),
            Event::Answered if limits.answer.is_some() => {
                return match self {
                    Self::Running { since, .. } => Self::Serving { since, active: now },
                    other => other,
                };
            }
            Event::Unanswered { words } => {
                return match self {
                    Self::Running { since, known, .. } => Self::Running {
                        since,
                        known,
                        words: words.clone(),
                    },
                    other => other,
                };
            }
            Event::Used { at } => {
                return match self {
                    Self::Serving { since, active } => Self::Serving {
                        since,
                        // clocks differ: nobody has used it later than now
                        active: active.max((*at).min(now)),
                    },
                    other => other,
                };
            }
            Event::Ended => match self {
                // players are done: that is how a session ends
                Self::Serving { .. } => Verdict::Succeeded,
                _ => Failure::new(Cause::Cancelled, "the caller cancelled it").into(),
            },
            Event::Absent => match &self {
                // it was never seen, so its absence says nothing: it may be on its way
                Self::Submitted { .. } => return self,
                _ => Verdict::Lost {
                    words: "nothing of it is left, and nobody saw it end".to_owned(),
                },
            },
            Event::Tick => match self.overdue(now, limits) {
                Some(verdict) => verdict,
                None => return self,
            },
            Event::Answered | Event::Untaken(_) | Event::Taken(_) => return self,
        };
        end(now, verdict, false)
    }

    fn seen(self, seen: &Observation, now: Timestamp, limits: &Limits) -> Self {
        match (seen, self) {
            (Observation::Waiting { cause, words }, Self::Submitted { .. }) => Self::Starting {
                since: now,
                words: words.clone(),
                cause: *cause,
            },
            (Observation::Waiting { cause, words }, Self::Starting { since, .. }) => {
                Self::Starting {
                    since,
                    words: words.clone(),
                    cause: *cause,
                }
            }
            (Observation::Running { since }, Self::Submitted { .. } | Self::Starting { .. }) => {
                Self::Running {
                    // clocks differ: nothing has run since later than now
                    since: (*since).min(now),
                    known: now,
                    words: String::new(),
                }
            }
            // what comes late, or is seen again
            (Observation::Waiting { .. } | Observation::Running { .. }, other) => other,
            // a computation's result is in what ended well; a session has none
            (Observation::Exited { code: 0, .. }, _) => {
                end(now, Verdict::Succeeded, limits.answer.is_none())
            }
            (Observation::Exited { code, words }, _) => {
                let words = format!("exit code {code}: {words}");
                end(
                    now,
                    Failure::new(Cause::Exit, words.trim_end_matches(": ")).into(),
                    false,
                )
            }
            (Observation::Failed(failure), _) => end(now, failure.clone().into(), false),
            (Observation::Missing { words }, _) => end(
                now,
                Verdict::Lost {
                    words: words.clone(),
                },
                false,
            ),
        }
    }

    /// The verdict of a run that stayed longer than it may.
    fn overdue(&self, now: Timestamp, limits: &Limits) -> Option<Verdict> {
        let over = |since: &Timestamp, limit: SignedDuration| now.duration_since(*since) >= limit;
        let failed = |cause, words: String| Some(Verdict::from(Failure::new(cause, words)));
        match self {
            Self::Submitted { since } if over(since, limits.submit) => {
                let words = format!("the executor did not show it within {:#}", limits.submit);
                Some(Verdict::Lost { words })
            }
            Self::Starting {
                since,
                words,
                cause,
            } if over(since, limits.start) => failed(
                *cause,
                format!("it did not start within {:#}: {words}", limits.start),
            ),
            Self::Running { since, .. } | Self::Serving { since, .. }
                if over(since, limits.run) =>
            {
                failed(Cause::Deadline, format!("it ran for {:#}", limits.run))
            }
            Self::Running { known, words, .. } => {
                let answer = limits.answer.filter(|answer| over(known, *answer))?;
                let words = format!("it did not answer within {answer:#}: {words}");
                failed(Cause::Unanswering, words.trim_end_matches(": ").to_owned())
            }
            Self::Serving { active, .. } => {
                let idle = limits.idle.filter(|idle| over(active, *idle))?;
                failed(Cause::Idle, format!("nobody used it for {idle:#}"))
            }
            _ => None,
        }
    }
}

/// Returns how long a result may take: room for it is for somebody to make.
fn to_take(untaken: Option<&Failure>, limits: &Limits) -> SignedDuration {
    match is_room_wanted(untaken) {
        true => limits.room,
        false => limits.collect,
    }
}

fn is_room_wanted(untaken: Option<&Failure>) -> bool {
    untaken.is_some_and(|why| why.cause == Cause::Disk)
}

fn end(now: Timestamp, verdict: Verdict, result: bool) -> State {
    State::Ending {
        since: now,
        verdict,
        result,
        untaken: None,
    }
}
