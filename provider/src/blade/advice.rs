//! What to do after a change that failed.

use std::collections::BTreeSet;

use crate::cloud::services::quota;

/// The next step. `is_ours`: the blade's definition sets the project's quota.
pub(super) fn next(reasons: &[String], is_ours: bool) -> String {
    let speaks_of_it = |words: &str| words.to_lowercase().contains("quota");
    if !reasons.iter().any(|reason| speaks_of_it(reason)) {
        return "Next: correct what is named above and apply again.".to_owned();
    }
    // the part that it is about may be a network or a port, and another thing is lacking
    let said = reasons.iter().map(|reason| match reason.split_once(": ") {
        Some((part, said)) if !speaks_of_it(part) => said,
        _ => reason,
    });
    let limits: BTreeSet<_> = said
        .filter(|said| speaks_of_it(said))
        .flat_map(quota::named)
        .collect();
    let limits: Vec<_> = limits
        .into_iter()
        .map(|limit| match is_ours {
            true => format!("`project.quota.{limit}`"),
            false => limit.to_owned(),
        })
        .collect();
    let limits = limits.join(", ");
    match (is_ours, limits.is_empty()) {
        (true, true) => "Next: raise the limit in `project.quota` and apply again.".to_owned(),
        (true, false) => format!("Next: raise {limits} and apply again."),
        (false, true) => "Next: ask the platform's administrators for more quota, or take away \
                          what is not needed, and apply again."
            .to_owned(),
        (false, false) => format!(
            "Next: ask the platform's administrators for more of the project's quota ({limits}), \
             or take away what is not needed, and apply again."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_that_was_the_cause_is_named() {
        let nova = "server \"web\": Quota exceeded for instances: Requested 1, but already used 1 \
                    of 1 instances (HTTP 403)";
        let neutron =
            "port of server \"web\" on network \"front\": Quota exceeded for resources: ['port'].";
        let cinder = "volume \"data\" of server \"db\": Requested volume or snapshot exceeds \
                      allowed gigabytes quota. Requested 2G, quota is 1G.";
        let cores = "Quota exceeded for cores, ram: Requested 2, 512, but already used 4, 1024";
        let heat = "Maximum number of stacks is a quota of its own";
        let ready = "server \"web\" did not become ready: http://127.0.0.1:80/ports";
        let cases = [
            (nova, true, "Next: raise `project.quota.instances` and"),
            (neutron, true, "Next: raise `project.quota.ports` and"),
            (cinder, true, "Next: raise `project.quota.gigabytes` and"),
            (
                cores,
                true,
                "Next: raise `project.quota.cores`, `project.quota.ram` and",
            ),
            (
                nova,
                false,
                "administrators for more of the project's quota (instances)",
            ),
            (heat, true, "raise the limit in `project.quota`"),
            (ready, true, "correct what is named above"),
        ];
        for (reason, is_ours, expected) in cases {
            let said = next(&[reason.to_owned()], is_ours);
            assert!(said.contains(expected), "{reason}: {said}");
        }
    }
}
