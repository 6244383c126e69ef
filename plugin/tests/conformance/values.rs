//! Values of every type arrive, are planned and are stored as they are.

use serde_json::json;

use crate::cli::{Folder, clis};

const EVERYTHING: &str = r#"
resource "terraform_data" "later" {
  input = "later"
}
variable "whole" {
  default = 7
}
resource "probe_everything" "a" {
  name     = "a"
  text     = terraform_data.later.output
  flag     = false
  whole    = var.whole
  fraction = 0.1
  exact    = 123456789012345678901234567890.5
  words    = ["x", terraform_data.later.output]
  tags     = ["b", "a", "${terraform_data.later.output}!"]
  labels   = { key = "value", later = terraform_data.later.output }
  point    = { x = 1, y = 2 }
  anything = { list = [1, "two", 0.3], map = tomap({ c = 1 }), none = null, when = terraform_data.later.output }
  secret   = "hush"
  settings = { mode = "slow" }
  servers = {
    web = { image = "i", size = 3 }
    db  = { image = terraform_data.later.output }
  }
  steps = [{ run = "one" }, { run = "two" }]
  rules = [{ port = 443 }, { port = 80 }]
}
"#;

#[tokio::test]
async fn every_type_goes_through() {
    for cli in clis() {
        let folder = Folder::new(&cli);
        folder.configure(EVERYTHING);
        folder.apply().await.expect_code(0);
        folder.expect_empty_plan().await;
        let state = folder.state("probe_everything.a").await.unwrap();
        let values = &state["values"];
        let expected = json!({
            "text": "later", "flag": false, "whole": 7, "fraction": 0.1,
            "words": ["x", "later"], "tags": ["a", "b", "later!"],
            "labels": { "key": "value", "later": "later" }, "point": { "x": 1, "y": 2 },
            "anything": { "list": [1, "two", 0.3], "map": { "c": 1 }, "none": null, "when": "later" },
            "secret": "hush", "settings": { "mode": "slow", "token": "token-of-a" },
            "servers": {
                "web": { "image": "i", "size": 3, "address": "web.a.example", "zone": "zone-a" },
                "db": { "image": "later", "size": 20, "address": "db.a.example", "zone": "zone-a" },
            },
            "steps": [{ "run": "one", "number": 1 }, { "run": "two", "number": 2 }],
        });
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(values[name], *value, "{name}");
        }
        let rules = values["rules"].as_array().unwrap();
        for rule in [
            json!({ "port": 80, "id": "rule-80" }),
            json!({ "port": 443, "id": "rule-443" }),
        ] {
            assert!(rules.contains(&rule), "{rules:?}");
        }
        // JSON readers round it; the file itself must not.
        let stored = std::fs::read_to_string(folder.path("terraform.tfstate")).unwrap();
        assert!(
            stored.contains("123456789012345678901234567890.5"),
            "{stored}"
        );

        // What leaves a set, a map or a list leaves the others as they are.
        let fewer = EVERYTHING
            .replace("db  = { image = terraform_data.later.output }", "")
            .replace("{ port = 443 }, ", "")
            .replace("{ run = \"one\" }, ", "");
        folder.configure(&fewer);
        folder.apply().await.expect_code(0);
        folder.expect_empty_plan().await;
    }
}

#[tokio::test]
async fn everything_unset_stays_unset() {
    for cli in clis() {
        let folder = Folder::new(&cli);
        folder.configure("resource \"probe_everything\" \"a\" {\n name = \"a\"\n}\n");
        folder.apply().await.expect_code(0);
        folder.expect_empty_plan().await;
        let state = folder.state("probe_everything.a").await.unwrap();
        for name in [
            "text", "whole", "words", "tags", "labels", "point", "anything", "servers", "rules",
        ] {
            assert!(state["values"][name].is_null(), "{name}: {state:#}");
        }
        assert_eq!(state["values"]["flag"], json!(true));

        // Setting and unsetting again comes back to the same.
        folder.configure(EVERYTHING);
        folder.apply().await.expect_code(0);
        folder.configure("resource \"probe_everything\" \"a\" {\n name = \"a\"\n}\n");
        folder.apply().await.expect_code(0);
        folder.expect_empty_plan().await;
    }
}

#[tokio::test]
async fn what_is_sensitive_is_not_shown() {
    for cli in clis() {
        let folder = Folder::new(&cli);
        folder.configure(EVERYTHING);
        let applied = folder.apply().await.expect_code(0);
        assert!(!applied.text.contains("hush"), "{}", applied.text);
        let applied = applied.expect_text("(sensitive value)");
        assert!(!applied.text.contains("token-of-a"), "{}", applied.text);
    }
}
