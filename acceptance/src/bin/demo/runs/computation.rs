//! A computation, again and again: the same inputs and seed give the same result, and nothing else is left of it.

use anyhow::{Context as _, ensure};
use jiff::SignedDuration;
use mkys_acceptance::progress::Progress;
use mkys_runner::{Computation, Container, Executor, Image, Input, ResultContent, Runner, Verdict};

use super::prove_nothing_is_left;

/// A grid, as the sampler reads it.
pub(super) fn points() -> String {
    let points = (0..12).flat_map(|x| (0..12).map(move |y| format!("{x},{y}\n")));
    points.collect()
}

/// Six points of the grid that lie far from each other.
pub(super) fn sample(name: &str, image: Image, seed: u64) -> anyhow::Result<Computation> {
    let seed = seed.to_string();
    let words = ["/kdpp", "--k", "6", "--width", "4", "--seed", &seed];
    let container = Container::builder().image(image).command(words).build();
    Ok(Computation::builder()
        .name(name.parse()?)
        .container(container)
        .inputs([("points.csv".parse()?, Input::Text(points()))].into())
        .results(vec!["sample.csv".parse()?])
        .deadline(SignedDuration::from_mins(2))
        .build())
}

pub(super) async fn show<E: Executor>(
    progress: &Progress,
    runner: &Runner<E>,
    image: &Image,
) -> anyhow::Result<()> {
    progress.line(format!("            image {image}"));
    let mut hashes = Vec::new();
    for (name, seed, what) in [
        ("sample", 42, "a sample of 144 points, seed 42"),
        ("again", 42, "the same again"),
        ("other", 43, "with another seed"),
    ] {
        let start = std::time::Instant::now();
        let run = runner.compute(sample(name, image.clone(), seed)?).await?;
        let outcome = run.finish().await.context("the runner ended")?;
        progress.stage(what, start.elapsed());
        for line in &outcome.log {
            progress.line(format!("            | {}", line.text));
        }
        ensure!(
            outcome.verdict == Verdict::Succeeded,
            "it did not succeed: {:?}",
            outcome.verdict
        );
        let result = outcome.results.first().context("there is no result")?;
        let ResultContent::Memory(content) = &result.content else {
            anyhow::bail!("the result is not here");
        };
        let chosen = String::from_utf8_lossy(content);
        let chosen: Vec<&str> = chosen.lines().collect();
        progress.line(format!(
            "            {}: {}",
            result.path,
            chosen.join("  ")
        ));
        progress.line(format!("            sha256 {}", result.sha256));
        for one in &outcome.receipt.gone {
            progress.line(format!("            {} {} is gone", one.kind, one.name));
        }
        hashes.push(result.sha256.clone());
    }
    ensure!(hashes[0] == hashes[1], "the same again gave something else");
    ensure!(hashes[0] != hashes[2], "the seed does not matter");
    prove_nothing_is_left(progress, runner).await
}
