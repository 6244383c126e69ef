//! The tables of `docs/runner/troubleshooting.md`, generated from the code: `MKYS_DOCS=write` makes the tests of this module write them.

use mkys_init::Unstartable;
use strum::IntoEnumIterator;

use crate::said::Said;
use crate::verdict::Cause;

const PAGE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../docs/runner/troubleshooting.md"
);

/// Returns the table of causes.
fn causes() -> String {
    let rows = Cause::iter().map(|cause| {
        let (meaning, remedy) = (cause.meaning(), cause.remedy());
        [format!("`{cause}`"), meaning.to_owned(), remedy.to_owned()]
    });
    table(["cause", "what it means", "what to do"], rows)
}

/// Returns the table of sentences.
fn sentences() -> String {
    let said = Said::iter().map(|said| (said.words().to_owned(), told_with(said)));
    let unstartable = Unstartable::ALL.map(|why| (why.to_string(), unstartable(why)));
    let rows = said.chain(unstartable);
    table(
        ["words", "cause"],
        rows.map(|(words, (cause, more))| {
            let cause = cause.map(|cause| format!("`{cause}`")).unwrap_or_default();
            [format!("*{words}*"), format!("{cause}{more}")]
        }),
    )
}

/// Returns the cause that a sentence is told with, and what else is to be known of it.
const fn told_with(said: Said) -> (Option<Cause>, &'static str) {
    match said {
        Said::OutOfMemory => (Some(Cause::OutOfMemory), ""),
        Said::KilledAProcess => (
            None,
            "none of its own: the command went on and its exit code counts. With `exit` it is in the words, after a success it is a remark in \
             the outcome and in the record",
        ),
        Said::NoCommand => (Some(Cause::CommandMissing), ""),
        Said::Stopped => (Some(Cause::Evicted), ""),
        Said::CancelledByOthers | Said::Lease => (Some(Cause::Cancelled), ""),
        Said::BeyondItsLimit => (Some(Cause::Deadline), ""),
        Said::OpenNetwork => (Some(Cause::Network), ""),
    }
}

const fn unstartable(why: Unstartable) -> (Option<Cause>, &'static str) {
    let more = match why {
        Unstartable::Missing => ", after the program's name",
        Unstartable::Interpreter => "; lines that end as on Windows are a frequent reason",
        Unstartable::Denied => {
            ": it has no right to be executed, or is in a directory that this user may not enter"
        }
        Unstartable::Format => "",
    };
    (Some(Cause::CommandMissing), more)
}

fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head = line(&head.map(str::to_owned));
    let below = format!("|{}\n", "---|".repeat(N));
    rows.fold(head + &below, |all, row| {
        assert!(
            row.iter()
                .all(|cell| !cell.is_empty() && !cell.contains('|'))
        );
        all + &line(&row)
    })
}

/// Returns a page with the text between two markers replaced.
fn with(page: &str, name: &str, text: &str) -> String {
    let begin = format!("<!-- {name}: generated, see runner/src/page.rs -->\n\n");
    let end = format!("\n<!-- end of {name} -->\n");
    let (before, rest) = page.split_once(&begin).expect("the page has the marker");
    let (_, after) = rest.split_once(&end).expect("the page has the end marker");
    [before, &begin, text, &end, after].concat()
}

#[test]
fn troubleshooting_page_is_as_generated() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let generated = with(&page, "causes", &causes());
    let generated = with(&generated, "sentences", &sentences());
    if std::env::var("MKYS_DOCS").as_deref() == Ok("write") {
        std::fs::write(PAGE, &generated).unwrap();
        return;
    }
    let changed: Vec<_> = generated
        .lines()
        .filter(|line| !page.lines().any(|one| one == *line))
        .collect();
    assert!(
        page == generated,
        "{PAGE} is not as generated: `MKYS_DOCS=write cargo test --workspace --lib page` writes it. It lacks {changed:#?}"
    );
}
