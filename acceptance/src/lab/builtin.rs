//! Work that the lab does itself, by the names that the table uses.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

use super::external::run;
use super::unit::Table;
use super::{Error, Lab, fabric, identity, image, resources};

/// The names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Builtin {
    /// Bridges and namespaces.
    Networks,
    /// Databases and their user.
    Databases,
    /// Keystone's contents.
    Identity,
    /// The guest image's file.
    GuestImage,
    /// The guest image in Glance.
    Image,
    /// The networks users and devops in Neutron.
    ExternalNetworks,
    /// Sizes of servers.
    Flavors,
    /// The default volume type.
    VolumeType,
}

impl Builtin {
    /// Does it. `asleep` says that no service ran before: what services said of themselves is old.
    pub(crate) fn run(self, lab: &Lab, table: &Table, asleep: bool) -> Result<(), Error> {
        match self {
            Self::Networks => fabric::weave(lab),
            Self::Databases => databases(lab, table, asleep),
            Self::Identity => identity::establish(),
            Self::GuestImage => image::build(lab).and_then(|file| point_to(lab, &file)),
            Self::Image => resources::image(&guest_image(lab)),
            Self::ExternalNetworks => resources::external_networks(&lab.settings),
            Self::Flavors => resources::flavors(),
            Self::VolumeType => resources::volume_type(),
        }
    }
}

/// Last signs of life, set far back: a service that was up when the lab was stopped must show itself again to count.
const FORGET: [&str; 4] = [
    "update neutron.agents set heartbeat_timestamp = '2000-01-01'",
    "update nova.services set last_seen_up = '2000-01-01', updated_at = '2000-01-01'",
    "update cinder.services set updated_at = '2000-01-01'",
    "update heat.service set updated_at = '2000-01-01'",
];

fn databases(lab: &Lab, table: &Table, asleep: bool) -> Result<(), Error> {
    let mut statements = vec![
        "create user if not exists mkys@localhost identified by 'mkys'".to_owned(),
        "grant all on *.* to mkys@localhost".to_owned(),
    ];
    statements.extend(
        table
            .databases
            .iter()
            .map(|name| format!("create database if not exists {name}")),
    );
    sql(lab, &statements.join("; "))?;
    if asleep {
        for statement in FORGET {
            // The tables aren't there yet the first time.
            let _ = sql(lab, statement);
        }
    }
    Ok(())
}

fn sql(lab: &Lab, statements: &str) -> Result<(), Error> {
    let socket = format!("--socket={}", lab.place.run().join("mysqld.sock").display());
    run(&[
        "mariadb",
        "--no-defaults",
        &socket,
        "-uroot",
        "-e",
        statements,
    ])
    .map(drop)
}

fn guest_image(lab: &Lab) -> PathBuf {
    lab.place.state().join("guest.img")
}

fn point_to(lab: &Lab, file: &std::path::Path) -> Result<(), Error> {
    let link = guest_image(lab);
    let _ = fs::remove_file(&link);
    std::os::unix::fs::symlink(file, &link).map_err(Error::io(format!("link {}", link.display())))
}
