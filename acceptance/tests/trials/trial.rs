//! What is tried, drawn from a seed, and what has to come of it.

use serde_json::{Value, json};

use crate::hand::Hand;
use crate::table::{self, Ends, Happening, TABLE};
use mkys_acceptance::chance::Chance;

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
    IgnoresSignals,
    Session,
    /// One of the stories' table.
    Happens(&'static Happening),
}

/// The kinds of work that trials deal with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Of(Work),
    Happens(table::Kind),
}

const OWN: [Work; 5] = [
    Work::Succeeds,
    Work::HasInputs,
    Work::ExitsWithSeven,
    Work::IgnoresSignals,
    Work::Session,
];

impl Work {
    /// The names of all kinds.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        let of_the_table = |kind: &table::Kind| TABLE.iter().find(|one| one.kind == *kind).unwrap();
        let of_the_table = table::Kind::ALL.iter().map(of_the_table);
        OWN.into_iter()
            .chain(of_the_table.map(Work::Happens))
            .map(Work::name)
    }

    /// The name of its kind.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Succeeds => "success",
            Self::HasInputs => "success with inputs",
            Self::ExitsWithSeven => "exit code",
            Self::IgnoresSignals => "deadline",
            Self::Session => "session",
            Self::Happens(happening) => match happening.kind {
                table::Kind::Heap => "memory exceeded by the heap",
                table::Kind::Files => "memory exceeded by files",
                table::Kind::Child => "memory exceeded by a child",
                table::Kind::Process => "a process lost",
                table::Kind::Signal => "a signal",
                table::Kind::Program => "a program that can't be started",
                table::Kind::Processor => "a program of another processor",
                table::Kind::NoCommand => "no command",
                table::Kind::Volumes => "an image with volumes",
            },
        }
    }

    /// Whether its command ever runs.
    const fn runs(self) -> bool {
        match self {
            Self::Happens(happening) => happening.kind.runs(),
            _ => true,
        }
    }
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
    certain(index).unwrap_or_else(|| draw(seed, index, again))
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

/// The kinds of fate that trials deal with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doom {
    Lives,
    ComesBack,
    Dies,
    HungUp,
    Stopped,
    HasNoRoom,
}

/// The kinds of work: each has an owner that comes back in each round, and another fate.
fn kinds() -> Vec<Kind> {
    let happens = table::Kind::ALL.map(Kind::Happens);
    OWN.map(Kind::Of).into_iter().chain(happens).collect()
}

/// The other fates in a round, one for each kind of work.
const OTHERS: [Doom; 14] = {
    use Doom::{Dies, HasNoRoom, HungUp, Lives, Stopped};
    [
        Lives, Lives, Dies, Dies, Dies, Dies, Dies, HungUp, HungUp, HungUp, Stopped, Stopped,
        HasNoRoom, HasNoRoom,
    ]
};

/// Whether a fate is possible for a kind of work.
fn fits(kind: Kind, doom: Doom) -> bool {
    match doom {
        // nothing of a session is kept
        Doom::HasNoRoom => kind != Kind::Of(Work::Session),
        // what never runs is over before anybody can stop it
        Doom::Stopped => !matches!(kind, Kind::Happens(kind) if !kind.runs()),
        Doom::Lives | Doom::ComesBack | Doom::Dies | Doom::HungUp => true,
    }
}

/// Deals work and fate: in rounds, so that each kind comes as often as the others, in an order of the seed's.
fn dealt(seed: u64, index: u64) -> (Kind, Doom) {
    let kinds = kinds();
    let in_a_round = 2 * kinds.len() as u64;
    let (round, place) = (index / in_a_round, index % in_a_round);
    let mut chance = Chance::new(seed, u64::MAX - 1 - round);
    let mut others = OTHERS;
    while !kinds
        .iter()
        .zip(others)
        .all(|(kind, doom)| fits(*kind, doom))
    {
        chance.shuffle(&mut others);
    }
    let come_back = kinds.iter().map(|kind| (*kind, Doom::ComesBack));
    let mut round: Vec<_> = come_back.chain(kinds.iter().copied().zip(others)).collect();
    chance.shuffle(&mut round);
    round[usize::try_from(place).unwrap()]
}

fn when(work: Work, chance: &mut Chance) -> When {
    let at = |state, more_ms| When::At { state, more_ms };
    // what never runs is over soon
    if let Work::Happens(happening) = work
        && !work.runs()
    {
        // what has no container has no record that is there for long
        return match happening.kind != table::Kind::NoCommand && chance.once_in(3) {
            true => When::OnRecord,
            false => at(
                chance.one_of(&["submitted", "starting"]),
                chance.between(0, 100),
            ),
        };
    }
    match chance.between(1, 12) {
        1..=4 => When::After {
            ms: chance.between(0, 4_000),
        },
        5 if work != Work::Session => When::OnRecord,
        _ => {
            let state = match work {
                Work::Session => chance.one_of(&STATES),
                _ => chance.one_of(&OF_COMPUTATIONS),
            };
            at(state, chance.between(0, 500))
        }
    }
}

