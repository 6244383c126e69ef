//! What is tried, drawn from a seed, and what has to come of it.

use serde_json::{Value, json};

use crate::chance::Chance;

/// A trial.
#[derive(Clone, Debug)]
pub(crate) struct Trial {
    pub(crate) work: Work,
    /// How long the command goes on, in seconds.
    pub(crate) seconds: u64,
    pub(crate) fate: Fate,
    /// Whether its owner has Kubernetes through somebody who loses answers.
    pub(crate) bad_line: bool,
}

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Succeeds,
    HasInputs,
    ExitsWithSeven,
    TakesTooMuchMemory,
    /// The same by its files.
    FillsItsMemory,
    /// A process of it takes too much, and it goes on and ends well.
    LosesAProcess,
    IgnoresSignals,
    Session,
}

/// What becomes of its owner.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// Nothing.
    Lives,
    /// It is killed when the run is there, and started anew after so many milliseconds.
    ComesBack { when: When, after_ms: u64 },
    /// It is killed for good.
    Dies { when: When },
    /// Its terminal is closed.
    HungUp { when: When },
    /// Somebody stops its run from outside.
    Stopped { when: When },
    /// There is no room for its results.
    HasNoRoom,
}

/// When an owner is killed.
#[derive(Clone, Debug)]
pub(crate) enum When {
    /// When the run comes to this state, and so many milliseconds more.
    At { state: &'static str, more_ms: u64 },
    /// So many milliseconds after it was started.
    After { ms: u64 },
    /// When it is on record how the run ended, which is being destroyed then.
    OnRecord,
}

/// The states at which owners are killed; a computation has all but one of them.
pub(crate) const STATES: [&str; 5] = ["submitted", "starting", "running", "serving", "ending"];
const OF_COMPUTATIONS: [&str; 4] = ["submitted", "starting", "running", "ending"];

/// A lease that is waited for, in seconds.
const SHORT_LEASE_S: u64 = 10;

/// How many trials are there whatever is drawn: together they have each state, an owner that does not come back, and a bad line.
pub(crate) const CERTAIN: u64 = 6;

/// The trial of a number; a second one of that number, a third and so on, where the one before came to nothing.
pub(crate) fn nth(seed: u64, index: u64, again: u64) -> Trial {
    certain(index).unwrap_or_else(|| draw(seed, index + (again << 32)))
}

fn certain(index: u64) -> Option<Trial> {
    let at = |state, more_ms| When::At { state, more_ms };
    let back = |when| Fate::ComesBack {
        when,
        after_ms: 1_000,
    };
    let (work, seconds, fate) = match index {
        0 => (Work::Succeeds, 2, back(at("submitted", 0))),
        1 => (Work::HasInputs, 3, back(at("starting", 200))),
        2 => (Work::ExitsWithSeven, 4, back(at("running", 0))),
        3 => (Work::Session, 2, back(at("serving", 0))),
        4 => (Work::Succeeds, 3, back(When::OnRecord)),
        5 => {
            let when = at("running", 500);
            (Work::IgnoresSignals, 2, Fate::Dies { when })
        }
        CERTAIN.. => return None,
    };
    // a short lease is not to end before its owner does
    let bad_line = !matches!(fate, Fate::Dies { .. });
    Some(Trial {
        work,
        seconds,
        fate,
        bad_line,
    })
}

fn draw(seed: u64, index: u64) -> Trial {
    let mut chance = Chance::new(seed, index);
    let work = chance.one_of(&[
        Work::Succeeds,
        Work::Succeeds,
        Work::HasInputs,
        Work::ExitsWithSeven,
        Work::TakesTooMuchMemory,
        Work::FillsItsMemory,
        Work::LosesAProcess,
        Work::IgnoresSignals,
        Work::Session,
    ]);
    let when = match chance.once_in(3) {
        true => When::After {
            ms: chance.between(0, 4_000),
        },
        false => When::At {
            state: match work {
                Work::Session => chance.one_of(&STATES),
                _ => chance.one_of(&OF_COMPUTATIONS),
            },
            more_ms: chance.between(0, 500),
        },
    };
    let fate = match chance.between(1, 13) {
        1..=2 => Fate::Lives,
        11 => Fate::HungUp { when },
        12 => Fate::Stopped {
            when: When::At {
                state: "running",
                more_ms: chance.between(0, 1_500),
            },
        },
        13 if work != Work::Session => Fate::HasNoRoom,
        3..=7 => Fate::ComesBack {
            when,
            after_ms: chance.between(0, 8_000),
        },
        _ => Fate::Dies { when },
    };
    let outlasts_a_lease = matches!(fate, Fate::Dies { .. }) && chance.once_in(2);
    Trial {
        work,
        seconds: match outlasts_a_lease {
            true => 3 * SHORT_LEASE_S,
            false => chance.between(2, 8),
        },
        fate,
        bad_line: chance.once_in(2),
    }
}

impl Trial {
    /// The lease, in seconds: one that outlasts the weather where the owner is to go on, a short one where its end is waited for.
    pub(crate) fn lease_s(&self) -> u64 {
        match self.fate {
            Fate::Dies { .. } => SHORT_LEASE_S,
            _ => 150,
        }
    }

