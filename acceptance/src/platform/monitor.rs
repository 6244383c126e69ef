//! The backplane's monitor: Debian's Prometheus on a real port of the Devops blade's network.
//!
//! The port is Neutron's, bound to this node; the namespace's link carries its name and address, so the network agent
//! plugs it in like a guest's. Prometheus discovers servers from Nova itself. The cloud's APIs listen on the node's
//! loopback alone, so a forwarder inside the namespace stands in for a management network.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::background::Background;
use super::files;
use crate::lab::{Api, Cloud, Error, external};
use crate::netns::in_namespace;
use crate::place::{HOSTNAME, PASSWORD};
use crate::settings::{ExternalNetwork, Settings};

/// The monitor's namespace.
pub const MONITOR: &str = "mkys-monitor";
const PORT_NAME: &str = "mkys-monitor";
const APIS: [u16; 2] = [5000, 8774];
const PATIENCE: Duration = Duration::from_secs(60);

/// The monitor.
#[derive(Debug)]
pub struct Monitor {
    folder: PathBuf,
    floating: String,
}

impl Monitor {
    /// A monitor with its files in `folder`.
    #[must_use]
    pub fn new(folder: &Path, settings: &Settings) -> Self {
        let floating = settings.external().map(floating).join("|");
        Self {
            folder: folder.to_owned(),
            floating,
        }
    }

    fn prometheus(&self) -> Background {
        Background::new(&self.folder, "prometheus")
    }

    fn forwarder(&self, side: &str, port: u16) -> Background {
        Background::new(&self.folder, &format!("forward-{side}-{port}"))
    }

    /// Starts it on a network of a project.
    ///
    /// # Errors
    /// When Neutron refuses, or Prometheus does not start.
    pub fn start(&self, project: &str, network: &str) -> Result<(), Error> {
        files::make(&self.folder)?;
        let cloud = Cloud::sign_in()?;
        let port = self.port(&cloud, project, network)?;
        plug(&cloud, &port)?;
        for port in APIS {
            let socket = self.folder.join(format!("{port}.sock"));
            let node = self.forwarder("node", port);
            if node.pid().is_none() {
                let _ = std::fs::remove_file(&socket);
            }
            let listen = format!("UNIX-LISTEN:{},fork", socket.display());
            node.start(
                None,
                &words(&["socat", &listen, &format!("TCP:127.0.0.1:{port}")]),
            )?;
            let listen = format!("TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr");
            let connect = format!("UNIX-CONNECT:{}", socket.display());
            let inside = self.forwarder("inside", port);
            inside.start(Some(MONITOR), &words(&["socat", &listen, &connect]))?;
        }
        let file = self.folder.join("prometheus.yml");
        files::write(&file, &configuration(&self.floating).to_string())?;
        let process = self.prometheus();
        process.start(
            Some(MONITOR),
            &words(&[
                "/usr/bin/prometheus",
                &format!("--config.file={}", file.display()),
                &format!("--storage.tsdb.path={}", self.folder.join("tsdb").display()),
                "--web.listen-address=127.0.0.1:9090",
            ]),
        )?;
        process.until("an answer of Prometheus", PATIENCE, || {
            self.get("/-/ready").ok()
        })?;
        Ok(())
    }

    fn port(&self, cloud: &Cloud, project: &str, network: &str) -> Result<Value, Error> {
        let list = cloud.get(
            Api::Network,
            &format!("/ports?network_id={network}&name={PORT_NAME}"),
        )?;
        if let Some(port) = list["ports"].get(0) {
            return Ok(port.clone());
        }
        let body = json!({ "port": {
            "network_id": network,
            "project_id": project,
            "name": PORT_NAME,
            // not `compute:…`: the agent leaves it to Nova to plug those in
            "device_owner": "mkys:monitor",
            "device_id": "mkys-monitor",
            "binding:host_id": HOSTNAME,
        } });
        Ok(cloud.post(Api::Network, "/ports", &body)?["port"].clone())
    }

