//! Versions of the platform that trials apply: two blades, the link between them, and a route.

use std::collections::{BTreeMap, BTreeSet};

use mkys_acceptance::chance::Chance;

/// Names of the platform's servers, in the blade's order.
pub(crate) const SERVERS: [&str; 3] = ["db1", "db2", "web"];
/// Servers with a volume each. They are defined alike but for their editions.
pub(crate) const WITH_VOLUME: [&str; 2] = ["db1", "db2"];
/// How many editions a server has: few, so that versions come back to those of before.
const EDITIONS: u64 = 3;

/// Draws another edition.
fn another(edition: u64, chance: &mut Chance) -> u64 {
    (edition + chance.between(1, EDITIONS - 1) - 1) % EDITIONS + 1
}

/// A version of the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    editions: BTreeMap<&'static str, u64>,
    description: u64,
    /// Whether the backplane reaches a second port.
    has_second_port: bool,
}

impl Version {
    pub(crate) fn first() -> Self {
        Self {
            editions: SERVERS.map(|server| (server, 1)).into(),
            description: 1,
            has_second_port: false,
        }
    }

    /// Draws what may follow: two servers in three keep their edition.
    pub(crate) fn next(&self, chance: &mut Chance) -> Self {
        let editions = self.editions.iter().map(|(server, edition)| {
            let changes = chance.once_in(3);
            let other = another(*edition, chance);
            (*server, if changes { other } else { *edition })
        });
        Self {
            editions: editions.collect(),
            description: chance.between(1, 3),
            has_second_port: chance.once_in(2),
        }
    }

    /// Draws what may follow with another edition of the web server.
    pub(crate) fn with_another_site(&self, chance: &mut Chance) -> Self {
        let mut next = self.next(chance);
        let site = another(self.editions["web"], chance);
        next.editions.insert("web", site);
        next
    }

    /// What the site answers.
    pub(crate) fn site(&self) -> String {
        format!("edition {}", self.editions["web"])
    }

    /// Servers that are of another edition in one of these.
    pub(crate) fn differing(all: &[&Self]) -> BTreeSet<&'static str> {
        let differs = |server: &&str| {
            let editions: BTreeSet<_> = all.iter().map(|one| one.editions[*server]).collect();
            editions.len() > 1
        };
        SERVERS.into_iter().filter(differs).collect()
    }

    /// Its configuration.
    pub(crate) fn configuration(&self, blade: &str, backplane: &str, host: &str) -> String {
        let Self {
            editions,
            description,
            has_second_port,
        } = self;
        let (db1, db2) = (editions["db1"], editions["db2"]);
        let site = self.site();
        let ports = if *has_second_port {
            "[9100, 9200]"
        } else {
            "[9100]"
        };
        format!(
            "locals {{
               database = {{
                 image    = \"mkys-tiny\"
                 flavor   = \"tiny\"
                 networks = [\"front\"]
                 volumes  = {{ data = {{ size = 1 }} }}
               }}
             }}
             resource \"mkys_blade\" \"blade\" {{
               name        = \"{blade}\"
               description = \"description {description}\"
               project     = {{ group = \"{blade}-admin\" }}
               networks    = {{ front = {{ cidr = \"10.70.1.0/24\" }} }}
               servers = {{
                 web = {{
                   image     = \"mkys-tiny\"
                   flavor    = \"tiny\"
                   networks  = [\"front\"]
                   user_data = \"#!/bin/sh\\nmkdir -p /srv/site\\necho '{site}' >/srv/site/index.html\\nbusybox httpd -p 80 -h /srv/site\\n\"
                   ready     = {{ http = \":80/\", within = \"4m\" }}
                 }}
                 db1 = merge(local.database, {{ user_data = \"#!/bin/sh\\necho {db1}\\n\" }})
                 db2 = merge(local.database, {{ user_data = \"#!/bin/sh\\necho {db2}\\n\" }})
               }}
               services = {{ site = {{ server = \"web\", port = 80, audiences = [\"users\"] }} }}
             }}
             resource \"mkys_blade\" \"backplane\" {{
               name     = \"{backplane}\"
               project  = {{ group = \"{backplane}-admin\" }}
               networks = {{ core = {{ cidr = \"10.71.1.0/24\" }} }}
             }}
             resource \"mkys_backplane_link\" \"this\" {{
               blade     = mkys_blade.blade
               backplane = mkys_blade.backplane
               network   = \"core\"
               ports     = {ports}
             }}
             resource \"mkys_route\" \"site\" {{
               blade   = mkys_blade.blade
               service = \"site\"
               host    = \"{host}\"
               access  = {{ users = {{ justification = \"a trial\" }} }}
             }}"
        )
    }
}
