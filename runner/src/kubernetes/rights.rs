//! What the runner may do in its namespace, asked before anything is made.

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, ResourceRule, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
    SelfSubjectRulesReview, SelfSubjectRulesReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};

use super::{Reach, patient};

/// What it needs: of which group, which resource with its subresource, which verbs. `docs/runner/role.yaml` has the same.
const NEEDS: [(&str, &str, &[&str]); 6] = [
    (
        "batch",
        "jobs",
        &["create", "get", "list", "patch", "delete"],
    ),
    ("", "pods", &["list", "watch", "delete"]),
    ("", "pods/log", &["get"]),
    ("", "pods/exec", &["create"]),
    ("", "events", &["list", "watch"]),
    (
        "networking.k8s.io",
        "networkpolicies",
        &["get", "create", "patch"],
    ),
];
/// And for sessions that are reached on ports of nodes.
const SERVICES: (&str, &str, &[&str]) = ("", "services", &["create", "get", "list"]);

/// The rights that are missing, such as `create pods/exec`.
pub(super) async fn missing(
    client: &Client,
    namespace: &str,
    reach: Reach,
) -> Result<Vec<String>, kube::Error> {
    let rules = rules(client, namespace).await?;
    let services = (reach == Reach::NodePort).then_some(SERVICES);
    let needs = NEEDS.into_iter().chain(services);
    let needs = needs.flat_map(|(group, resource, verbs)| {
        verbs.iter().map(move |verb| (group, resource, *verb))
    });
    let mut missing = Vec::new();
    for (group, resource, verb) in needs {
        let ruled = rules.iter().any(|rule| gives(rule, group, resource, verb));
        // who is let in by other means than rules is told when asked for each
        if !ruled && !is_allowed(client, namespace, group, resource, verb).await? {
            missing.push(format!("{verb} {resource}"));
        }
    }
    Ok(missing)
}

/// What the cluster's rules give, in one answer.
async fn rules(client: &Client, namespace: &str) -> Result<Vec<ResourceRule>, kube::Error> {
    let reviews: Api<SelfSubjectRulesReview> = Api::all(client.clone());
    let review = SelfSubjectRulesReview {
        spec: SelfSubjectRulesReviewSpec {
            namespace: Some(namespace.to_owned()),
        },
        ..SelfSubjectRulesReview::default()
    };
    let parameters = PostParams::default();
    let answer = patient(|| reviews.create(&parameters, &review)).await?;
    Ok(answer
        .status
        .map(|status| status.resource_rules)
        .unwrap_or_default())
}

/// Whether a rule gives a verb on all resources of a kind.
fn gives(rule: &ResourceRule, group: &str, resource: &str, verb: &str) -> bool {
    let has = |list: &[String], wanted: &str| list.iter().any(|one| one == "*" || one == wanted);
    let all = |list: &Option<Vec<String>>, wanted: &str| {
        list.as_ref().is_some_and(|list| has(list, wanted))
    };
    let is_general = rule.resource_names.as_ref().is_none_or(Vec::is_empty);
    is_general
        && all(&rule.api_groups, group)
        && all(&rule.resources, resource)
        && has(&rule.verbs, verb)
}

async fn is_allowed(
    client: &Client,
    namespace: &str,
    group: &str,
    resource: &str,
    verb: &str,
) -> Result<bool, kube::Error> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let (kind, part) = match resource.split_once('/') {
        Some((kind, part)) => (kind, Some(part.to_owned())),
        None => (resource, None),
    };
    let attributes = ResourceAttributes {
        namespace: Some(namespace.to_owned()),
        group: Some(group.to_owned()),
        resource: Some(kind.to_owned()),
        subresource: part,
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            non_resource_attributes: None,
        },
        ..SelfSubjectAccessReview::default()
    };
    let parameters = PostParams::default();
    let answer = patient(|| reviews.create(&parameters, &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_kubernetes_reads_them() {
        let rule = |json: &str| serde_json::from_str::<ResourceRule>(json).unwrap();
        let jobs = rule(r#"{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"]}"#);
        assert!(gives(&jobs, "batch", "jobs", "get"));
        assert!(!gives(&jobs, "batch", "jobs", "patch"));
        assert!(!gives(&jobs, "", "jobs", "get"));
        let all = rule(r#"{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}"#);
        assert!(gives(&all, "", "pods/exec", "create"));
        let one = rule(
            r#"{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"], "resourceNames": ["a"]}"#,
        );
        assert!(!gives(&one, "", "pods", "list"));
    }
}
