//! `examples/backends`.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::symlink},
    path::PathBuf,
    process::Command,
};

use tempfile::TempDir;
use test_support::wait_until;

use crate::{
    EXECUTORS,
    run::{Run, processes_with, temporary_directory},
};

#[test]
fn a_path_that_does_not_exist_is_an_error() {
    let ended = Run::start("backends", ["/does/not/exist"]).end();
    ended.expect_code(2);
    assert!(ended.stderr.contains("/does/not/exist: No such file or directory"), "{ended:?}");
    assert_eq!(ended.stdout, "", "there is no report");
}

#[test]
fn invalid_arguments_print_the_usage() {
    for mistake in [
        &["--executor", "fast"] as &[&str],
        &["--executor"],
        &["--workers", "0"],
        &["--workers", "many"],
        &["--top", "-1"],
        &["--nonsense"],
    ] {
        let ended = Run::start("backends", mistake).end();
        ended.expect_code(2);
        assert!(ended.stderr.contains("Usage: backends"), "{mistake:?}: {ended:?}");
    }
}

#[test]
fn help_is_not_an_error() {
    let ended = Run::start("backends", ["--help"]).end();
    ended.expect_code(0);
    assert!(ended.stdout.contains("Usage: backends"), "{ended:?}");
}

#[test]
fn all_executors_agree_on_a_difficult_tree() {
    let tree = difficult_tree();
    let ended = Run::start("backends", [OsStr::new("--workers"), "3".as_ref(), tree.path().as_ref()]).end();
    ended.expect_code(0);

    assert!(ended.stdout.contains("Checked: inline, threads and processes gave identical results."), "{ended:?}");
    for (executor, workers) in EXECUTORS.into_iter().zip(["1", "3", "3"]) {
        let row = ended.row(executor);
        assert_eq!(row[1..3], [workers, "107"], "workers and files of {executor}: {ended:?}");
        let hostile_file = if executor == "processes" { "survived: signal" } else { "not given" };
        assert!(row.join(" ").contains(hostile_file), "{executor}: {ended:?}");
    }
    // 100 small files of two lines, eight words and 36 bytes, and the special files.
    assert_eq!(ended.count_of("lines"), 200 + 1);
    assert_eq!(ended.count_of("words"), 800 + 3 + 3 + 1 + 1 + 2);
    assert_eq!(ended.count_of("bytes"), 3600 + 10 + 10 + 100_000 + 100_000 + 12);
    // Two are in the small files, `caf` and `s` are around a byte that is not a letter, and one is across two blocks.
    assert_eq!(ended.count_of("different identifiers"), 5);
    assert_eq!(ended.row_with("x1"), ["1", "x1", "502"]);
    assert_eq!(ended.row_with("while"), ["2", "while", "102"]);
    assert_eq!(ended.row_with("cut_by_block")[2], "1");
    assert!(ended.stdout.contains("skipped: 4 "), "a pipe, and three links to directories: {ended:?}");
    assert!(ended.stdout.contains("unreadable: 2\n"), "{ended:?}");
    assert!(ended.stdout.contains("/dangling: No such file or directory"), "{ended:?}");
    let circle = fs::read(tree.path().join("itself")).expect_err("a link to itself leads to no file");
    assert!(ended.stdout.contains(&format!("/itself: {circle}\n")), "the words are those of the C library: {ended:?}");
}

#[test]
fn equal_counts_are_listed_alphabetically() {
    let tree = temporary_directory();
    fs::write(tree.path().join("source"), "beta alpha gamma gamma delta 9lives").expect("a writable directory");
    for executor in EXECUTORS {
        let arguments =
            [OsStr::new("--executor"), executor.as_ref(), "--top".as_ref(), "3".as_ref(), tree.path().as_ref()];
        let ended = Run::start("backends", arguments).end();
        ended.expect_code(0);
        let ranking: Vec<Vec<&str>> = ["gamma", "alpha", "beta"].map(|name| ended.row_with(name)).to_vec();
        assert_eq!(ranking, [["1", "gamma", "2"], ["2", "alpha", "1"], ["3", "beta", "1"]], "{ended:?}");
        assert!(!ended.stdout.contains("delta"), "only three are shown: {ended:?}");
    }
}

/// Linux has a file whose content is different each time.
#[cfg(target_os = "linux")]
#[test]
fn different_results_are_a_failure() {
    let tree = temporary_directory();
    symlink("/proc/sys/kernel/random/uuid", tree.path().join("changing")).expect("a writable directory");
    let ended = Run::start("backends", [tree.path()]).end();
    ended.expect_code(1);
    assert!(ended.stdout.contains("FAILED"), "{ended:?}");
    assert!(!ended.stdout.contains("identical results."), "{ended:?}");
    for executor in ["threads", "processes"] {
        let difference = format!("backends: inline and {executor} differ: digest: ");
        assert!(ended.stderr.contains(&difference), "{difference}: {ended:?}");
    }
}

