//! A cloud and an edge behind TLS, whose authority nothing but the configuration's files names.

use crate::bad_input::refuses;
use crate::bad_route::route;
use crate::life_cycle::{bare, is_gone};
use crate::world::Stage;
use crate::world::cloud;
use crate::world::edge::Beside;
use crate::world::tls::Front;

/// Has the CLI find the lab's cloud at another address.
fn clouds(stage: &mut Stage, url: &str, authority: Option<&str>) {
    let mut settings = cloud::settings();
    settings["auth"]["auth_url"] = format!("{url}/v3").into();
    if let Some(file) = authority {
        settings["cacert"] = file.into();
    }
    stage.clouds(&settings);
}

#[test]
fn a_cloud_and_an_edge_are_trusted_by_the_authority_that_their_files_name() {
    let mut stage = Stage::new("tls", 1);
    let name = stage.project("a");
    let edge = Beside::start(&stage);
    let api = edge.url();
    let fronts = [
        Front::before("127.0.0.1:5000"),
        Front::before(api.trim_start_matches("http://")),
    ];
    let [keystone, api] = &fronts;
    let file = |name: &str, text: &str| stage.write_file(name, text).display().to_string();
    let authority = file("keystone.pem", keystone.authority());
    let other = file("edge.pem", api.authority());
    let no_pem = file("no.pem", "-----BEGIN CERTIFICATE-----\nx\n");

    let provider = |ca_file: &str| {
        format!(
            "cloud = \"lab\"\nedge = {{ url = \"{}\", token = \"{}\", {ca_file} }}",
            api.url(),
            edge.requester
        )
    };
    let trusting = provider(&format!("ca_file = \"{other}\""));
    let blade = bare(&name);
    stage.write_with(&trusting, &blade);

    let address = keystone.url();
    let unknown = ["invalid peer certificate", "`cacert`", &*address];
    clouds(&mut stage, &address, None);
    refuses(&stage, "an authority that nobody named", &unknown);
    clouds(&mut stage, &address, Some(&other));
    refuses(&stage, "another authority", &unknown);
    let missing = "/nowhere/ca.pem";
    clouds(&mut stage, &address, Some(missing));
    let words = [missing, "No such file"];
    refuses(&stage, "an authority's file that is not there", &words);
    clouds(&mut stage, &address, Some(&no_pem));
    refuses(&stage, "an authority's file that is none", &[&no_pem]);

    clouds(&mut stage, &address, Some(&authority));
    let route = format!("{blade}\n{}", route("tls.mkys.test", "198.51.100.50:80"));
    for ca_file in ["", &format!("ca_file = \"{authority}\"")] {
        stage.write_with(&provider(ca_file), &route);
        let words = ["invalid peer certificate", "`edge.ca_file`", &*api.url()];
        refuses(&stage, "an edge's authority that nobody named", &words);
    }
    for ca_file in [missing, &no_pem] {
        stage.write_with(&provider(&format!("ca_file = \"{ca_file}\"")), &route);
        refuses(
            &stage,
            "an edge's file that is none",
            &[ca_file, "ca_file ="],
        );
    }

    stage.write_with(&trusting, &route);
    stage.apply();
    stage.settled();
    stage.destroy();
    is_gone(&stage, &name);
}
