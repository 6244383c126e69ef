//! Names and labels of what a run has on a cluster. Pure.

use std::collections::BTreeMap;

use ipnet::IpNet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sha2::{Digest, Sha256};

use crate::plan::{Plan, Work, hex};
use crate::spec::{Owner, RunName};

/// Who made it, as the field's tools look for it.
pub(super) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "mkys-runner");
pub(super) const OWNER: &str = "mkys.univ-lille.fr/owner";
pub(super) const RUN: &str = "mkys.univ-lille.fr/run";
pub(super) const KIND: &str = "mkys.univ-lille.fr/kind";
pub(super) const EGRESS: &str = "mkys.univ-lille.fr/egress";
/// Which edge reaches a session.
pub(super) const EDGE: &str = "mkys.univ-lille.fr/edge";
/// An annotation: what the run does.
pub(super) const PLAN: &str = "mkys.univ-lille.fr/plan";
/// An annotation: somebody cancelled it.
pub(super) const CANCELLED: &str = "mkys.univ-lille.fr/cancelled";
pub(super) const QUEUE: &str = "kueue.x-k8s.io/queue-name";

pub(super) const SESSION: &str = "session";
const COMPUTATION: &str = "computation";

/// Tells the jobs of owners apart that have a run of the same name in one namespace. With it a job's name has 59 characters at most: the
/// name is in a label, and has to leave room for that of its pod.
const DIGITS: usize = 8;

/// The name of a run's job, and of its service.
pub(super) fn job_name(owner: &Owner, run: &RunName) -> String {
    let hash = hex(&Sha256::digest(owner.as_str()));
    format!("{run}-{}", &hash[..DIGITS])
}

/// What everything of a run carries.
pub(super) fn labels(owner: &Owner, plan: &Plan) -> BTreeMap<String, String> {
    let kind = match plan.work {
        Work::Computation { .. } => COMPUTATION,
        Work::Session { .. } => SESSION,
    };
    let egress = if plan.container.egress { "yes" } else { "no" };
    let labels = [
        MANAGED_BY,
        (OWNER, owner.as_str()),
        (RUN, plan.name.as_str()),
        (KIND, kind),
        (EGRESS, egress),
    ];
    labels
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// A word for the networks of an edge: the same for the same, in whichever order.
pub(super) fn edge(networks: &[IpNet]) -> String {
    let mut networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
    networks.sort();
    networks.dedup();
    let hash = hex(&Sha256::digest(networks.join(",")));
    hash[..DIGITS].to_owned()
}

/// Selects what is an owner's.
pub(super) fn of_owner(owner: &Owner) -> String {
    format!("{OWNER}={owner}")
}

/// Selects what is a run's.
pub(super) fn of_run(owner: &Owner, run: &RunName) -> String {
    format!("{OWNER}={owner},{RUN}={run}")
}

/// The run that something is of.
pub(super) fn run_of(metadata: &ObjectMeta) -> Option<RunName> {
    metadata.labels.as_ref()?.get(RUN)?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn owners_do_not_get_in_each_others_way() {
        let run: RunName = "a".repeat(50).parse().unwrap();
        let one = job_name(&"games".parse().unwrap(), &run);
        let other = job_name(&"tournament".parse().unwrap(), &run);
        assert_ne!(one, other);
        assert_eq!(one.len(), 59);
    }
}
