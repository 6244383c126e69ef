//! What the runner's first page shows is what happens.

use std::path::Path;

use crate::bench::{Bench, EngineBench, tell};

const PAGE: &str = include_str!("../../../docs/runner/README.md");

/// The first block of a kind after a text of the page.
fn block(after: &str, kind: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(after).unwrap();
    let (_, rest) = rest.split_once(&format!("```{kind}\n")).unwrap();
    rest.split("```").next().unwrap()
}

#[test]
fn its_computation_is_told_as_it_says() {
    tell(async {
        let bench = EngineBench::new().await;
        let folder = bench.folder.path();
        let mut spec: serde_json::Value =
            serde_json::from_str(block("This one counts words", "json")).unwrap();
        // the machine's own registry has it by another name
        spec["container"]["image"] = bench.image().into();
        std::fs::write(folder.join("count.json"), spec.to_string()).unwrap();

        let typed = block("This one counts words", "sh").trim();
        let words: Vec<&str> = typed.split(' ').collect();
        assert_eq!(Path::new(words[0]).file_name().unwrap(), "mkys-run");
        let mut command = bench.mkys_run();
        let command = command.args(&words[1..]).current_dir(folder);
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(output.status.success(), "{said}");

        // whose it is was made up
        let without_owner = |text: &str| {
            let lines = text.lines().map(|line| match line.split_once(".cli-") {
                Some((before, owner)) => {
                    format!("{before}{}", owner.trim_start_matches(|c| c != '.'))
                }
                None => line.to_owned(),
            });
            lines.collect::<Vec<_>>()
        };
        let shown = block("This one counts words", "text");
        assert_eq!(without_owner(&said), without_owner(shown));
        let result = folder.join("results/count/out/count");
        assert_eq!(std::fs::read_to_string(result).unwrap(), "3\n");
        assert_eq!(bench.left().await, Vec::<String>::new());
    });
}
