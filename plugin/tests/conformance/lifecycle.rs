//! A thing is made, left alone, changed in place, replaced, lost, imported, taken away.

use serde_json::json;

use crate::cli::{Folder, clis};

/// One server and what the plan of it depends on.
fn thing(name: &str, text: &str, rest: &str) -> String {
    format!(
        "resource \"probe_everything\" \"a\" {{\n name = {name:?}\n text = {text:?}\n {rest}\n}}\n"
    )
}

const WEB: &str =
    "servers = { web = { image = \"one\" } }\n rules = [{ port = 80 }]\n settings = {}";

#[tokio::test]
async fn a_second_plan_is_empty_and_an_update_touches_only_what_changed() {
    for cli in clis() {
        let folder = Folder::new(&cli);
        folder.configure(&thing("a", "hello", WEB));
        folder.apply().await.expect_code(0);
        folder.expect_empty_plan().await;

        folder.configure(&thing("a", "changed", WEB));
        let change = folder.plan().await;
        assert_eq!(change["actions"], json!(["update"]), "{change:#}");
        let unknown = &change["after_unknown"];
        assert_eq!(unknown["serial"], json!(true), "{unknown:#}");
        assert_eq!(unknown["rules"][0]["id"], json!(true), "{unknown:#}");
        assert_eq!(unknown.get("id"), None, "an id stays: {unknown:#}");
        assert_eq!(
            unknown.get("region"),
            None,
            "what is said to stay stays: {unknown:#}"
        );
        assert_eq!(
            change["after"]["servers"]["web"]["address"],
            json!("web.a.example"),
            "{change:#}"
        );
        assert_eq!(
            change["after"]["settings"]["mode"],
            json!("fast"),
            "{change:#}"
        );

        folder.apply().await.expect_code(0);
        folder.expect_empty_plan().await;
        let state = folder.state("probe_everything.a").await.unwrap();
        // The count is in private state: it went through plan and apply.
        assert_eq!(state["values"]["serial"], json!(2), "{state:#}");

        folder.destroy().await.expect_code(0);
        assert!(!folder.kept("everything-a").exists());
    }
}

#[tokio::test]
async fn replacing_is_planned_with_its_reason() {
    let red = format!("{WEB}\n colour = \"red\"");
    let zone = WEB.replace("image = \"one\"", "image = \"one\", zone = \"zone-b\"");
    let second = WEB.replace(
        "web = {",
        "db = { image = \"two\", zone = \"zone-c\" }, web = {",
    );
    let table = [
        ("name", thing("b", "hello", WEB), Some(json!([["name"]]))),
        (
            "the resource's own refinement",
            thing("a", "replace", WEB),
            Some(json!([["text"]])),
        ),
        ("a condition", thing("a", "hello", &red), None),
        (
            "within an element",
            thing("a", "hello", &zone),
            Some(json!([["servers", "web", "zone"]])),
        ),
        (
            "a new element replaces nothing",
            thing("a", "hello", &second),
            None,
        ),
    ];
    for cli in clis() {
        let folder = Folder::new(&cli);
        folder.configure(&thing("a", "hello", WEB));
        folder.apply().await.expect_code(0);
        for (what, config, paths) in &table {
            folder.configure(config);
            let change = folder.plan().await;
            let replaced = json!(["delete", "create"]);
            let expected = if paths.is_some() {
                replaced
            } else {
                json!(["update"])
            };
            assert_eq!(change["actions"], expected, "{what}: {change:#}");
            if let Some(paths) = paths {
                assert_eq!(change["replace_paths"], *paths, "{what}");
            }
        }
        folder.configure(&thing("b", "hello", WEB));
        folder.apply().await.expect_code(0);
        folder.expect_empty_plan().await;
        assert!(!folder.kept("everything-a").exists() && folder.kept("everything-b").exists());

        // From no colour to red is no replacement, from one to red is.
        folder.configure(&thing("b", "hello", &format!("{WEB}\n colour = \"blue\"")));
        folder.apply().await.expect_code(0);
        folder.configure(&thing("b", "hello", &red));
        assert_eq!(folder.plan().await["replace_paths"], json!([["colour"]]));
    }
}

#[tokio::test]
async fn what_was_lost_outside_is_made_again() {
    for cli in clis() {
        let folder = Folder::new(&cli);
        folder.configure(&thing("a", "hello", WEB));
        folder.apply().await.expect_code(0);
        std::fs::remove_file(folder.kept("everything-a")).unwrap();
        assert_eq!(folder.plan().await["actions"], json!(["create"]));
        folder.apply().await.expect_code(0);
        folder.expect_empty_plan().await;

        // And what was changed outside is changed back.
        let kept = std::fs::read_to_string(folder.kept("everything-a")).unwrap();
        std::fs::write(
            folder.kept("everything-a"),
            kept.replace("hello", "tampered"),
        )
        .unwrap();
        let change = folder.plan().await;
        assert_eq!(change["before"]["text"], json!("tampered"), "{change:#}");
        folder.apply().await.expect_code(0);
        folder.expect_empty_plan().await;
    }
}

#[tokio::test]
async fn the_plan_after_an_import_is_empty() {
    for cli in clis() {
        let folder = Folder::new(&cli);
        folder.configure(&thing("a", "hello", WEB));
        folder.apply().await.expect_code(0);

        std::fs::remove_file(folder.path("terraform.tfstate")).unwrap();
        let import = ["import", "-no-color", "-input=false", "probe_everything.a"];
        folder
            .run(&[&import[..], &["everything-a"]].concat())
            .await
            .expect_code(0);
        folder.expect_empty_plan().await;

        std::fs::remove_file(folder.path("terraform.tfstate")).unwrap();
        let wrong = folder.run(&[&import[..], &["everything-z"]].concat()).await;
        wrong
            .expect_code(1)
            .expect_text("nothing to import by that id");

        // By identity, with the CLIs that know it.
        if folder.is_at_least(12).await {
            let block = "import {\n to = probe_everything.a\n identity = { name = \"a\" }\n}\n";
            folder.configure(&format!("{block}{}", thing("a", "hello", WEB)));
            folder
                .apply()
                .await
                .expect_code(0)
                .expect_text("1 imported, 0 added, 0 changed");
            folder.expect_empty_plan().await;
        }
    }
}

#[tokio::test]
async fn old_state_is_upgraded_and_newer_state_refused() {
    for cli in clis() {
        let folder = Folder::new(&cli);
        folder.configure("resource \"probe_upgraded\" \"a\" {\n name = \"old\"\n}\n");
        folder.apply().await.expect_code(0);
        let file = folder.path("terraform.tfstate");
        let rewrite = |version: i64, attributes: serde_json::Value| {
            let text = std::fs::read(&file).unwrap();
            let mut state: serde_json::Value = serde_json::from_slice(&text).unwrap();
            let instance = &mut state["resources"][0]["instances"][0];
            instance["schema_version"] = version.into();
            instance["attributes"] = attributes;
            std::fs::write(&file, state.to_string()).unwrap();
        };
        rewrite(0, json!({ "title": "old", "forgotten": true }));
        folder.expect_empty_plan().await;
        // An attribute that an older provider of the same version didn't know is null.
        rewrite(1, json!({ "name": "old", "forgotten": true }));
        assert_eq!(folder.plan().await["actions"], json!(["update"]));
        rewrite(9, json!({ "name": "old", "size": 1 }));
        folder
            .apply()
            .await
            .expect_code(1)
            .expect_text("newer provider version");
        rewrite(0, json!({ "title": "old" }));
        folder.destroy().await.expect_code(0);
    }
}
