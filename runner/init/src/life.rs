//! The life of a run's first process: one loop over what happens, with one time limit for each thing it waits for.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use mkys_init::files::{self, FileError};
use mkys_init::results;
use mkys_init::{End, Exit, FilePath, Frame, Phase, Settings, ToOwner, ToRun};
use rustix::process::Signal;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::Signals;

use crate::child::{self, Child};
use crate::link::{self, Link};
use crate::memory;

/// How long what the command left behind is given to be gone once it was killed.
const SWEEP: Duration = Duration::from_secs(5);
/// How often it is killed again meanwhile: what is forked in between is a process more.
const SWEEP_AGAIN: Duration = Duration::from_millis(50);

/// What happens to a run's first process.
#[derive(Debug)]
pub(crate) enum Happened {
    /// The owner is there.
    Connected(Link),
    /// The owner said something.
    Said(Frame<ToRun>),
    /// The connection is over.
    Disconnected,
    /// A signal arrived.
    Signal(i32),
}

/// Lives until the owner wants nothing any more, or nobody is the owner; gives the exit code.
pub(crate) fn live(settings: Settings, command: Vec<OsString>) -> io::Result<i32> {
    for directory in [&settings.files, &settings.results] {
        fs::create_dir_all(directory).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", directory.display()))
        })?;
    }
    let (happened, happens) = sync_channel(16);
    watch_signals(happened.clone())?;
    link::keep(settings.socket.clone(), happened);
    let mut life = Life::new(settings, command, Instant::now());
    loop {
        if let Some(event) = next(&happens, life.wakes())? {
            life.happened(event, Instant::now());
        }
        if let Some(code) = life.tick(Instant::now()) {
            return Ok(code);
        }
    }
}

fn next(happens: &Receiver<Happened>, until: Instant) -> io::Result<Option<Happened>> {
    match happens.recv_timeout(until.saturating_duration_since(Instant::now())) {
        Ok(event) => Ok(Some(event)),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("its threads ended")),
    }
}

fn watch_signals(happened: SyncSender<Happened>) -> io::Result<()> {
    let mut signals = Signals::new([
        SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH,
    ])?;
    thread::spawn(move || {
        for signal in signals.forever() {
            if happened.send(Happened::Signal(signal)).is_err() {
                return;
            }
        }
    });
    Ok(())
}

#[derive(Debug)]
enum Stage {
    /// Inputs arrive.
    Waiting,
    /// The command runs; it is killed by force at the time of `force`.
    Running {
        child: Child,
        ending: Option<Ending>,
    },
    /// The command ended; what it left behind is killed.
    Sweeping {
        child: Child,
        exit: Exit,
        until: Instant,
    },
    /// Its results can be taken.
    Exited(Exit),
}

#[derive(Debug)]
struct Ending {
    end: End,
    force: Instant,
}

#[derive(Debug)]
struct Receiving {
    path: FilePath,
    file: File,
    left: u64,
}

#[derive(Debug)]
struct Life {
    settings: Settings,
    command: Vec<OsString>,
    stage: Stage,
    link: Option<Link>,
    receiving: Option<Receiving>,
    lease: Instant,
    started: Option<Instant>,
    limit: Option<Instant>,
    /// Nobody will take anything any more.
    leave: bool,
}

impl Life {
    fn new(settings: Settings, command: Vec<OsString>, now: Instant) -> Self {
        Self {
            lease: now + Duration::from_secs(settings.lease_s),
            settings,
            command,
            stage: Stage::Waiting,
            link: None,
            receiving: None,
            started: None,
            limit: None,
            leave: false,
        }
    }

    /// When to look again although nothing happens.
    fn wakes(&self) -> Instant {
        let stage = match &self.stage {
            Stage::Running { ending, .. } => match ending {
                Some(ending) => Some(ending.force),
                None => self.limit,
            },
            Stage::Sweeping { .. } => Some(Instant::now() + SWEEP_AGAIN),
            Stage::Waiting | Stage::Exited(_) => None,
        };
        stage.map_or(self.lease, |stage| stage.min(self.lease))
    }

