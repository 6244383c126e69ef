//! The game of `examples/games/hex` as an image (the machine's own node with the libraries it is linked to, the game, and nothing else),
//! and players for it.

mod board;
mod player;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use board::{Board, Colour, Move, choose, draw};
pub use player::{Player, refusal};

use super::engine::ContainerEngine;
use super::{SOURCE, copy_tree, files, remove_tree};
use crate::lab::{Error, external};

const NODE: &str = "/usr/bin/node";
/// Where Debian keeps parts of node that are scripts, and that its node reads as it starts.
const SCRIPTS: &str = "/usr/share/nodejs/[A-Za-z0-9_./-]*\\.js";
/// What of the game's folder is no part of it when it runs.
const NOT_PLAYED: [&str; 2] = ["test", "README.md"];

/// Makes the game's image and pushes it to the engine's registry; gives its reference by digest. Its packages are fetched from npm's
/// registry, or from `cache` when they were before.
///
/// # Errors
/// When npm or the engine refuses.
pub fn image(engine: &ContainerEngine, cache: &Path) -> Result<String, Error> {
    let tree = engine.folder().join("trees/hex");
    remove_tree(&tree)?;
    let game = tree.join("game");
    copy_tree(&Path::new(SOURCE).join("examples/games/hex"), &game)?;
    for name in NOT_PLAYED {
        let path = game.join(name);
        let _ = std::fs::remove_file(&path);
        remove_tree(&path)?;
    }
    packages(&game, cache)?;
    for file in parts_of_node()? {
        let place = file.strip_prefix("/").unwrap_or(&file);
        files::copy(&file, &tree.join(place))?;
    }
    let command = format!("CMD [\"{NODE}\", \"/game/server.js\"]");
    engine.image("hex", &tree, &[&command, "ENV NODE_ENV=production"])
}

/// What the game's lock file names, as it is there.
fn packages(game: &Path, cache: &Path) -> Result<(), Error> {
    // whoever developed the game left their own there
    remove_tree(&game.join("node_modules"))?;
    let mut command = Command::new("npm");
    command
        .args(["ci", "--omit=dev", "--ignore-scripts", "--prefer-offline"])
        .args(["--no-audit", "--no-fund", "--no-update-notifier"])
        .arg("--cache")
        .arg(cache)
        .arg("--prefix")
        .arg(game)
        .current_dir(game);
    external::finish(&mut command).map(drop)
}

/// node, the libraries that its loader would load, and the scripts that they name.
fn parts_of_node() -> Result<BTreeSet<PathBuf>, Error> {
    let linked = external::run(&["ldd", NODE])?;
    let libraries = linked
        .lines()
        .flat_map(str::split_whitespace)
        .filter(|word| word.starts_with('/'));
    let mut parts: BTreeSet<PathBuf> = libraries.map(PathBuf::from).collect();
    parts.insert(NODE.into());
    let programs: Vec<_> = parts
        .iter()
        .filter(|part| {
            let name = part.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("node") || name.starts_with("libnode")
        })
        .map(|part| part.display().to_string())
        .collect();
    let mut words = vec![
        "grep",
        "--text",
        "--only-matching",
        "--no-filename",
        SCRIPTS,
    ];
    words.extend(programs.iter().map(String::as_str));
    // a node that has them all inside names none, and grep says no
    let scripts = external::run(&words).unwrap_or_default();
    let scripts = scripts.lines().map(PathBuf::from);
    parts.extend(scripts.filter(|script| script.is_file()));
    Ok(parts)
}
