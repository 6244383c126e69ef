//! Whether a network is closed: nothing of what is listed there can be reached.
//!
//! On several networks of clusters a policy does not hold in a pod's first second (aws/aws-network-policy-agent#271,
//! kubernetes-sigs/kube-network-policies#171, k3s-io/k3s#947). So it is tried before a command begins that is to reach nothing.

use std::net::{SocketAddr, TcpStream};
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

/// One that can be reached. They are tried at once.
fn first_open(addresses: &[SocketAddr]) -> Option<SocketAddr> {
    thread::scope(|scope| {
        let tries: Vec<_> = addresses
            .iter()
            .map(|address| scope.spawn(|| is_open(*address).then_some(*address)))
            .collect();
        // one that panics has reached nothing
        tries.into_iter().find_map(|one| one.join().ok().flatten())
    })
}

/// A refusal may be the policy's own answer.
fn is_open(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, TRY).is_ok()
}