    /// Ends it and gives its port back.
    ///
    /// # Errors
    /// When Neutron refuses.
    pub fn stop(&self) -> Result<(), Error> {
        self.prometheus().stop();
        for port in APIS {
            self.forwarder("inside", port).stop();
            self.forwarder("node", port).stop();
        }
        let _ = external::run(&["ip", "netns", "del", MONITOR]);
        let cloud = Cloud::sign_in()?;
        let list = cloud.get(Api::Network, &format!("/ports?name={PORT_NAME}"))?;
        for port in list["ports"].as_array().into_iter().flatten() {
            let id = port["id"].as_str().unwrap_or_default();
            cloud.delete(Api::Network, &format!("/ports/{id}"))?;
        }
        let _ = std::fs::remove_dir_all(self.folder.join("tsdb"));
        Ok(())
    }

    fn get(&self, path: &str) -> Result<String, Error> {
        let url = format!("http://127.0.0.1:9090{path}");
        external::finish(in_namespace(MONITOR, "curl").args(["-sf", "--max-time", "5", &url]))
    }

    /// Health of the targets that were discovered of a blade: address and `up`, `down` or `unknown`.
    ///
    /// # Errors
    /// When Prometheus does not answer.
    pub fn targets(&self, blade: &str) -> Result<Vec<(String, String)>, Error> {
        let text = self.get("/api/v1/targets?state=active")?;
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        let targets = answer["data"]["activeTargets"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let of_blade = targets
            .iter()
            .filter(|target| target["labels"]["blade"] == blade);
        Ok(of_blade
            .map(|target| {
                let said = |key: &str| target[key].as_str().unwrap_or_default().to_owned();
                (
                    target["labels"]["instance"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned(),
                    said("health"),
                )
            })
            .collect())
    }

    /// Waits until all of a blade's targets, at least one, have a health.
    ///
    /// # Errors
    /// When they don't within a minute and a half, with what they have.
    pub fn until(&self, blade: &str, health: &str) -> Result<Vec<(String, String)>, Error> {
        let mut last = Vec::new();
        let found = crate::lab::pause::until(Duration::from_secs(90), || {
            last = self.targets(blade).ok()?;
            let all = !last.is_empty() && last.iter().all(|(_, seen)| seen == health);
            all.then(|| last.clone())
        });
        found.ok_or_else(|| {
            Error::Unexpected(format!(
                "Prometheus' targets of blade {blade} are {last:?}, not {health}"
            ))
        })
    }

    /// A value that was scraped from a blade's server.
    ///
    /// # Errors
    /// When Prometheus does not answer.
    pub fn value(&self, query: &str) -> Result<Option<String>, Error> {
        let url = "http://127.0.0.1:9090/api/v1/query";
        let query = format!("query={query}");
        let text = external::finish(in_namespace(MONITOR, "curl").args([
            "-sf",
            "-G",
            "--data-urlencode",
            &query,
            url,
        ]))?;
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        Ok(answer["data"]["result"][0]["value"][1]
            .as_str()
            .map(str::to_owned))
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Gives the namespace the port's link, as the hypervisor does with a guest's.
fn plug(cloud: &Cloud, port: &Value) -> Result<(), Error> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let id = text(&port["id"]);
    let tap = format!("tap{}", id.get(..11).unwrap_or_default());
    if external::succeeds(&["ip", "-n", MONITOR, "link", "show", "eth0"])
        && external::succeeds(&["ip", "link", "show", &tap])
    {
        return Ok(());
    }
    let _ = external::run(&["ip", "netns", "del", MONITOR]);
    let _ = external::run(&["ip", "link", "del", &tap]);
    let address = text(&port["fixed_ips"][0]["ip_address"]);
    let subnet = text(&port["fixed_ips"][0]["subnet_id"]);
    let subnet = cloud.get(Api::Network, &format!("/subnets/{subnet}"))?;
    let cidr = text(&subnet["subnet"]["cidr"]);
    let prefix = cidr
        .rsplit_once('/')
        .map_or("24", |(_, prefix)| prefix)
        .to_owned();
    let gateway = text(&subnet["subnet"]["gateway_ip"]);
    let mac = text(&port["mac_address"]);
    let network = cloud.get(
        Api::Network,
        &format!("/networks/{}", text(&port["network_id"])),
    )?;
    let mtu = network["network"]["mtu"]
        .as_u64()
        .unwrap_or(1450)
        .to_string();
    external::run(&["ip", "netns", "add", MONITOR])?;
    external::run(&[
        "ip", "link", "add", &tap, "type", "veth", "peer", "name", "eth0", "netns", MONITOR,
    ])?;
    external::run(&[
        "ip", "-n", MONITOR, "link", "set", "eth0", "address", &mac, "mtu", &mtu,
    ])?;
    external::run(&[
        "ip",
        "-n",
        MONITOR,
        "addr",
        "add",
        &format!("{address}/{prefix}"),
        "dev",
        "eth0",
    ])?;
    external::run(&["ip", "-n", MONITOR, "link", "set", "lo", "up"])?;
    external::run(&["ip", "-n", MONITOR, "link", "set", "eth0", "up"])?;
    external::run(&["ip", "link", "set", &tap, "up"])?;
    external::run(&[
        "ip", "-n", MONITOR, "route", "add", "default", "via", &gateway,
    ])?;
    Ok(())
}

/// A regular expression of the addresses that Neutron gives out of an external network.
fn floating(network: &ExternalNetwork) -> String {
    // a pool is within one /25, so its addresses differ in the last number alone
    let [first, last] = <[Ipv4Addr; 2]>::from(network.pool()).map(|address| address.octets());
    let [a, b, c, _] = first;
    let numbers: Vec<_> = (first[3]..=last[3])
        .map(|number| number.to_string())
        .collect();
    format!(r"{a}\.{b}\.{c}\.({})", numbers.join("|"))
}

/// Prometheus' configuration; JSON is YAML.
fn configuration(floating: &str) -> Value {
    json!({
        "global": { "scrape_interval": "3s", "scrape_timeout": "2s" },
        "scrape_configs": [{
            "job_name": "blades",
            "openstack_sd_configs": [{
                "role": "instance",
                "region": "RegionOne",
                "identity_endpoint": "http://127.0.0.1:5000/v3",
                "username": "admin",
                "password": PASSWORD,
                "domain_name": "Default",
                "project_name": "admin",
                "all_tenants": true,
                "port": 9100,
                "refresh_interval": "5s",
            }],
            "relabel_configs": [
                // only servers that say they have the probe, on the network they say it is asked on
                {
                    "source_labels": ["__meta_openstack_tag_mkys_probe_node"],
                    "regex": "9100",
                    "action": "keep",
                },
                {
                    "source_labels": ["__meta_openstack_address_pool"],
                    "target_label": "__meta_openstack_tag_mkys_probe_pool",
                    "action": "keepequal",
                },
                // a server's floating IPs are listed beside its own addresses
                {
                    "source_labels": ["__meta_openstack_private_ip"],
                    "regex": floating,
                    "action": "drop",
                },
                { "source_labels": ["__meta_openstack_tag_mkys_blade"], "target_label": "blade" },
                { "source_labels": ["__meta_openstack_tag_mkys_server"], "target_label": "server" },
            ],
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_labs_floating_addresses_are_no_targets_wherever_they_are() {
        let settings = Settings::new(Some("203.0.113.128/25".into()), None).unwrap();
        let monitor = Monitor::new(Path::new("/nowhere"), &settings);
        let configuration = configuration(&monitor.floating);
        let rules = &configuration["scrape_configs"][0]["relabel_configs"];
        let dropped = rules[2]["regex"].as_str().unwrap();
        let numbers = |from: u8| {
            let numbers: Vec<_> = (from..from + 100).map(|one| one.to_string()).collect();
            numbers.join("|")
        };
        let (users, devops) = (numbers(148), numbers(148));
        let expected = format!(r"203\.0\.113\.({users})|198\.51\.100\.({devops})");
        assert_eq!(dropped, expected);
    }
}
