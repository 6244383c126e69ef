//! The cluster's configuration: template files rendered with its names, addresses and paths.

use std::path::{Path, PathBuf};

use minijinja::{Environment, context};

use super::component::Table;
use super::layout::{self, Layout};
use crate::lab::template::{environment, wrong};
use crate::lab::{Error, embedded};
use crate::platform::{engine, files};

const FOLDER: &str = "cluster";
/// Who has a file to reach the API with, beside the administrator.
const USERS: [&str; 4] = [
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
];
const ADMINISTRATOR: &str = "admin";

/// Renders the cluster's own files.
pub(super) struct Configuration {
    layout: Layout,
    environment: Environment<'static>,
    values: minijinja::Value,
}

impl Configuration {
    /// `lab` is the program that holds the component of our own.
    pub(super) fn new(layout: &Layout, lab: &Path) -> Self {
        let show = |path: &Path| path.display().to_string();
        let values = context! {
            state => show(layout.state()), etc => show(&layout.etc()), run => show(&layout.run()),
            keys => show(&layout.keys()), bin => show(&layout.bin()), lab => show(lab),
            api => format!("https://{}:{}", layout::NODE_ADDRESS, layout::API_PORT), etcd => layout::ETCD,
            ports => context! { api => layout::API_PORT },
            node => context! { name => layout::NODE, address => layout::NODE_ADDRESS },
            network => context! { name => layout::NETWORK, bridge => layout::BRIDGE, range => layout::PODS },
            services => context! { range => layout::SERVICES, dns => layout::DNS },
            tables => context! { nat => layout::NAT, policies => layout::POLICIES },
            cgroup => layout::CONTROL_GROUP, pause => layout::PAUSE, registry => engine::REGISTRY,
            gpu => layout::GPU, gpus => layout::GPUS,
        };
        Self {
            layout: layout.clone(),
            environment: environment(),
            values,
        }
    }

    /// The table of components.
    pub(super) fn table(&self) -> Result<Table, Error> {
        Table::parse(&self.render("components.yaml.j2", minijinja::Value::UNDEFINED)?)
    }

    /// Writes every file.
    pub(super) fn write(&self) -> Result<(), Error> {
        let etc = self.layout.etc();
        for (name, target) in self.files() {
            let text = self.render(name, minijinja::Value::UNDEFINED)?;
            files::write(&etc.join(target), &text)?;
        }
        for user in USERS {
            let file = etc.join(format!("{user}.kubeconfig"));
            files::write(&file, &self.access(user)?)?;
        }
        files::write(&self.layout.kubeconfig(), &self.access(ADMINISTRATOR)?)
    }

    /// Names of templates, and where each goes below `etc`.
    fn files(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        let all = embedded::below(FOLDER);
        all.filter_map(|(name, _)| {
            let target = name.strip_prefix("etc/")?.strip_suffix(".j2")?;
            let target = match target {
                // containerd looks for a registry's file by its name
                "registry.toml" => format!("registries/{}/hosts.toml", engine::REGISTRY),
                "network.conflist" => format!("cni/{target}"),
                _ => target.to_owned(),
            };
            Some((name, target.into()))
        })
    }

    fn access(&self, user: &str) -> Result<String, Error> {
        self.render("kubeconfig.j2", context! { user })
    }

    fn render(&self, name: &str, more: minijinja::Value) -> Result<String, Error> {
        let name = format!("{FOLDER}/{name}");
        let source = embedded::file(&name).unwrap_or_default();
        let values = context! { ..more, ..self.values.clone() };
        self.environment
            .render_str(source, values)
            .map_err(|error| wrong(&name, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_renders_and_goes_where_it_is_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let configuration = Configuration::new(&layout, Path::new("/usr/bin/lab"));
        configuration.write().unwrap();
        for file in [
            "etc/registries/127.0.0.1:8089/hosts.toml",
            "etc/cni/network.conflist",
            "etc/kubelet.yaml",
            "etc/kube-proxy.kubeconfig",
            "kubeconfig",
        ] {
            assert!(folder.path().join(file).is_file(), "{file}");
        }
        let names: Vec<_> = configuration
            .table()
            .unwrap()
            .iter()
            .map(|row| row.name.clone())
            .collect();
        assert!(names.contains(&"kubelet".to_owned()), "{names:?}");
    }

    #[test]
    fn the_components_of_the_table_are_found() {
        let layout = Layout::new(Path::new("/var/lib/mkys-cluster"));
        let table = Configuration::new(&layout, Path::new("/opt/lab"))
            .table()
            .unwrap();
        assert_eq!(table.get("policies").unwrap().run[0], "/opt/lab");
        assert_eq!(table.followers("kubelet").count(), 1);
    }
}
