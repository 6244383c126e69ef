//! What goes wrong is told with its place, and what exists by then is kept.

use serde_json::json;

use crate::cli::{Folder, clis};

const HEAD_LINES: u64 = 8;

#[tokio::test]
async fn validation_names_the_line() {
    // The line within the configuration, the summary, and a part of the detail. Of what is nested the CLI shows no line, so the
    // text must say where it is.
    let web = |image: &str, size: u8| {
        format!(
            "name = \"a\"\n  servers = {{\n    web = {{ image = {image:?}, size = {size} }}\n  }}\n"
        )
    };
    let table = [
        (
            "name = \"a\"\n  whole = 1.5\n".to_owned(),
            3,
            "Invalid value for whole",
            "1.5 is not",
        ),
        (
            web("x", 0),
            3,
            "Invalid value for size",
            "At servers[\"web\"].size: 0 is too small",
        ),
        (
            web("broken", 1),
            3,
            "That image is broken",
            "At servers[\"web\"].image: Take another.",
        ),
    ];
    for cli in clis() {
        let folder = Folder::new(&cli);
        for (body, line, summary, detail) in &table {
            folder.configure(&format!(
                "resource \"probe_everything\" \"a\" {{\n  {body}}}\n"
            ));
            let found = folder.diagnostics().await;
            assert!(
                found[0]["detail"].as_str().unwrap().starts_with(detail),
                "{found:#?}"
            );
            assert_eq!(found[0]["summary"], json!(summary), "{found:#?}");
            assert_eq!(
                found[0]["range"]["start"]["line"],
                json!(HEAD_LINES + line),
                "{found:#?}"
            );
            assert_eq!(found.len(), 1, "{found:#?}");
        }
        folder.configure(
            "resource \"probe_everything\" \"a\" {\n name = \"a\"\n text = \"warn\"\n}\n",
        );
        let found = folder.diagnostics().await;
        assert_eq!(found[0]["severity"], json!("warning"), "{found:#?}");
    }
}

#[tokio::test]
async fn unknown_values_are_validated_later() {
    for cli in clis() {
        let folder = Folder::new(&cli);
        folder.configure(
            "variable \"size\" {\n default = 0\n}\n\
             resource \"probe_everything\" \"a\" {\n name = \"a\"\n servers = { web = { image = \"x\", size = var.size } }\n}\n",
        );
        folder.run(&["validate", "-no-color"]).await.expect_code(0);
        folder
            .apply()
            .await
            .expect_code(1)
            .expect_text("0 is too small");
    }
}

#[tokio::test]
async fn errors_of_plan_read_and_configuration_are_told() {
    for cli in clis() {
        let folder = Folder::new(&cli);
        folder.configure(
            "resource \"probe_everything\" \"a\" {\n name = \"a\"\n text = \"unplannable\"\n}\n",
        );
        folder
            .apply()
            .await
            .expect_code(1)
            .expect_text("That can't be planned");
        folder.configure("data \"probe_lookup\" \"a\" {\n id = \"none\"\n}\n");
        folder
            .apply()
            .await
            .expect_code(1)
            .expect_text("none is not there");
        folder.configure("resource \"probe_everything\" \"a\" {\n name = \"a\"\n}\n");
        std::fs::remove_dir(folder.path("store")).unwrap();
        folder
            .apply()
            .await
            .expect_code(1)
            .expect_text("There is no such folder");
    }
}

#[tokio::test]
async fn a_failed_update_keeps_what_was() {
    for cli in clis() {
        let folder = Folder::new(&cli);
        let configure = |text: &str| {
            folder.configure(&format!(
                "resource \"probe_everything\" \"a\" {{\n name = \"a\"\n text = {text:?}\n}}\n"
            ));
        };
        configure("hello");
        folder.apply().await.expect_code(0);
        configure("fail");
        folder
            .apply()
            .await
            .expect_code(1)
            .expect_text("It would not change")
            .expect_text("It is stuck.");
        let state = folder.state("probe_everything.a").await.unwrap();
        assert_eq!(
            state["values"]["text"],
            json!("hello"),
            "new inputs are not saved as done: {state:#}"
        );
        assert_eq!(folder.plan().await["actions"], json!(["update"]));
    }
}

#[tokio::test]
async fn what_exists_is_kept_however_creating_ends() {
    let table = [
        ("halfway", "the second half is missing"),
        ("panics", "the sky fell on everybody"),
    ];
    for cli in clis() {
        for (kind, text) in table {
            let folder = Folder::new(&cli);
            folder.configure(&format!("resource \"probe_{kind}\" \"a\" {{\n}}\n"));
            folder.apply().await.expect_code(1).expect_text(text);
            let address = format!("probe_{kind}.a");
            let state = folder
                .state(&address)
                .await
                .unwrap_or_else(|| panic!("{kind} is lost"));
            assert_eq!(state["values"]["id"], json!(kind), "{state:#}");
            assert_eq!(state["tainted"], json!(true), "{state:#}");
            folder.destroy().await.expect_code(0);
            assert!(!folder.kept(kind).exists(), "{kind} is left over");
        }
    }
}

#[tokio::test]
async fn success_without_state_is_a_mistake_that_is_told() {
    for cli in clis() {
        let folder = Folder::new(&cli);
        folder.configure("resource \"probe_forgetful\" \"a\" {\n}\n");
        folder
            .apply()
            .await
            .expect_code(1)
            .expect_text("The provider saved no state");
    }
}
