//! Properties of every template and every update, over random definitions.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::collections::{BTreeMap, BTreeSet};

use mkys_blade::effect::{self, Effect, Permit};
use mkys_blade::update::{self, Kind, Strategy as Replace};
use mkys_blade::{Blade, Definition, GROUP_TYPE, Generations, PartName, Settings, Template};
use proptest::prelude::*;
use serde_json::{Value, json};

fn settings() -> Settings {
    Settings {
        users_edge: vec!["198.51.100.3/32".parse().unwrap()],
        devops_edge: vec!["198.51.100.131/32".parse().unwrap()],
        probe_source: Some("http://198.51.100.2:8088/node-exporter".into()),
    }
}

prop_compose! {
    fn server(networks: usize)(
        image in "[a-z0-9.]{1,8}",
        on in prop::collection::btree_set(0..networks, 1..=networks),
        user_data in prop::option::of(prop_oneof![
            Just("#!/bin/sh\necho hello\n".to_owned()),
            Just("#cloud-config\n{}\n".to_owned()),
            "[ -~]{0,40}",
        ]),
        probe in any::<bool>(),
        ready in any::<bool>(),
        mounts in prop::collection::vec(any::<bool>(), 0..3),
    ) -> Value {
        let networks: Vec<_> = on.iter().map(|index| format!("n{index}")).collect();
        let volumes: BTreeMap<_, _> = mounts.iter().enumerate().map(|(index, mount)| {
            let mount = mount.then(|| format!("/srv/{index}"));
            (format!("v{index}"), json!({ "size": 1 + index, "mount": mount }))
        }).collect();
        json!({
            "image": image,
            "flavor": "f",
            "networks": networks,
            "user_data": user_data,
            "probes": if probe { vec!["node"] } else { vec![] },
            "ready": ready.then(|| json!({ "http": ":80/" })),
            "volumes": volumes,
        })
    }
}

fn definition() -> impl Strategy<Value = Blade> {
    (1_usize..4).prop_flat_map(|networks| {
        let servers = prop::collection::vec(server(networks), 0..4);
        let services = prop::collection::vec((0_usize..4, 0_usize..3), 0..4);
        (Just(networks), servers, services).prop_map(|(networks, servers, services)| {
            let count = servers.len();
            let networks: BTreeMap<_, _> = (0..networks)
                .map(|index| {
                    (
                        format!("n{index}"),
                        json!({ "cidr": format!("10.{index}.0.0/24") }),
                    )
                })
                .collect();
            let servers: BTreeMap<_, _> = servers
                .into_iter()
                .enumerate()
                .map(|(index, server)| (format!("s{index}"), server))
                .collect();
            let services: BTreeMap<_, _> = services
                .into_iter()
                .enumerate()
                .filter(|(_, (server, _))| *server < count)
                .map(|(index, (server, audiences))| {
                    let audiences =
                        [vec!["users"], vec!["devops"], vec!["users", "devops"]][audiences].clone();
                    let service = json!({
                        "server": format!("s{server}"),
                        "port": 80 + index,
                        "audiences": audiences,
                    });
                    (format!("x{index}"), service)
                })
                .collect();
            let definition: Definition = serde_json::from_value(json!({
                "name": "blade",
                "networks": networks,
                "servers": servers,
                "services": services,
            }))
            .unwrap();
            definition.validate().unwrap()
        })
    })
}

