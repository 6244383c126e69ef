//! What an administrator gives whoever runs things on the cluster: a namespace, and an account with the rights that
//! `docs/runner/role.yaml` names and no more.

use std::path::Path;

use serde_json::{Value, json};

use super::Cluster;
use crate::lab::{Error, external};
use crate::platform::{SOURCE, files};

impl Cluster {
    /// Makes something of a manifest.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub fn apply(&self, namespace: &str, manifest: &str) -> Result<(), Error> {
        let home = format!("HOME={}", self.layout.state().display());
        let (program, config) = (self.binaries.join("kubectl"), self.kubeconfig());
        let (program, config) = (program.display().to_string(), config.display().to_string());
        let words = ["env", &home, &program, "--kubeconfig", &config];
        let apply = ["apply", "--namespace", namespace, "--filename", "-"];
        external::feed(&[&words[..], &apply[..]].concat(), manifest)
    }

    /// A namespace that lets in nothing but what the strictest standard allows.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub fn namespace(&self, name: &str) -> Result<(), Error> {
        let manifest = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "labels": { "pod-security.kubernetes.io/enforce": "restricted" },
            },
        });
        self.apply(name, &manifest.to_string())
    }

    /// An account with the rights that the documentation names, and a kubeconfig for a day with it, in which the namespace is the
    /// current one.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub fn account(&self, namespace: &str, kubeconfig: &Path) -> Result<(), Error> {
        let role = format!("{SOURCE}/docs/runner/role.yaml");
        self.kubectl(&["apply", "--namespace", namespace, "--filename", &role])?;
        let token = [
            "create",
            "token",
            "runner",
            "--namespace",
            namespace,
            "--duration",
            "24h",
        ];
        let token = self.kubectl(&token)?;
        let own = self.kubeconfig();
        let wrong = |reason: String| Error::Unexpected(format!("{}: {reason}", own.display()));
        let text = std::fs::read_to_string(&own).map_err(|error| wrong(error.to_string()))?;
        let mut config: Value =
            serde_saphyr::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        config["users"][0]["user"] = json!({ "token": token.trim() });
        config["contexts"][0]["context"]["namespace"] = namespace.into();
        files::write(kubeconfig, &config.to_string())
    }
}