    /// Whether its command goes on by itself for longer than a short lease.
    pub(crate) fn outlasts_a_lease(&self) -> bool {
        // nobody is left to see to a deadline, and a session goes on for ten seconds more
        matches!(self.work, Work::IgnoresSignals | Work::Session) || self.seconds > SHORT_LEASE_S
    }

    /// `run` or `session`.
    pub(crate) fn command(&self) -> &'static str {
        match self.work {
            Work::Session => "session",
            _ => "run",
        }
    }

    /// What is to be run, as JSON.
    pub(crate) fn spec(&self, image: &str) -> Value {
        let seconds = self.seconds;
        let line = match self.work {
            Work::Succeeds => format!("sleep {seconds}; printf 42 >/mkys/out/answer"),
            Work::HasInputs => format!("sleep {seconds}; cat /mkys/in/question >/mkys/out/answer"),
            Work::ExitsWithSeven => format!("sleep {seconds}; exit 7"),
            Work::TakesTooMuchMemory => format!("sleep {seconds}; tail /dev/zero"),
            Work::FillsItsMemory => {
                format!("sleep {seconds}; exec dd if=/dev/zero of=/tmp/x bs=64k count=4000")
            }
            Work::LosesAProcess => {
                format!("sleep {seconds}; tail /dev/zero; printf 42 >/mkys/out/answer")
            }
            Work::IgnoresSignals => "trap '' TERM; while :; do sleep 1; done".to_owned(),
            Work::Session => {
                format!(
                    "echo hello >/tmp/index.html; httpd -p 8080 -h /tmp; sleep {}",
                    seconds + 10
                )
            }
        };
        let files = if self.work == Work::FillsItsMemory {
            250
        } else {
            8
        };
        let container = json!({
            "image": image, "command": ["/bin/sh", "-c", line],
            "resources": { "cpu_millis": 100, "memory_mib": 64, "files_mib": files },
        });
        match self.work {
            Work::Session => json!({ "name": "one", "container": container, "port": 8080 }),
            Work::HasInputs => json!({
                "name": "one", "container": container, "results": ["answer"],
                "inputs": { "question": { "text": "42" } },
            }),
            Work::Succeeds | Work::LosesAProcess => {
                json!({ "name": "one", "container": container, "results": ["answer"] })
            }
            Work::IgnoresSignals => {
                json!({ "name": "one", "container": container, "deadline": format!("{seconds}s") })
            }
            _ => json!({ "name": "one", "container": container }),
        }
    }

    /// Whether an outcome is one that may come of it.
    pub(crate) fn allows(&self, outcome: &Value) -> bool {
        const ANSWER: &str = "73475cb40a568e8da8a045ced110137e159f890ac4da883b6b17dc651b3a8049";
        let verdict = &outcome["verdict"];
        let failed = |cause: &str| verdict["verdict"] == "failed" && verdict["cause"] == cause;
        let succeeded = verdict["verdict"] == "succeeded";
        // a node whose container engine goes away while it makes a container makes none, and says so
        if failed("node_lost")
            && verdict["words"]
                .as_str()
                .is_some_and(|words| words.contains("containerd"))
        {
            return true;
        }
        // one that goes away while a container runs may know no more how that ended
        let lost_sight = verdict["words"].as_str();
        if verdict["verdict"] == "lost"
            && lost_sight.is_some_and(|words| words.starts_with("its node lost sight of it"))
        {
            return true;
        }
        // weather that outlasts a short lease is what the lease is for
        if matches!(self.fate, Fate::Dies { .. })
            && (verdict["verdict"] == "lost" || failed("evicted"))
        {
            return true;
        }
        // it may have ended by itself before that
        if matches!(self.fate, Fate::Stopped { .. }) && failed("evicted") {
            return true;
        }
        // nobody could end a session any more without its terminal
        let is_ended = succeeded || failed("cancelled");
        if matches!(self.fate, Fate::HungUp { .. }) && self.work == Work::Session && is_ended {
            return true;
        }
        match self.work {
            // an owner that comes back has the inputs as well
            Work::Succeeds | Work::HasInputs | Work::LosesAProcess => {
                succeeded && outcome["results"][0]["sha256"] == ANSWER
            }
            Work::ExitsWithSeven => failed("exit"),
            Work::TakesTooMuchMemory | Work::FillsItsMemory => failed("out_of_memory"),
            Work::IgnoresSignals => failed("deadline"),
            Work::Session => succeeded,
        }
    }
}
