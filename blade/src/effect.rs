//! The effect of a Heat update on each resource that stands, worked out before the update is sent.
//!
//! Heat decides resource by resource, in `heat/engine/resource.py` (`Resource._needs_update`, release Zed): a resource in status `CHECK_FAILED`
//! is always replaced, one in another `*_FAILED` status if the thing itself is gone or broken, and one whose changed property is not
//! `update_allowed` in its `properties_schema` as well. None of it depends on what the update is about, so an update of a description
//! replaces a volume that somebody's `openstack stack check` met in a passing state.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::template::{
    ATTACHMENT_TYPE, GROUP_TYPE, RETAIN, Resource, SERVER_TYPE, Template, VOLUME_TYPE, references,
};
use crate::update::Replacement;

/// What an update does to a resource that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Untouched,
    /// Heat changes these properties of the thing.
    InPlace(BTreeSet<String>),
    /// Heat makes another thing and lets go of this one.
    Replaced(Cause),
    /// Heat deletes the thing.
    Deleted,
    /// Heat forgets the thing, which stays.
    Released,
}

/// Why Heat replaces a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its status at Heat.
    Status(String),
    /// A property that Heat can't change in place.
    Property(String),
    /// Another type under the same name.
    Type,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "its status at Heat is {status}"),
            Self::Property(name) => write!(f, "its {name} changes, which Heat can't do in place"),
            Self::Type => f.write_str("its type changes"),
        }
    }
}

/// Works out what Heat does to each resource of `before` when it is given `after`. `statuses` are Heat's (`CHECK_FAILED`, …) by resource;
/// `parameters` are the parameters whose values change.
pub fn effects(
    before: &Template,
    after: &Template,
    statuses: &BTreeMap<String, String>,
    parameters: &BTreeSet<String>,
) -> BTreeMap<String, Effect> {
    // a resource that is replaced changes the properties that refer to it, which may replace the next
    let mut replaced = BTreeSet::new();
    loop {
        let effects: BTreeMap<_, _> = before
            .resources
            .iter()
            .map(|(name, old)| {
                let status = statuses.get(name).map_or("", String::as_str);
                let new = after.resources.get(name);
                (
                    name.clone(),
                    effect(old, new, status, &|name| {
                        replaced.contains(name) || parameters.contains(name)
                    }),
                )
            })
            .collect();
        let now: BTreeSet<_> = effects
            .iter()
            .filter(|(_, effect)| matches!(effect, Effect::Replaced(_)))
            .map(|(name, _)| name.clone())
            .collect();
        if now == replaced {
            return effects;
        }
        replaced = now;
    }
}

fn effect(
    old: &Resource,
    new: Option<&Resource>,
    status: &str,
    is_new: &dyn Fn(&str) -> bool,
) -> Effect {
    let Some(new) = new else {
        return match old.deletion_policy.as_deref() {
            Some(RETAIN) => Effect::Released,
            _ => Effect::Deleted,
        };
    };
    if old.kind != new.kind {
        return Effect::Replaced(Cause::Type);
    }
    // one that was never made is made, which replaces nothing
    if status.ends_with("_FAILED") && status != "CREATE_FAILED" || status == "DELETE_COMPLETE" {
        return Effect::Replaced(Cause::Status(status.to_owned()));
    }
    let names: BTreeSet<_> = old.properties.keys().chain(new.properties.keys()).collect();
    let changed: BTreeSet<_> = names
        .into_iter()
        .filter(|name| {
            let (old, new) = (old.properties.get(*name), new.properties.get(*name));
            old != new || new.is_some_and(|value| refers(value, is_new))
        })
        .cloned()
        .collect();
    match changed.iter().find(|name| !in_place(new, name)) {
        Some(name) => Effect::Replaced(Cause::Property(name.clone())),
        None if changed.is_empty() => Effect::Untouched,
        None => Effect::InPlace(changed),
    }
}

fn refers(value: &Value, is_new: &dyn Fn(&str) -> bool) -> bool {
    let mut names = BTreeSet::new();
    references(value, &mut names);
    names.iter().any(|name| is_new(name))
}

