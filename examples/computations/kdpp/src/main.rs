//! `kdpp`: reads points, one a line with commas between, and writes k of them that differ.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;

/// Samples k diverse points of many. The same seed and points give the same sample.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// How many
    #[arg(short, long)]
    k: usize,
    /// Where chance begins
    #[arg(long)]
    seed: u64,
    /// The distance over which points are alike
    #[arg(long, default_value_t = 1.0)]
    width: f64,
    /// The points, one a line
    #[arg(default_value = "/mkys/in/points.csv")]
    points: PathBuf,
    /// Where the sample goes
    #[arg(default_value = "/mkys/out/sample.csv")]
    sample: PathBuf,
}

fn main() -> Result<()> {
    let Arguments {
        k,
        seed,
        width,
        points,
        sample,
    } = Arguments::parse();
    let text = fs::read_to_string(&points).with_context(|| format!("read {}", points.display()))?;
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let read = |(number, line): (usize, &&str)| {
        let values = line.split(',').map(|value| value.trim().parse::<f64>());
        let values: Result<Vec<f64>, _> = values.collect();
        values.with_context(|| format!("{}, line {}: {line:?}", points.display(), number + 1))
    };
    let values: Vec<Vec<f64>> = lines.iter().enumerate().map(read).collect::<Result<_>>()?;
    if values.iter().any(|value| value.len() != values[0].len()) {
        bail!("the points of {} have different lengths", points.display());
    }
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let Some(chosen) = kdpp::sample(&kdpp::kernel(&values, width), k, &mut random) else {
        bail!("{} points do not have {k} that differ", values.len());
    };
    let text: String = chosen
        .iter()
        .map(|number| format!("{}\n", lines[*number]))
        .collect();
    fs::write(&sample, text).with_context(|| format!("write {}", sample.display()))?;
    let said = format!("seed {seed}: {k} of {} points, {chosen:?}", values.len());
    writeln!(std::io::stdout(), "{said}").context("say what was chosen")
}
