//! Doing something where somebody stands: in a network namespace of the lab.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::process::Command;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A command that will run in the network namespace `namespace` (one of [`crate::place`]'s); arguments, environment and
/// output are the caller's to add. Needs root.
///
/// ```no_run
/// use mkys_acceptance::{netns::in_namespace, place};
/// let page = in_namespace(place::VISITOR, "curl").args(["-s", "http://198.51.100.3/"]).output()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn in_namespace(namespace: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("nsenter");
    command
        .arg(format!("--net=/run/netns/{namespace}"))
        .arg("--")
        .arg(program);
    command
}

/// Connects from the network namespace `namespace`. Needs root.
///
/// A socket belongs to the namespace that it was made in, whoever uses it afterwards; so a thread of its own moves there.
///
/// # Errors
/// When there is no such namespace, or nobody listens.
pub fn connect_from(namespace: &str, listener: SocketAddr) -> io::Result<TcpStream> {
    let there = File::open(format!("/run/netns/{namespace}"))?;
    let connect = move || {
        move_into_link_name_space(there.as_fd(), Some(LinkNameSpaceType::Network))?;
        TcpStream::connect(listener)
    };
    let connected = std::thread::spawn(connect).join();
    connected.unwrap_or_else(|_| Err(io::Error::other("the connecting thread panicked")))
}
