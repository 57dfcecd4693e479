//! Checks that `MESSAGES.md` shows the messages of commands.
//!
//! If the variable `WRITE_MESSAGES` is set, the file is written instead.

use std::time::Duration;

use command::{Command, run};
use executor_core::{Error, Executor};
use test_support::{DEADLINE, SharedDir, wait_for_file};
use thread_pool::ThreadPoolExecutor;

use crate::shell;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/MESSAGES.md");

const HEAD: &str = "\
# Messages

The messages of commands when something fails, with the kind of the error.
A program that ends with an exit code that is not zero is no error.
A test compares them with those of the code.

| what happens | `ErrorKind` | message |
|---|---|---|
";

/// A kind of failure: its description, and how to cause it.
type Case = (&'static str, fn() -> Error);

const CASES: &[Case] = &[
    ("the program is not there", || run(Command::new("no-such-program")).unwrap_err()),
    ("the directory is not there", || run(Command::new("true").current_dir("/no/such/directory")).unwrap_err()),
    ("the program takes too long", || {
        run(Command::new("sleep").arg("1000").timeout(Duration::from_millis(250))).unwrap_err()
    }),
    ("its task is terminated", || {
        let dir = SharedDir::new();
        let pool = ThreadPoolExecutor::new(1).unwrap();
        let command = shell("touch \"$0\"; sleep 1000").arg(dir.path("runs"));
        let future = pool.submit(run, command).unwrap();
        wait_for_file(&dir.path("runs"));
        future.terminate(Duration::ZERO);
        future.result(DEADLINE).unwrap().unwrap_err()
    }),
];

#[test]
fn the_messages_in_the_document_are_those_of_commands() {
    let rows = CASES.iter().map(|(what, make)| {
        let error = make();
        format!("| {what} | `{:?}` | {} |\n", error.kind(), error.to_string().replace('|', "\\|"))
    });
    let text = HEAD.to_string() + &rows.collect::<String>();
    if std::env::var_os("WRITE_MESSAGES").is_some() {
        std::fs::write(FILE, &text).unwrap();
    }
    let written = std::fs::read_to_string(FILE).unwrap_or_default();
    assert_eq!(text, written, "run this test with WRITE_MESSAGES=1 if the new messages are what is wanted");
}
