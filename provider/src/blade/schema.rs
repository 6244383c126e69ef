//! The schema of `mkys_blade`, as its documentation page shows it.

use mkys_plugin::{Attribute, Nested, Schema, Type};

const DESCRIPTION: &str = "\
Everything one application platform needs on an OpenStack cloud, as a unit: a project with its group \
of users, their role and its quota; networks, servers, volumes, security rules; and what of it \
others may reach.

The definition is compiled to a Heat template. An update of a server puts its new revision beside \
the old one, waits until it is ready, moves the traffic and only then takes the old one away: an \
update that fails leaves the version before serving, the same server, never stopped.";

pub(super) fn schema() -> Schema {
    Schema::new()
        .description(DESCRIPTION)
        .attribute(
            "id",
            computed(
                Attribute::string(),
                "Id of the project and name of the blade: `PROJECT/NAME`.",
            ),
        )
        .attribute(
            "name",
            Attribute::string()
                .required()
                .requires_replace()
                .description(
                    "Name of the blade, of its project and of its Heat stack: lower-case letters, \
                 digits and hyphens, at most 32. Another name is another blade: the old one is \
                 destroyed with its volumes.",
                ),
        )
        .attribute(
            "description",
            optional("What the blade is for, in a sentence."),
        )
        .attribute("project", project())
        .attribute("networks", networks())
        .attribute(
            "ops_cidr",
            optional(
                "Addresses of the network over which the devops audience comes in, when some \
                 service has that audience. Default `172.31.255.0/24`; it is never \
                 interconnected, so every blade may have the same.",
            ),
        )
        .attribute("servers", servers())
        .attribute("services", services())
        .attribute("timeouts", timeouts())
        .attribute(
            "project_id",
            computed(Attribute::string(), "Id of the project."),
        )
        .attribute(
            "stack_id",
            computed(Attribute::string(), "Id of the Heat stack."),
        )
        .attribute(
            "template",
            // no secret, but its hundreds of lines would hide the rest of a plan
            Attribute::string().computed().sensitive().description(
                "The Heat template that the definition compiles to. Images, flavors and networks \
                 are its parameters, so it is known before anything exists. It is no secret; a \
                 plan leaves it out because of its length, and `nonsensitive(…)` shows it.",
            ),
        )
        .attribute(
            "revisions",
            Attribute::map(Type::String).computed().description(
                "Revision of each server: a digest over all that would replace it. Another \
                 revision is another server.",
            ),
        )
        .attribute(
            "server_ids",
            Attribute::map(Type::String)
                .computed()
                .description("Id of each server."),
        )
        .attribute(
            "network_ids",
            Attribute::map(Type::String)
                .computed()
                .description("Id of each network."),
        )
        .attribute("endpoints", endpoints())
        .attribute(
            "drift",
            Attribute::list(Type::String).computed().description(
                "What was changed on the cloud by others, as the last refresh saw it; the next \
                 apply repairs it.",
            ),
        )
}

fn optional(text: &str) -> Attribute {
    Attribute::string().optional().description(text)
}

fn computed(attribute: Attribute, text: &str) -> Attribute {
    attribute
        .computed()
        .use_state_for_unknown()
        .description(text)
}

fn project() -> Attribute {
    let limit = |text: &str| Attribute::int64().optional().description(text);
    let quota = Nested::new()
        .attribute("instances", limit("Servers."))
        .attribute("cores", limit("Virtual processors of all servers."))
        .attribute("ram", limit("Memory of all servers, in MiB."))
        .attribute("volumes", limit("Volumes."))
        .attribute(
            "gigabytes",
            limit("Space of all volumes and snapshots, in GiB."),
        )
        .attribute("networks", limit("Networks."))
        .attribute("ports", limit("Ports."))
        .attribute("routers", limit("Routers."))
        .attribute(
            "floating_ips",
            limit("Floating IPs of both external networks."),
        )
        .attribute("security_groups", limit("Security groups."));
    let project = Nested::new()
        .attribute(
            "group",
            Attribute::string().required().description(
                "Group that administers the blade. It is made if there is none of that name. \
                 Another group takes its place without touching anything else.",
            ),
        )
        .attribute(
            "role",
            optional(
                "Role of the group on the project; default `member`. `admin` is cloud-wide under \
                 OpenStack's default policies and needs `allow_admin_role` in the provider.",
            ),
        )
        .attribute(
            "users",
            Attribute::set(Type::String).optional().description(
                "Existing users to put into the group: names in the default domain, \
                     `NAME@DOMAIN`, or ids.",
            ),
        )
        .attribute(
            "quota",
            Attribute::nested(quota).optional().description(
                "Limits; -1 is none. One that is left out is the cloud's default, also after \
                     it was given.",
            ),
        );
    Attribute::nested(project).optional().description(
        "The OpenStack project to make for the blade. Left out, the blade is built in the \
         project of the provider's credential, within the quota granted there. To give it, or to \
         leave it out, later on makes another blade.",
    )
}

