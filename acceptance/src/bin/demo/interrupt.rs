//! Ctrl-C: says what stays, and lets a command of the CLI that is under way come to an end as it does by itself.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use mkys_acceptance::platform::cli;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a shell takes for "ended by Ctrl-C".
const INTERRUPTED: u8 = 130;

/// Does some work to its end or until Ctrl-C, which the terminal sends to the commands under way as well.
pub(crate) fn heed(work: impl FnOnce() -> ExitCode + Send + 'static) -> ExitCode {
    let (tell, told) = mpsc::channel();
    let tell_interrupted = tell.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        // without it Ctrl-C ends the demo as any program
        if let Ok(runtime) = runtime
            && runtime.block_on(end())
        {
            let _ = tell_interrupted.send(ExitCode::from(INTERRUPTED));
        }
    });
    std::thread::spawn(move || tell.send(work()));
    told.recv().unwrap_or(ExitCode::FAILURE)
}

/// Whether Ctrl-C was pressed, and what was under way has ended.
async fn end() -> bool {
    let Ok(mut interrupts) = signal(SignalKind::interrupt()) else {
        return false;
    };
    interrupts.recv().await;
    if cli::is_under_way() {
        say(
            "Interrupted: the CLI ends what it is at, so that nothing is lost. Ctrl-C again ends it at once.",
        );
        until_ended(&mut interrupts).await;
    }
    say(
        "What there is stays up: the next `make demo` goes on from there, `make demo-down` takes it away.",
    );
    true
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
