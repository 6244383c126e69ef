//! Disks without room: where results are to be kept, and where an engine keeps its images.

use std::path::Path;
use std::process::Command;

use futures_util::StreamExt;
use mkys_acceptance::platform::engine::ContainerEngine;
use mkys_runner::{Cause, Direct, Keep, Run, Runner, StartError, State, Verdict};
use tempfile::TempDir;

use crate::bench::{Bench, EngineBench, fails, line, tell, until_running};

/// A disk of its own that holds little.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new(kib: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={kib}k");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder.path())
            .status();
        assert!(mounted.unwrap().success());
        Self(folder)
    }

    /// Leaves no room.
    fn fill(&self) {
        let filled = Command::new("dd")
            .args(["if=/dev/zero", "bs=1k", "count=100"])
            .arg(format!("of={}", self.path().join("filled").display()))
            .output();
        assert!(!filled.unwrap().status.success(), "there is room");
    }

    /// Makes room.
    fn grow(&self, kib: u32) {
        let size = format!("remount,size={kib}k");
        let grown = Command::new("mount")
            .args(["-o", &size])
            .arg(self.path())
            .status();
        assert!(grown.unwrap().success());
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // one that is still used goes away with its last user
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.path())
            .status();
    }
}

/// What there is below a folder, but for folders.
fn files(folder: &Path) -> Vec<String> {
    let found = Command::new("find")
        .arg(folder)
        .args(["-type", "f", "-printf", "%P\n"])
        .output();
    let found = String::from_utf8(found.unwrap().stdout).unwrap();
    let mut files: Vec<_> = found.lines().map(str::to_owned).collect();
    files.sort();
    files
}

/// Starts a run whose results do not fit, and waits until that is told.
async fn without_room<B: Bench>(bench: &B, folder: &Path) -> (Runner<B::Executor>, Run) {
    let keep = Keep::Directory(folder.to_owned());
    let executor = bench.executor().await;
    let runner = Runner::start_with(executor, keep, Direct).await.unwrap();
    let mut computation = line(
        bench,
        "echo small >/mkys/out/small; dd if=/dev/zero of=/mkys/out/zeros bs=1k count=500",
    );
    computation.results = ["small", "zeros"].map(|path| path.parse().unwrap()).into();
    let run = runner.compute(computation).await.unwrap();
    let is_told = |state: &State| match state {
        State::Ending { untaken, .. } => untaken.as_ref().is_some_and(|why| {
            why.cause == Cause::Disk && why.words.contains("No space left on device")
        }),
        _ => false,
    };
    let told = run
        .states()
        .any(|state| std::future::ready(is_told(&state)));
    assert!(told.await, "nobody tells that there is no room");
    assert!(!bench.left().await.is_empty(), "its results are gone");
    (runner, run)
}

pub(crate) async fn results_wait_until_there_is_room(bench: &impl Bench) {
    let disk = SmallDisk::new(128);
    let (_runner, run) = without_room(bench, disk.path()).await;
    disk.grow(2048);
    let outcome = run.finish().await.unwrap();
    assert_eq!(outcome.verdict, Verdict::Succeeded, "{outcome:?}");
    assert_eq!(bench.left().await, Vec::<String>::new());
    let there = files(disk.path());
    for result in ["one/out/small", "one/out/zeros", "one/record.json"] {
        assert!(there.iter().any(|one| one == result), "{there:?}");
    }
}

pub(crate) async fn results_that_find_no_room_can_be_given_up(bench: &impl Bench) {
    let disk = SmallDisk::new(128);
    let (_runner, run) = without_room(bench, disk.path()).await;
    run.end();
    let outcome = run.finish().await.unwrap();
    assert_eq!(bench.left().await, Vec::<String>::new());
    let Verdict::Failed(failure) = &outcome.verdict else {
        panic!("{outcome:?}")
    };
    assert_eq!(failure.cause, Cause::Cancelled, "{failure:?}");
    assert!(
        failure.words.contains("No space left on device"),
        "{failure:?}"
    );
    let record = ["one/record.json", "one/ro-crate-metadata.json"];
    assert_eq!(files(disk.path()), record, "half a result is left");
    assert_eq!(outcome.unwritten, None);
}

