//! Members of a blade's group: of other domains, and under names that Keystone holds for equal.

use serde_json::json;

use crate::life_cycle::{bare, is_gone};
use crate::world::cloud::text;
use crate::world::{Api, Stage};

#[test]
fn members_are_compared_by_id() {
    let mut stage = Stage::new("members", 0);
    let name = stage.project("a");
    let domain_name = format!("{}domain", stage.name());
    let body = json!({ "domain": { "name": domain_name } });
    let domain = text(&stage.cloud.post(Api::Identity, "/domains", &body)["domain"]["id"]);
    let body = json!({ "user": { "name": "zoe", "domain_id": domain } });
    let zoe = text(&stage.cloud.post(Api::Identity, "/users", &body)["user"]["id"]);
    let alice = stage.cloud.named("users", "alice").remove(0);
    let group = || {
        stage
            .cloud
            .named("groups", &format!("{name}-admin"))
            .remove(0)
    };
    let members = || {
        let path = format!("/groups/{}/users", group());
        let users = stage.cloud.list(Api::Identity, &path, "users");
        let mut ids: Vec<_> = users.iter().map(|user| text(&user["id"])).collect();
        ids.sort();
        ids
    };
    let write = |users: &str| {
        let users = format!("users = [{users}]");
        stage.write(&bare(&name).replace("users = [\"alice\"]", &users));
    };
    let mut both = vec![alice, zoe.clone()];
    both.sort();

    write(&format!("\"alice\", \"zoe@{domain_name}\""));
    stage.apply();
    stage.settled();
    assert_eq!(members(), both);
    // Keystone finds both by these as well, and nobody leaves the group for it
    let before = group();
    write(&format!("\"ALICE\", \"{zoe}\""));
    stage.apply();
    stage.settled();
    assert_eq!(members(), both);
    let capital = format!("{}-ADMIN", name);
    let text = bare(&name).replace(&format!("\"{name}-admin\""), &format!("\"{capital}\""));
    let users = format!("users = [\"alice\", \"zoe@{domain_name}\"]");
    stage.write(&text.replace("users = [\"alice\"]", &users));
    stage.apply();
    stage.settled();
    assert_eq!(group(), before, "the group is another one");
    assert_eq!(members(), both);

    write("\"alice\", \"zoe@no-such-domain\"");
    let ended = stage.run(&["plan", "-no-color"]);
    assert_eq!(ended.code, 1, "{}", ended.said);
    assert!(ended.said.contains("Unknown user"), "{}", ended.said);
    write("\"alice\"");
    stage.destroy();
    is_gone(&stage, &name);
    let path = format!("/domains/{domain}");
    let off = json!({ "domain": { "enabled": false } });
    stage.cloud.patch(Api::Identity, &path, &off);
    stage.cloud.delete(Api::Identity, &path);
}