/// Every name that a value refers to, by the function that refers.
fn references(value: &Value, found: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let name = match (key.as_str(), value) {
                    ("get_resource" | "get_param", Value::String(name)) => Some(name),
                    ("get_attr", Value::Array(path)) => path.first().and_then(|one| match one {
                        Value::String(name) => Some(name),
                        _ => None,
                    }),
                    _ => None,
                };
                if let Some(name) = name {
                    found.insert((key.clone(), name.clone()));
                }
                references(value, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// What Heat would refuse: a name that is not there, a circle, a parameter that nobody uses.
/// `spare`: parameters that may stand unused, so that their values are kept.
fn assert_sound(template: &Template, spare: impl Fn(&str) -> bool) {
    let mut used = BTreeSet::new();
    let mut edges: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let known = |kind: &str, name: &str| match kind {
        "get_param" => name == "OS::stack_id" || template.parameters.contains_key(name),
        _ => template.resources.contains_key(name),
    };
    for (name, resource) in &template.resources {
        let mut found = BTreeSet::new();
        resource
            .properties
            .values()
            .for_each(|value| references(value, &mut found));
        for (kind, target) in &found {
            assert!(
                known(kind, target),
                "{name} refers to {target}, which is not there"
            );
        }
        let after = edges.entry(name).or_default();
        after.extend(resource.depends_on.iter().cloned());
        after.extend(
            found
                .iter()
                .filter(|(kind, _)| kind != "get_param")
                .map(|one| one.1.clone()),
        );
        for target in &resource.depends_on {
            assert!(
                template.resources.contains_key(target),
                "{name} waits for {target}"
            );
        }
        used.extend(found);
    }
    for (name, output) in &template.outputs {
        let mut found = BTreeSet::new();
        references(&output.value, &mut found);
        for (kind, target) in found {
            assert!(known(&kind, &target), "output {name} refers to {target}");
        }
    }
    for name in template.parameters.keys() {
        assert!(
            used.contains(&("get_param".into(), name.clone())) || spare(name),
            "{name} is unused"
        );
    }
    while !edges.is_empty() {
        let free: Vec<_> = edges
            .iter()
            .filter(|(_, after)| after.iter().all(|name| !edges.contains_key(name.as_str())))
            .map(|(name, _)| *name)
            .collect();
        assert!(!free.is_empty(), "a circle among {:?}", edges.keys());
        free.iter().for_each(|name| drop(edges.remove(name)));
    }
}

fn strategy(blade: &Blade, other: &Blade) -> impl Fn(&PartName) -> Replace {
    move |name| match blade.can_stand_twice(name) && other.can_stand_twice(name) {
        true => Replace::SideBySide,
        false => Replace::Recreate,
    }
}

/// A blade of two servers, of which one has this image and the other is reached at this port.
fn two_servers(image: &str, port: u16) -> Blade {
    let server = |image: &str| json!({ "image": image, "flavor": "f", "networks": ["n"] });
    let definition: Definition = serde_json::from_value(json!({
        "name": "blade",
        "networks": { "n": { "cidr": "10.0.0.0/24" } },
        "servers": { "web": server(image), "db": server("i") },
        "services": { "x": { "server": "db", "port": port, "audiences": ["users"] } },
    }))
    .unwrap();
    definition.validate().unwrap()
}

#[test]
fn a_server_that_stays_is_reached_where_it_was_until_the_others_replacement_stands() {
    let (old, new) = (two_servers("one", 80), two_servers("two", 81));
    let from = old.compile(&settings(), &Generations::new());
    let to = new.compile(&settings(), &Generations::new());
    let replaced = update::replacements(&from.revisions, &to.revisions, strategy(&old, &new));
    let steps = update::steps(&from.template, &to, &replaced);
    let group = format!("group_db_R{}", from.revisions[&"db".try_into().unwrap()]);
    let groups = [&from.template, &steps[0].template, &steps[1].template]
        .map(|template| template.resources[&group].clone());
    assert_eq!(
        [steps[0].kind, steps[1].kind],
        [Kind::Expand, Kind::Contract]
    );
    assert_eq!(groups[1], groups[0]);
    assert_ne!(groups[2], groups[0]);
}

/// A blade of two servers with volumes; equal but for their user data.
fn two_databases(first: &str, second: &str) -> Blade {
    let server = |text: &str| json!({ "image": "i", "flavor": "f", "networks": ["n"], "user_data": text, "volumes": { "data": { "size": 1 } } });
    let definition: Definition = serde_json::from_value(json!({
        "name": "blade",
        "networks": { "n": { "cidr": "10.0.0.0/24" } },
        "servers": { "db1": server(first), "db2": server(second), "db-2": server(second) },
    }))
    .unwrap();
    definition.validate().unwrap()
}

#[test]
fn equal_servers_are_replaced_one_by_one() {
    let (old, new) = (two_databases("one", "one"), two_databases("two", "one"));
    let from = old.compile(&settings(), &Generations::new());
    let to = new.compile(&settings(), &Generations::new());
    let replaced = update::replacements(&from.revisions, &to.revisions, strategy(&old, &new));
    assert_eq!(replaced.len(), 1);
    let kept: Vec<_> = from
        .template
        .resources
        .iter()
        .filter(|(name, _)| name.contains("_db2") || name.contains("_db-2"))
        .collect();
    assert!(kept.len() > 8, "{kept:?}");
    for step in update::steps(&from.template, &to, &replaced) {
        for (name, resource) in &kept {
            assert_eq!(
                step.template.resources.get(*name),
                Some(*resource),
                "{name} in {:?}",
                step.kind
            );
        }
    }
}

#[test]
fn empty_user_data_is_none() {
    let with = |user_data: Value| {
        let server =
            json!({ "image": "i", "flavor": "f", "networks": ["n"], "user_data": user_data });
        let definition: Definition = serde_json::from_value(json!({
            "name": "blade", "networks": { "n": { "cidr": "10.0.0.0/24" } }, "servers": { "web": server },
        }))
        .unwrap();
        definition
            .validate()
            .unwrap()
            .revisions(&Generations::new())
    };
    assert_eq!(with(json!("")), with(Value::Null));
    assert_ne!(with(json!("#!/bin/sh")), with(Value::Null));
}

#[test]
fn expanded_stack_tells_of_the_serving_version() {
    let (old, new) = (two_servers("one", 80), two_servers("two", 80));
    let from = old.compile(&settings(), &Generations::new());
    let to = new.compile(&settings(), &Generations::new());
    let replaced = update::replacements(&from.revisions, &to.revisions, strategy(&old, &new));
    let steps = update::steps(&from.template, &to, &replaced);
    assert_eq!(steps[0].kind, Kind::Expand);
    for (name, output) in &from.template.outputs {
        assert_eq!(steps[0].template.outputs.get(name), Some(output), "{name}");
    }
    assert_eq!(steps[1].template.outputs, to.template.outputs);
}

/// The parts that two definitions have in common, by the ends and the names of their resources.
fn lasting(
    old: &Blade,
    new: &Blade,
    from: &Template,
    replaced: &[update::Replacement],
) -> BTreeSet<String> {
    let mut lasting = BTreeSet::from(["router_users".to_owned(), "backplane_group".to_owned()]);
    let kept = |name: &PartName| {
        new.servers.contains_key(name) && !replaced.iter().any(|one| one.server == *name)
    };
    for (name, resource) in &from.resources {
        let volume = name
            .strip_prefix("volume-")
            .and_then(|rest| rest.split_once('_'));
        let is_kept_volume = volume.is_some_and(|(volume, server)| {
            let server = &PartName::try_from(server).unwrap();
            let volume = &PartName::try_from(volume).unwrap();
            new.servers
                .get(server)
                .is_some_and(|server| server.volumes.contains_key(volume))
        });
        let is_kept_server = old.servers.keys().filter(|name| kept(name)).any(|server| {
            let volume = resource.kind == mkys_blade::ATTACHMENT_TYPE;
            !volume && name.contains(&format!("_{server}_R"))
        });
        let is_kept_network = old.networks.iter().any(|(network, one)| {
            let same = new
                .networks
                .get(network)
                .is_some_and(|other| other.cidr == one.cidr);
            let of = |kind: &str| name.starts_with(&format!("{kind}_{network}_R"));
            same && (of("network") || of("subnet") || of("interface"))
        });
        if is_kept_volume || is_kept_server || is_kept_network {
            lasting.insert(name.clone());
        }
    }
    lasting
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever statuses Heat holds: once those that are only Heat's word are put right, no update takes away more than the change names.
    #[test]
    fn no_resource_outside_the_change_is_lost(
        old in definition(),
        new in definition(),
        failed in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..4), 0..6),
    ) {
        let from = old.compile(&settings(), &Generations::new());
        let to = new.compile(&settings(), &Generations::new());
        let replaced = update::replacements(&from.revisions, &to.revisions, strategy(&old, &new));
        let names: Vec<_> = from.template.resources.keys().cloned().collect();
        let words = ["CHECK_FAILED", "UPDATE_FAILED", "CREATE_COMPLETE", "CHECK_COMPLETE"];
        let mut statuses: BTreeMap<_, _> = failed.iter()
            .map(|(index, word)| (index.get(&names).clone(), words[*word].to_owned()))
            .collect();
        let none = BTreeSet::new();
        let permit = Permit { stands: &from.template, wanted: &to.template, replacements: &replaced, gone: &none };
        let lasting = lasting(&old, &new, &from.template, &replaced);
        let mut stands = from.template.clone();
        for step in update::steps(&from.template, &to, &replaced) {
            // an unplanned replacement is seen before it is sent
            let unsafe_ = effect::effects(&stands, &step.template, &statuses, &none);
            let lost = unsafe_.iter().any(|(name, effect)| {
                lasting.contains(name) && matches!(effect, Effect::Replaced(_) | Effect::Deleted | Effect::Released)
            });
            prop_assert!(!lost || !permit.surprises(&stands, unsafe_).is_empty());
            let well: Vec<_> = permit.misjudged(&statuses).cloned().collect();
            for name in well {
                statuses.insert(name, "CHECK_COMPLETE".into());
            }
            let effects = effect::effects(&stands, &step.template, &statuses, &none);
            for (name, effect) in &effects {
                let touched = matches!(effect, Effect::Replaced(_) | Effect::Deleted | Effect::Released);
                prop_assert!(!touched || !lasting.contains(name), "{}: {:?} in {:?}", name, effect, step.kind);
            }
            prop_assert_eq!(permit.surprises(&stands, effects), []);
            stands = step.template;
        }
    }

    #[test]
    fn a_template_refers_to_nothing_that_is_not_there(blade in definition()) {
        assert_sound(&blade.compile(&settings(), &Generations::new()).template, |_| false);
    }

    #[test]
    fn the_same_definition_gives_the_same_text(blade in definition()) {
        let text = |blade: &Blade| {
            blade.compile(&settings(), &Generations::new()).template.to_yaml().unwrap()
        };
        prop_assert_eq!(text(&blade), text(&blade.clone()));
    }

    #[test]
    fn a_lost_server_gets_another_revision_and_no_other_does(blade in definition()) {
        for lost in blade.servers.keys() {
            let before = blade.revisions(&Generations::new());
            let after = blade.revisions(&Generations::from([(lost.clone(), 1)]));
            for name in blade.servers.keys() {
                prop_assert_eq!(before[name] == after[name], name != lost);
            }
        }
    }

    #[test]
    fn an_update_keeps_what_serves_until_its_replacement_stands(
        old in definition(),
        new in definition(),
    ) {
        let from = old.compile(&settings(), &Generations::new());
        let to = new.compile(&settings(), &Generations::new());
        let replaced = update::replacements(&from.revisions, &to.revisions, strategy(&old, &new));
        let steps = update::steps(&from.template, &to, &replaced);
        let end = steps.last().map_or(&from.template, |step| &step.template);
        prop_assert_eq!(end, &to.template, "it ends where it should");
        let mut stands = &from.template;
        for step in &steps {
            // the values of what may have to be added again
            assert_sound(&step.template, |name| {
                let mut recreated = replaced.iter().filter(|one| one.is_recreated());
                step.kind == Kind::TakeAway
                    && recreated.any(|one| name.ends_with(&format!("_{}_R{}", one.server, one.from)))
            });
            prop_assert_ne!(&step.template, stands, "a step that does nothing");
            for one in replaced.iter().filter(|one| one.strategy == Replace::SideBySide) {
                let name = format!("server_{}_R{}", one.server, one.from);
                if step.kind == Kind::Expand {
                    let old = &from.template.resources;
                    prop_assert_eq!(step.template.resources.get(&name), old.get(&name));
                    // who gets in to it
                    for (name, group) in old.iter().filter(|(_, one)| one.kind == GROUP_TYPE) {
                        prop_assert_eq!(step.template.resources.get(name), Some(group));
                    }
                    for (name, resource) in old {
                        if name.starts_with("association-") && name.ends_with(one.server.as_ref()) {
                            prop_assert_eq!(step.template.resources.get(name), Some(resource));
                        }
                    }
                }
            }
            // until the new revision stands, the old one may have to be added again
            if matches!(step.kind, Kind::TakeAway | Kind::Add) {
                for (name, ..) in stands.volumes() {
                    prop_assert!(step.template.resources.contains_key(name), "{} went", name);
                }
            }
            if step.kind == Kind::Expand {
                for name in stands.resources.keys() {
                    prop_assert!(step.template.resources.contains_key(name), "{} went", name);
                }
            }
            stands = &step.template;
        }
    }
}
