//! What the cloud offers from the start: external networks, flavors, a volume type, the guest image. Bears being run again.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::cloud::{Api, Cloud, text};
use super::{Error, identity};
use crate::place;
use crate::settings::{ExternalNetwork, Settings};

/// The image property that says which file was uploaded.
const VERSION: &str = "lab_file";

/// The two external networks with their pools.
pub(crate) fn external_networks(settings: &Settings) -> Result<(), Error> {
    let cloud = Cloud::sign_in_once()?;
    settings
        .external()
        .into_iter()
        .try_for_each(|network| external_network(&cloud, network))
}

fn external_network(cloud: &Cloud, network: &ExternalNetwork) -> Result<(), Error> {
    let name = network.name();
    let list = format!("/networks?name={name}");
    let id = match cloud.find(Api::Network, &list, "networks", name)? {
        Some(found) => text(&found["id"]),
        None => {
            let body = json!({"network": {"name": name, "router:external": true, "shared": false,
                "provider:network_type": "flat", "provider:physical_network": name}});
            text(&cloud.post(Api::Network, "/networks", &body)?["network"]["id"])
        }
    };
    let pool = format!("{name}-pool");
    if cloud
        .find(
            Api::Network,
            &format!("/subnets?name={pool}"),
            "subnets",
            &pool,
        )?
        .is_some()
    {
        return Ok(());
    }
    let (start, end) = network.pool();
    let body = json!({"subnet": {"name": pool, "network_id": id, "ip_version": 4, "enable_dhcp": false,
        "cidr": network.range().to_string(), "gateway_ip": network.outside().to_string(),
        "allocation_pools": [{"start": start.to_string(), "end": end.to_string()}]}});
    cloud.post(Api::Network, "/subnets", &body).map(drop)
}

/// Sizes of servers.
pub(crate) fn flavors() -> Result<(), Error> {
    let cloud = Cloud::sign_in_once()?;
    for flavor in identity::contents()?.flavors {
        if cloud
            .find(Api::Compute, "/flavors", "flavors", &flavor.name)?
            .is_none()
        {
            let body = json!({"flavor": {"name": flavor.name, "ram": flavor.ram_mib,
                "disk": flavor.disk_gib, "vcpus": flavor.vcpus}});
            cloud.post(Api::Compute, "/flavors", &body)?;
        }
    }
    Ok(())
}

/// The type that a volume has when nobody says otherwise.
pub(crate) fn volume_type() -> Result<(), Error> {
    const NAME: &str = "nfs";
    let cloud = Cloud::sign_in_once()?;
    if cloud
        .find(Api::Volume, "/types", "volume_types", NAME)?
        .is_none()
    {
        let body =
            json!({"volume_type": {"name": NAME, "extra_specs": {"volume_backend_name": NAME}}});
        cloud.post(Api::Volume, "/types", &body)?;
    }
    Ok(())
}

/// Hands the guest image to Glance; one whose upload was cut short, or of another version, is made anew.
pub(crate) fn image(file: &Path) -> Result<(), Error> {
    let cloud = Cloud::sign_in_once()?;
    let name = place::IMAGE;
    let version = fs::read_link(file)
        .map(|target| target.display().to_string())
        .unwrap_or_default();
    let list = format!("/images?name={name}");
    if let Some(found) = cloud.find(Api::Image, &list, "images", name)? {
        if found["status"] == "active" && found[VERSION] == version.as_str() {
            return Ok(());
        }
        cloud.delete(Api::Image, &format!("/images/{}", text(&found["id"])))?;
    }
    let body = json!({"name": name, "disk_format": "raw", "container_format": "bare",
        "visibility": "public", "min_disk": 1, "min_ram": 128, "alias": "tiny", VERSION: version, "os_type": "linux",
        "hw_disk_bus": "virtio", "hw_vif_model": "virtio"});
    let id = text(&cloud.post(Api::Image, "/images", &body)?["id"]);
    let content = fs::read(file).map_err(Error::io(format!("read {}", file.display())))?;
    cloud
        .upload(Api::Image, &format!("/images/{id}/file"), &content)
        .map(drop)
}
