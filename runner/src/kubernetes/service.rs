//! The service of a session that is reached on a port of its node. Pure.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::names;
use crate::plan::Plan;
use crate::spec::Owner;

/// A service that goes when its job goes.
pub(super) fn create(owner: &Owner, plan: &Plan, port: u16, job: &Job) -> Service {
    let labels = names::labels(owner, plan);
    let of_run = [names::OWNER, names::RUN];
    let selector = labels
        .iter()
        .filter(|(key, _)| of_run.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()));
    let owned_by = OwnerReference {
        api_version: "batch/v1".to_owned(),
        kind: "Job".to_owned(),
        name: job.metadata.name.clone().unwrap_or_default(),
        uid: job.metadata.uid.clone().unwrap_or_default(),
        ..OwnerReference::default()
    };
    Service {
        metadata: ObjectMeta {
            name: Some(names::job_name(owner, &plan.name)),
            owner_references: Some(vec![owned_by]),
            labels: Some(labels.clone()),
            ..ObjectMeta::default()
        },
        spec: Some(ServiceSpec {
            type_: Some("NodePort".to_owned()),
            // the visitor's address stays as it is, so that policies hold; the node that is named is the pod's own
            external_traffic_policy: Some("Local".to_owned()),
            selector: Some(selector.collect()),
            ports: Some(vec![ServicePort {
                port: i32::from(port),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// The port of nodes that leads to it.
pub(super) fn node_port(service: &Service) -> Option<u16> {
    let ports = service.spec.as_ref()?.ports.as_ref()?;
    u16::try_from(ports.first()?.node_port?).ok()
}
