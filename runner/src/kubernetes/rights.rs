//! What the runner may do in its namespace, asked before anything is made.

use futures_util::StreamExt;
use futures_util::stream;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};

use super::Reach;

/// What it needs: of which group, which resource with its subresource, which verbs. `docs/runner/kubernetes.md` has the same as a Role.
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
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let services = (reach == Reach::NodePort).then_some(SERVICES);
    let needs = NEEDS.into_iter().chain(services);
    let needs = needs.flat_map(|(group, resource, verbs)| {
        verbs.iter().map(move |verb| (group, resource, *verb))
    });
    let reviews = &reviews;
    let reviewed = stream::iter(needs).map(|(group, resource, verb)| async move {
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
        let answer = reviews.create(&PostParams::default(), &review).await?;
        let is_allowed = answer.status.is_some_and(|status| status.allowed);
        Ok((!is_allowed).then(|| format!("{verb} {resource}")))
    });
    let found: Vec<Result<_, kube::Error>> = reviewed.buffered(8).collect().await;
    let found: Result<Vec<_>, _> = found.into_iter().collect();
    Ok(found?.into_iter().flatten().collect())
}
