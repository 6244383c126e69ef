//! What of a route stands in configuration, plan and state.

use std::collections::BTreeMap;
use std::time::Duration;

use mkys_edge_client::{Audience, Route as Held, RouteSpec, Wish};
use mkys_plugin::{Attr, Diagnostic, Diagnostics, Path};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Targets;
use super::places::Place;
use crate::duration;

/// Attributes of `mkys_route`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    pub(super) id: Attr<String>,
    pub(super) edge_id: Attr<String>,
    pub(super) blade: Attr<BladeModel>,
    pub(super) service: Attr<String>,
    pub(super) host: Attr<String>,
    pub(super) path: Attr<String>,
    pub(super) access: Attr<BTreeMap<String, AccessModel>>,
    pub(super) wait_for_decision: Attr<String>,
    pub(super) decisions: Attr<BTreeMap<String, DecisionModel>>,
}

/// What a route needs of its blade: a whole `mkys_blade` fits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct BladeModel {
    pub(super) name: Attr<String>,
    pub(super) endpoints: Attr<BTreeMap<String, EndpointModel>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct EndpointModel {
    pub(super) users: Attr<String>,
    pub(super) devops: Attr<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct AccessModel {
    pub(super) enabled: Attr<bool>,
    pub(super) justification: Attr<String>,
    pub(super) description: Attr<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct DecisionModel {
    pub(super) state: Attr<String>,
    pub(super) decided_by: Attr<String>,
    pub(super) reason: Attr<String>,
}

impl EndpointModel {
    fn of(&self, audience: Audience) -> &Attr<String> {
        match audience {
            Audience::Users => &self.users,
            Audience::Devops => &self.devops,
        }
    }
}

impl AccessModel {
    /// Whether both want the same, as far as all of it is known.
    fn is_same_wish(&self, other: &Self) -> bool {
        let known = |one: &Self| {
            !one.enabled.is_unknown()
                && !one.justification.is_unknown()
                && !one.description.is_unknown()
        };
        let wish = |one: &Self| {
            let texts = [&one.justification, &one.description];
            let texts = texts.map(|text| text.as_str().unwrap_or_default().to_owned());
            (one.is_wanted(), texts)
        };
        known(self) && known(other) && wish(self) == wish(other)
    }
}

/// Checks what the configuration says by itself.
pub(super) fn check(model: &Model) -> Result<(), Diagnostics> {
    let mut problems = Diagnostics::new();
    if let Some(access) = model.access.known() {
        if access.is_empty() {
            let detail = "Say for whom the route is: users, devops or both.";
            problems.push(Diagnostic::error("No audience", detail).at(Path::root("access")));
        }
        for (name, wish) in access {
            let at = Path::root("access").key(name);
            if audience(name).is_none() {
                let detail = format!("{name:?} is none of: users, devops.");
                problems.push(Diagnostic::error("Unknown audience", detail).at(at.clone()));
            }
            let reason = wish.justification.as_str();
            if wish.is_wanted()
                && !wish.justification.is_unknown()
                && reason.is_none_or(|text| text.trim().is_empty())
            {
                let detail = "Whoever decides wants to know why access is needed.";
                let problem = Diagnostic::error("No justification", detail);
                problems.push(problem.at(at.attribute("justification")));
            }
        }
    }
    if let Err(problem) = model.wait_limit() {
        problems.extend(problem);
    }
    problems.into_result()
}

fn audience(name: &str) -> Option<Audience> {
    Audience::ALL
        .into_iter()
        .find(|audience| audience.as_str() == name)
}

impl Model {
    pub(super) fn id(&self) -> Result<Uuid, Diagnostics> {
        let id = self.id.as_str().unwrap_or_default();
        id.parse()
            .map_err(|_| Diagnostics::error("The route's id is broken", format!("{id:?}")))
    }

    /// Whether the edge is asked for the same thing, so that what was decided stays.
    pub(super) fn same_wish(&self, other: &Self) -> bool {
        let Self {
            blade,
            service,
            host,
            path,
            access,
            wait_for_decision,
            id: _,
            edge_id: _,
            decisions: _,
        } = self;
        (blade, service, host, path, access, wait_for_decision)
            == (
                &other.blade,
                &other.service,
                &other.host,
                &other.path,
                &other.access,
                &other.wait_for_decision,
            )
    }

    /// Takes from the state what differs in nothing that the route uses: its blade may have other services and audiences, and `enabled`
    /// may be left out or said. An import knows the one and not the other.
    pub(super) fn keep_same(&mut self, prior: &Self) {
        if self
            .used()
            .is_some_and(|used| self.used_of(prior) == Some(used))
        {
            self.blade.clone_from(&prior.blade);
        }
        if let (Attr::Known(access), Attr::Known(before)) = (&self.access, &prior.access)
            && access.keys().eq(before.keys())
            && access
                .values()
                .zip(before.values())
                .all(|(one, other)| one.is_same_wish(other))
        {
            self.access.clone_from(&prior.access);
        }
    }

    /// What the route uses of its blade, where all of that is known.
    fn used(&self) -> Option<(&str, Vec<Option<&str>>)> {
        self.used_of(self)
    }

    /// The same of another route's blade.
    fn used_of<'a>(&self, other: &'a Self) -> Option<(&'a str, Vec<Option<&'a str>>)> {
        let blade = other.blade.known()?;
        let endpoint = blade.endpoints.known()?.get(self.service.as_str()?)?;
        let addresses = self.access.known()?.keys().map(|key| {
            let address = endpoint.of(audience(key)?);
            (!address.is_unknown()).then(|| address.as_str())
        });
        Some((blade.name.as_str()?, addresses.collect::<Option<_>>()?))
    }

    /// Name of the blade, where it is known.
    pub(super) fn blade_name(&self) -> Option<&str> {
        self.blade.known()?.name.as_str()
    }

    /// Host and path, where both are known.
    pub(super) fn place(&self) -> Option<Place> {
        Some((
            self.host.as_str()?.to_owned(),
            self.path.as_str()?.to_owned(),
        ))
    }

    /// Whether a route that stands leads this blade and service to this place.
    pub(super) fn is_wish_of(&self, held: &Held) -> bool {
        let RouteSpec {
            blade,
            service,
            host,
            path,
            ..
        } = &held.spec;
        self.blade_name() == Some(blade)
            && self.service.as_str() == Some(service)
            && self.place().as_ref() == Some(&(host.clone(), path.clone()))
    }

    /// Whether something is known to be wanted otherwise by the other one.
    pub(super) fn contradicts(&self, other: &Self) -> bool {
        fn differ<T: PartialEq>(one: &Attr<T>, other: &Attr<T>) -> bool {
            !one.is_unknown() && !other.is_unknown() && one != other
        }
        let blade = |model: &Self| match &model.blade {
            Attr::Known(blade) => blade.name.clone(),
            Attr::Null | Attr::Unknown => Attr::Unknown,
        };
        let access = match (self.access.known(), other.access.known()) {
            (Some(one), Some(other)) => {
                !one.keys().eq(other.keys())
                    || one.values().zip(other.values()).any(|(one, other)| {
                        differ(&one.enabled, &other.enabled)
                            || differ(&one.justification, &other.justification)
                            || differ(&one.description, &other.description)
                    })
            }
            _ => false,
        };
        access
            || differ(&blade(self), &blade(other))
            || differ(&self.service, &other.service)
            || differ(&self.wait_for_decision, &other.wait_for_decision)
    }

    pub(super) fn wait_limit(&self) -> Result<Option<Duration>, Diagnostics> {
        let Some(typed) = self.wait_for_decision.as_str() else {
            return Ok(None);
        };
        duration::limit(typed, Path::root("wait_for_decision")).map(Some)
    }

    /// Where the blade gives the service to each audience of the route; checked as far as known.
    pub(super) fn targets(&self) -> Result<Targets, Diagnostics> {
        let blade = self.blade.known().cloned().unwrap_or_default();
        let service = self.service.as_str().unwrap_or_default();
        let name = blade.name.as_str().unwrap_or_default();
        let Some(endpoints) = blade.endpoints.known() else {
            return Ok(Targets::new());
        };
        let Some(endpoint) = endpoints.get(service) else {
            let known: Vec<_> = endpoints.keys().map(String::as_str).collect();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            let detail = format!("Blade {name:?} has no service {service:?}; it has: {known}.");
            let problem = Diagnostic::error("Unknown service", detail);
            return Err(problem.at(Path::root("service")).into());
        };
        let mut targets = Targets::new();
        for key in self.access.known().into_iter().flat_map(BTreeMap::keys) {
            let Some(audience) = audience(key) else {
                continue;
            };
            match endpoint.of(audience) {
                Attr::Unknown => {}
                Attr::Null => {
                    let detail = format!(
                        "Service {service:?} of blade {name:?} is not for {audience}: its \
                         `audiences` lack it."
                    );
                    let problem = Diagnostic::error("The service is not for this audience", detail);
                    return Err(problem.at(Path::root("access").key(key)).into());
                }
                Attr::Known(address) => {
                    let target = address.parse().map_err(|_| {
                        let detail = format!("{address:?} is not ADDRESS:PORT.");
                        Diagnostics::error("The blade's endpoint is broken", detail)
                    })?;
                    targets.insert(audience, target);
                }
            }
        }
        Ok(targets)
    }

    /// What the edge is asked for.
    pub(super) fn spec(&self) -> Result<RouteSpec, Diagnostics> {
        let targets = self.targets()?;
        let port = targets
            .values()
            .next()
            .map(|target| target.port())
            .ok_or_else(|| Diagnostics::error("The blade gives the service no address yet", ""))?;
        let wishes = self
            .access
            .known()
            .into_iter()
            .flatten()
            .filter_map(|(key, wish)| {
                let wish = Wish {
                    enabled: wish.is_wanted(),
                    justification: wish.justification.as_str().unwrap_or_default().to_owned(),
                    description: wish.description.as_str().unwrap_or_default().to_owned(),
                };
                Some((audience(key)?, wish))
            });
        let text = |attr: &Attr<String>| attr.as_str().unwrap_or_default().to_owned();
        Ok(RouteSpec {
            blade: self
                .blade
                .known()
                .map(|blade| text(&blade.name))
                .unwrap_or_default(),
            service: text(&self.service),
            port,
            host: text(&self.host),
            path: text(&self.path),
            targets,
            access: wishes.collect(),
        })
    }

    /// Sets what the edge answers.
    pub(super) fn set(&mut self, held: &Held) {
        self.id = held.id.to_string().into();
        let decisions = held
            .decisions
            .iter()
            .map(|(audience, access)| (audience.as_str().to_owned(), DecisionModel::of(access)));
        self.decisions = Attr::Known(decisions.collect());
    }

    /// Sets the edge that answered; an edge that does not identify itself changes nothing.
    pub(super) fn set_edge(&mut self, edge: Option<Uuid>) {
        if let Some(edge) = edge {
            self.edge_id = edge.to_string().into();
        } else if self.edge_id.is_unknown() {
            self.edge_id = Attr::Null;
        }
    }

    /// Sets everything as the edge has it: what others changed there shows in the plan.
    pub(super) fn observe(&mut self, held: &Held) {
        self.set(held);
        let RouteSpec {
            blade,
            service,
            port: _,
            host,
            path,
            targets,
            access,
        } = &held.spec;
        self.service = service.clone().into();
        self.host = host.clone().into();
        self.path = path.clone().into();
        let mut model = self.blade.known().cloned().unwrap_or_default();
        model.name = blade.clone().into();
        let mut endpoints = model.endpoints.into_option().unwrap_or_default();
        let endpoint = endpoints.entry(service.clone()).or_default();
        for (audience, target) in targets {
            let address = Attr::from(target.to_string());
            match audience {
                Audience::Users => endpoint.users = address,
                Audience::Devops => endpoint.devops = address,
            }
        }
        model.endpoints = Attr::Known(endpoints);
        self.blade = Attr::Known(model);
        let stated = self.access.known().cloned().unwrap_or_default();
        let wishes = access.iter().map(|(audience, wish)| {
            let key = audience.as_str().to_owned();
            // `enabled` left out means true; it stays left out
            let left_out = stated.get(&key).is_some_and(|one| one.enabled.is_null());
            let enabled = if left_out && wish.enabled {
                Attr::Null
            } else {
                wish.enabled.into()
            };
            let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            (
                key,
                AccessModel {
                    enabled,
                    justification: text(&wish.justification).into(),
                    description: text(&wish.description).into(),
                },
            )
        });
        self.access = Attr::Known(wishes.collect());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use serde_json::json;

    use super::*;

    /// A route as the edge has it.
    fn held() -> Held {
        let access = json!({ "state": "pending" });
        let held = json!({
            "id": Uuid::from_u128(1), "requester": "pipeline",
            "blade": "pnr", "service": "site", "port": 80, "host": "pnr.example.org", "path": "/",
            "targets": { "users": "198.51.100.20:80" },
            "access": { "users": { "enabled": true, "justification": "the site" } },
            "decisions": { "users": access },
        });
        serde_json::from_value(held).unwrap()
    }

    fn imported() -> Model {
        let mut model = Model::default();
        model.observe(&held());
        model
    }

    /// The same route as it is configured, of a blade with more services and audiences.
    fn configured() -> Model {
        let endpoint = |users: &str| EndpointModel {
            users: users.into(),
            devops: "203.0.113.20:80".into(),
        };
        let endpoints = [("site", "198.51.100.20:80"), ("api", "198.51.100.21:80")];
        let endpoints = endpoints.map(|(name, users)| (name.to_owned(), endpoint(users)));
        let wish = AccessModel {
            enabled: Attr::Null,
            justification: "the site".into(),
            description: Attr::Null,
        };
        Model {
            blade: Attr::Known(BladeModel {
                name: "pnr".into(),
                endpoints: BTreeMap::from(endpoints).into(),
            }),
            access: BTreeMap::from([("users".to_owned(), wish)]).into(),
            ..imported()
        }
    }

    fn endpoint(model: &mut Model) -> &mut EndpointModel {
        let blade = model.blade.known_mut().unwrap();
        blade
            .endpoints
            .known_mut()
            .unwrap()
            .get_mut("site")
            .unwrap()
    }

    fn users(model: &mut Model) -> &mut AccessModel {
        model.access.known_mut().unwrap().get_mut("users").unwrap()
    }

    #[test]
    fn a_route_that_was_imported_is_the_one_that_is_configured() {
        let mut planned = configured();
        assert!(!imported().same_wish(&planned));
        planned.keep_same(&imported());
        assert!(imported().same_wish(&planned), "{planned:?}");
    }

    #[test]
    fn what_a_route_uses_is_a_difference() {
        let changes: [fn(&mut Model); 8] = [
            |model| users(model).description = "Networks of researchers".into(),
            |model| endpoint(model).users = "198.51.100.22:80".into(),
            |model| endpoint(model).users = Attr::Unknown,
            |model| model.blade.known_mut().unwrap().name = "other".into(),
            |model| model.blade = Attr::Unknown,
            |model| users(model).enabled = false.into(),
            |model| users(model).justification = "another".into(),
            |model| model.service = "api".into(),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut planned = configured();
            change(&mut planned);
            planned.keep_same(&imported());
            assert!(!imported().same_wish(&planned), "{index}");
        }
    }
}
