//! `mkys-edge token`: the tokens of those who ask for routes and decide on them.

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use ipnet::Ipv4Net;
use jiff::Timestamp;
use mkys_edge::cli_error::CliError;
use mkys_edge::policy::check_token_name;
use mkys_edge::settings::Settings;
use mkys_edge::token;
use mkys_edge_client::{Actor, Role};

use super::{open, operator, say};

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Makes a token and shows it, this once.
    Create(Create),
    /// Lists tokens; they themselves are not known.
    List,
    /// Gives a token another secret and shows it, this once; the one before is worth nothing.
    Rotate {
        /// Its name.
        name: String,
    },
    /// Revokes a token for good. Routes that were asked for with it stay; its name is not used again.
    Revoke {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// Its name.
    #[arg(long)]
    name: String,
    /// Whose it is, such as a person's login: nobody decides on a route that they asked for, by whichever of their tokens. Left out, the
    /// token's name.
    #[arg(long)]
    person: Option<String>,
    /// What it may do.
    #[arg(long, value_enum)]
    role: RoleName,
    /// A blade whose routes it may ask for; `*` for every blade. Repeatable. For requesters: an administrator decides on every blade's.
    #[arg(long = "blade")]
    blades: Vec<String>,
    /// A network that its routes may lead into, such as 198.51.100.0/25. Repeatable. For requesters.
    #[arg(long = "network")]
    networks: Vec<Ipv4Net>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleName {
    Requester,
    Administrator,
}

impl Create {
    /// The token's owner and rights.
    fn actor(self) -> anyhow::Result<Actor> {
        let Self {
            name,
            person,
            role,
            blades,
            networks,
        } = self;
        let person = person.unwrap_or_else(|| name.clone());
        for (option, value) in [("--name", &name), ("--person", &person)] {
            if let Err(error) = check_token_name(value) {
                bail!(CliError::Name(option, error));
            }
        }
        let role = match role {
            RoleName::Requester => Role::Requester,
            RoleName::Administrator => Role::Administrator,
        };
        match role {
            Role::Requester if blades.is_empty() || networks.is_empty() => {
                bail!(CliError::NoRights)
            }
            Role::Administrator if !(blades.is_empty() && networks.is_empty()) => {
                bail!(CliError::NeedlessRights)
            }
            _ => Ok(Actor {
                name,
                person,
                role,
                blades,
                networks,
            }),
        }
    }
}

pub(super) async fn run(settings: &Settings, command: TokenCommand) -> anyhow::Result<()> {
    let (by, now) = (operator(), Timestamp::now());
    match command {
        TokenCommand::Create(create) => {
            let actor = create.actor()?;
            let token = token::generate().context(CliError::NoRandom)?;
            let store = open(settings).await?;
            store.add_token(&actor, &token, &by, now).await?;
            say(&token)
        }
        TokenCommand::List => {
            for row in open(settings).await?.tokens().await? {
                let Actor {
                    name,
                    person,
                    role,
                    blades,
                    networks,
                } = row.actor;
                let networks: Vec<_> = networks.iter().map(ToString::to_string).collect();
                let state = match row.revoked_at {
                    Some(at) => format!("revoked {at}"),
                    None => format!("since {}", row.created_at),
                };
                say(&format!(
                    "{name}\t{role:?}\t{}\t{}\t{state}\tof {person}",
                    blades.join(","),
                    networks.join(",")
                ))?;
            }
            Ok(())
        }
        TokenCommand::Rotate { name } => {
            let token = token::generate().context(CliError::NoRandom)?;
            let store = open(settings).await?;
            match store.rotate_token(&name, &token, &by, now).await? {
                true => say(&token),
                false => bail!(CliError::NoToken(name)),
            }
        }
        TokenCommand::Revoke { name } => {
            let store = open(settings).await?;
            match store.revoke_token(&name, &by, now).await? {
                true => Ok(()),
                false => bail!(CliError::NoToken(name)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(role: RoleName, change: impl FnOnce(&mut Create)) -> String {
        let mut create = Create {
            name: "carol".into(),
            person: None,
            role,
            blades: Vec::new(),
            networks: Vec::new(),
        };
        change(&mut create);
        create
            .actor()
            .map_or_else(|error| error.to_string(), |actor| actor.person)
    }

    #[test]
    fn rights_that_mean_nothing_are_refused() {
        use RoleName::{Administrator, Requester};
        assert_eq!(create(Administrator, |_| ()), "carol");
        let said = create(Administrator, |create| create.blades.push("games".into()));
        assert!(said.contains("every blade"), "{said}");
        let network = "198.51.100.0/24".parse().unwrap();
        let said = create(Administrator, |create| create.networks.push(network));
        assert!(said.contains("every blade"), "{said}");
        assert!(create(Requester, |_| ()).contains("needs at least"));
        for name in ["", "a\nb", "a\tb", "carol ", &"c".repeat(65)] {
            let said = create(Administrator, |create| create.name = name.into());
            assert!(said.starts_with("--name: "), "{said}");
        }
        let said = create(Administrator, |create| {
            create.person = Some("ca rol".into())
        });
        assert!(said.starts_with("--person: "), "{said}");
    }
}
