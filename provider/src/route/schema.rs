//! The schema of `mkys_route`, as its documentation page shows it.

use mkys_edge_client::{check_host, check_path};
use mkys_plugin::{Attribute, Nested, Schema, Type};

const DESCRIPTION: &str = "\
One access rule at the edge: host and path to a blade's service, for one or both audiences.

A new route is *pending*: an administrator of the edge, another person than its requester, approves or \
refuses it for each audience. What is approved is blade, service, port, host, path, audience and the \
description for the portal, never an address, so a new revision of the blade needs no new approval. Turning one audience's \
`enabled` off withdraws that audience's access at once, and keeps the other's.";

pub(super) fn schema() -> Schema {
    let text = |text: &str| Attribute::string().optional().description(text);
    let computed = |text: &str| Attribute::string().computed().description(text);
    let endpoint = [("users", Type::String), ("devops", Type::String)];
    let blade = [
        ("name", Type::String),
        ("endpoints", Type::map(Type::object(endpoint))),
    ];
    let access = Nested::new()
        .attribute(
            "enabled",
            Attribute::bool()
                .optional()
                .description("Whether access is wanted; default true."),
        )
        .attribute(
            "justification",
            text("Why, for the administrators of the edge alone. Needed while enabled."),
        )
        .attribute(
            "description",
            text("Public text of the portal for the service. It is approved with the rest."),
        );
    let decision = Nested::new()
        .attribute(
            "state",
            computed("`pending`, `approved`, `refused` or `withdrawn`."),
        )
        .attribute("decided_by", computed("Who decided."))
        .attribute("reason", computed("Why, in the words of whoever decided."));
    Schema::new()
        .description(DESCRIPTION)
        .attribute(
            "id",
            computed("The route's id at the edge.").use_state_for_unknown(),
        )
        .attribute(
            "edge_id",
            computed("Id of the edge that holds the route.").use_state_for_unknown(),
        )
        .attribute(
            "blade",
            Attribute::object(blade)
                .required()
                .description("The blade: a whole `mkys_blade`, such as `mkys_blade.automathon`."),
        )
        .attribute(
            "service",
            Attribute::string()
                .required()
                .description("Name of the blade's service."),
        )
        .attribute(
            "host",
            Attribute::string()
                .required()
                .validate_str(check_host)
                .description("Host name that visitors ask for, lower case."),
        )
        .attribute(
            "path",
            Attribute::string()
                .default("/")
                .validate_str(check_path)
                .description("Path prefix; it matches whole segments. Default `/`."),
        )
        .attribute(
            "access",
            Attribute::nested_map(access).required().description(
                "For whom, by audience: `users`, through the portal; `devops`, for those who \
                 run the blade.",
            ),
        )
        .attribute(
            "wait_for_decision",
            text(
                "How long an apply waits for a decision, such as `10m`. Left out, it does not: \
                 the route is pending and the apply done.",
            ),
        )
        .attribute(
            "decisions",
            Attribute::nested_map(decision)
                .computed()
                .description("What was decided, by audience."),
        )
}
