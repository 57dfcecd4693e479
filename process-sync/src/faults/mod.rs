//! The fault matrix of shared objects: what the others find after a fault of a process that uses an object, for every
//! object, everything that a process is to it, every fault, and every place in the code. `FAULTS.md` in the folder of
//! this crate has it in readable form.
//!
//! [`table`] has the expected outcomes; [`trial`] makes a fault happen and has the outcome checked. The processes stop
//! at the places themselves ([`place`](crate::place)), so that a fault happens exactly there.
//!
//! | command | what it does |
//! |---|---|
//! | `cargo test -p concurrent-futures-sync --lib faults` | `SIGKILL` everywhere, and every other fault in some cells |
//! | `FAULTS=all cargo test --release -p concurrent-futures-sync --lib faults -- --nocapture` | all cells |
//! | `FAULTS="sigstop lock"`… | the cells whose name has all of these words |
//! | `FAULTS=write`… | all cells; then writes `FAULTS.md` |

mod items;
mod line;
mod report;
mod resources;
mod rows;
mod table;
mod trial;
mod victim;

use std::{
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use self::{
    resources::Resources,
    table::{At, Cell, How, Row},
    trial::Trial,
};
use crate::Lock;

/// Which cells a process of the matrix runs: the choice of the user, its part, and the number of parts.
const PART: &str = "PROCESS_SYNC_FAULT_PART";
const PARTS: usize = 2;
/// A cell that takes longer hangs. No wait in it is that long.
const DEADLINE: Duration = Duration::from_secs(150);

/// A cell that can happen.
struct Chosen {
    row: &'static Row,
    how: How,
    at: At,
    name: String,
}

fn cells() -> Vec<Chosen> {
    let mut cells = Vec::new();
    for row in rows::all() {
        for at in At::ALL {
            for how in How::ALL {
                if matches!(row.expected(how, at), Cell::Leaves(_)) {
                    let name = format!("{}: {:?} {}: {} {}", row.object, row.who, row.does, how.name(), at.name());
                    cells.push(Chosen { row, how, at, name });
                }
            }
        }
    }
    cells
}

/// Returns the chosen cells. Without a choice, these are all with `SIGKILL`, and some of the others.
fn chosen(choice: &str) -> Vec<Chosen> {
    let mut cells = cells();
    match choice {
        "all" | "write" => {}
        "" => {
            /// A number that has no common divisor with those of faults and places.
            const EVERY: usize = 11;
            let mut number = 0;
            cells.retain(|cell| {
                number += 1;
                cell.how == How::Kill || number % EVERY == 0
            });
        }
        words => cells.retain(|cell| words.split(' ').all(|word| cell.name.contains(word))),
    }
    cells
}

fn choice() -> String {
    std::env::var("FAULTS").unwrap_or_default()
}

/// Runs a part of the cells, one after the other. Resources are counted for a whole process, so nothing else runs in
/// it.
#[test]
fn part() {
    let Ok(part) = std::env::var(PART) else { return };
    let part: usize = part.parse().unwrap();
    resources::adopt_orphans();
    // The first object makes what stays for the life of the process.
    drop(Lock::new().unwrap());
    let cells = chosen(&choice());
    let mut failed = Vec::new();
    for cell in cells.iter().skip(part).step_by(PARTS) {
        let start = Instant::now();
        let before = Resources::now();
        let (row, how, at) = (cell.row, cell.how, cell.at);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            test_support::watched_within(&cell.name, DEADLINE, move || {
                let mut trial = Trial::start(row, how, at);
                (row.check)(&mut trial);
            });
        }));
        let left_over = before.check_same();
        let verdict = match (&outcome, &left_over) {
            (Ok(()), Ok(())) => "ok".to_string(),
            (Ok(()), Err(left_over)) => format!("FAILED: {left_over}"),
            (Err(_), _) => "FAILED".to_string(),
        };
        println!("{}: {verdict}, {:.0?}", cell.name, start.elapsed());
        if verdict != "ok" {
            failed.push(&cell.name);
        }
    }
    println!("{} of {} cells failed", failed.len(), cells.iter().skip(part).step_by(PARTS).count());
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn every_fault_leaves_what_the_table_says() {
    let count = chosen(&choice()).len();
    assert!(count > 0, "no cell has these words");
    let parts: Vec<_> = (0..PARTS.min(count))
        .map(|part| {
            Command::new(std::env::current_exe().unwrap())
                .args(["faults::part", "--exact", "--nocapture", "--quiet"])
                .env(PART, part.to_string())
                .env("RUST_BACKTRACE", "0")
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for part in parts {
        let output = part.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        if !choice().is_empty() {
            std::io::stdout().write_all(&output.stdout).unwrap();
        }
        let failed: Vec<&str> = text.lines().filter(|line| line.contains("FAILED")).collect();
        assert!(output.status.success(), "{failed:#?}\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    if choice() == "write" {
        std::fs::write(report_path(), report::report()).unwrap();
    }
}

fn report_path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("FAULTS.md")
}

#[test]
fn the_report_agrees_with_the_table() {
    if choice() == "write" {
        return;
    }
    let written = std::fs::read_to_string(report_path()).expect("the report is in the folder of this crate");
    assert!(
        written == report::report(),
        "run `FAULTS=write cargo test --release -p concurrent-futures-sync --lib faults`"
    );
}
