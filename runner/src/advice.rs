//! What each cause means, and what to do about it: the one table, which `docs/runner/troubleshooting.md` is generated from.

use crate::verdict::Cause;

/// What is told of a cause.
struct Advice {
    meaning: &'static str,
    remedy: &'static str,
}

impl Cause {
    /// Returns what it means, in Markdown.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        self.advice().meaning
    }

    /// Returns what to do about it, in Markdown. Links are relative to `docs/runner`.
    ///
    /// ```
    /// use mkys_runner::Cause;
    ///
    /// assert_eq!(Cause::Exit.remedy(), "read its log");
    /// ```
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        self.advice().remedy
    }

    #[allow(clippy::too_many_lines, reason = "one row for each cause")]
    const fn advice(self) -> Advice {
        let (meaning, remedy) = match self {
            Self::Exit => (
                "the command ended with another code than 0; a code above 128 names a signal",
                "read its log",
            ),
            Self::OutOfMemory => (
                "the command took more memory than it may have, and the kernel killed it (exit code 137)",
                "raise `resources.memory_mib`; files in `/mkys`, `/tmp` and `/dev/shm` count",
            ),
            Self::Deadline => (
                "it ran for as long as it may",
                "raise `deadline` or `limit`",
            ),
            Self::Idle => (
                "nobody used the session",
                "call `Run::used` when somebody does, or raise `idle`",
            ),
            Self::Unanswering => (
                "the session never answered as `answers` says",
                "the reason tells what was asked last: the session itself (does it listen on `port` of all addresses, not on \
                 127.0.0.1 alone?) or the edge before it",
            ),
            Self::ImageMissing => (
                "the registry has no such image, no such digest, or none for the machine's processor",
                "check the reference",
            ),
            Self::ImageRefused => (
                "the registry does not give the image, or can't be reached",
                "check its address and the engine's credentials for it",
            ),
            Self::CommandMissing => (
                "the image has no such program, or it can't be run: by this user, on this processor, or for want of its \
                 interpreter",
                "the first word of `command` is the program, and takes the place of the image's ENTRYPOINT; for a line of a \
                 shell name the shell: `[\"sh\", \"-c\", \"…\"]`",
            ),
            Self::Unschedulable => (
                "within `container.starts_within` nothing had room for what it asks for: no node of the cluster, or the \
                 engine's machine has no such thing, such as a GPU, or not as much",
                "change `resources` or `placement`, or let it wait longer",
            ),
            Self::Quota => (
                "the namespace's quota held no more within `container.starts_within`; on an engine, all networks of the owner \
                 are in use",
                "wait, ask for more, or give `EngineSettings::networks` more addresses",
            ),
            Self::Evicted => (
                "the container was stopped or the pod deleted from outside: by an administrator (`podman stop`), the engine, a \
                 node that needed room, a run of a higher priority",
                "the reason says who, as far as it was told",
            ),
            Self::NodeLost => ("the node of its pod is gone", "start it again"),
            Self::AdmissionRefused => (
                "the cluster does not let it in: a rule of its admission or a limit range forbids it, an object is not valid, \
                 or what is to be done is too long to be kept with a job",
                "the reason says which rule",
            ),
            Self::Forbidden => (
                "the account lacks a right in the namespace",
                "apply [`role.yaml`](role.yaml)",
            ),
            Self::Executor => (
                "the container engine or Kubernetes does not start it, for a reason that has no cause of its own here",
                "its words tell the reason; they are in the state while it waits, too",
            ),
            Self::NameTaken => (
                "another run has the name",
                "choose another, or wait for it to end",
            ),
            Self::SecretMissing => (
                "a secret is not in the engine's directory, or not in the namespace",
                "`--secrets`, `EngineSettings::secrets`; `kubectl get secrets`",
            ),
            Self::Network => (
                "on Kubernetes: its network was still open after 30 seconds, although it is to reach nothing (no `egress`)",
                "see that the cluster's network keeps NetworkPolicies",
            ),
            Self::Files => (
                "an input could not be put in place",
                "raise `resources.files_mib`",
            ),
            Self::Disk => (
                "no room on the disk of the machine that runs it, or where its results are kept",
                "make some; results wait for it in the run's container for an hour (`Limits::room`). Of results that were not kept nothing is left",
            ),
            Self::Result => (
                "a result is missing, no regular file, or too large",
                "the command leaves it in `/mkys/out`",
            ),
            Self::Cancelled => (
                "its owner ended it, somebody did by `mkys-run cancel`, or nobody renewed its lease",
                "if nobody meant to: was the owner killed or stopped?",
            ),
        };
        Advice { meaning, remedy }
    }
}
