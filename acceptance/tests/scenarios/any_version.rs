//! Any version can be applied: after an interruption, an import, and without the names that the standing one was made with.

use serde_json::{Value, json};

use crate::life_cycle::is_gone;
use crate::world::cloud::text;
use crate::world::{Api, Apply, Cloud, Stage};

fn blade(name: &str, edition: &str, image: &str, description: &str) -> String {
    format!(
        "resource \"mkys_blade\" \"this\" {{
           name        = \"{name}\"
           description = \"{description}\"
           project     = {{ group = \"{name}-admin\" }}
           networks    = {{ front = {{ cidr = \"10.68.1.0/24\" }} }}
           servers     = {{
             web = {{
               image     = \"{image}\"
               flavor    = \"tiny\"
               networks  = [\"front\"]
               user_data = \"#!/bin/sh\\nmkdir -p /www; echo {edition} >/www/index.html\\n\"
               ready     = {{ http = \":80/\", within = \"2m\" }}
             }}
           }}
           services = {{ site = {{ server = \"web\", port = 80, audiences = [\"users\"] }} }}
         }}"
    )
}

fn servers(inside: &Cloud) -> Vec<String> {
    let all = inside.list(Api::Compute, "/servers", "servers");
    all.iter().map(|one| text(&one["id"])).collect()
}

/// Starts an apply and breaks in on it once the new server is there.
fn cut_off(stage: &Stage, inside: &Cloud, signal: &str) {
    let before = servers(inside);
    let mut apply = Apply::start(stage);
    apply.makes("the new server", || {
        servers(inside).into_iter().find(|id| !before.contains(id))
    });
    apply.signal(signal);
    if signal == "-KILL" {
        apply.kill();
        let _ = std::fs::remove_file(stage.folder.join("work/.terraform.tfstate.lock.info"));
    } else {
        assert!(!apply.end().success());
    }
}

/// A copy of the guest's image under a name of the story's own.
fn own_image(cloud: &Cloud, name: &str) -> String {
    let found = cloud
        .list(Api::Image, "/images?name=mkys-tiny", "images")
        .remove(0);
    let body = json!({ "name": name, "disk_format": found["disk_format"], "container_format": found["container_format"],
        "visibility": "public" });
    let made = cloud.post(Api::Image, "/images", &body);
    let id = text(&made["id"]);
    let location = text(&found["id"]);
    cloud.copy_image(&location, &id);
    id
}

#[test]
fn any_version_follows_a_cut_off_one_or_an_import() {
    let mut stage = Stage::new("any", 0);
    let name = stage.project("a");
    let image = format!("{}-image", stage.name());
    let image_id = own_image(&stage.cloud, &image);
    let write = |stage: &Stage, edition: &str, description: &str| {
        stage.write(&blade(&name, edition, &image, description));
    };
    write(&stage, "one", "x");
    stage.apply();
    let inside = stage
        .cloud
        .within(&text(&stage.state("mkys_blade.this")["project_id"]));
    let id = |stage: &Stage| stage.state("mkys_blade.this")["server_ids"]["web"].clone();
    let first = id(&stage);

    // Ctrl-C, and back to the version that serves
    write(&stage, "two", "x");
    cut_off(&stage, &inside, "-INT");
    assert_eq!(id(&stage), first, "the state names what does not serve");
    write(&stage, "one", "x");
    let plan = stage.plan_changes();
    assert!(
        plan.contains("Heat is still at work") || plan.contains("an update that was cut off left"),
        "{plan}"
    );
    stage.apply();
    stage.settled();
    assert_eq!(servers(&inside), [text(&first)]);

    // a kill, and on to a third version
    write(&stage, "two", "x");
    cut_off(&stage, &inside, "-KILL");
    write(&stage, "three", "x");
    stage.apply();
    stage.settled();
    let third = id(&stage);
    assert_ne!(third, first);
    assert_eq!(servers(&inside), [text(&third)]);

    // an import, and then an ordinary update
    stage.forget_state();
    let ended = stage.run(&["import", "-no-color", "mkys_blade.this", &name]);
    assert_eq!(ended.code, 0, "{}", ended.said);
    stage.settled();
    write(&stage, "four", "x");
    stage.apply();
    stage.settled();
    let fourth = id(&stage);

    // the image has another name: what was made with it changes and ends all the same, what is new is refused
    let rename = json!([{ "op": "replace", "path": "/name", "value": format!("{image}-old") }]);
    stage.cloud.patch_image(&image_id, &rename);
    write(&stage, "four", "y");
    stage.apply();
    stage.settled();
    assert_eq!(id(&stage), fourth);
    write(&stage, "five", "y");
    let ended = stage.run(&["plan", "-no-color"]);
    assert_eq!(ended.code, 1, "{}", ended.said);
    assert!(ended.said.contains("Unknown image"), "{}", ended.said);
    write(&stage, "four", "y");

    // no Nova action that a person knows is overlooked
    let server = text(&fourth);
    let states: [(&str, Value, &str); 2] = [
        ("pause", Value::Null, "is paused"),
        ("suspend", Value::Null, "is suspended"),
    ];
    for (action, body, said) in states {
        inside.post(
            Api::Compute,
            &format!("/servers/{server}/action"),
            &json!({ action: body }),
        );
        crate::world::wait::until(said, 30, || {
            let plan = stage.run(&["plan", "-no-color", "-detailed-exitcode"]);
            (plan.code == 2 && plan.said.contains(said)).then_some(())
        });
        stage.apply();
        stage.settled();
        let status = inside.get(Api::Compute, &format!("/servers/{server}"));
        assert_eq!(status["server"]["status"], "ACTIVE", "{action}");
    }
    stage.destroy();
    is_gone(&stage, &name);
    stage
        .cloud
        .delete(Api::Image, &format!("/images/{image_id}"));
}
