//! The run's command and whatever it started: begun, signalled, reaped, swept away.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::memory::Order;
use mkys_init::{Settings, Unstartable};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group, wait,
};

/// The command, running.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Child(Pid);

/// What reaping found.
#[derive(Debug, Default)]
pub(crate) struct Reaped {
    /// How the command ended, as a shell says it, if it did.
    pub(crate) code: Option<i32>,
    /// Whether no child is left at all.
    pub(crate) all: bool,
}

/// Starts the command in a process group of its own; it is killed first when memory is over.
pub(crate) fn start(command: &[OsString], order: &mut Order) -> io::Result<Child> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut starts = Command::new(program);
    starts
        .args(arguments)
        .env_remove(Settings::VARIABLE)
        .process_group(0);
    let child = order.first(|| starts.spawn())?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.map(Child)
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Why a program was not started, and the exit code that a shell gives for it: 127 for what is not there, 126 for what can't be run.
pub(crate) fn why(program: &str, error: &io::Error) -> (i32, String) {
    let why = match (
        error.kind(),
        error.raw_os_error().map(Errno::from_raw_os_error),
    ) {
        (io::ErrorKind::NotFound, _) if is_there(program) => Unstartable::Interpreter,
        (io::ErrorKind::NotFound, _) => Unstartable::Missing,
        (io::ErrorKind::PermissionDenied, _) => Unstartable::Denied,
        (_, Some(Errno::NOEXEC)) => Unstartable::Format,
        _ => return (126, format!("{program}: {error}")),
    };
    let code = if why == Unstartable::Missing {
        127
    } else {
        126
    };
    (code, why.of(program))
}

/// Whether there is a file of that name, where programs are looked for.
fn is_there(program: &str) -> bool {
    if program.contains('/') {
        return Path::new(program).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).exists())
}

impl Child {
    /// Signals the command and what it started in its group. One that has ended already is no error.
    pub(crate) fn signal(self, signal: Signal) {
        let _ = kill_process_group(self.0, signal);
    }

    /// Reaps whatever has ended: the command, and what nobody else is the parent of any more.
    pub(crate) fn reap(self) -> Reaped {
        let mut reaped = Reaped::default();
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.0 => reaped.code = Some(code(status)),
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return reaped,
                Err(_) => {
                    reaped.all = true;
                    return reaped;
                }
            }
        }
    }
}

fn code(status: WaitStatus) -> i32 {
    let signalled = || status.terminating_signal().map(|signal| 128 + signal);
    status.exit_status().or_else(signalled).unwrap_or(255)
}

/// Kills every other process of the container.
pub(crate) fn sweep() {
    let own = rustix::process::getpid();
    let Ok(entries) = fs::read_dir("/proc") else {
        return;
    };
    let pids = entries.flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        Pid::from_raw(pid)
    });
    for pid in pids.filter(|pid| *pid != own) {
        let _ = kill_process(pid, Signal::KILL);
    }
}
