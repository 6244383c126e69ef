//! Whether a network is closed: nothing of what is listed there can be reached.
//!
//! On several networks of clusters a policy does not hold in a pod's first second (aws/aws-network-policy-agent#271,
//! kubernetes-sigs/kube-network-policies#171, k3s-io/k3s#947). So it is tried before a command begins that is to reach nothing.

use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// How long a connection is tried: what is closed mostly says nothing at all.
const TRY: Duration = Duration::from_secs(1);
/// Between two looks.
const AGAIN: Duration = Duration::from_millis(200);

/// Waits until none of the addresses can be reached, or for as long as `limit`; gives one that still is.
pub(crate) fn wait(addresses: &[SocketAddr], limit: Duration) -> Option<SocketAddr> {
    let until = Instant::now() + limit;
    loop {
        let open = first_open(addresses)?;
        if Instant::now() >= until {
            return Some(open);
        }
        thread::park_timeout(AGAIN);
    }
}

/// One that can be reached within the time of a try. They are tried at once; a try that says nothing ends by itself, at the latest with this
/// process.
fn first_open(addresses: &[SocketAddr]) -> Option<SocketAddr> {
    let (open, reached) = channel();
    for address in addresses.iter().copied() {
        let open = open.clone();
        thread::spawn(move || {
            // a refusal may be the policy's own answer
            if TcpStream::connect(address).is_ok() {
                // whoever waited may have given up
                let _ = open.send(address);
            }
        });
    }
    drop(open);
    reached.recv_timeout(TRY).ok()
}
