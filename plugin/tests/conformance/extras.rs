//! Data sources, functions, write-only attributes and ephemeral resources.

use serde_json::json;

use crate::cli::{Folder, clis, until_exists};

#[tokio::test]
async fn a_data_source_waits_for_what_it_needs() {
    for cli in clis() {
        let folder = Folder::new(&cli);
        folder.configure(
            "resource \"probe_upgraded\" \"a\" {\n name = \"thing\"\n}\n\
             data \"probe_lookup\" \"a\" {\n id = probe_upgraded.a.name\n depends_on = [probe_upgraded.a]\n}\n\
             data \"probe_lookup\" \"none\" {\n id = \"none\"\n missing_ok = true\n}\n\
             output \"content\" {\n value = jsondecode(data.probe_lookup.a.content).size\n}\n\
             output \"none\" {\n value = data.probe_lookup.none.content == null\n}\n",
        );
        folder.apply().await.expect_code(0);
        let output = folder.output().await;
        assert_eq!(output["content"]["value"], json!(1), "{output:#}");
        assert_eq!(output["none"]["value"], json!(true), "{output:#}");
        folder.expect_empty_plan().await;
    }
}

#[tokio::test]
async fn functions_compute() {
    for cli in clis() {
        let folder = Folder::new(&cli);
        folder.configure(
            "output \"none\" {\n value = provider::probe::join(\"-\")\n}\n\
             output \"some\" {\n value = provider::probe::join(\"-\", \"a\", \"b\")\n}\n\
             output \"thing\" {\n value = provider::probe::describe({ name = \"n\" })\n}\n\
             output \"sized\" {\n value = provider::probe::describe({ name = \"n\", size = 3 }).sizes[0]\n}\n",
        );
        folder.apply().await.expect_code(0);
        let output = folder.output().await;
        assert_eq!(output["none"]["value"], json!(""));
        assert_eq!(output["some"]["value"], json!("a-b"));
        let thing = json!({ "title": "n", "sizes": ["of no size", 0.1, true] });
        assert_eq!(output["thing"]["value"], thing);
        assert_eq!(output["sized"]["value"], json!("3"));
    }
}

#[tokio::test]
async fn functions_say_which_argument_is_wrong() {
    let table = [
        (
            "provider::probe::faulty(\"x\", 2)",
            "Invalid value for \"bad\" parameter: 2 is not one",
        ),
        (
            "provider::probe::faulty(\"x\", 1.5)",
            "Invalid value for \"bad\" parameter",
        ),
        ("provider::probe::faulty(\"x\", 0)", "zero is too much"),
        (
            "provider::probe::describe({ size = 1 })",
            "missing field `name`",
        ),
        (
            "provider::probe::describe({ name = \"n\", size = \"big\" })",
            "size: invalid type",
        ),
    ];
    for cli in clis() {
        let folder = Folder::new(&cli);
        for (call, text) in table {
            folder.configure(&format!("output \"it\" {{\n value = {call}\n}}\n"));
            folder.apply().await.expect_code(1).expect_text(text);
        }
    }
}

#[tokio::test]
async fn what_is_write_only_reaches_the_resource_and_nothing_else() {
    for cli in clis() {
        let folder = Folder::new(&cli);
        let configure = |version: u32| {
            folder.configure(&format!(
                "ephemeral \"probe_token\" \"t\" {{\n name = \"t\"\n}}\n\
                 resource \"probe_secret\" \"a\" {{\n name = \"a\"\n password = ephemeral.probe_token.t.value\n \
                 password_version = {version}\n}}\n"
            ));
        };
        configure(1);
        folder.apply().await.expect_code(0);
        let state = folder.state("probe_secret.a").await.unwrap();
        assert_eq!(
            state["values"]["length"],
            json!("token-t".len()),
            "{state:#}"
        );
        assert!(state["values"]["password"].is_null(), "{state:#}");
        let stored = std::fs::read_to_string(folder.path("terraform.tfstate")).unwrap();
        assert!(!stored.contains("token-t"), "{stored}");
        folder.expect_empty_plan().await;
        configure(2);
        folder.apply().await.expect_code(0);
        folder.expect_empty_plan().await;
        // It was open while it was needed, and is closed now.
        assert!(folder.kept("t-was-open").exists() && !folder.kept("t").exists());
    }
}

#[tokio::test]
async fn what_lives_shortly_is_renewed_for_as_long_as_it_is_needed() {
    for cli in clis() {
        let folder = Folder::new(&cli);
        folder.configure(
            "ephemeral \"probe_token\" \"t\" {\n name = \"t\"\n short_lived = true\n}\n\
             resource \"probe_slow\" \"a\" {\n depends_on = [ephemeral.probe_token.t]\n}\n",
        );
        let apply = folder.start(&["apply", "-auto-approve", "-no-color", "-input=false"]);
        until_exists(&folder.kept("slow")).await;
        // each renewal is given what the one before it kept
        until_exists(&folder.kept("t-was-renewed-3")).await;
        assert!(folder.kept("t").exists(), "it was closed too early");
        std::fs::write(folder.kept("go"), "").unwrap();
        folder.end(apply).await.expect_code(0);
        assert!(!folder.kept("t").exists(), "it stays open");
    }
}
