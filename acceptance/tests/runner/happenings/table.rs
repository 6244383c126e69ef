//! What happens to commands, and how each ends: one table, for the stories on every executor and for owners that are killed meanwhile
//! (`tests/trials`).

use mkys_runner::Cause;

const KILLED_IT: &str = "the kernel killed it: it took more memory than resources.memory_mib";
const KILLED_A_PROCESS: &str =
    "the kernel killed a process of it: it took more memory than resources.memory_mib";

/// The memory of a happening's container, in MiB.
pub(crate) const MEMORY_MIB: u32 = 32;
/// The files of a happening's container, in MiB: more than its memory holds.
pub(crate) const FILES_MIB: u32 = 300;

/// What kind of thing happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The command's own memory exceeds the limit.
    Heap,
    /// Its files exceed the limit of memory.
    Files,
    /// A child's memory exceeds the limit, and the command ends as the child did.
    Child,
    /// A child's memory exceeds the limit, and the command goes on.
    Process,
    /// A signal of its own ends it.
    Signal,
    /// The program can't be started.
    Program,
    /// The program is made for another processor.
    Processor,
    /// Neither the image nor the run has a command.
    NoCommand,
    /// The image has volumes.
    Volumes,
}

impl Kind {
    /// Every kind.
    #[allow(dead_code, reason = "stories name theirs")]
    pub(crate) const ALL: [Self; 9] = [
        Self::Heap,
        Self::Files,
        Self::Child,
        Self::Process,
        Self::Signal,
        Self::Program,
        Self::Processor,
        Self::NoCommand,
        Self::Volumes,
    ];

    /// Whether a command of the run ever runs.
    #[allow(dead_code, reason = "it matters to whoever waits for that")]
    pub(crate) const fn runs(self) -> bool {
        !matches!(self, Self::Program | Self::Processor | Self::NoCommand)
    }
}

/// The image of a happening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Image {
    /// The executor's image with a shell.
    Shell,
    /// [`crate::images::programs`].
    Programs,
    /// [`crate::images::volumes`].
    Volumes,
}

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runs {
    /// A line of shell.
    Line(&'static str),
    /// A program without arguments.
    Program(&'static str),
    /// None at all.
    Nothing,
}

/// How a happening ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// It succeeds, with these remarks.
    Well(&'static [&'static str]),
    /// It fails, with a cause and words.
    Badly(Cause, &'static str),
}

/// A command, and how it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Happening {
    pub(crate) kind: Kind,
    pub(crate) image: Image,
    pub(crate) runs: Runs,
    pub(crate) ends: Ends,
}

impl Happening {
    /// The command's words; a line of shell begins after `prelude`.
    pub(crate) fn command(&self, prelude: &str) -> Vec<String> {
        match self.runs {
            Runs::Line(line) => ["/bin/sh", "-c", &format!("{prelude}{line}")]
                .map(str::to_owned)
                .into(),
            Runs::Program(program) => vec![program.to_owned()],
            Runs::Nothing => Vec::new(),
        }
    }

    /// The file that it leaves in `/mkys/out`, with its SHA-256, if its results count.
    #[allow(dead_code, reason = "it matters to trials")]
    pub(crate) const fn result(&self) -> Option<(&'static str, &'static str)> {
        match (self.kind, self.ends) {
            (Kind::Process, Ends::Well(_)) => Some((
                "r",
                "b6ac5bc39377e44ee783dff946f6703a994f5eb31a438e69dc0735b40060d2e8",
            )),
            _ => None,
        }
    }
}

const fn line(kind: Kind, line: &'static str, ends: Ends) -> Happening {
    let (image, runs) = (Image::Shell, Runs::Line(line));
    Happening {
        kind,
        image,
        runs,
        ends,
    }
}

const fn out_of_memory(kind: Kind, command: &'static str) -> Happening {
    line(kind, command, Ends::Badly(Cause::OutOfMemory, KILLED_IT))
}

const fn signal(command: &'static str, words: &'static str) -> Happening {
    line(Kind::Signal, command, Ends::Badly(Cause::Exit, words))
}

const fn unstartable(kind: Kind, runs: Runs, words: &'static str) -> Happening {
    Happening {
        kind,
        image: Image::Programs,
        runs,
        ends: Ends::Badly(Cause::CommandMissing, words),
    }
}

/// The table.
pub(crate) const TABLE: &[Happening] = &[
    out_of_memory(Kind::Heap, "tail /dev/zero"),
    out_of_memory(
        Kind::Files,
        "exec dd if=/dev/zero of=/tmp/x bs=64k count=2000",
    ),
    out_of_memory(
        Kind::Files,
        "exec dd if=/dev/zero of=/mkys/out/x bs=64k count=2000",
    ),
    out_of_memory(
        Kind::Files,
        "exec dd if=/dev/zero of=/dev/shm/x bs=64k count=2000",
    ),
    out_of_memory(
        Kind::Files,
        "for _ in $(seq 50); do sleep 60 & done; exec dd if=/dev/zero of=/tmp/x bs=64k count=2000",
    ),
    // as a shell tells of what it waited for
    out_of_memory(Kind::Child, "tail /dev/zero; exit $?"),
    line(
        Kind::Process,
        "tail /dev/zero; echo on >/mkys/out/r; exit 0",
        Ends::Well(&[KILLED_A_PROCESS]),
    ),
    line(
        Kind::Process,
        "tail /dev/zero; echo on >/mkys/out/r; exit 3",
        Ends::Badly(
            Cause::Exit,
            "exit code 3: the kernel killed a process of it: it took more memory than resources.memory_mib",
        ),
    ),
    // what is a container's first process can't end by a signal of its own
    signal("sh -c 'kill -SEGV $$'; exit $?", "exit code 139: SIGSEGV"),
    signal("sh -c 'kill -ABRT $$'; exit $?", "exit code 134: SIGABRT"),
    signal(
        "sh -c 'sleep 9 & kill -KILL $!; wait $!'; exit $?",
        "exit code 137: SIGKILL",
    ),
    unstartable(
        Kind::Program,
        Runs::Program("/opt/none"),
        "/opt/none: No such file or directory",
    ),
    unstartable(
        Kind::Processor,
        Runs::Program("/opt/arm"),
        "/opt/arm: Exec format error: it is made for another processor than the machine's, or is a script without a first line such as #!/bin/sh",
    ),
    unstartable(
        Kind::Program,
        Runs::Program("/opt/plain"),
        "/opt/plain: Exec format error: it is made for another processor than the machine's, or is a script without a first line such as #!/bin/sh",
    ),
    unstartable(
        Kind::Program,
        Runs::Program("/opt/script"),
        "/opt/script: it is there, but the interpreter of its first line, or its loader, is not",
    ),
    unstartable(
        Kind::Program,
        Runs::Program("/etc"),
        "/etc: Permission denied",
    ),
    unstartable(
        Kind::NoCommand,
        Runs::Nothing,
        "the image has no command, and none was given",
    ),
    Happening {
        kind: Kind::Volumes,
        image: Image::Volumes,
        runs: Runs::Line(
            "test $HOME = /tmp && test -z \"$(ls /mkys/out)\" && ! touch /data/x && test \"$(cat /data/kept)\" = kept",
        ),
        ends: Ends::Well(&[]),
    },
];
