//! Hosts and paths of this run's routes: two `mkys_route` of one configuration cannot have the same.
//!
//! A provider is asked about one resource at a time, is not told which, and may be asked about the
//! same one again. So two questions are about two resources only where that is certain: each has
//! another route, or one has a route and the other has none, or what they want differs. What stays
//! open at plan, two new resources that want the very same, is certain when both are made.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mkys_edge_client::Route as Held;
use mkys_plugin::{Diagnostic, Diagnostics, Path};
use uuid::Uuid;

use super::model::Model;

/// Host and path.
pub(super) type Place = (String, String);

/// Who has which place.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<HashMap<Place, Claim>>);

#[derive(Debug)]
struct Claim {
    holder: Holder,
    wish: Model,
}

/// How far a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    /// Planned, without a route.
    New,
    /// Asking the edge for a route.
    Asking,
    /// Has a route.
    Route(Uuid),
    /// Has a route that stood before and that no state had, or one that it replaces.
    TookOver(Uuid),
}

impl Holder {
    fn route(self) -> Option<Uuid> {
        match self {
            Self::New | Self::Asking => None,
            Self::Route(route) | Self::TookOver(route) => Some(route),
        }
    }
}

impl Places {
    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Claim>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes where a planned route will be. `route` is the one that the resource has, or that it
    /// replaces.
    pub(super) fn plan(&self, planned: &Model, route: Option<Uuid>) -> Result<(), Diagnostics> {
        let Some(place) = planned.place() else {
            return Ok(());
        };
        let mut places = self.lock();
        places.retain(|at, claim| at == &place || route.is_none() || claim.holder.route() != route);
        let claim = places.entry(place.clone()).or_insert_with(|| Claim {
            holder: route.map_or(Holder::New, Holder::Route),
            wish: planned.clone(),
        });
        let is_another = match (claim.holder.route(), route) {
            (None, None) => claim.wish.contradicts(planned),
            (one, other) => one != other,
        };
        match is_another {
            true => Err(claim.in_the_way(&place)),
            false => Ok(()),
        }
    }

    /// Whether a route that stands is planned to be somewhere else.
    pub(super) fn leaves(&self, held: &Held) -> bool {
        let is_at = |(host, path): &Place| (host, path) == (&held.spec.host, &held.spec.path);
        let places = self.lock();
        let mut claims = places.iter();
        claims.any(|(place, claim)| claim.holder.route() == Some(held.id) && !is_at(place))
    }

    /// Notes that the edge is about to be asked for a route: once for each place.
    pub(super) fn ask(&self, planned: &Model) -> Result<(), Diagnostics> {
        let Some(place) = planned.place() else {
            return Ok(());
        };
        let mut places = self.lock();
        if let Some(claim) = places.get(&place)
            && claim.holder != Holder::New
        {
            return Err(claim.in_the_way(&place));
        }
        let claim = Claim {
            holder: Holder::Asking,
            wish: planned.clone(),
        };
        places.insert(place, claim);
        Ok(())
    }

    /// Notes that the edge gave the route.
    pub(super) fn made(&self, planned: &Model, route: Uuid) {
        self.set(planned, Holder::Route(route));
    }

    /// Notes that a route which stands is going to be the resource's.
    pub(super) fn take_over(&self, planned: &Model, route: Uuid) {
        self.set(planned, Holder::TookOver(route));
    }

    /// Notes that there is no route after all.
    pub(super) fn failed(&self, planned: &Model) {
        self.set(planned, Holder::New);
    }

    fn set(&self, planned: &Model, holder: Holder) {
        let mut places = self.lock();
        let claim = planned.place().and_then(|place| places.get_mut(&place));
        if let Some(claim) = claim {
            claim.holder = holder;
        }
    }

    /// Notes that a resource goes. False: another one has taken its route over, as the new one does
    /// where it is made before the old one goes; the route stays.
    pub(super) fn leave(&self, route: Uuid) -> bool {
        let mut places = self.lock();
        let heir = places
            .values_mut()
            .find(|claim| claim.holder == Holder::TookOver(route));
        if let Some(heir) = heir {
            heir.holder = Holder::Route(route);
            return false;
        }
        places.retain(|_, claim| claim.holder.route() != Some(route));
        true
    }
}

