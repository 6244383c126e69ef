//! The schema of `mkys_backplane_link`, as its documentation page shows it.

use mkys_plugin::{Attribute, Schema, Type, Value};

const DESCRIPTION: &str = "\
Makes a blade part of the whole: interconnects its networks with the Devops blade's, and lets the \
Devops blade's monitoring reach its probes, and nothing else.

The blade's router gets a leg in one of the Devops blade's networks, the Devops blade's router the \
routes back. Both blades' own templates stay untouched; removing the link takes back exactly what it \
made.";

pub(super) fn schema() -> Schema {
    let network = Type::object([("cidr", Type::String)]);
    let blade = || {
        Attribute::object([
            ("id", Type::String),
            ("name", Type::String),
            ("networks", Type::map(network.clone())),
        ])
    };
    let route = Type::object([("destination", Type::String), ("nexthop", Type::String)]);
    let default_ports = Value::List(vec![Value::from(9100_i64)]);
    Schema::new()
        .description(DESCRIPTION)
        .attribute(
            "id",
            Attribute::string()
                .computed()
                .use_state_for_unknown()
                .description("Id of the port by which the blade is linked."),
        )
        .attribute(
            "blade",
            blade()
                .required()
                .description("The blade: a whole `mkys_blade`."),
        )
        .attribute(
            "backplane",
            blade()
                .required()
                .description("The Devops blade: a whole `mkys_blade`."),
        )
        .attribute(
            "network",
            Attribute::string()
                .required()
                .description("The Devops blade's network that the monitoring is on."),
        )
        .attribute(
            "ports",
            Attribute::list(Type::Number)
                .default(default_ports)
                .description("TCP ports of the probes. Default `[9100]`, the node exporter's."),
        )
        .attribute(
            "address",
            Attribute::string()
                .computed()
                .use_state_for_unknown()
                .description("The blade's address in the Devops blade's network."),
        )
        .attribute(
            "routes",
            Attribute::list(route)
                .computed()
                .description("The routes that the Devops blade's router got."),
        )
        .attribute(
            "drift",
            Attribute::list(Type::String).computed().description(
                "What of the link was taken away by others; the next apply repairs it.",
            ),
        )
}
