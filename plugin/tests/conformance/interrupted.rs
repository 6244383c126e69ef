//! Ctrl-C goes to the whole process group: the provider must live on, hear of it from the CLI, and give what exists.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;

use crate::cli::{Folder, clis, until_exists};

#[tokio::test]
async fn what_exists_is_kept_after_ctrl_c() {
    // One resource hears it and says so; the other hears nothing and is cut off.
    let table = [
        ("slow", "Stopped halfway"),
        ("stubborn", "The operation was interrupted"),
    ];
    for cli in clis() {
        for (kind, text) in table {
            let folder = Folder::new(&cli);
            folder.configure(&format!("resource \"probe_{kind}\" \"a\" {{\n}}\n"));
            let apply = folder.start(&["apply", "-auto-approve", "-no-color", "-input=false"]);
            let group = i32::try_from(apply.id().unwrap())
                .ok()
                .and_then(Pid::from_raw)
                .unwrap();
            until_exists(&folder.kept(kind)).await;
            kill_process_group(group, Signal::INT).unwrap();
            folder.end(apply).await.expect_code(1).expect_text(text);

            let state = folder.state(&format!("probe_{kind}.a")).await;
            let state = state.unwrap_or_else(|| panic!("{kind} is lost"));
            assert_eq!(state["values"]["id"], json!(kind), "{state:#}");
            folder.destroy().await.expect_code(0);
            assert!(!folder.kept(kind).exists(), "{kind} is left over");
        }
    }
}

#[tokio::test]
async fn the_provider_ends_when_the_cli_is_killed() {
    for cli in clis() {
        let folder = Folder::new(&cli);
        folder.configure("resource \"probe_slow\" \"a\" {\n}\n");
        let mut apply = folder.start(&["apply", "-auto-approve", "-no-color", "-input=false"]);
        until_exists(&folder.kept("slow")).await;
        let providers = || {
            let ours = folder.path("bin/terraform-provider-probe");
            let processes = std::fs::read_dir("/proc").unwrap().flatten();
            let is_ours =
                |command: Vec<u8>| command.starts_with(ours.as_os_str().as_encoded_bytes());
            processes
                .filter(|p| std::fs::read(p.path().join("cmdline")).is_ok_and(is_ours))
                .count()
        };
        assert_eq!(providers(), 1);
        apply.start_kill().unwrap();
        apply.wait().await.unwrap();
        let gone = async {
            while providers() > 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), gone)
            .await
            .expect("the provider stays");
        let left: Vec<_> = std::fs::read_dir(folder.path("tmp"))
            .unwrap()
            .flatten()
            .collect();
        assert!(left.is_empty(), "its socket is left: {left:?}");
    }
}
