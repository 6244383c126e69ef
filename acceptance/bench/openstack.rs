//! The peer of a blade: Heat by OpenStack's own command line.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use mkys_acceptance::place::CLOUD;

use crate::Bench;

/// OpenStack's command line on the lab's cloud.
pub(crate) struct OpenStack<'a> {
    bench: &'a Bench,
}

impl<'a> OpenStack<'a> {
    pub(crate) fn new(bench: &'a Bench) -> Self {
        Self { bench }
    }

    /// Runs a command; gives its exit code and all that it said.
    pub(crate) fn run(&self, arguments: &[&str]) -> anyhow::Result<(bool, String)> {
        let output = Command::new("openstack")
            .args(["--os-cloud", CLOUD])
            .args(arguments)
            .env("OS_CLIENT_CONFIG_FILE", self.bench.lab.place.clouds_yaml())
            .output()
            .context("openstack cannot be run")?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        Ok((output.status.success(), said))
    }

    /// Runs a command that must end well; gives what it printed.
    pub(crate) fn done(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let (ended_well, said) = self.run(arguments)?;
        ensure!(ended_well, "openstack {}: {said}", arguments.join(" "));
        Ok(said)
    }

    /// Creates a stack and waits; asks every second, where five are the default.
    pub(crate) fn create(
        &self,
        name: &str,
        template: &Path,
        more: &[&str],
    ) -> anyhow::Result<String> {
        let template = template.display().to_string();
        let arguments = [
            "stack", "create", "--wait", "--poll", "1", "-t", &template, name,
        ];
        self.done(&[&arguments, more].concat())
    }

    /// Takes a stack away, if it is there.
    pub(crate) fn remove(&self, name: &str) -> anyhow::Result<()> {
        let (there, _) = self.run(&["stack", "show", name])?;
        if there {
            self.done(&["stack", "delete", "--wait", "--yes", name])?;
        }
        Ok(())
    }

    /// An output of a stack.
    pub(crate) fn output(&self, name: &str, output: &str) -> anyhow::Result<String> {
        let arguments = [
            "stack",
            "output",
            "show",
            name,
            output,
            "-f",
            "value",
            "-c",
            "output_value",
        ];
        Ok(self.done(&arguments)?.trim().to_owned())
    }
}