pub(crate) async fn a_folder_without_room_is_refused_before_anything_starts(bench: &impl Bench) {
    let disk = SmallDisk::new(64);
    disk.fill();
    let refused = async |folder: &Path| {
        let keep = Keep::Directory(folder.to_owned());
        let executor = bench.executor().await;
        let runner = Runner::start_with(executor, keep, Direct).await.unwrap();
        let refused = runner.compute(line(bench, "true")).await.unwrap_err();
        let StartError::Folder(error) = refused else {
            panic!("{refused:?}")
        };
        assert!(runner.runs().is_empty());
        assert_eq!(bench.left().await, Vec::<String>::new());
        let source = std::error::Error::source(&error).unwrap().to_string();
        format!("{error}: {source}")
    };
    let said = refused(disk.path()).await;
    assert!(
        said.contains("can't be kept in") && said.contains("No space left on device"),
        "{said}"
    );
    assert_eq!(files(disk.path()), ["filled"]);
    let said = refused(&disk.path().join("filled")).await;
    assert!(said.contains("Not a directory"), "{said}");
    let said = refused(Path::new("/proc/nowhere")).await;
    assert!(said.contains("No such file or directory"), "{said}");
}

pub(crate) async fn a_record_that_finds_no_room_is_told(bench: &impl Bench) {
    let disk = SmallDisk::new(64);
    let keep = Keep::Directory(disk.path().to_owned());
    let executor = bench.executor().await;
    let runner = Runner::start_with(executor, keep, Direct).await.unwrap();
    let run = runner.compute(line(bench, "sleep 3")).await.unwrap();
    until_running(&run).await;
    // others take the room meanwhile
    disk.fill();
    let outcome = run.finish().await.unwrap();
    assert_eq!(bench.left().await, Vec::<String>::new());
    assert_eq!(outcome.verdict, Verdict::Succeeded, "{outcome:?}");
    let unwritten = outcome.unwritten.clone().unwrap();
    assert!(unwritten.contains("No space left on device"), "{unwritten}");
    assert_eq!(files(disk.path()), ["filled"]);
}

pub(crate) async fn two_runs_have_no_folder_together(bench: &impl Bench) {
    let folder = tempfile::tempdir().unwrap();
    let other = bench.other();
    let keep = Keep::Directory(folder.path().to_owned());
    let first = Runner::start_with(bench.executor().await, keep.clone(), Direct);
    let first = first.await.unwrap();
    let mut computation = line(bench, "sleep 3; echo first >/mkys/out/r");
    computation.results = vec!["r".parse().unwrap()];
    let run = first.compute(computation.clone()).await.unwrap();
    let second = Runner::start_with(other.executor().await, keep, Direct);
    let second = second.await.unwrap();
    computation.container.command[2] = "echo second >/mkys/out/r".to_owned();
    let error = second.compute(computation.clone()).await.unwrap_err();
    assert!(
        error.to_string().contains("another run has the folder"),
        "{error}"
    );
    assert_eq!(other.left().await, Vec::<String>::new());
    assert_eq!(run.finish().await.unwrap().verdict, Verdict::Succeeded);
    let kept = || std::fs::read_to_string(folder.path().join("one/out/r")).unwrap();
    assert_eq!(kept(), "first\n");
    // it is free once the run is gone
    let run = second.compute(computation).await.unwrap();
    assert_eq!(run.finish().await.unwrap().verdict, Verdict::Succeeded);
    assert_eq!(kept(), "second\n");
}

#[test]
fn an_image_that_finds_no_room_is_told_apart() {
    tell(async {
        let bench = EngineBench::new().await;
        // busybox alone is larger
        let disk = SmallDisk::new(1536);
        let small = ContainerEngine::new(disk.path());
        let engine = small.clone();
        let started = tokio::task::spawn_blocking(move || engine.start_beside());
        started.await.unwrap().unwrap();
        let bench = EngineBench {
            engine: small.clone(),
            ..bench
        };
        let (cause, words) = fails(&bench, line(&bench, "true")).await;
        small.stop_service();
        assert_eq!(cause, Cause::Disk, "{words}");
        assert!(words.contains("no space left on device"), "{words}");
    });
}
