//! `mkys-edge delegation`: handing out a route's path prefix.

use anyhow::Context;
use clap::{Args, Subcommand};
use ipnet::Ipv4Net;
use mkys_edge::cli_error::CliError;
use mkys_edge::settings::Settings;
use mkys_edge::{lease, token};
use mkys_edge_client::{Actor, Delegation, DelegationRequest};
use uuid::Uuid;

use super::{open, say};

#[derive(Debug, Subcommand)]
pub(crate) enum DelegationCommand {
    /// Delegates an approved route's path prefix, and shows the holder's token, this once.
    ///
    /// Delegations are revoked by the API, which ends their session routes as well.
    Create(Create),
    /// Lists a route's delegations; their tokens are not known.
    List {
        /// Id of the route.
        #[arg(long)]
        route: Uuid,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Id of the route.
    #[arg(long)]
    route: Uuid,
    /// Whom to: who adds session routes.
    #[arg(long)]
    holder: String,
    /// Who delegates: the name of an administrator's token, other than the one who asked for the route.
    #[arg(long)]
    administrator: String,
    /// A network that session routes may lead into, such as 10.88.0.0/16. Repeatable.
    #[arg(long = "network", required = true)]
    networks: Vec<Ipv4Net>,
    /// Session routes at once.
    #[arg(long)]
    limit: u32,
}

pub(super) async fn run(settings: &Settings, command: DelegationCommand) -> anyhow::Result<()> {
    let store = open(settings).await?;
    match command {
        DelegationCommand::Create(Create {
            route: id,
            holder,
            administrator,
            networks,
            limit,
        }) => {
            let mut tokens = store.tokens().await?.into_iter();
            let known =
                tokens.find(|row| row.actor.name == administrator && row.revoked_at.is_none());
            let actor: Actor = known
                .with_context(|| CliError::NoToken(administrator))?
                .actor;
            let request = DelegationRequest {
                holder,
                networks,
                limit,
            };
            let token = token::generate().context(CliError::NoRandom)?;
            let now = jiff::Timestamp::now();
            let delegated = store.delegate(id, &token, move |route| {
                lease::delegate(&actor, route, request, now)
            });
            delegated.await?.context(CliError::NoRoute(id))?;
            say(&token)
        }
        DelegationCommand::List { route: id } => {
            let route = store.route(id).await?.context(CliError::NoRoute(id))?;
            for delegation in store.delegations(&route).await? {
                let Delegation {
                    holder,
                    host,
                    prefix,
                    networks,
                    limit,
                    created_by,
                    created_at,
                    ..
                } = delegation;
                let networks: Vec<_> = networks.iter().map(ToString::to_string).collect();
                say(&format!(
                    "{holder}\t{host}{prefix}\t{}\t{limit}\tby {created_by} since {created_at}",
                    networks.join(",")
                ))?;
            }
            Ok(())
        }
    }
}