fn networks() -> Attribute {
    let network = Nested::new()
        .attribute(
            "cidr",
            Attribute::string()
                .required()
                .description("IPv4 addresses, such as `10.20.1.0/24`."),
        )
        .attribute(
            "dns_nameservers",
            Attribute::list(Type::String)
                .optional()
                .description("IPv4 addresses of name servers that DHCP hands out."),
        );
    Attribute::nested_map(network)
        .optional()
        .description("Networks by name, each with its subnet.")
}

fn servers() -> Attribute {
    let volume = Nested::new()
        .attribute(
            "size",
            Attribute::int64().required().description("Size in GiB."),
        )
        .attribute(
            "mount",
            optional(
                "Directory to mount it at; a blank volume gets an ext4 file system first. Without \
                 it the volume is only attached.",
            ),
        );
    let ready = Nested::new()
        .attribute(
            "http",
            Attribute::string().required().description(
                "What must answer 200 inside the server, as `:PORT/PATH`, such as `:80/health`.",
            ),
        )
        .attribute(
            "within",
            optional("How long it may take from the first boot on, such as `5m`; default `10m`."),
        );
    let server = Nested::new()
        .attribute(
            "image",
            Attribute::string()
                .required()
                .description("Image, by name or id."),
        )
        .attribute(
            "flavor",
            Attribute::string()
                .required()
                .description("Flavor, by name or id."),
        )
        .attribute(
            "networks",
            Attribute::list(Type::String).required().description(
                "The blade's networks it has a port on; the first carries its default route.",
            ),
        )
        .attribute(
            "key_pair",
            optional(
                "Name of a key pair of the credential's user, for logging in by SSH. To be reached \
                 from outside, a server also needs a service at port 22 for `devops`.",
            ),
        )
        .attribute(
            "user_data",
            Attribute::string().optional().sensitive().description(
                "What the server runs at its first boot: a script, or anything that cloud-init \
                 takes, as plain text; about 48 KiB at most. A configuration that the CLI \
                 generates for an import leaves it out: put it in before the first apply, or the \
                 server is replaced by one without.",
            ),
        )
        .attribute(
            "probes",
            Attribute::set(Type::String).optional().description(
                "Monitoring agents to install when the server is built: `node` (Prometheus' node \
                 exporter, port 9100).",
            ),
        )
        .attribute(
            "volumes",
            Attribute::nested_map(volume).optional().description(
                "Volumes by name. They outlive the server's revisions; a server with volumes \
                 cannot stand twice, so an update stops it for the time of a boot. The volumes are \
                 snapshotted before; a good update deletes the snapshots, a failed one keeps them.",
            ),
        )
        .attribute(
            "ready",
            Attribute::nested(ready).optional().description(
                "The server's own sign that it serves. Without it a server counts as ready when \
                 Nova says ACTIVE, which is before it has booted.",
            ),
        );
    Attribute::nested_map(server)
        .optional()
        .description("Servers by name.")
}

fn services() -> Attribute {
    let service = Nested::new()
        .attribute(
            "server",
            Attribute::string()
                .required()
                .description("The blade's server that gives it."),
        )
        .attribute(
            "port",
            Attribute::int64().required().description("TCP port."),
        )
        .attribute(
            "audiences",
            Attribute::set(Type::String).required().description(
                "Who may come, through the edge: `users`, `devops` or both. Each comes in over an \
                 external network of its own.",
            ),
        );
    Attribute::nested_map(service)
        .optional()
        .description("Services by name: what of the blade others may reach, and who.")
}

fn endpoints() -> Attribute {
    let address = |text: &str| Attribute::string().computed().description(text);
    let endpoint = Nested::new()
        .attribute("users", address("For users."))
        .attribute("devops", address("For devops."));
    Attribute::nested_map(endpoint)
        .computed()
        .description("Where the edge reaches each service, as `ADDRESS:PORT` for each audience.")
}

fn timeouts() -> Attribute {
    let limit = |text: &str| optional(text);
    let timeouts = Nested::new()
        .attribute(
            "create",
            limit("For a creation, such as `30m`; default `60m`."),
        )
        .attribute("update", limit("For an update; default `60m`."))
        .attribute("delete", limit("For a removal; default `30m`."));
    Attribute::nested(timeouts)
        .optional()
        .description("How long to wait for the cloud.")
}
