//! Whether a service answers: one real request, no waiting.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use super::cloud::Cloud;
use super::process;
use super::unit::{Probe, Unit};
use crate::place::Place;

const PATIENCE: Duration = Duration::from_secs(5);

/// Asks once.
pub(crate) fn answers(place: &Place, unit: &Unit, probe: &Probe) -> bool {
    match probe {
        Probe::Http(address) => http(address),
        Probe::Tcp(address) => connect(*address).is_some(),
        Probe::Amqp(address) => amqp(*address).is_some(),
        Probe::File(path) => path.exists(),
        Probe::Command(words) => process::prepare(place, words, unit)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success()),
        Probe::Reports(reports) => Cloud::sign_in_once().is_ok_and(|cloud| cloud.reports(reports)),
    }
}

fn http(address: &str) -> bool {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        // A list of versions comes as 300: an answer, not somewhere to go.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .build()
        .into();
    agent
        .get(address)
        .call()
        .is_ok_and(|answer| answer.status().as_u16() < 500)
}

fn connect(address: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    Some(stream)
}

/// A broker that is up answers the protocol's header with a method frame (type 1).
fn amqp(address: SocketAddr) -> Option<()> {
    let mut stream = connect(address)?;
    stream.write_all(b"AMQP\x00\x00\x09\x01").ok()?;
    let mut frame = [0];
    stream.read_exact(&mut frame).ok()?;
    (frame[0] == 1).then_some(())
}
