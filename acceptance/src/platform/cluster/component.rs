//! The table of what the cluster is made of (`lab/cluster/components.yaml.j2`): read, and checked.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Deserialize;

use crate::lab::Error;

/// The whole table, in the order in which it is started.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    components: Vec<Component>,
}

/// One row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Component {
    pub(super) name: String,
    #[serde(default)]
    pub(super) needs: Vec<String>,
    /// The one after which it is started anew.
    pub(super) follows: Option<String>,
    pub(super) run: Vec<String>,
    #[serde(default)]
    pub(super) listens: Vec<SocketAddr>,
    /// All have to answer.
    pub(super) ready: Vec<Probe>,
}

/// The request that a ready component answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Probe {
    /// An answer of success.
    Http(String),
    /// The same, to the administrator's certificate.
    Https(String),
    /// One that ends well.
    Command(Vec<String>),
    /// The node is ready, and has so much of these to give.
    Node(BTreeMap<String, String>),
}

impl Table {
    /// Reads it.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Table {
            file: "cluster/components.yaml.j2".into(),
            reason,
        };
        let table: Self = serde_saphyr::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let mut before: Vec<&str> = Vec::new();
        for row in &table.components {
            let others = row.needs.iter().chain(&row.follows);
            for other in others {
                if !before.contains(&other.as_str()) {
                    let name = &row.name;
                    return Err(wrong(format!(
                        "{name} needs {other}, which is not before it"
                    )));
                }
            }
            before.push(&row.name);
        }
        Ok(table)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Component> {
        self.components.iter()
    }

    /// The component of a name.
    pub(super) fn get(&self, name: &str) -> Result<&Component, Error> {
        let found = self.iter().find(|row| row.name == name);
        found.ok_or_else(|| Error::Unexpected(format!("the cluster has no {name}")))
    }

    /// Those that are started anew after another.
    pub(super) fn followers(&self, name: &str) -> impl Iterator<Item = &Component> {
        self.iter()
            .filter(move |row| row.follows.as_deref() == Some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_stands_before() {
        let row =
            |name: &str, more: &str| format!("  - {{name: {name}, run: [x], ready: []{more}}}\n");
        for (rows, says) in [
            ([row("a", ""), row("b", ", needs: [a]")], None),
            ([row("a", ", needs: [b]"), row("b", "")], Some("a needs b")),
            ([row("a", ""), row("b", ", follows: c")], Some("b needs c")),
        ] {
            let read = Table::parse(&format!("components:\n{}", rows.concat()));
            match (read, says) {
                (Ok(table), None) => assert_eq!(table.iter().count(), 2),
                (Err(error), Some(says)) => assert!(error.to_string().contains(says), "{error}"),
                (read, says) => panic!("{says:?}: {read:?}"),
            }
        }
    }
}
