//! The keeper before a run: it lets nothing begin in a network that is to be closed and is not.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

fn passes(addresses: &[String]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mkys-keeper"))
        .arg("pass")
        .args(addresses)
        .output()
        .unwrap()
}

/// An address where nobody listens.
fn closed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn a_closed_network_is_passed_at_once() {
    let asked = Instant::now();
    assert!(passes(&[closed(), closed()]).status.success());
    assert!(passes(&[]).status.success());
    assert!(asked.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_network_that_is_closed_late_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Instant::now();
    let open = Duration::from_millis(1500);
    let closes = std::thread::spawn(move || {
        std::thread::park_timeout(open);
        drop(listener);
    });
    assert!(passes(&[closed(), address]).status.success());
    assert!(
        asked.elapsed() >= open,
        "it began while its network was open"
    );
    closes.join().unwrap();
}

#[test]
fn a_network_that_stays_open_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // it ends with this test
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let output = passes(&[closed(), address.clone()]);
    assert_eq!(output.status.code(), Some(mkys_init::OPEN_NETWORK));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!("{address}\n")
    );
}
