//! Visitors: people outside the cloud who ask for a page, once or again and again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::netns::in_namespace;

/// What came of asking once.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status; 0 when none came.
    pub status: u16,
    /// The body.
    pub body: String,
    /// Seconds until the whole answer was there.
    pub seconds: f64,
}

/// A place that is asked: from where, whom, and under which name.
#[derive(Debug, Clone)]
pub struct Place {
    /// The namespace that the visitor stands in.
    pub namespace: &'static str,
    /// The address that is asked.
    pub address: String,
    /// The port that is asked.
    pub port: u16,
    /// The host name in the request.
    pub host: String,
    /// The path.
    pub path: String,
}

impl Place {
    /// The front page under a name.
    #[must_use]
    pub fn new(namespace: &'static str, address: &str, host: &str) -> Self {
        let (address, host) = (address.to_owned(), host.to_owned());
        Self {
            namespace,
            address,
            port: 80,
            host,
            path: "/".to_owned(),
        }
    }

    /// The same on another port.
    #[must_use]
    pub fn on_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Asks once. It never asks again by itself: a time-out (10 s) is an answer that did not come.
    #[must_use]
    pub fn ask(&self) -> Answer {
        let url = format!("http://{}:{}{}", self.host, self.port, self.path);
        let resolve = format!("{}:{}:{}", self.host, self.port, self.address);
        let format = "\n%{http_code} %{time_total}";
        let output = in_namespace(self.namespace, "curl")
            .args([
                "--silent",
                "--max-time",
                "10",
                "--resolve",
                &resolve,
                "--write-out",
                format,
                &url,
            ])
            .output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let text = text.unwrap_or_default();
        let (body, figures) = text.rsplit_once('\n').unwrap_or_default();
        let (status, seconds) = figures.split_once(' ').unwrap_or_default();
        Answer {
            status: status.parse().unwrap_or(0),
            body: body.trim().to_owned(),
            seconds: seconds.parse().unwrap_or(0.0),
        }
    }
}

/// What came of asking again and again.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Requests.
    pub asked: usize,
    /// Requests without a good answer.
    pub lost: usize,
    /// The slowest good answer, in seconds.
    pub slowest: f64,
    /// How often each body came.
    pub bodies: BTreeMap<String, usize>,
    /// The first answers that were none.
    pub failures: Vec<Answer>,
}

/// Somebody who keeps asking.
#[derive(Debug)]
pub struct Asking {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Tally>,
}

impl Asking {
    /// Asks ten times a second, about, one after the other.
    #[must_use]
    pub fn start(place: Place) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut tally = Tally::default();
            while !told.load(Ordering::Relaxed) {
                let answer = place.ask();
                tally.asked += 1;
                if answer.status == 200 {
                    tally.slowest = tally.slowest.max(answer.seconds);
                    *tally.bodies.entry(answer.body).or_default() += 1;
                } else {
                    tally.lost += 1;
                    if tally.failures.len() < 5 {
                        tally.failures.push(answer);
                    }
                }
                std::thread::park_timeout(Duration::from_millis(80));
            }
            tally
        });
        Self { stop, thread }
    }

    /// Stops asking.
    #[must_use]
    pub fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}