/// Whether Heat changes a property in place: `update_allowed` in the `properties_schema` of its type, Zed, for the types that a blade uses;
/// for a server also by the update policies that the template sets.
fn in_place(resource: &Resource, property: &str) -> bool {
    let allowed: &[&str] = match resource.kind.as_str() {
        "OS::Neutron::Net" => &["name", "admin_state_up"],
        "OS::Neutron::Subnet" => &[
            "name",
            "allocation_pools",
            "dns_nameservers",
            "enable_dhcp",
            "gateway_ip",
            "host_routes",
        ],
        "OS::Neutron::Router" => &["name", "admin_state_up", "external_gateway_info"],
        "OS::Neutron::Port" => &["name", "fixed_ips", "security_groups"],
        GROUP_TYPE => &["name", "description", "rules"],
        "OS::Neutron::FloatingIPAssociation" => &["floatingip_id", "port_id"],
        SERVER_TYPE => {
            let policy = |name: &str, default| {
                let value = resource.properties.get(name).and_then(Value::as_str);
                value.unwrap_or(default) != "REPLACE"
            };
            return match property {
                "image" => policy("image_update_policy", "REBUILD"),
                "flavor" => policy("flavor_update_policy", "RESIZE"),
                "user_data" => policy("user_data_update_policy", "REPLACE"),
                "name" | "metadata" | "networks" => true,
                _ => property.ends_with("_update_policy"),
            };
        }
        VOLUME_TYPE => &["name", "size", "metadata", "description"],
        ATTACHMENT_TYPE => &["instance_uuid", "volume_id"],
        "OS::Heat::WaitCondition" => &["count"],
        _ => &[],
    };
    allowed.contains(&property)
}

/// What a change of a blade may take away.
#[derive(Clone, Copy, Debug)]
pub struct Permit<'a> {
    /// The template that stood before the change.
    pub stands: &'a Template,
    /// The template that the change ends with.
    pub wanted: &'a Template,
    /// The servers that get another revision.
    pub replacements: &'a [Replacement],
    /// Resources whose things are gone already, so that Heat has to make others.
    pub gone: &'a BTreeSet<String>,
}

/// A loss that an update would cause and that is no part of the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surprise {
    /// The resource.
    pub resource: String,
    /// What Heat would do to it.
    pub effect: Effect,
}

impl Permit<'_> {
    /// The resources that have a failed status although their things are not gone. As long as they have it, Heat replaces them at any update.
    pub fn misjudged<'s>(
        &self,
        statuses: &'s BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'s String> {
        let failed = statuses.iter().filter(|(_, status)| {
            status.ends_with("_FAILED") && !matches!(&***status, "CREATE_FAILED" | "DELETE_FAILED")
        });
        failed
            .map(|(name, _)| name)
            .filter(|name| self.stands.resources.contains_key(*name) && !self.gone.contains(*name))
    }

    /// The resources that stand, and that no update of the change replaces.
    pub fn protected(&self, statuses: &BTreeMap<String, String>) -> BTreeSet<String> {
        let standing = self.stands.resources.iter().filter(|(name, one)| {
            let status = statuses.get(*name).map_or("", String::as_str);
            is_standing(&one.kind) && status.ends_with("_COMPLETE") && !self.gone.contains(*name)
        });
        standing.map(|(name, _)| name.clone()).collect()
    }

    /// The effects that are not part of the change.
    pub fn surprises(&self, before: &Template, effects: BTreeMap<String, Effect>) -> Vec<Surprise> {
        let lost = effects.into_iter().filter(|(name, effect)| {
            let kind = before.resources.get(name).map_or("", |one| &*one.kind);
            match effect {
                Effect::Untouched | Effect::InPlace(_) => false,
                Effect::Replaced(_) => {
                    is_standing(kind) && !self.gone.contains(name) && !self.goes(name)
                }
                Effect::Deleted | Effect::Released => is_standing(kind) && !self.goes(name),
            }
        });
        lost.map(|(resource, effect)| Surprise { resource, effect })
            .collect()
    }

    /// Whether the change ends without this resource, or takes it away to add it again.
    fn goes(&self, name: &str) -> bool {
        // what stood before and stands afterwards is the only thing that can be lost
        !self.stands.resources.contains_key(name)
            || !self.wanted.resources.contains_key(name)
            || self
                .replacements
                .iter()
                .any(|one| one.is_recreated() && one.has_old(name))
    }
}

