//! No definition that validates makes a template that Heat refuses.

use std::path::Path;

use mkys_blade::{Blade, Definition, Generations, Settings};
use serde_json::{Map, Value, json};

use crate::world::cloud::text;
use crate::world::{Api, Cloud};

const SEED: u64 = 20;
const RANDOM: usize = 30;

/// Random numbers that are the same each time (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    /// A text with all that YAML, shells and Heat might take for something else.
    fn text(&mut self) -> String {
        const ODD: [&str; 12] = [
            "no",
            "1e3",
            "12:30",
            "{get_param: x}",
            "$",
            "'",
            "\"",
            "\\",
            "%",
            "#",
            "\n",
            "é",
        ];
        let parts = (0..=self.below(5)).map(|_| ODD[self.below(12) as usize]);
        parts.collect::<Vec<_>>().join(" ")
    }

    fn server(&mut self, networks: u64) -> Value {
        let on: Vec<_> = (0..networks)
            .filter(|index| *index == 0 || self.coin())
            .map(|index| format!("n{index}"))
            .collect();
        let mut volumes = Map::new();
        for index in 0..self.below(3) {
            let mount = self.coin().then(|| format!("/srv/{index}"));
            volumes.insert(
                format!("v{index}"),
                json!({ "size": 1 + index, "mount": mount }),
            );
        }
        let user_data = match self.below(4) {
            0 => None,
            1 => Some(format!("#!/bin/sh\necho {}\n", self.text())),
            2 => Some("#cloud-config\nruncmd: [true]\n".to_owned()),
            _ => Some(self.text()),
        };
        let ready = self
            .coin()
            .then(|| json!({ "http": ":80/a/b.c", "within": "90s" }));
        json!({
            "image": "mkys-tiny",
            "flavor": "small",
            "networks": on,
            "user_data": user_data,
            "probes": if self.coin() { vec!["node"] } else { vec![] },
            "volumes": volumes,
            "ready": ready,
        })
    }

    fn definition(&mut self) -> Value {
        let networks = 1 + self.below(3);
        let servers = self.below(4);
        let mut definition = json!({
            "name": "blade", "description": self.text(),
            "networks": {}, "servers": {}, "services": {},
        });
        for index in 0..networks {
            let dns: &[&str] = if self.coin() { &["9.9.9.9"] } else { &[] };
            definition["networks"][format!("n{index}")] =
                json!({ "cidr": format!("10.{index}.0.0/24"), "dns_nameservers": dns });
        }
        for index in 0..servers {
            definition["servers"][format!("s{index}")] = self.server(networks);
        }
        for index in 0..servers.min(self.below(4)) {
            let audiences: &[&str] =
                [&["users"][..], &["devops"], &["users", "devops"]][self.below(3) as usize];
            definition["services"][format!("x{index}")] = json!({
                "server": format!("s{}", self.below(servers)),
                "port": 8_000 + index,
                "audiences": audiences,
            });
        }
        definition
    }
}

/// A template as text, as a person would give it to Heat, and values for its parameters, of things
/// that the lab has.
fn compiled(blade: &Blade, external: &Map<String, Value>) -> Value {
    let settings = Settings {
        users_edge: vec!["198.51.100.3/32".parse().unwrap()],
        devops_edge: vec!["198.51.100.131/32".parse().unwrap()],
        probe_source: Some("http://198.51.100.2:8088/node-exporter".into()),
    };
    let compiled = blade.compile(&settings, &Generations::new());
    let value = |name: &String| match name.split('_').next().unwrap() {
        "image" => "mkys-tiny".into(),
        "flavor" => "small".into(),
        "external" => external[name].clone(),
        "devops" => "198.51.100.128/25".into(),
        _ => compiled.secrets[name].as_str().into(),
    };
    let names = compiled.template.parameters.keys();
    let values: Map<_, Value> = names.map(|name| (name.clone(), value(name))).collect();
    let template = compiled.template.to_yaml().unwrap();
    json!({ "template": template, "environment": { "parameters": values } })
}

#[test]
fn heat_takes_every_template() {
    let cloud = Cloud::administrator();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../blade/tests/definitions");
    let golden = std::fs::read_dir(folder).unwrap().map(|entry| {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        serde_saphyr::from_str::<Value>(&text).unwrap()
    });
    let golden: Vec<_> = golden.collect();
    assert!(golden.len() >= 3);
    let external = ["users", "devops"].map(|name| {
        let networks = cloud.list(Api::Network, &format!("/networks?name={name}"), "networks");
        (format!("external_{name}"), networks[0]["id"].clone())
    });
    let external = Map::from_iter(external);
    let mut dice = Dice(SEED);
    let random = (0..RANDOM).map(|_| dice.definition());
    for definition in golden.into_iter().chain(random) {
        let typed: Definition = serde_json::from_value(definition.clone()).unwrap();
        let blade = typed
            .validate()
            .unwrap_or_else(|why| panic!("{why:?}: {definition}"));
        let body = compiled(&blade, &external);
        let taken = cloud.ask("POST", Api::Heat, "/validate", Some(&body));
        if let Err(why) = taken {
            panic!("{why}\n{definition}\n{}", text(&body["template"]));
        }
    }
}
