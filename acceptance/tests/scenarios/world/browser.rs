//! A person's browser outside the cloud, by curl: it keeps cookies and sends forms.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use mkys_acceptance::netns::in_namespace;
use mkys_acceptance::platform::edge::PORTAL;

use super::edge::outside;

/// A page: its status and its text.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) text: String,
}

/// A browser at the portal of an edge.
pub(crate) struct Browser {
    namespace: &'static str,
    address: Ipv4Addr,
    port: u16,
    cookies: PathBuf,
}

impl Browser {
    /// One on an audience's network, with its cookies in a folder.
    pub(crate) fn open(audience: &str, port: u16, folder: &Path) -> Self {
        let (namespace, network) = outside(audience);
        Self {
            namespace,
            address: network.edge(),
            port,
            cookies: folder.join(format!("cookies-{audience}")),
        }
    }

    /// Looks at a page.
    pub(crate) fn get(&self, path: &str) -> Page {
        self.ask(path, &[])
    }

    /// Sends a form.
    pub(crate) fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.ask(path, fields)
    }

    fn ask(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let Self { address, port, .. } = self;
        let mut curl = in_namespace(self.namespace, "curl");
        curl.args(["--silent", "--show-error", "--max-time", "10"])
            .args(["--write-out", "\n%{http_code}"])
            .args(["--resolve", &format!("{PORTAL}:{port}:{address}")])
            .arg("--cookie")
            .arg(&self.cookies)
            .arg("--cookie-jar")
            .arg(&self.cookies);
        for (name, value) in fields {
            curl.args(["--data-urlencode", &format!("{name}={value}")]);
        }
        let output = curl.arg(format!("http://{PORTAL}:{port}{path}")).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        let (text, status) = said.rsplit_once('\n').unwrap();
        Page {
            status: status.parse().unwrap(),
            text: text.to_owned(),
        }
    }
}

impl Page {
    /// The value of a form's hidden field.
    pub(crate) fn hidden(&self, name: &str) -> &str {
        let before = format!("name=\"{name}\" value=\"");
        let (_, rest) = self
            .text
            .split_once(&before)
            .unwrap_or_else(|| panic!("no field {name}: {}", self.text));
        rest.split('"').next().unwrap_or_default()
    }

    /// What stands below a heading of this id, up to the next section.
    pub(crate) fn section(&self, id: &str) -> &str {
        let (_, rest) = self
            .text
            .split_once(&format!("<h2 id=\"{id}\">"))
            .unwrap_or_else(|| panic!("no section {id}: {}", self.text));
        rest.split("</section>").next().unwrap_or_default()
    }
}
