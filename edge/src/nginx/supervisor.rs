//! Keeps NGINX running: looks several times a second, and starts it again when it is gone, in whichever way it went.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{NginxError, NginxProcess, client, processes, status};
use crate::health::Health;
use crate::warning::Warning;

/// How often the master is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How often NGINX is asked whether it answers.
const ASK: Duration = Duration::from_secs(1);
/// How often strays are looked for, and the pid file.
const SEARCH: Duration = Duration::from_secs(5);
/// After how long without a control socket NGINX is started anew: without it nothing can be withdrawn.
const UNREACHABLE: Duration = Duration::from_secs(5);
/// How large NGINX' log may become until a new one is begun; one before is kept.
const LOG: u64 = 64 * 1024 * 1024;

/// Keeps NGINX running.
#[derive(Debug)]
pub struct Supervisor {
    nginx: NginxProcess,
    http: reqwest::Client,
    health: Health,
    started: Arc<Notify>,
    master: Option<i32>,
    reachable: Instant,
}

impl Supervisor {
    /// A supervisor of an NGINX that was made to run. It tells `started` when it started another one, which knows no routes.
    ///
    /// # Errors
    ///
    /// When the control socket's client cannot be made.
    pub fn new(
        nginx: NginxProcess,
        health: Health,
        started: Arc<Notify>,
    ) -> Result<Self, NginxError> {
        Ok(Self {
            http: client(nginx.control())?,
            nginx,
            health,
            started,
            master: None,
            reachable: Instant::now(),
        })
    }

    /// Does so for good.
    pub async fn run(mut self) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut asked, mut searched) = (Instant::now(), Instant::now());
        loop {
            look.tick().await;
            if !self.master.is_some_and(processes::is_master) {
                self.restore().await;
                self.health.set_master(self.master);
            }
            if asked.elapsed() >= ASK {
                asked = Instant::now();
                self.ask().await;
                self.turn_over();
            }
            if searched.elapsed() >= SEARCH {
                searched = Instant::now();
                self.nginx.take_over().await;
            }
        }
    }

    /// Goes on with the master that there is, or starts one.
    async fn restore(&mut self) {
        let known = self.master.take();
        self.master = self.nginx.take_over().await;
        if self.master.is_some() {
            return;
        }
        tracing::warn!(master = known, "{}", Warning::NginxGone);
        self.health.set_routes(Err(
            "NGINX has just been started, and is about to be told".to_owned()
        ));
        let ensured = self.nginx.ensure().await;
        self.reachable = Instant::now();
        match ensured {
            Ok(()) => {
                self.master = self.nginx.take_over().await;
                self.health.set_nginx(Ok(()));
                self.started.notify_one();
                tracing::info!(master = self.master, "NGINX runs again");
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "{}",
                    Warning::NginxNotStarted
                );
                self.health.set_nginx(Err(error.to_string()));
                tokio::time::sleep(ASK).await;
            }
        }
    }

    /// Asks NGINX on its control socket; one that cannot be asked for long is ended, and started anew at the next look.
    async fn ask(&mut self) {
        let error = match status(&self.http).await {
            Ok(_) => {
                self.reachable = Instant::now();
                self.health.set_nginx(Ok(()));
                return;
            }
            Err(error) => error,
        };
        if !error.is_connect() {
            // it listens: it is only slow
            self.reachable = Instant::now();
        }
        self.health
            .set_nginx(Err("NGINX does not answer on its control socket".to_owned()));
        if let Some(master) = self.master
            && self.reachable.elapsed() > UNREACHABLE
        {
            tracing::error!(master, "{}", Warning::NoControlSocket);
            let found = processes::find(&self.nginx.settings.state);
            processes::end(&[vec![master], found.workers, found.strays].concat()).await;
            self.master = None;
        }
    }

    /// Begins a new log when the present one is large: what visitors cause must not fill the disk that the database is on.
    fn turn_over(&self) {
        if let Some(master) = self.master
            && self.nginx.log_length() > LOG
        {
            let log = self.nginx.log();
            let moved = turn_over(&log);
            match moved {
                Ok(()) => processes::signal(master, Signal::USR1),
                Err(error) => tracing::warn!(%error, "{}", Warning::LogNotTurned),
            }
        }
    }
}

fn turn_over(log: &Path) -> std::io::Result<()> {
    std::fs::rename(log, log.with_extension("log.1"))
}
