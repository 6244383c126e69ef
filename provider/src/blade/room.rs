//! Whether a quota has room for a blade.

use std::collections::BTreeMap;

use mkys_blade::{Blade, FlavorSize, Needs, PartName, Quota};
use mkys_plugin::{Diagnostic, Diagnostics, Path};

/// Sizes of the servers' flavors.
type Sizes = BTreeMap<PartName, FlavorSize>;

/// Says which limits of its project cannot hold a blade. `real` are the limits that the project has, or will have; those that the
/// definition sets come first.
pub(super) fn quota_problems(
    blade: &Blade,
    sizes: &Sizes,
    second: &[&PartName],
    real: &Quota,
) -> Diagnostics {
    let Some(project) = &blade.project else {
        return Diagnostics::new();
    };
    let limits = project.quota.or(real);
    let standing = Needs::of(blade, sizes);
    let too_small = standing.beyond(&limits);
    let stands = too_small.is_empty();
    let beyond = match stands {
        true => standing
            .plus(Needs::of_second(blade, sizes, second.iter().copied()))
            .beyond(&limits),
        false => too_small,
    };
    let set = |limit| {
        let mut entries = project.quota.entries().into_iter();
        entries.any(|(name, value)| name == limit && value.is_some())
    };
    let beyond = beyond.into_iter().map(|(limit, needed, given)| {
        let at = Path::root("project").attribute("quota").attribute(limit);
        let (needed, given) = (amount(limit, needed), amount(limit, given));
        let (given, set) = match set(limit) {
            true => (
                format!("project.quota.{limit} is {given}"),
                "Raise the limit",
            ),
            false => (
                format!("the project's limit is {given}, as project.quota.{limit} is not set"),
                "Set it",
            ),
        };
        let problem = match stands {
            false => Diagnostic::error(
                format!("The quota cannot hold the blade: {limit}"),
                format!("The blade needs {needed} and {given}. {set}, or ask for less."),
            ),
            true => Diagnostic::error(
                format!("The quota cannot hold the update: {limit}"),
                format!(
                    "While {} the blade needs {needed}, and {given}. {set}; it may be lowered again \
                     after the update.",
                    beside(second)
                ),
            ),
        };
        problem.at(at)
    });
    beyond.collect()
}

/// The same for a blade that is to be built within what is left of the credential's project.
pub(super) fn free_problems(blade: &Blade, sizes: &Sizes, free: &Quota) -> Diagnostics {
    let beyond = Needs::of(blade, sizes).beyond(free);
    let beyond = beyond.into_iter().map(|(limit, needed, left)| {
        let (needed, left) = (amount(limit, needed), amount(limit, left));
        let detail = format!(
            "The blade needs {needed}, and of the project's quota {left} is left. Ask the \
             platform's administrators for more, or ask for less."
        );
        Diagnostic::error(format!("The quota cannot hold the blade: {limit}"), detail)
    });
    beyond.collect()
}

/// The same for an update: for what the blade gets that it had not `before`, and for servers that are to have a second revision beside the
/// one that serves.
pub(super) fn update_problems(
    blade: &Blade,
    before: Option<&Blade>,
    sizes: &Sizes,
    second: &[&PartName],
    free: &Quota,
) -> Diagnostics {
    let revisions = Needs::of_second(blade, sizes, second.iter().copied());
    let more = match before {
        Some(before) => Needs::of_added(blade, before, sizes).plus(revisions),
        None => revisions,
    };
    let when = match second {
        [] => "The update".to_owned(),
        _ => format!("While {} the blade", beside(second)),
    };
    let beyond = more.beyond(free).into_iter().map(|(limit, needed, left)| {
        let (needed, left) = (amount(limit, needed), amount(limit, left));
        let detail = format!(
            "{when} needs {needed} more, and of the project's quota {left} is left. Ask the \
             platform's administrators for more, or take away what is not needed."
        );
        Diagnostic::error(format!("The quota cannot hold the update: {limit}"), detail)
    });
    beyond.collect()
}

fn beside(second: &[&PartName]) -> String {
    let names: Vec<_> = second
        .iter()
        .map(|name| format!("{:?}", name.as_ref()))
        .collect();
    let servers = if names.len() == 1 {
        "server"
    } else {
        "servers"
    };
    format!(
        "the new revision of {servers} {} stands beside the old one",
        names.join(", ")
    )
}