    fn happened(&mut self, event: Happened, now: Instant) {
        match event {
            Happened::Connected(link) => {
                self.link = Some(link);
                let hello = ToOwner::Hello {
                    run: self.settings.run.clone(),
                    token: self.settings.token.clone(),
                    phase: self.phase(),
                };
                self.say(hello);
            }
            Happened::Disconnected => {
                self.link = None;
                self.receiving = None;
            }
            Happened::Said(frame) => {
                self.lease = now + Duration::from_secs(self.settings.lease_s);
                match frame {
                    Frame::Data(bytes) => self.data(&bytes),
                    Frame::Message(message) => self.said(message, now),
                }
            }
            Happened::Signal(SIGCHLD) => self.reap(now),
            Happened::Signal(signal @ (SIGTERM | SIGINT | SIGQUIT)) => {
                self.leave = true;
                let signal = match signal {
                    SIGINT => "SIGINT",
                    SIGQUIT => "SIGQUIT",
                    _ => "SIGTERM",
                };
                self.end(
                    End::Outside {
                        signal: signal.to_owned(),
                    },
                    now,
                );
            }
            Happened::Signal(signal) => {
                if let (Stage::Running { child, .. }, Some(signal)) =
                    (&self.stage, Signal::from_named_raw(signal))
                {
                    child.signal(signal);
                }
            }
        }
    }

    fn said(&mut self, message: ToRun, now: Instant) {
        match message {
            ToRun::Renew => {}
            ToRun::File { path, length } => self.receive(path, length),
            ToRun::Start => self.start(now),
            ToRun::Stop => self.end(End::Owner, now),
            ToRun::Take { paths, limit } => self.give(&paths, limit),
            ToRun::Release => {
                self.leave = true;
                self.end(End::Owner, now);
            }
        }
    }

    /// Time goes by. Gives the exit code once all is over.
    fn tick(&mut self, now: Instant) -> Option<i32> {
        if now >= self.lease {
            self.leave = true;
            self.end(End::Lease, now);
            // from here on the grace period counts, not the lease
            self.lease = now + Duration::from_secs(self.settings.grace_s) + SWEEP * 2;
        }
        if self.limit.is_some_and(|limit| now >= limit) {
            self.limit = None;
            self.end(End::Limit, now);
        }
        match &self.stage {
            Stage::Running {
                child,
                ending: Some(ending),
            } if now >= ending.force => {
                child.signal(Signal::KILL);
                child::sweep();
            }
            Stage::Sweeping { .. } => {
                child::sweep();
                self.reap(now);
            }
            _ => {}
        }
        match &self.stage {
            Stage::Exited(exit) if self.leave => Some(exit.code),
            _ => None,
        }
    }

    fn phase(&self) -> Phase {
        match &self.stage {
            Stage::Waiting => Phase::Waiting,
            Stage::Running { .. } | Stage::Sweeping { .. } => {
                let ran = self.started.map(|started| started.elapsed());
                let for_ms =
                    ran.map_or(0, |ran| u64::try_from(ran.as_millis()).unwrap_or(u64::MAX));
                Phase::Running { for_ms }
            }
            Stage::Exited(exit) => Phase::Exited { exit: exit.clone() },
        }
    }

    fn say(&mut self, message: ToOwner) {
        if let Some(link) = &mut self.link
            && link.say(message).is_err()
        {
            self.link = None;
        }
    }

    fn exited(&mut self, exit: Exit) {
        self.stage = Stage::Exited(exit);
        let phase = self.phase();
        self.say(ToOwner::Phase { phase });
    }