/// Linux has a file that can be opened and not read.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_cannot_be_read_is_listed_and_not_counted() {
    let tree = temporary_directory();
    symlink("/proc/self/mem", tree.path().join("broken")).expect("a writable directory");
    let ended = Run::start("backends", [tree.path()]).end();
    ended.expect_code(0);
    assert_eq!(ended.row("processes")[2], "0", "{ended:?}");
    let unreadable = fs::read("/proc/self/mem").expect_err("there is no memory at the address 0");
    assert!(
        ended.stdout.contains(&format!("/broken: {unreadable}\n")),
        "the words are those of the C library: {ended:?}"
    );
}

#[test]
fn a_single_file_and_an_empty_directory_are_valid_paths() {
    let tree = temporary_directory();
    let file = tree.path().join("one");
    fs::write(&file, "one\n").expect("a writable directory");
    let empty = tree.path().join("empty");
    fs::create_dir(&empty).expect("a writable directory");

    for (path, files) in [(&file, "1"), (&empty, "0")] {
        let ended = Run::start("backends", [path]).end();
        ended.expect_code(0);
        assert_eq!(ended.row("processes")[2], files, "{ended:?}");
    }
}

#[test]
fn a_closed_standard_output_is_not_an_error() {
    let tree = difficult_tree();
    let mut run = Run::start_without_reading("backends", [tree.path()]);
    drop(run.child.stdout.take());
    run.read();
    run.end().expect_code(0);
}

#[test]
fn ctrl_c_cancels_the_rest_and_leaves_nothing_running() {
    let tree = large_tree();
    for executor in EXECUTORS {
        let arguments =
            [OsStr::new("--executor"), executor.as_ref(), "--workers".as_ref(), "2".as_ref(), tree.path().as_ref()];
        let mut run = Run::start("backends", arguments);
        run.wait_for("1 % done");
        if executor == "processes" {
            // So that the last check can find them. The hostile file has ended one worker, which is replaced.
            wait_until("the program and its workers are there", || run.processes().len() == 3);
        }
        run.interrupt();
        let marker = run.marker.clone();
        let ended = run.end();
        ended.expect_code(130);
        assert!(ended.stdout.contains("Interrupted: "), "{ended:?}");
        assert!(ended.stdout.contains(executor), "{ended:?}");
        assert_eq!(processes_with(&marker), [0; 0], "left behind by {executor}");
    }
}

#[test]
fn ctrl_c_ends_the_comparison_and_not_only_the_running_executor() {
    let tree = large_tree();
    let mut run = Run::start("backends", [tree.path()]);
    run.wait_for("inline: 1 % done");
    run.interrupt();
    let ended = run.end();
    ended.expect_code(130);
    assert!(!ended.stderr.contains("threads: started"), "{ended:?}");
}

/// Creates a hundred equal files, and one file of each kind that is hard to handle.
fn difficult_tree() -> TempDir {
    let tree = temporary_directory();
    let at = |name: &str| tree.path().join(name);
    let create = |path: PathBuf, content: &[u8]| fs::write(path, content).expect("a writable directory");
    fs::create_dir_all(at("deep/er")).expect("a writable directory");
    for number in 0..100 {
        create(at(&format!("deep/er/{number}.rs")), b"while x1 x1 x1 0x1f\n12345678 x1 x1\n ");
    }
    create(at("empty"), b"");
    create(at("not-utf-8"), b"caf\xE9s \xFF\xFE 1");
    create(at("no-line-feed"), b"while x1 1");
    // Longer than the longest counted identifier, and longer than a block.
    create(at("endless-word"), &[b'a'; 100_000]);
    let mut cut = vec![b' '; 100_000];
    cut[65_530..65_542].copy_from_slice(b"cut_by_block");
    create(at("cut"), &cut);
    create(at("windows"), b"while\r\nx1 \x0b ");
    // This name is not UTF-8.
    let name = OsStr::from_bytes(b"name-\xFF");
    if cfg!(target_os = "linux") {
        create(tree.path().join(name), b"");
    }

    symlink("nowhere", at("dangling")).expect("a writable directory");
    symlink("itself", at("itself")).expect("a writable directory");
    symlink(".", at("loop")).expect("a writable directory");
    symlink("../..", at("deep/er/loop")).expect("a writable directory");
    symlink("/", at("root")).expect("a writable directory");
    let made = Command::new("mkfifo").arg(at("pipe")).status().expect("every Unix has mkfifo");
    assert!(made.success());
    tree
}

/// Creates a file with many names, which is much work in little space, so that the program runs until it is
/// interrupted.
fn large_tree() -> TempDir {
    let tree = temporary_directory();
    let first = tree.path().join("0");
    fs::write(&first, "some words of which there are many\n".repeat(64 * 1024 / 35)).expect("a writable directory");
    for number in 1..8000 {
        fs::hard_link(&first, tree.path().join(number.to_string())).expect("a file system with hard links");
    }
    tree
}
