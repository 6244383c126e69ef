//! What is said of runs, in the same words on every executor. `docs/runner/troubleshooting.md` has each of them, and a test sees to that.

use crate::verdict;

/// The command itself was killed for its memory.
pub(crate) const OUT_OF_MEMORY: &str =
    "the kernel killed it: it took more memory than resources.memory_mib";
/// Something that the command started was killed for its memory.
pub(crate) const KILLED_A_PROCESS: &str =
    "the kernel killed a process of it: it took more memory than resources.memory_mib";
/// A person ended it who is not its owner.
pub(crate) const CANCELLED_BY_OTHERS: &str = "somebody cancelled it";
/// The owner is alive and did not end it.
pub(crate) const BEYOND_ITS_LIMIT: &str =
    "it ran for longer than it may, and its owner did not end it";
/// The owner is gone.
pub(crate) const LEASE: &str = "nobody renewed its lease";
/// An image without a command, and a run without one.
pub(crate) const NO_COMMAND: &str = "the image has no command, and none was given";
/// Its network was open although it was to be closed.
pub(crate) const OPEN_NETWORK: &str =
    "its network is not closed: it reaches what it is not to reach";

/// A container engine was asked to stop it.
pub(crate) fn stopped_with(signal: &str) -> String {
    format!("somebody stopped its container with {signal}")
}

/// What is to be known beside an exit code.
pub(crate) fn of_exit(code: i32, killed: bool) -> String {
    let signal = verdict::signal(code);
    let killed = killed.then_some(KILLED_A_PROCESS);
    let words: Vec<_> = signal.into_iter().chain(killed).collect();
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use mkys_init::Unstartable;

    use super::*;

    #[test]
    fn the_page_has_all_that_is_said() {
        let page = include_str!("../../docs/runner/troubleshooting.md");
        let stopped = stopped_with("SIGTERM");
        let told = [
            OUT_OF_MEMORY,
            KILLED_A_PROCESS,
            CANCELLED_BY_OTHERS,
            BEYOND_ITS_LIMIT,
            LEASE,
            NO_COMMAND,
            OPEN_NETWORK,
            &stopped,
        ];
        let unstartable = [
            Unstartable::Missing,
            Unstartable::Interpreter,
            Unstartable::Denied,
            Unstartable::Format,
        ];
        let unstartable = unstartable.map(|why| why.to_string());
        for words in told
            .into_iter()
            .chain(unstartable.iter().map(String::as_str))
        {
            assert!(page.contains(&format!("*{words}*")), "{words}");
        }
    }
}
