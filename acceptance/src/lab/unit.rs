//! The table of what the lab is made of (`lab/units.yaml.j2`): read, then checked into rows that make sense.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::builtin::Builtin;
use super::template::Templates;
use super::{Error, order};

const FILE: &str = "units.yaml.j2";
const STARTS_WITHIN: u64 = 180;
const STOPS_WITHIN: u64 = 10;

/// The whole table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) databases: Vec<String>,
    pub(crate) units: Vec<Unit>,
}

/// One row.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) name: String,
    pub(crate) needs: Vec<String>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) work: Work,
}

/// What a row does.
#[derive(Debug)]
pub(crate) enum Work {
    /// A process that stays.
    Service(Service),
    /// Commands run once.
    Commands(Vec<Vec<String>>),
    /// Work of the lab's own.
    Builtin { which: Builtin, once: bool },
}

/// A process that stays.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) run: Vec<String>,
    /// The service whose mount namespace it lives in.
    pub(crate) inside: Option<String>,
    pub(crate) listens: Vec<SocketAddr>,
    pub(crate) ready: Probe,
    pub(crate) starts_within: Duration,
    pub(crate) stops_within: Duration,
}

/// The request that a ready service answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Probe {
    /// Any answer below 500.
    Http(String),
    /// A connection.
    Tcp(SocketAddr),
    /// A broker's greeting.
    Amqp(SocketAddr),
    /// A command that ends well.
    Command(Vec<String>),
    /// A file that it makes.
    File(PathBuf),
    /// A cloud API lists it as up.
    Reports(Reports),
}

/// Who lists it, under which name.
#[derive(Debug, Deserialize)]
pub(crate) struct Reports {
    pub(crate) api: ReportingApi,
    pub(crate) name: String,
}

/// The lists in which services without an API of their own are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReportingApi {
    /// Neutron's agents.
    Network,
    /// Nova's services.
    Compute,
    /// Nova's hypervisors.
    Hypervisors,
    /// Cinder's services.
    Volume,
    /// Heat's engines.
    Orchestration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableAsWritten {
    databases: Vec<String>,
    units: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    run: Option<Vec<String>>,
    commands: Option<Vec<Vec<String>>>,
    builtin: Option<Builtin>,
    #[serde(default)]
    once: bool,
    inside: Option<String>,
    #[serde(default)]
    listens: Vec<SocketAddr>,
    ready: Option<Probe>,
    starts_within: Option<u64>,
    stops_within: Option<u64>,
}

impl Table {
    /// The table with this lab's paths and addresses.
    pub(crate) fn load(templates: &Templates) -> Result<Self, Error> {
        Self::parse(&templates.text(FILE)?).map_err(|reason| Error::Table {
            file: FILE.into(),
            reason,
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let written: TableAsWritten =
            serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        let units = written
            .units
            .into_iter()
            .map(Unit::from_row)
            .collect::<Result<Vec<_>, _>>()?;
        order::check(&units)?;
        Ok(Self {
            databases: written.databases,
            units,
        })
    }

    /// The services among the rows, in the table's order.
    pub(crate) fn services(&self) -> impl Iterator<Item = (&Unit, &Service)> {
        self.units.iter().filter_map(|unit| match &unit.work {
            Work::Service(service) => Some((unit, service)),
            Work::Commands(_) | Work::Builtin { .. } => None,
        })
    }
}

impl Unit {
    fn from_row(row: Row) -> Result<Self, String> {
        let name = row.name;
        let work = match (row.run, row.commands, row.builtin, row.ready) {
            (Some(run), None, None, Some(ready)) => Work::Service(Service {
                run,
                inside: row.inside,
                listens: row.listens,
                ready,
                starts_within: Duration::from_secs(row.starts_within.unwrap_or(STARTS_WITHIN)),
                stops_within: Duration::from_secs(row.stops_within.unwrap_or(STOPS_WITHIN)),
            }),
            (None, Some(commands), None, None) => Work::Commands(commands),
            (None, None, Some(which), None) => Work::Builtin {
                which,
                once: row.once,
            },
            _ => {
                return Err(format!(
                    "{name}: a row is `run` with `ready`, or `commands`, or `builtin`"
                ));
            }
        };
        Ok(Self {
            name,
            needs: row.needs,
            environment: row.env,
            work,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{place::Place, settings::Settings};

    pub(crate) fn parse(text: &str) -> Result<Table, String> {
        Table::parse(text)
    }

    #[test]
    fn our_table_makes_sense() {
        let settings = Settings::new(None, None).unwrap();
        let templates = Templates::new(&Place::at("/s".into()), &settings);
        let table = Table::load(&templates).unwrap();
        assert!(table.services().count() > 15);
        // its time to be ready must not go by before anybody can sign in and ask
        for (unit, service) in table.services() {
            let is_asked_of_keystone = matches!(service.ready, Probe::Reports(_));
            assert!(
                !is_asked_of_keystone || unit.needs.iter().any(|need| need == "identity"),
                "{} is to need identity",
                unit.name
            );
        }
    }

    #[test]
    fn rows_that_make_no_sense_are_refused() {
        for (row, says) in [
            ("{name: a}", "a row is"),
            ("{name: a, run: [x]}", "a row is"),
            (
                "{name: a, run: [x], ready: {tcp: '127.0.0.1:1'}, bulitin: x}",
                "bulitin",
            ),
            ("{name: a, commands: [[x]], needs: [b]}", "needs b"),
        ] {
            let error = parse(&format!("databases: []\nunits: [{row}]")).unwrap_err();
            assert!(error.contains(says), "{row}: {error}");
        }
    }
}
