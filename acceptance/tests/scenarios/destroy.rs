//! A destroy takes nothing away that the blade did not make.

use serde_json::json;

use crate::life_cycle::{bare, is_gone};
use crate::world::cloud::text;
use crate::world::stage::flat;
use crate::world::{Api, Stage, wait};

#[test]
fn a_destroy_refuses_while_something_else_lives_in_the_project() {
    let mut stage = Stage::new("theirs", 0);
    let name = stage.project("a");
    stage.write(&bare(&name));
    stage.apply();
    let state = stage.state("mkys_blade.this");
    let inside = stage.cloud.within(&text(&state["project_id"]));
    let network = json!({ "network": { "name": "a-network-of-theirs" } });
    let network = text(&inside.post(Api::Network, "/networks", &network)["network"]["id"]);
    let image =
        json!({ "name": "an-image-of-theirs", "disk_format": "raw", "container_format": "bare" });
    let image = text(&inside.post(Api::Image, "/images", &image)["id"]);
    // without a name
    let volume = json!({ "volume": { "size": 1 } });
    let volume = text(&inside.post(Api::Volume, "/volumes", &volume)["volume"]["id"]);

    let ended = stage.run(&["destroy", "-no-color", "-auto-approve"]);
    assert_eq!(ended.code, 1, "{}", ended.said);
    let said = flat(&ended.said);
    for word in [
        "is not destroyed",
        "a-network-of-theirs",
        &network,
        "an-image-of-theirs",
        &image,
        &format!("volume ({volume})"),
        "Nothing was deleted",
    ] {
        assert!(said.contains(word), "{word:?}: {said}");
    }
    // not even what is the blade's own
    let stack = format!("/stacks/{name}/{}", text(&state["stack_id"]));
    assert_eq!(
        inside.get(Api::Heat, &stack)["stack"]["stack_status"],
        "CREATE_COMPLETE"
    );
    stage.settled();

    inside.delete(Api::Network, &format!("/networks/{network}"));
    inside.delete(Api::Image, &format!("/images/{image}"));
    let volume = format!("/volumes/{volume}");
    wait::until("the volume's end", 30, || {
        // Cinder takes none away that it still makes
        let _ = inside.ask("DELETE", Api::Volume, &volume, None);
        inside.ask("GET", Api::Volume, &volume, None).err()
    });
    // another project has given the blade's group a role: the group stays for it
    let other = stage.project("b");
    let project = stage.cloud.make_project(&other, &[]);
    let group = stage.cloud.named("groups", &format!("{name}-admin"))[0].clone();
    stage.cloud.grant("groups", &group, &project);
    let ended = stage.run(&["destroy", "-no-color", "-auto-approve"]);
    let said = flat(&ended.said);
    assert_eq!(ended.code, 0, "{said}");
    for word in [
        format!("Group \"{name}-admin\" was not deleted"),
        format!("project {other:?} ({project})"),
    ] {
        assert!(said.contains(&word), "{word:?}: {said}");
    }
    let path = format!("/role_assignments?group.id={group}");
    let left = stage.cloud.list(Api::Identity, &path, "role_assignments");
    assert_eq!(left.len(), 1, "{left:?}");
    stage
        .cloud
        .delete(Api::Identity, &format!("/groups/{group}"));
    is_gone(&stage, &name);
}