/// Whether such a thing serves or holds data. A wait condition or an association that Heat makes anew does neither.
fn is_standing(kind: &str) -> bool {
    !matches!(
        kind,
        "OS::Heat::WaitCondition"
            | "OS::Heat::WaitConditionHandle"
            | "OS::Neutron::FloatingIPAssociation"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(resources: Value) -> Template {
        let text = json!({ "heat_template_version": "2018-08-31", "resources": resources });
        serde_json::from_value(text).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The effect on `one` of an update that changes its properties from `old` to `new`.
    fn on(kind: &str, old: Value, new: Value, status: &str) -> Effect {
        let of =
            |properties| template(json!({ "one": { "type": kind, "properties": properties } }));
        let statuses = BTreeMap::from([("one".to_owned(), status.to_owned())]);
        effects(&of(old), &of(new), &statuses, &BTreeSet::new())
            .remove("one")
            .unwrap_or(Effect::Untouched)
    }

    #[test]
    fn failed_status_replaces_unchanged_resource() {
        for (status, replaced) in [
            ("CREATE_COMPLETE", false),
            ("UPDATE_COMPLETE", false),
            ("CHECK_COMPLETE", false),
            ("CREATE_FAILED", false),
            ("CHECK_FAILED", true),
            ("UPDATE_FAILED", true),
            ("DELETE_FAILED", true),
        ] {
            let effect = on(
                VOLUME_TYPE,
                json!({ "size": 1 }),
                json!({ "size": 1 }),
                status,
            );
            let expected = match replaced {
                true => Effect::Replaced(Cause::Status(status.into())),
                false => Effect::Untouched,
            };
            assert_eq!(effect, expected, "{status}");
        }
    }

    #[test]
    fn property_decides_between_change_and_replacement() {
        let change = |name: &str| Effect::InPlace(BTreeSet::from([name.to_owned()]));
        let replace = |name: &str| Effect::Replaced(Cause::Property(name.to_owned()));
        let policy = json!({ "image": "a", "image_update_policy": "REPLACE" });
        let other = json!({ "image": "b", "image_update_policy": "REPLACE" });
        for (kind, old, new, expected) in [
            (
                VOLUME_TYPE,
                json!({ "size": 1 }),
                json!({ "size": 2 }),
                change("size"),
            ),
            (
                VOLUME_TYPE,
                json!({ "image": "a" }),
                json!({ "image": "b" }),
                replace("image"),
            ),
            (
                SERVER_TYPE,
                json!({ "name": "a" }),
                json!({ "name": "b" }),
                change("name"),
            ),
            (
                SERVER_TYPE,
                json!({ "key_name": "a" }),
                json!({}),
                replace("key_name"),
            ),
            (
                SERVER_TYPE,
                json!({ "image": "a" }),
                json!({ "image": "b" }),
                change("image"),
            ),
            (SERVER_TYPE, policy, other, replace("image")),
            (
                "OS::Neutron::Subnet",
                json!({ "cidr": "a" }),
                json!({ "cidr": "b" }),
                replace("cidr"),
            ),
            (
                "OS::Unknown",
                json!({ "x": 1 }),
                json!({ "x": 2 }),
                replace("x"),
            ),
        ] {
            assert_eq!(on(kind, old, new, "CREATE_COMPLETE"), expected, "{kind}");
        }
    }

    #[test]
    fn replacement_spreads_to_dependent_resources() {
        let resources = template(json!({
            "net": { "type": "OS::Neutron::Net", "properties": { "name": "n" } },
            "subnet": { "type": "OS::Neutron::Subnet", "properties": { "network": { "get_resource": "net" } } },
            "port": { "type": "OS::Neutron::Port", "properties": { "fixed_ips": [{ "subnet": { "get_resource": "subnet" } }] } },
            "other": { "type": "OS::Neutron::Net", "properties": { "name": "o" } },
        }));
        let statuses = BTreeMap::from([("net".to_owned(), "CHECK_FAILED".to_owned())]);
        let effects = effects(&resources, &resources, &statuses, &BTreeSet::new());
        assert_eq!(
            effects["subnet"],
            Effect::Replaced(Cause::Property("network".into()))
        );
        assert_eq!(
            effects["port"],
            Effect::InPlace(BTreeSet::from(["fixed_ips".into()]))
        );
        assert_eq!(effects["other"], Effect::Untouched);
    }

    #[test]
    fn removed_resource_is_released_where_retained() {
        let retained = json!({ "one": { "type": VOLUME_TYPE, "deletion_policy": RETAIN } });
        let deleted = json!({ "one": { "type": VOLUME_TYPE } });
        let none = template(json!({}));
        for (before, expected) in [(retained, Effect::Released), (deleted, Effect::Deleted)] {
            let effects = effects(&template(before), &none, &BTreeMap::new(), &BTreeSet::new());
            assert_eq!(effects["one"], expected);
        }
    }

    #[test]
    fn changed_parameter_replaces_what_it_decides() {
        let resources = template(
            json!({ "one": { "type": "OS::Neutron::FloatingIP", "properties": {
            "floating_network": { "get_param": "external_users" } } } }),
        );
        let changed = BTreeSet::from(["external_users".to_owned()]);
        let effects = effects(&resources, &resources, &BTreeMap::new(), &changed);
        assert_eq!(
            effects["one"],
            Effect::Replaced(Cause::Property("floating_network".into()))
        );
    }
}
