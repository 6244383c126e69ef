//! The edge's health: NGINX runs and answers, it was told all routes, and the database takes changes.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::nginx;

/// Shared health of the edge's parts. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Known>>);

#[derive(Debug)]
struct Known {
    nginx: Result<(), String>,
    /// The master that was found last.
    master: Option<i32>,
    routes: Result<(), String>,
}

impl Default for Known {
    fn default() -> Self {
        let not_yet = || Err("not known yet".to_owned());
        Self {
            nginx: not_yet(),
            master: None,
            routes: not_yet(),
        }
    }
}

/// Faults of the edge, one line each; empty when it is healthy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<String>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|fault| writeln!(f, "{fault}"))
    }
}

impl Health {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets whether NGINX runs and answers.
    pub fn set_nginx(&self, state: Result<(), String>) {
        self.known().nginx = state;
    }

    /// Sets the process id of NGINX' master; a master that has died since is a fault.
    pub fn set_master(&self, master: Option<i32>) {
        self.known().master = master;
    }

    /// Sets whether NGINX was told all routes.
    pub fn set_routes(&self, state: Result<(), String>) {
        self.known().routes = state;
    }

    /// Returns the faults, with the state of the database as given.
    pub fn faults(&self, database: Result<(), String>) -> Faults {
        let known = self.known();
        let gone = known.master.is_some_and(|master| !nginx::is_master(master));
        let nginx = match gone {
            true => Err("its master is gone, and it is about to be started again".to_owned()),
            false => known.nginx.clone(),
        };
        let parts = [
            ("nginx", nginx),
            ("routes", known.routes.clone()),
            ("database", database),
        ];
        let faults = parts.into_iter().filter_map(|(part, state)| {
            let error = state.err()?;
            Some(format!("{part}: {error}"))
        });
        Faults(faults.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_parts_are_named() {
        let health = Health::default();
        health.set_nginx(Ok(()));
        health.set_routes(Err("2 of 10 do not fit".to_owned()));
        let faults = health.faults(Err("full".to_owned()));
        assert_eq!(
            faults.to_string(),
            "routes: 2 of 10 do not fit\ndatabase: full\n"
        );
        health.set_routes(Ok(()));
        assert_eq!(health.faults(Ok(())), Faults::default());
        // this process is no NGINX
        health.set_master(std::process::id().try_into().ok());
        assert!(
            health
                .faults(Ok(()))
                .to_string()
                .starts_with("nginx: its master is gone")
        );
    }
}
