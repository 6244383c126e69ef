//! Why a command can't be started: the same words wherever that is found out.

use std::fmt;

/// Why the kernel starts no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unstartable {
    /// There is none of that name.
    Missing,
    /// It is there, and what its first line names, or its loader, is not.
    Interpreter,
    /// The run's user may not start it.
    Denied,
    /// It is of another kind than the machine's.
    Format,
}

impl Unstartable {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Missing, Self::Interpreter, Self::Denied, Self::Format];

    /// Its words about a program.
    #[must_use]
    pub fn of(self, program: &str) -> String {
        format!("{program}: {self}")
    }
}

impl fmt::Display for Unstartable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "No such file or directory",
            Self::Interpreter => {
                "it is there, but the interpreter of its first line, or its loader, is not"
            }
            Self::Denied => "Permission denied",
            Self::Format => {
                "Exec format error: it is made for another processor than the machine's, or is a script without a first line such as #!/bin/sh"
            }
        })
    }
}
