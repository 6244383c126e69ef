//! One blade has one owner: two runs that make it, a replacement, a credential of another project.

use mkys_acceptance::lab::Lab;
use serde_json::json;

use crate::life_cycle::{bare, is_gone};
use crate::world::cloud::text;
use crate::world::stage::flat;
use crate::world::{Api, Apply, Stage};

#[test]
fn of_two_runs_one_makes_the_blade() {
    let mut stage = Stage::new("twins", 0);
    let other = Stage::new("twinz", 1);
    let name = stage.project("a");
    stage.write(&bare(&name));
    other.write(&bare(&name));
    let mut apply = Apply::start(&stage);
    apply.makes("the project", || stage.cloud.projects(&name).pop());
    let said = other.apply_fails();
    assert!(said.contains("another run's"), "{said}");
    assert!(apply.end().success());
    assert!(other.state("mkys_blade.this").is_null());
    stage.settled();
    stage.destroy();
    is_gone(&stage, &name);
}

#[test]
fn blade_is_replaced_on_purpose() {
    let mut stage = Stage::new("swap", 1);
    let name = stage.project("a");
    stage.write(&bare(&name));
    stage.apply();
    let before = stage.state("mkys_blade.this")["stack_id"].clone();
    let ended = stage.run(&[
        "apply",
        "-no-color",
        "-auto-approve",
        "-replace=mkys_blade.this",
    ]);
    assert_eq!(ended.code, 0, "{}", ended.said);
    stage.settled();
    assert_ne!(stage.state("mkys_blade.this")["stack_id"], before);
    stage.destroy();
    is_gone(&stage, &name);
}

#[test]
fn credential_of_another_project_forgets_nothing() {
    let mut stage = Stage::new("elsewhere", 0);
    let (one, two) = (stage.project("one"), stage.project("two"));
    let project = |name: &str| {
        let id = stage.cloud.make_project(name, &[]);
        stage.cloud.grant("users", &stage.cloud.user, &id);
        id
    };
    let (one, two) = (project(&one), project(&two));
    let settings = |project: &str| {
        json!({ "region_name": "RegionOne", "auth": {
            "auth_url": "http://127.0.0.1:5000/v3", "username": "admin", "password": "secret",
            "project_id": project, "user_domain_id": "default",
        } })
    };
    stage.clouds(&settings(&one));
    stage.write("resource \"mkys_blade\" \"this\" {\n  name = \"pnr\"\n  networks = { front = { cidr = \"10.69.1.0/24\" } }\n}");
    stage.apply();
    stage.clouds(&settings(&two));
    for words in [
        ["plan", "-no-color"].as_slice(),
        &["destroy", "-no-color", "-auto-approve"],
        &["destroy", "-no-color", "-auto-approve", "-refresh=false"],
    ] {
        let ended = stage.run(words);
        let said = flat(&ended.said);
        assert_eq!(ended.code, 1, "{words:?}: {said}");
        for word in ["Blade pnr is in another project", &one, &two] {
            assert!(said.contains(word), "{words:?}: {word}: {said}");
        }
    }
    let inside = stage.cloud.within(&one);
    assert_eq!(
        text(&inside.list(Api::Heat, "/stacks", "stacks")[0]["stack_name"]),
        "pnr"
    );
    stage.clouds(&settings(&one));
    stage.destroy();
}

#[test]
fn link_outlives_its_replacement_and_strange_credentials() {
    let mut stage = Stage::new("joined", 1);
    let (one, two) = (stage.project("one"), stage.project("two"));
    let other = stage.project("other");
    let blade = |label: &str, name: &str, cidr: &str| {
        format!(
            "resource \"mkys_blade\" \"{label}\" {{
               name     = \"{name}\"
               project  = {{ group = \"{name}-admin\" }}
               networks = {{ core = {{ cidr = \"{cidr}\" }} }}
             }}\n"
        )
    };
    let link = "resource \"mkys_backplane_link\" \"this\" {
                  blade     = mkys_blade.one
                  backplane = mkys_blade.two
                  network   = \"core\"
                  lifecycle { create_before_destroy = true }
                }";
    let blades = blade("one", &one, "10.72.1.0/24") + &blade("two", &two, "10.73.1.0/24");
    stage.write(&(blades + link));
    stage.apply();
    let replace = [
        "apply",
        "-no-color",
        "-auto-approve",
        "-replace=mkys_backplane_link.this",
    ];
    let ended = stage.run(&replace);
    assert_eq!(ended.code, 0, "{}", ended.said);
    let stands = |stage: &Stage| {
        let port = text(&stage.state("mkys_backplane_link.this")["id"]);
        let port = stage.cloud.get(Api::Network, &format!("/ports/{port}"));
        assert_eq!(port["port"]["device_owner"], "network:router_interface");
        stage.settled();
    };
    stands(&stage);

    // a member of another project sees neither end
    let project = stage.cloud.make_project(&other, &[]);
    let alice = stage.cloud.named("users", "alice").remove(0);
    stage.cloud.grant("users", &alice, &project);
    let mut settings = crate::world::cloud::settings();
    settings["auth"]["username"] = json!("alice");
    settings["auth"]["project_name"] = json!(other);
    let lab = Lab::from_environment().unwrap().place.clouds_yaml();
    stage.clouds(&settings);
    let target = "-target=mkys_backplane_link.this";
    let destroy = ["destroy", "-no-color", "-auto-approve", target];
    let blind = [&destroy[..], &["-refresh=false"]].concat();
    for words in [&["plan", "-no-color", target][..], &destroy, &blind] {
        let ended = stage.run(words);
        assert_eq!(ended.code, 1, "{words:?}: {}", ended.said);
    }
    stage.set("OS_CLIENT_CONFIG_FILE", &lab.display().to_string());
    stands(&stage);
    stage.destroy();
}