    fn receive(&mut self, path: FilePath, length: u64) {
        // one that was begun over a connection that broke is begun anew
        match files::create_input(&self.settings.files, &path) {
            Ok(file) if matches!(self.stage, Stage::Waiting) => {
                self.receiving = Some(Receiving {
                    path,
                    file,
                    left: length,
                });
            }
            Ok(_) => {}
            Err(error) => self.no_inputs(&error),
        }
    }

    fn data(&mut self, bytes: &[u8]) {
        let Some(receiving) = &mut self.receiving else {
            return;
        };
        let written = receiving
            .file
            .write_all(bytes)
            .map_err(|source| FileError::Io {
                path: receiving.path.clone(),
                source,
            });
        receiving.left = receiving.left.saturating_sub(bytes.len() as u64);
        match written {
            Ok(()) if receiving.left > 0 => {}
            Ok(()) => self.receiving = None,
            Err(error) => {
                self.receiving = None;
                self.no_inputs(&error);
            }
        }
    }

    fn no_inputs(&mut self, error: &FileError) {
        if matches!(self.stage, Stage::Waiting) {
            let words = error.to_string();
            self.exited(Exit {
                code: 125,
                end: End::NoInputs { words },
            });
        }
    }

    fn start(&mut self, now: Instant) {
        if !matches!(self.stage, Stage::Waiting) {
            return;
        }
        match child::start(&self.command) {
            Ok(child) => {
                self.started = Some(now);
                self.limit = Some(now + Duration::from_secs(self.settings.limit_s));
                self.stage = Stage::Running {
                    child,
                    ending: None,
                };
                let phase = self.phase();
                self.say(ToOwner::Phase { phase });
            }
            Err(error) => {
                // as a shell says it: 127 for what is not there, 126 for what can't be run
                let code = if error.kind() == io::ErrorKind::NotFound {
                    127
                } else {
                    126
                };
                let command = self
                    .command
                    .first()
                    .map(|command| command.to_string_lossy());
                let words = format!("{}: {error}", command.unwrap_or_default());
                self.exited(Exit {
                    code,
                    end: End::NotStarted { words },
                });
            }
        }
    }

    /// Ends the command, if it has not ended already: a signal, and force after the grace period.
    fn end(&mut self, end: End, now: Instant) {
        match &mut self.stage {
            Stage::Waiting => self.exited(Exit { code: 143, end }),
            Stage::Running {
                child,
                ending: ending @ None,
            } => {
                child.signal(Signal::TERM);
                let force = now + Duration::from_secs(self.settings.grace_s);
                *ending = Some(Ending { end, force });
            }
            Stage::Running { .. } | Stage::Sweeping { .. } | Stage::Exited(_) => {}
        }
    }

    fn reap(&mut self, now: Instant) {
        match &mut self.stage {
            Stage::Running { child, ending } => {
                let child = *child;
                let reaped = child.reap();
                let Some(code) = reaped.code else {
                    return;
                };
                let end = match ending.take() {
                    Some(ending) => ending.end,
                    None if code != 0 && memory::kills() > 0 => End::OutOfMemory,
                    None => End::Itself,
                };
                self.limit = None;
                let exit = Exit { code, end };
                if reaped.all {
                    self.exited(exit);
                } else {
                    child::sweep();
                    let until = now + SWEEP;
                    self.stage = Stage::Sweeping { child, exit, until };
                }
            }
            Stage::Sweeping { child, exit, until } => {
                if child.reap().all || now >= *until {
                    let exit = exit.clone();
                    self.exited(exit);
                }
            }
            Stage::Waiting | Stage::Exited(_) => {}
        }
    }

    fn give(&mut self, paths: &[FilePath], limit: u64) {
        if !matches!(self.stage, Stage::Exited(_)) {
            return;
        }
        let Some(mut link) = self.link.take() else {
            return;
        };
        let results = &self.settings.results;
        let given = results::give(results, paths, limit, &mut |frame| link.send(&frame));
        if given.is_ok() {
            self.link = Some(link);
        }
    }
}