impl Claim {
    fn in_the_way(&self, (host, path): &Place) -> Diagnostics {
        let service = self.wish.service.as_str().unwrap_or_default();
        let blade = self.wish.blade_name();
        let blade = blade.map_or_else(String::new, |blade| format!(" of blade {blade:?}"));
        let route = self.holder.route();
        let route = route.map_or_else(String::new, |route| format!(" (route {route})"));
        let detail = format!(
            "Another mkys_route of this configuration leads {host}{path} to service \
             {service:?}{blade}{route}. A host and path lead to one service: give one of the two \
             another host or path, or take it out."
        );
        let problem = Diagnostic::error("Two routes have the same host and path", detail);
        problem.at(Path::root("path")).into()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use mkys_plugin::Attr;

    use super::super::model::BladeModel;
    use super::*;

    const ONE: Option<Uuid> = Some(Uuid::from_u128(1));
    const TWO: Option<Uuid> = Some(Uuid::from_u128(2));

    fn wish(service: &str, path: &str) -> Model {
        Model {
            blade: Attr::Known(BladeModel {
                name: "pnr".into(),
                endpoints: Attr::Unknown,
            }),
            service: service.into(),
            host: "pnr.example.org".into(),
            path: path.into(),
            ..Model::default()
        }
    }

    type Planned = (&'static str, &'static str, Option<Uuid>);

    /// Plans one after the other; true where all but the last go and the last is refused.
    fn refused(plans: &[Planned]) -> bool {
        let places = Places::default();
        let (last, first) = plans.split_last().unwrap();
        let plan = |(service, path, route): &Planned| {
            let planned = wish(service, path);
            places.plan(&planned, *route).is_err()
        };
        assert!(!first.iter().any(plan), "{plans:?}");
        plan(last)
    }

    #[test]
    fn two_resources_are_told_from_one_that_is_planned_twice() {
        let certain: [&[Planned]; 5] = [
            &[("site", "/", None), ("admin", "/", None)],
            &[("site", "/", ONE), ("site", "/", TWO)],
            &[("site", "/", ONE), ("site", "/", None)],
            &[("site", "/", None), ("site", "/", ONE)],
            // the one moved to where the other is
            &[
                ("site", "/a", ONE),
                ("site", "/b", TWO),
                ("site", "/b", ONE),
            ],
        ];
        for plans in certain {
            assert!(refused(plans), "{plans:?}");
        }
        let open: [&[Planned]; 6] = [
            &[("site", "/a", None), ("admin", "/b", None)],
            // asked again
            &[("site", "/", None), ("site", "/", None)],
            &[("site", "/", ONE), ("site", "/", ONE)],
            // replaced: asked again without prior state, with its route in private state
            &[("site", "/", ONE), ("admin", "/", ONE)],
            // asked again with another place, which another one takes then
            &[
                ("site", "/a", ONE),
                ("site", "/b", ONE),
                ("site", "/a", None),
            ],
            // two that change places
            &[("site", "/b", ONE), ("site", "/a", TWO)],
        ];
        for plans in open {
            assert!(!refused(plans), "{plans:?}");
        }
    }

    #[test]
    fn what_is_not_known_yet_is_no_difference() {
        let places = Places::default();
        let mut unknown = wish("site", "/");
        unknown.blade = Attr::Unknown;
        unknown.service = Attr::Unknown;
        for planned in [&unknown, &wish("site", "/"), &unknown] {
            assert_eq!(places.plan(planned, None), Ok(()));
        }
        let mut nowhere = wish("site", "/");
        nowhere.host = Attr::Unknown;
        assert_eq!(places.plan(&nowhere, ONE), Ok(()));
    }

    #[test]
    fn a_place_is_given_once() {
        let places = Places::default();
        let planned = wish("site", "/");
        places.plan(&planned, None).unwrap();
        places.plan(&planned, None).unwrap();
        places.ask(&planned).unwrap();
        let said = |asked: Result<(), Diagnostics>| {
            let error = asked.unwrap_err();
            error.iter().next().unwrap().to_string()
        };
        let other = said(places.ask(&planned));
        assert!(
            other.contains("pnr.example.org/ to service \"site\" of blade \"pnr\". A"),
            "{other}"
        );
        // a refusal of the edge gives it back
        places.failed(&planned);
        places.ask(&planned).unwrap();
        places.made(&planned, Uuid::from_u128(1));
        let route = "(route 00000000-0000-0000-0000-000000000001)";
        for asked in [places.plan(&planned, None), places.ask(&planned)] {
            let other = said(asked);
            assert!(other.contains(route), "{other}");
        }
        assert!(places.leave(Uuid::from_u128(1)));
        places.ask(&planned).unwrap();
    }

    #[test]
    fn a_route_that_was_taken_over_outlives_who_had_it() {
        let places = Places::default();
        let planned = wish("site", "/");
        places.ask(&planned).unwrap();
        places.take_over(&planned, Uuid::from_u128(1));
        assert!(!places.leave(Uuid::from_u128(1)));
        assert!(places.leave(Uuid::from_u128(1)));
    }
}