fn draw(seed: u64, index: u64, again: u64) -> Trial {
    let (kind, doom) = dealt(seed, index - CERTAIN);
    let mut chance = Chance::new(seed, index + (again << 32));
    let work = match kind {
        Kind::Of(work) => work,
        Kind::Happens(kind) => {
            let of_it: Vec<_> = TABLE.iter().filter(|one| one.kind == kind).collect();
            Work::Happens(chance.one_of(&of_it))
        }
    };
    let when = when(work, &mut chance);
    let fate = match doom {
        Doom::Lives => Fate::Lives,
        Doom::ComesBack => Fate::ComesBack {
            when,
            after_ms: chance.between(0, 8_000),
        },
        Doom::Dies => Fate::Dies { when },
        Doom::HungUp => Fate::HungUp { when },
        Doom::Stopped => Fate::Stopped {
            when: When::At {
                state: "running",
                more_ms: chance.between(0, 1_500),
            },
        },
        Doom::HasNoRoom => Fate::HasNoRoom,
    };
    let outlasts_a_lease = doom == Doom::Dies && work.runs() && chance.once_in(2);
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
    pub(crate) fn spec(&self, hand: &impl Hand) -> Value {
        let seconds = self.seconds;
        let line = match self.work {
            Work::Succeeds => format!("sleep {seconds}; printf 42 >/mkys/out/answer"),
            Work::HasInputs => format!("sleep {seconds}; cat /mkys/in/question >/mkys/out/answer"),
            Work::ExitsWithSeven => format!("sleep {seconds}; exit 7"),
            Work::IgnoresSignals => "trap '' TERM; while :; do sleep 1; done".to_owned(),
            Work::Session => {
                format!(
                    "echo hello >/tmp/index.html; httpd -p 8080 -h /tmp; sleep {}",
                    seconds + 10
                )
            }
            Work::Happens(happening) => {
                let container = json!({
                    "image": hand.image(happening.image),
                    "command": happening.command(&format!("sleep {seconds}; ")),
                    "resources": {
                        "cpu_millis": 100, "memory_mib": table::MEMORY_MIB, "files_mib": table::FILES_MIB,
                    },
                });
                let results = happening.result().map(|(path, _)| path);
                let results: Vec<_> = results.into_iter().collect();
                return json!({ "name": "one", "container": container, "results": results });
            }
        };
        let container = json!({
            "image": hand.image(table::Image::Shell), "command": ["/bin/sh", "-c", line],
            "resources": { "cpu_millis": 100, "memory_mib": 64, "files_mib": 8 },
        });
        match self.work {
            Work::Session => json!({ "name": "one", "container": container, "port": 8080 }),
            Work::HasInputs => json!({
                "name": "one", "container": container, "results": ["answer"],
                "inputs": { "question": { "text": "42" } },
            }),
            Work::Succeeds => {
                json!({ "name": "one", "container": container, "results": ["answer"] })
            }
            Work::IgnoresSignals => {
                json!({ "name": "one", "container": container, "deadline": format!("{seconds}s") })
            }
            Work::ExitsWithSeven | Work::Happens(_) => {
                json!({ "name": "one", "container": container })
            }
        }
    }

    /// Whether an outcome is the one that its work has by itself; `remarks`: those on record.
    pub(crate) fn is_by_itself(&self, outcome: &Value, remarks: &[&str]) -> bool {
        const ANSWER: &str = "73475cb40a568e8da8a045ced110137e159f890ac4da883b6b17dc651b3a8049";
        let verdict = &outcome["verdict"];
        let succeeded = verdict["verdict"] == "succeeded";
        let failed = |cause: &str| verdict["verdict"] == "failed" && verdict["cause"] == cause;
        let result = &outcome["results"][0]["sha256"];
        match self.work {
            // an owner that comes back has the inputs as well
            Work::Succeeds | Work::HasInputs => succeeded && *result == ANSWER,
            Work::ExitsWithSeven => failed("exit"),
            Work::IgnoresSignals => failed("deadline"),
            Work::Session => succeeded,
            Work::Happens(happening) => match happening.ends {
                Ends::Well(expected) => {
                    let is_there = happening
                        .result()
                        .is_none_or(|(_, sha256)| *result == sha256);
                    succeeded && is_there && remarks == expected
                }
                Ends::Badly(cause, words) => failed(cause.into()) && verdict["words"] == words,
            },
        }
    }

    /// Whether an outcome is one that may come of what becomes of its owner or its executor.
    pub(crate) fn allows(&self, outcome: &Value) -> bool {
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
        matches!(self.fate, Fate::HungUp { .. }) && self.work == Work::Session && is_ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_trials_have_every_kind() {
        for seed in 0..100 {
            let trials: Vec<_> = (CERTAIN..50)
                .map(|index| dealt(seed, index - CERTAIN))
                .collect();
            for kind in kinds() {
                assert!(
                    trials.contains(&(kind, Doom::ComesBack)),
                    "{seed}: {kind:?}"
                );
            }
            for doom in OTHERS {
                let times = trials.iter().filter(|(_, one)| *one == doom).count();
                assert!(times >= 2, "{seed}: {doom:?}");
            }
            assert!(trials.iter().all(|(kind, doom)| fits(*kind, *doom)));
        }
    }
}
