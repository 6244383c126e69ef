//! The life of a run's first process: one loop over what happens, with one time limit for each thing it waits for.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use mkys_init::files::{self, FileError};
use mkys_init::results;
use mkys_init::{End, Exit, FilePath, Frame, Phase, Settings, ToOwner, ToRun};
use rustix::process::Signal;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;

use crate::child::{self, Child};
use crate::link::{self, Link};
use crate::memory::{self, Order, Reserve};
use crate::output;

/// How long what the command left behind is given to be gone once it was killed.
const SWEEP: Duration = Duration::from_secs(5);
/// How often it is killed again meanwhile: what is forked in between is a process more.
const SWEEP_AGAIN: Duration = Duration::from_millis(50);

/// Beside the grace period, how long an owner has to read a log when somebody else stops the container. Who stops it waits for five seconds
/// beside that period before it is killed.
const LINGERS: Duration = Duration::from_secs(4);
/// What is held in memory besides the run's files.
const TMP: &str = "/tmp";
/// What a shell says of a command that was ended by SIGKILL.
const KILLED: i32 = 137;

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
pub(crate) fn live(settings: Settings, command: Vec<OsString>, order: Order) -> io::Result<i32> {
    let results = make(&settings);
    let (happened, happens) = sync_channel(16);
    watch_signals(happened.clone())?;
    link::keep(settings.socket.clone(), happened);
    let mut life = Life::new(settings, command, order, Instant::now());
    match results {
        Ok(results) => life.results = Some(results),
        Err(words) => life.begins_not(words),
    }
    loop {
        if let Some(event) = next(&happens, life.wakes())? {
            life.happened(event, Instant::now());
        }
        if let Some(code) = life.tick(Instant::now()) {
            return Ok(code);
        }
    }
}

/// Makes the run's directories, and opens that of the results before anybody can put another one in its place.
fn make(settings: &Settings) -> Result<OwnedFd, String> {
    let inputs = settings.files.join(Settings::INPUTS);
    for directory in [&*settings.files, Path::new(TMP)] {
        // runc gives what is mounted there the mode that the image has there; where it is another's, it is as it should be
        let _ = fs::set_permissions(directory, Permissions::from_mode(0o1777));
    }
    for directory in [&settings.files, &inputs, &settings.results] {
        fs::create_dir_all(directory)
            .map_err(|error| format!("{}: {error}", directory.display()))?;
    }
    files::open_results(&settings.results)
        .map_err(|error| format!("{}: {error}", settings.results.display()))
}

fn next(happens: &Receiver<Happened>, until: Instant) -> io::Result<Option<Happened>> {
    match happens.recv_timeout(until.saturating_duration_since(Instant::now())) {
        Ok(event) => Ok(Some(event)),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("its threads ended")),
    }
}

fn watch_signals(happened: SyncSender<Happened>) -> io::Result<()> {
    let mut signals = SignalsInfo::<WithOrigin>::new([
        SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH,
    ])?;
    thread::spawn(move || {
        for origin in signals.forever() {
            // what is signalled from within is the command's own doing; from outside, nobody has a number here
            let is_inside = origin.process.is_some_and(|process| process.pid > 0);
            if is_inside && origin.signal != SIGCHLD {
                continue;
            }
            if happened.send(Happened::Signal(origin.signal)).is_err() {
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
    order: Order,
    reserve: Reserve,
    /// The directory of the results, as it was before the command began.
    results: Option<OwnedFd>,
    stage: Stage,
    link: Option<Link>,
    receiving: Option<Receiving>,
    lease: Instant,
    started: Option<Instant>,
    limit: Option<Instant>,
    /// It is to end once the command has.
    leave: bool,
    /// Nobody wants anything any more.
    released: bool,
    /// Until when an owner that is there may still read what the command wrote, although somebody else stops the container.
    lingers: Option<Instant>,
}

impl Life {
    fn new(settings: Settings, command: Vec<OsString>, order: Order, now: Instant) -> Self {
        Self {
            lease: now + Duration::from_secs(settings.lease_s),
            settings,
            command,
            order,
            reserve: Reserve::new(),
            results: None,
            stage: Stage::Waiting,
            link: None,
            receiving: None,
            started: None,
            limit: None,
            leave: false,
            released: false,
            lingers: None,
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
            Stage::Exited(_) => self.lingers,
            Stage::Waiting => None,
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
                let grace = Duration::from_secs(self.settings.grace_s);
                self.lingers.get_or_insert(now + grace + LINGERS);
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
                self.released = true;
                self.end(End::Owner, now);
            }
        }
    }

    /// Time goes by. Gives the exit code once all is over.
    fn tick(&mut self, now: Instant) -> Option<i32> {
        if now >= self.lease {
            self.leave = true;
            self.released = true;
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
            Stage::Exited(exit) if self.leave && !self.is_waited_for(now) => Some(exit.code),
            _ => None,
        }
    }

    /// Whether an owner is there that may still read the log: that goes away with the container.
    fn is_waited_for(&self, now: Instant) -> bool {
        let lingers = self.lingers.is_some_and(|until| now < until);
        lingers && self.link.is_some() && !self.released
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
        let begun = Instant::now();
        output::hand_over();
        // the owner could say nothing meanwhile that would have been heard
        self.lease += begun.elapsed();
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
            Err(error) => self.begins_not(error.to_string()),
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
                self.begins_not(error.to_string());
            }
        }
    }

    fn begins_not(&mut self, words: String) {
        if matches!(self.stage, Stage::Waiting) {
            self.exited(Exit {
                code: 125,
                end: End::NoInputs { words },
                killed: 0,
            });
        }
    }

    fn start(&mut self, now: Instant) {
        if !matches!(self.stage, Stage::Waiting) {
            return;
        }
        match child::start(&self.command, &mut self.order) {
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
                let program = self.command.first().map(|word| word.to_string_lossy());
                let (code, words) = child::why(&program.unwrap_or_default(), &error);
                self.exited(Exit {
                    code,
                    end: End::NotStarted { words },
                    killed: 0,
                });
            }
        }
    }

    /// Ends the command, if it has not ended already: a signal, and force after the grace period.
    fn end(&mut self, end: End, now: Instant) {
        match &mut self.stage {
            Stage::Waiting => self.exited(Exit {
                code: 143,
                end,
                killed: 0,
            }),
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
                self.reserve.give_back();
                let killed = memory::kills();
                let end = match ending.take() {
                    Some(ending) => ending.end,
                    None if code == KILLED && killed > 0 => End::OutOfMemory,
                    None => End::Itself,
                };
                self.limit = None;
                let exit = Exit { code, end, killed };
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
        let Some(directory) = &self.results else {
            return;
        };
        let given = results::give(directory, paths, limit, &mut |frame| link.send(&frame));
        if given.is_ok() {
            self.link = Some(link);
        }
    }
}
