//! From nothing, or from what was left, to a cluster whose every component answers.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use super::component::{Component, Table};
use super::configuration::Configuration;
use super::leftovers::Leftovers;
use super::{Cluster, certificates, image, node, takeaway};
use crate::lab::install::{self, Packages};
use crate::lab::lock::Lock;
use crate::lab::{Error, ports, takeaway as lab_files};
use crate::place::Place;
use crate::platform::built;

/// The component that takes images.
const CONTAINERD: &str = "containerd";

impl Cluster {
    /// Starts it unless it is well. Installs the Debian packages that it needs.
    ///
    /// # Errors
    /// When a component does not answer, with its last words; a stranger holds a port; or what an earlier run left stays.
    pub fn start(&self) -> Result<(), Error> {
        if !rustix::process::getuid().is_root() {
            return Err(Error::NotRoot);
        }
        let place = Place::at(self.layout.state().to_owned());
        let _lock = Lock::take(&place, &self.progress)?;
        let configuration = Configuration::new(&self.layout, &built("lab")?);
        let table = configuration.table()?;
        if table.iter().all(|component| self.is_well(component)) {
            self.progress.note("nothing to do: every component answers");
            return Ok(());
        }
        install::install_missing(Packages::Cluster, &self.progress)?;
        self.clear(&place)?;
        configuration.write()?;
        certificates::make(&self.layout)?;
        std::os::unix::fs::symlink(&self.binaries, self.layout.bin())
            .map_err(Error::io("link the components"))?;
        node::prepare(&self.layout)?;
        self.start_all(&table)?;
        let took = self.progress.elapsed().as_secs_f64();
        let text = format!("the cluster is up after {took:.1} s");
        self.progress.note(text);
        Ok(())
    }

    /// Takes away what an earlier run left, with its files.
    fn clear(&self, place: &Place) -> Result<(), Error> {
        let left = Leftovers::look(&self.layout).lines().len();
        takeaway::everything(&self.layout)?;
        if left > 0 {
            let text = format!("took away {left} things that were left");
            self.progress.note(text);
        }
        lab_files::contents(place)
    }

    fn start_all(&self, table: &Table) -> Result<(), Error> {
        let mut launched = HashMap::new();
        for component in table.iter() {
            for need in &component.needs {
                self.settle(table.get(need)?, &mut launched)?;
            }
            if component.needs.iter().any(|need| need == CONTAINERD) {
                image::pause(&self.layout)?;
            }
            self.launch(component)?;
            launched.insert(component.name.clone(), Instant::now());
        }
        let mut all = table.iter();
        all.try_for_each(|component| self.settle(component, &mut launched))
    }

    /// Waits for one that was launched, and tells of it.
    fn settle(
        &self,
        component: &Component,
        launched: &mut HashMap<String, Instant>,
    ) -> Result<(), Error> {
        if let Some(since) = launched.remove(&component.name) {
            self.wait(component)?;
            self.progress.stage(&component.name, since.elapsed());
        }
        Ok(())
    }

    /// Starts a component where no stranger listens.
    fn launch(&self, component: &Component) -> Result<(), Error> {
        let listeners = ports::listeners();
        for wanted in &component.listens {
            let (IpAddr::V4(address), port) = (wanted.ip(), wanted.port()) else {
                continue;
            };
            if let Some(there) = listeners.iter().find(|one| one.blocks(address, port)) {
                let (pid, command) = ports::owner(there).unwrap_or_else(|| (0, "unknown".into()));
                return Err(Error::PortTaken { port, pid, command });
            }
        }
        self.background(component).start(None, &component.run)
    }
}
