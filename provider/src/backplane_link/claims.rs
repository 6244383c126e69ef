//! Ranges of this run's links: two blades of one configuration that are linked to one backplane cannot have the same.
//!
//! While both are planned the backplane's router knows neither.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ipnet::Ipv4Net;
use mkys_blade::overlap;
use mkys_plugin::{Diagnostic, Diagnostics, Path};

use super::model::Model;

/// A network's name and addresses.
type Range = (String, Ipv4Net);

/// Each blade's ranges, by backplane and blade.
#[derive(Debug, Default)]
pub(super) struct Claims(Mutex<BTreeMap<(String, String), Vec<Range>>>);

impl Claims {
    /// Notes which ranges a planned link makes reachable. The same link may be planned again.
    pub(super) fn plan(&self, planned: &Model) -> Result<(), Diagnostics> {
        let (Some(blade), Some(backplane)) = (planned.blade_name(), planned.backplane_name())
        else {
            return Ok(());
        };
        let ranges = planned.ranges();
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let others = claims
            .iter()
            .filter(|((to, of), _)| to == backplane && of != blade)
            .flat_map(|((_, of), ranges)| ranges.iter().map(move |range| (of, range)));
        let mut problems = Diagnostics::new();
        for (other, (theirs, taken)) in others {
            let clash = ranges.iter().find(|(_, range)| overlap(*range, *taken));
            if let Some((own, range)) = clash {
                let detail = format!(
                    "Network {own:?} of blade {blade:?} is {range}, network {theirs:?} of blade {other:?} is {taken}, and both are \
                     linked to the backplane {backplane:?}: what is meant for one would reach the other. Give one of them another range."
                );
                let problem =
                    Diagnostic::error("Two linked blades have the same addresses", detail);
                problems.push(problem.at(Path::root("blade")));
            }
        }
        problems.into_result()?;
        claims.insert((backplane.to_owned(), blade.to_owned()), ranges);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::super::model::tests::link;
    use super::*;

    #[test]
    fn two_blades_at_one_backplane_have_not_the_same_addresses() {
        let claims = Claims::default();
        claims.plan(&link("a", "10.1.0.0/16")).unwrap();
        // asked about again
        claims.plan(&link("a", "10.1.0.0/16")).unwrap();
        claims.plan(&link("b", "10.2.0.0/16")).unwrap();
        let said = claims.plan(&link("c", "10.2.7.0/24")).unwrap_err();
        let words = "Network \"front\" of blade \"c\" is 10.2.7.0/24, network \"front\" of blade \"b\" is 10.2.0.0/16";
        assert!(said.to_string().contains(words), "{said}");
        // what was refused claims nothing, and what moved has left its range
        claims.plan(&link("b", "10.3.0.0/16")).unwrap();
        claims.plan(&link("d", "10.2.7.0/24")).unwrap();
    }
}