/// How much of a limit, in its unit.
fn amount(limit: &str, how_much: i64) -> String {
    match limit {
        "ram" => format!("{how_much} MiB"),
        "gigabytes" => format!("{how_much} GiB"),
        _ => how_much.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use mkys_blade::Definition;
    use serde_json::{Value, json};

    use super::*;

    /// A blade of these servers, each with two cores, 1,024 MiB and a volume of 5 GiB.
    fn blade(servers: &[&str], project: Value) -> Blade {
        let server = json!({ "image": "i", "flavor": "f", "networks": ["front"],
                             "volumes": { "v": { "size": 5 } } });
        let servers: BTreeMap<_, _> = servers.iter().map(|name| (*name, &server)).collect();
        let definition: Definition = serde_json::from_value(json!({
            "name": "a",
            "project": project,
            "networks": { "front": { "cidr": "10.1.0.0/24" } },
            "servers": servers,
        }))
        .unwrap();
        definition.validate().unwrap()
    }

    fn sizes(blade: &Blade) -> Sizes {
        let size = FlavorSize {
            vcpus: 2,
            ram: 1_024,
        };
        let names = blade.servers.keys().cloned();
        names.map(|name| (name, size)).collect()
    }

    fn quota(limits: Value) -> Quota {
        serde_json::from_value(limits).unwrap()
    }

    fn second(blade: &Blade) -> Vec<&PartName> {
        blade.servers.keys().collect()
    }

    #[test]
    fn limits_that_the_definition_leaves_to_the_cloud_count_as_well() {
        let said = |servers: &[&str], own: Value, twice: bool, real: Value| {
            let blade = blade(servers, json!({ "group": "g", "quota": own }));
            let second = if twice { second(&blade) } else { Vec::new() };
            quota_problems(&blade, &sizes(&blade), &second, &quota(real)).to_string()
        };
        let none = json!({});
        let cases = [
            (&["a"][..], json!({}), false, json!({ "cores": 2 }), ""),
            (&["a"], json!({}), true, json!({ "cores": -1 }), ""),
            (
                &["a"],
                json!({ "cores": 2 }),
                false,
                json!({ "cores": 1 }),
                "",
            ),
            (
                &["a", "b"],
                json!({ "cores": 3 }),
                false,
                none,
                "project.quota.cores: The quota cannot hold the blade: cores: The blade needs 4 and project.quota.cores is 3. Raise the limit, or ask for less.",
            ),
            (
                &["a", "b"],
                json!({}),
                false,
                json!({ "cores": 3 }),
                "project.quota.cores: The quota cannot hold the blade: cores: The blade needs 4 and the project's limit is 3, as project.quota.cores is not set. Set it, or ask for less.",
            ),
            (
                &["a"],
                json!({}),
                true,
                json!({ "security_groups": 3 }),
                "project.quota.security_groups: The quota cannot hold the update: security_groups: While the new revision of server \"a\" stands beside the old one the blade needs 4, and the project's limit is 3, as project.quota.security_groups is not set. Set it; it may be lowered again after the update.",
            ),
            (
                &["a"],
                json!({}),
                true,
                json!({ "ram": 1024 }),
                "project.quota.ram: The quota cannot hold the update: ram: While the new revision of server \"a\" stands beside the old one the blade needs 2048 MiB, and the project's limit is 1024 MiB, as project.quota.ram is not set. Set it; it may be lowered again after the update.",
            ),
        ];
        for (servers, own, twice, real, expected) in cases {
            assert_eq!(said(servers, own, twice, real), expected);
        }
    }

    #[test]
    fn a_blade_needs_room_in_what_is_left() {
        let blade = blade(&["a", "b"], Value::Null);
        let said = |free| free_problems(&blade, &sizes(&blade), &quota(free)).to_string();
        assert_eq!(said(json!({ "cores": 4, "gigabytes": 10 })), "");
        let expected = "The quota cannot hold the blade: gigabytes: The blade needs 10 GiB, and of the project's quota 9 GiB is left. Ask the platform's administrators for more, or ask for less.";
        assert_eq!(said(json!({ "cores": 4, "gigabytes": 9 })), expected);
    }

    #[test]
    fn an_update_needs_room_for_what_is_new() {
        let said = |before: &[&str], servers: &[&str], twice: &[&str], free| {
            let (before, blade) = (blade(before, Value::Null), blade(servers, Value::Null));
            let second = second(&blade);
            let second = second
                .into_iter()
                .filter(|name| twice.contains(&name.as_ref()));
            let second: Vec<_> = second.collect();
            let free = quota(free);
            update_problems(&blade, Some(&before), &sizes(&blade), &second, &free).to_string()
        };
        let free = || json!({ "cores": 2, "volumes": 1 });
        assert_eq!(said(&["a"], &["a"], &[], json!({ "cores": 0 })), "");
        assert_eq!(said(&["a"], &["a"], &["a"], free()), "");
        assert_eq!(said(&["a"], &["a", "b"], &[], free()), "");
        let both = said(&["a"], &["a", "b"], &["a"], free());
        let expected = "The quota cannot hold the update: cores: While the new revision of server \"a\" stands beside the old one the blade needs 4 more, and of the project's quota 2 is left. Ask the platform's administrators for more, or take away what is not needed.";
        assert_eq!(both, expected);
        let added = said(&["a"], &["a", "b", "c"], &[], json!({ "volumes": 1 }));
        assert!(added.ends_with("volumes: The update needs 2 more, and of the project's quota 1 is left. Ask the platform's administrators for more, or take away what is not needed."), "{added}");
        // what goes stays until the rest serves
        let renamed = said(&["a"], &["b"], &[], json!({ "instances": 0 }));
        assert!(
            renamed.contains("instances: The update needs 1 more"),
            "{renamed}"
        );
    }
}
