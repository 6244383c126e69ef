//! `mkys-keeper`: what stands beside a run's container in its pod on Kubernetes, so that the run's own image needs nothing for it.
//!
//! `wait` is a container's first process: before the run's container, until its inputs are there; beside it, until the pod ends. `pass` is
//! the same before a run without inputs, and ends at once. Both see to it first that none of the addresses they are given is reached. `put` and
//! `give` are started in that container by the run's owner, through Kubernetes: `put` takes the inputs and ends the waiting, `give`
//! gives the results.

mod closed;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use mkys_init::{Frame, Frames, ToOwner, ToRun, files, results};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

/// Where the run has its inputs and leaves its results.
const INPUTS: &str = "/mkys/in";
const RESULTS: &str = "/mkys/out";
/// How long a network may take to be closed.
const CLOSED_WITHIN: Duration = Duration::from_secs(30);
/// What `wait` ends well at.
const READY: Signal = Signal::USR1;

fn main() -> ExitCode {
    let action = std::env::args().nth(1);
    let done = match action.as_deref() {
        Some("wait") => wait(true),
        Some("pass") => wait(false),
        Some("put") => put(),
        Some("give") => give(),
        _ => Err(io::Error::other("wait, pass, put or give is what it does")),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            #[allow(
                clippy::print_stderr,
                reason = "Kubernetes has nothing else of it to tell"
            )]
            {
                eprintln!("mkys-keeper: {error}");
            }
            ExitCode::from(125)
        }
    }
}

fn wait(for_inputs: bool) -> io::Result<ExitCode> {
    // they may be given while the network is tried
    let mut signals = Signals::new([SIGUSR1, SIGTERM, SIGINT])?;
    let addresses = std::env::args().skip(2).map(|word| {
        let parsed = word.parse::<SocketAddr>();
        parsed.map_err(|error| io::Error::other(format!("{word}: {error}")))
    });
    let addresses = addresses.collect::<io::Result<Vec<_>>>()?;
    if let Some(open) = closed::wait(&addresses, CLOSED_WITHIN) {
        #[allow(clippy::print_stderr, reason = "Kubernetes takes its words from there")]
        {
            eprintln!("{open}");
        }
        return Ok(ExitCode::from(
            u8::try_from(mkys_init::OPEN_NETWORK).unwrap_or(u8::MAX),
        ));
    }
    if !for_inputs {
        return Ok(ExitCode::SUCCESS);
    }
    match signals.forever().next() {
        Some(SIGUSR1) => Ok(ExitCode::SUCCESS),
        Some(signal) => Ok(ExitCode::from(128 + u8::try_from(signal).unwrap_or(0))),
        None => Err(io::Error::other("it hears no signal")),
    }
}

/// Takes inputs until it is told that they are all there. Asked again after it was interrupted, it takes them all again.
fn put() -> io::Result<ExitCode> {
    let mut frames = Frames::<_, ToRun>::new(io::stdin().lock());
    loop {
        match frames.next_frame()? {
            Some(Frame::Message(ToRun::File { path, length })) => {
                let mut file =
                    files::create_input(Path::new(INPUTS), &path).map_err(io::Error::other)?;
                let mut left = length;
                while left > 0 {
                    let Some(Frame::Data(bytes)) = frames.next_frame()? else {
                        return Err(io::Error::other(format!("{path} is not whole")));
                    };
                    file.write_all(&bytes).map_err(|error| {
                        io::Error::new(error.kind(), format!("{path}: {error}"))
                    })?;
                    left = left.saturating_sub(bytes.len() as u64);
                }
            }
            Some(Frame::Message(ToRun::Start)) => {
                say(&Frame::Message(ToOwner::Taken))?;
                kill_process(Pid::INIT, READY)?;
                return Ok(ExitCode::SUCCESS);
            }
            Some(_) => {}
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn give() -> io::Result<ExitCode> {
    let mut frames = Frames::<_, ToRun>::new(io::stdin().lock());
    let Some(Frame::Message(ToRun::Take { paths, limit })) = frames.next_frame()? else {
        return Err(io::Error::other("nobody says what to give"));
    };
    let opened = files::open_results(Path::new(RESULTS))?;
    results::give(opened, &paths, limit, &mut |frame| say(&frame))?;
    Ok(ExitCode::SUCCESS)
}

fn say(frame: &Frame<ToOwner>) -> io::Result<()> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes).map_err(io::Error::other)?;
    let mut out = io::stdout().lock();
    out.write_all(&bytes)?;
    out.flush()
}
