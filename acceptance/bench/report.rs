//! The report: sections of `docs/benchmarks.md`, each replaced by the run that measured it.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;

/// What was measured, as Markdown below a heading of its own.
pub(crate) struct Section {
    pub(crate) text: String,
}

impl Section {
    /// A section with a table: its head and its rows.
    pub(crate) fn table(heading: &str, before: &str, head: &[&str], rows: &[Vec<String>]) -> Self {
        let mut text = format!("## {heading}\n{before}\n\n| {} |\n|", head.join(" | "));
        text.push_str(&"---|".repeat(head.len()));
        for row in rows {
            let _ = write!(text, "\n| {} |", row.join(" | "));
        }
        Self { text }
    }

    /// Adds a paragraph.
    pub(crate) fn and(mut self, paragraph: &str) -> Self {
        let _ = write!(self.text, "\n\n{paragraph}");
        self
    }
}

/// Puts a section in the place of the same one of an earlier run, else at the end.
pub(crate) fn write(file: &Path, name: &str, section: &Section) -> anyhow::Result<()> {
    let before = std::fs::read_to_string(file)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->\n"));
    let block = format!("{open}{}\n\nMeasured {}.\n{close}", section.text, machine());
    let found = before.find(&open).zip(before.find(&close));
    let after = match found {
        Some((from, to)) => format!("{}{block}{}", &before[..from], &before[to + close.len()..]),
        None => format!("{}\n\n{block}", before.trim_end()),
    };
    std::fs::write(file, after).with_context(|| format!("{} cannot be written", file.display()))
}

/// When and on what.
fn machine() -> String {
    let first = |file: &str, key: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key));
        let value = line.and_then(|line| line.split_once(':'));
        value.map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = first("/proc/meminfo", "MemTotal");
    let kib: u64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
    let model = first("/proc/cpuinfo", "model name");
    let today = jiff::Timestamp::now().strftime("%F").to_string();
    format!(
        "on {today}: {model}, {cores} cores, {} GiB, the lab beside it",
        kib >> 20
    )
}

/// The value below which `part` (0 to 1) of the values are; 0 when there is none.
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let index = ((sorted.len() as f64 * part).ceil() as usize).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

/// The middle value.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// What a process has of the memory, in KiB: what it shares with others counts for each of them in part.
pub(crate) fn memory_kib(pid: &str) -> anyhow::Result<u64> {
    let file = format!("/proc/{pid}/smaps_rollup");
    let text = std::fs::read_to_string(&file).with_context(|| format!("{file} cannot be read"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.unwrap_or_default().parse()?)
}
