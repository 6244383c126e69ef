//! A provider's start: until its handshake, until its schema is there, and the memory it then has; beside
//! `terraform-provider-time`, which has the least to do of all providers written in Go.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use mkys_acceptance::platform::{SOURCE, built};
use serde::Deserialize;

use crate::Bench;
use crate::report::{Section, median};

const ROUNDS: usize = 20;

/// One start, as `bench/providers` tells it: milliseconds and KiB.
#[derive(Deserialize)]
struct Figures {
    program: PathBuf,
    handshake: f64,
    schema: f64,
    memory: f64,
}

pub(crate) fn measure(bench: &Bench) -> anyhow::Result<Section> {
    let progress = &bench.lab.progress;
    let folder = Path::new(SOURCE).join("acceptance/bench");
    let peer = bench.folder.join("terraform-provider-time");
    let client = bench.folder.join("providers");
    std::fs::create_dir_all(&bench.folder)?;
    progress.run("the peer and the client, from Go", || {
        go(
            &folder.join("provider-time"),
            &peer,
            "github.com/hashicorp/terraform-provider-time",
        )?;
        go(&folder.join("providers"), &client, ".")
    })?;
    let own = built("terraform-provider-mkys")?;
    let found = progress.run("both, in turn", || {
        let rounds = ROUNDS.to_string();
        let output = Command::new(&client)
            .arg(rounds)
            .args([&own, &peer])
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "a provider was not measured: {said}"
        );
        Ok(serde_json::from_slice::<Vec<Figures>>(&output.stdout)?)
    })?;
    let of = |program: &Path, figure: fn(&Figures) -> f64| {
        let starts = found.iter().filter(|one| one.program == program);
        median(&starts.map(figure).collect::<Vec<_>>())
    };
    let mib = |path: &Path| std::fs::metadata(path).map(|file| file.len() >> 20);
    let row = |what: &str, unit: &str, figure: fn(&Figures) -> f64| {
        let (ours, theirs) = (of(&own, figure), of(&peer, figure));
        let text = |value: f64| format!("{value:.1} {unit}");
        vec![
            what.to_owned(),
            text(ours),
            text(theirs),
            format!("{:.2}", ours / theirs),
        ]
    };
    let rows = [
        row("start until the handshake", "ms", |one| one.handshake),
        row("connection and schema", "ms", |one| one.schema),
        row("start and schema", "ms", |one| one.handshake + one.schema),
        row("resident memory then", "MiB", |one| one.memory / 1024.0),
    ];
    let sizes = format!(
        "The program's size: {} MiB against {} MiB.",
        mib(&own)?,
        mib(&peer)?
    );
    let before = format!(
        "Medians of {ROUNDS} starts in turn, by HashiCorp's own go-plugin client with mutual TLS. The peer has one resource and \
         asks nobody; ours has three and a function. To reach: half."
    );
    let head = ["", "MKYS", "terraform-provider-time 0.14.2", "ratio"];
    Ok(Section::table("A provider's start", &before, &head, &rows).and(&sizes))
}

/// Builds a Go program from the module in `folder`.
fn go(folder: &Path, to: &Path, package: &str) -> anyhow::Result<()> {
    let status = Command::new("go")
        .args(["build", "-trimpath", "-ldflags=-s -w", "-o"])
        .arg(to)
        .arg(package)
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=mod")
        .current_dir(folder)
        .status()
        .context("go cannot be run")?;
    ensure!(status.success(), "{package} could not be built");
    Ok(())
}
