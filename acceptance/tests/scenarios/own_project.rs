//! A blade's administrator builds within the project that was granted, and needs no rights beyond.

use serde_json::json;

use crate::world::cloud::text;
use crate::world::stage::flat;
use crate::world::{Api, Apply, Cloud, Stage, wait};

/// Carol's alone: other stories take people out of their groups, and Keystone then revokes each token of theirs, those of the trusts
/// by which Heat works for them as well.
#[test]
fn carol_builds_a_blade_in_her_own_project() {
    let mut stage = Stage::new("carol", 1);
    let name = stage.project("project");
    let project = stage.cloud.make_project(&name, &[]);
    let user = &stage.cloud.named("users", "carol")[0];
    stage.cloud.grant("users", user, &project);
    let carol = Cloud::as_user("carol", &project);
    let blade = "resource \"mkys_blade\" \"this\" {
           name     = \"pnr\"
           networks = { front = { cidr = \"10.63.1.0/24\" } }
         }";
    stage.write(blade);

    // this Keystone lets no application credential make the trust that Heat needs: said at plan
    let credential = carol.credential(&name, true);
    stage.clouds(&credential);
    let ended = stage.run(&["plan", "-no-color"]);
    let said = flat(&ended.said);
    assert_eq!(ended.code, 1, "{said}");
    for word in ["application credential", "on this cloud", "password"] {
        assert!(said.contains(word), "{word:?}: {said}");
    }
    carol.forget_credential(&credential);

    stage.clouds(&json!({ "region_name": "RegionOne", "auth": {
        "auth_url": "http://127.0.0.1:5000/v3", "username": "carol", "password": "secret",
        "project_id": project, "user_domain_id": "default",
    } }));
    let inside = stage.cloud.within(&project);
    let stacks = || inside.list(Api::Heat, "/stacks", "stacks");

    // killed while Heat makes it: no state knows of it, and the next creation goes on with it
    let mut apply = Apply::start(&stage);
    let begun = apply.makes("the stack", || stacks().pop());
    apply.kill();
    stage.forget_state();
    stage.apply();
    stage.settled();
    let state = stage.state("mkys_blade.this");
    assert_eq!(text(&state["project_id"]), project);
    assert_eq!(state["stack_id"], begun["id"]);
    assert_eq!(stacks()[0]["stack_name"], "pnr");

    let said = stage.apply_fails_without_state();
    assert!(said.contains("Blade pnr exists"), "{said}");

    let file = stage.folder.join("work/terraform.tfstate");
    let known = std::fs::read(&file).unwrap();
    stage.destroy();
    // Heat says that a stack is deleted a moment before its list does
    wait::until("no stack", 10, || stacks().is_empty().then_some(()));
    // the project was there before, so it stays
    assert_eq!(stage.cloud.projects(&name), [&*project]);
    let networks = format!("/networks?project_id={project}");
    assert_eq!(
        inside.list(Api::Network, &networks, "networks"),
        [json!(null); 0]
    );

    // a state that knows a stack which is gone: another that has its name stands whatever is asked for
    std::fs::write(&file, known).unwrap();
    let theirs = json!({ "stack_name": "pnr", "template": { "heat_template_version": "2018-08-31",
        "resources": { "theirs": { "type": "OS::Heat::RandomString" } } } });
    let theirs = inside.post(Api::Heat, "/stacks", &theirs)["stack"]["id"].clone();
    let untouched = || {
        let stands = wait::until("their stack", 30, || {
            stacks()
                .pop()
                .filter(|one| one["stack_status"] != "CREATE_IN_PROGRESS")
        });
        assert_eq!(
            (&stands["id"], &stands["updated_time"]),
            (&theirs, &json!(null))
        );
    };
    untouched();
    let left = format!("Stack {}, which has the name \"pnr\" now", text(&theirs));
    for (arguments, code, words) in [
        (
            &["plan"][..],
            1,
            "A stack named pnr exists, and it is not a blade's",
        ),
        (
            &["apply", "-auto-approve", "-refresh=false"],
            1,
            "Nothing was changed",
        ),
        (&["destroy", "-auto-approve", "-refresh=false"], 0, &*left),
    ] {
        let more = blade.replace("networks = {", "description = \"more\"\n networks = {");
        stage.write(&more);
        let arguments: Vec<_> = arguments.iter().copied().chain(["-no-color"]).collect();
        let ended = stage.run(&arguments);
        let said = flat(&ended.said);
        assert_eq!(ended.code, code, "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}, {words:?}: {said}");
        untouched();
    }
}
