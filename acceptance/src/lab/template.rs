//! The lab's configuration: template files rendered with its addresses and paths.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use minijinja::{AutoEscape, Environment, UndefinedBehavior, context, syntax::SyntaxConfig};

use super::{Error, embedded};
use crate::place::{self, Place};
use crate::settings::{ExternalNetwork, Settings};

/// Renders the lab's own files.
pub(crate) struct Templates {
    environment: Environment<'static>,
    values: minijinja::Value,
}

impl Templates {
    pub(crate) fn new(place: &Place, settings: &Settings) -> Self {
        let mut environment = environment();
        environment
            .set_loader(|name| Ok(embedded::file(&format!("templates/{name}")).map(str::to_owned)));
        let values = context! {
            state => show(place.state()), etc => show(&place.etc()), run => show(&place.run()), log => show(&place.log()),
            keys => show(&place.keys()), host_uuid => place::HOST_UUID, node => place::NODE, hostname => place::HOSTNAME,
            password => place::PASSWORD, queue => format!("rabbit://guest:guest@{}:5672/", place::NODE),
            users => external(&settings.users), devops => external(&settings.devops),
            tunnel => context! { address => place::TUNNEL_ADDRESS },
            ports => context! { artefacts => place::ARTEFACTS_PORT },
        };
        Self {
            environment,
            values,
        }
    }

    /// Every file that goes below `etc`: its path there, and its content.
    pub(crate) fn configuration(&self) -> Result<BTreeMap<PathBuf, String>, Error> {
        embedded::below("templates")
            .filter_map(|(name, _)| Some((name, name.strip_suffix(".j2")?)))
            .filter(|(_, target)| is_whole(target))
            .map(|(name, target)| {
                let template = self.environment.get_template(name);
                let text = template
                    .and_then(|template| template.render(&self.values))
                    .map_err(|error| wrong(name, &error))?;
                Ok((PathBuf::from(target), text))
            })
            .collect()
    }

    /// One text of ours outside `templates/`.
    pub(crate) fn text(&self, name: &str) -> Result<String, Error> {
        let source = embedded::file(name).unwrap_or_default();
        self.environment
            .render_str(source, &self.values)
            .map_err(|error| wrong(name, &error))
    }
}

/// How all templates of ours are read: nothing is escaped, and a value that isn't there is an error.
pub(crate) fn environment() -> Environment<'static> {
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .keep_trailing_newline(true)
        .build();
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_syntax(syntax.unwrap_or_default());
    environment
}

fn show(path: &Path) -> String {
    path.display().to_string()
}

/// Parts that others include have a bare name (`nova/common.j2`); whole files keep an ending (`nova/nova.conf.j2`) or are
/// named as a program wants them.
fn is_whole(target: &str) -> bool {
    let name = target.rsplit('/').next().unwrap_or(target);
    name.contains('.') || ["ebtables", "enabled_plugins", "nfs_shares"].contains(&name)
}

fn external(network: &ExternalNetwork) -> minijinja::Value {
    context! {
        name => network.name(), bridge => network.bridge(), range => network.range().to_string(),
        node => network.node().to_string(),
    }
}

pub(crate) fn wrong(file: &str, error: &minijinja::Error) -> Error {
    Error::Table {
        file: file.to_owned(),
        reason: format!("{error:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn templates() -> Templates {
        let settings = Settings::new(None, None).unwrap();
        Templates::new(&Place::at("/var/lib/mkys-lab".into()), &settings)
    }

    #[test]
    fn every_configuration_file_renders() {
        let files = templates().configuration().unwrap();
        assert!(files.contains_key(&PathBuf::from("heat/heat.conf")));
        assert!(!files.contains_key(&PathBuf::from("nova/common")));
    }

    #[test]
    fn files_read_as_expected() {
        let files = templates().configuration().unwrap();
        for name in [
            "heat/heat.conf",
            "nova/nova-compute.conf",
            "neutron/linuxbridge_agent.ini",
        ] {
            insta::assert_snapshot!(name.replace('/', "_"), files[&PathBuf::from(name)]);
        }
    }

    #[test]
    fn compute_does_not_see_the_database() {
        let files = templates().configuration().unwrap();
        assert!(!files[&PathBuf::from("nova/nova-compute.conf")].contains("mysql"));
        assert!(files[&PathBuf::from("nova/nova.conf")].contains("mysql"));
    }
}
