//! Ctrl-C and SIGTERM: says what stays, and lets a command of the CLI that is under way come to an end as it does by itself.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use mkys_acceptance::platform::cli;
use rustix::process::{Pid, Signal as ToProcess, getpgid, getpgrp, kill_process};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a shell takes for "ended by Ctrl-C", and by SIGTERM.
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;

/// Whether it is to end.
static ENDS: AtomicBool = AtomicBool::new(false);

/// Does some work to its end or until Ctrl-C, which the terminal sends to the commands under way as well, or SIGTERM, which nobody does.
pub(crate) fn heed(work: impl FnOnce() -> ExitCode + Send + 'static) -> ExitCode {
    let (tell, told) = mpsc::channel();
    let tell_interrupted = tell.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        // without it they end the demo as any program
        if let Ok(runtime) = runtime
            && let Some(code) = runtime.block_on(end())
        {
            let _ = tell_interrupted.send(ExitCode::from(code));
        }
    });
    std::thread::spawn(move || {
        let code = work();
        // what was under way ends by the same, and what stays is still to be said
        if !ENDS.load(Ordering::SeqCst) {
            let _ = tell.send(code);
        }
    });
    told.recv().unwrap_or(ExitCode::FAILURE)
}

/// Waits until it is to end, and what was under way has ended.
async fn end() -> Option<u8> {
    let mut interrupts = signal(SignalKind::interrupt()).ok()?;
    let mut terminations = signal(SignalKind::terminate()).ok()?;
    let code = tokio::select! {
        _ = interrupts.recv() => INTERRUPTED,
        _ = terminations.recv() => TERMINATED,
    };
    ENDS.store(true, Ordering::SeqCst);
    if code == TERMINATED {
        interrupt_commands();
    }
    if cli::is_under_way() {
        say(
            "Interrupted: the CLI ends what it is at, so that nothing is lost. Ctrl-C again ends it at once.",
        );
        until_ended(&mut interrupts).await;
    }
    say(
        "What there is stays up: the next `make demo` goes on from there, `make demo-down` takes it away.",
    );
    Some(code)
}

/// As the terminal does at Ctrl-C: services, which stay, are in groups of their own.
fn interrupt_commands() {
    let group = getpgrp();
    let threads = std::fs::read_dir("/proc/self/task");
    for thread in threads.into_iter().flatten().flatten() {
        let children = std::fs::read_to_string(thread.path().join("children"));
        let children = children.unwrap_or_default();
        let children = children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok());
        let children = children.filter_map(Pid::from_raw);
        for pid in children.filter(|pid| getpgid(Some(*pid)) == Ok(group)) {
            // one that has ended meanwhile is what is wanted
            let _ = kill_process(pid, ToProcess::INT);
        }
    }
}

async fn until_ended(interrupts: &mut Signal) {
    while cli::is_under_way() {
        tokio::select! {
            _ = interrupts.recv() => return,
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
    }
}

fn say(text: &str) {
    // nobody is left to tell when stderr is closed
    let _ = writeln!(std::io::stderr().lock(), "\n{text}");
}
