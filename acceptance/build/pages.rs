//! Makes modules of the Rust that the runner's pages show, for stories to call: what a reader copies is what runs.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

const PAGES: [&str; 3] = ["README", "sessions", "kubernetes"];

/// What a page names that is a reader's, and what the stories have instead. A page that shows it no more fails the build.
const INSTEAD: [(&str, &str); 5] = [
    (
        ".init(\"/usr/lib/mkys/mkys-init\")",
        ".init(crate::pages::init()).socket(crate::pages::socket())",
    ),
    (
        "\"docker.io/library/busybox:1.36\"",
        "crate::pages::image()",
    ),
    ("\"https://198.51.100.3\"", "crate::pages::listener()"),
    (
        "\"registry.example.org/mkys/keeper:0.1\"",
        "crate::pages::keeper()",
    ),
    (
        ".namespace(\"games\")",
        ".namespace(crate::cluster_bench::NAMESPACE).kubeconfig(crate::pages::kubeconfig())",
    ),
];

/// Writes a module for each block: `readme_1`, `readme_2`, …
pub(crate) fn write(folder: &Path, to: &Path) -> io::Result<()> {
    let mut modules = String::new();
    for page in PAGES {
        let file = folder.join(page).with_extension("md");
        println!("cargo::rerun-if-changed={}", file.display());
        for (index, block) in blocks(&fs::read_to_string(file)?).iter().enumerate() {
            let (name, number) = (page.to_lowercase(), index + 1);
            writeln!(modules, "pub(crate) mod {name}_{number} {{\n{block}}}")
                .map_err(io::Error::other)?;
        }
    }
    for (shown, instead) in INSTEAD {
        if !modules.contains(shown) {
            return Err(io::Error::other(format!("no page shows {shown}")));
        }
        modules = modules.replace(shown, instead);
    }
    fs::write(to, modules)
}

/// The blocks of Rust on a page, with the lines that a reader does not see.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    // those of a list are set in
    for line in page.lines() {
        match &mut block {
            None if line.trim_start().starts_with("```rust") => block = Some(String::new()),
            None => {}
            Some(_) if line.trim_start() == "```" => blocks.extend(block.take()),
            Some(block) => {
                let line = line.strip_prefix("  ").unwrap_or(line);
                let line = line.strip_prefix("# ").unwrap_or(line);
                let is_called = ["fn ", "async fn ", "struct "]
                    .iter()
                    .any(|start| line.starts_with(start));
                let seen = if is_called { "pub(crate) " } else { "" };
                block.push_str(&format!("{seen}{line}\n"));
            }
        }
    }
    blocks
}
