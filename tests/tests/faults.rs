//! The short form of the crash matrix: every cell on a ring with two workers, and on a socket with one.
//!
//! The cells run in new processes, because resources are counted for a whole process.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use process_pool::Transport;
use tests::faults::{Fault, Place, Run, report};

/// Starts the matrix on pools of one kind, at these places.
fn start(transport: &str, workers: &str, places: &[Place]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faults"));
    command.args(["--transport", transport, "--workers", workers]);
    for place in places {
        command.args(["--place", place.name()]);
    }
    // A new worker takes most of a second to resolve the names of a backtrace, and no cell needs it.
    command.env("RUST_BACKTRACE", "0").stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().expect("the matrix can be started")
}

/// Waits for its end, and checks that every cell passed.
fn finish(mut child: Child, places: &[Place]) {
    let mut output = String::new();
    let read: io::Result<usize> = child.stdout.take().expect("it is a pipe").read_to_string(&mut output);
    let ended = child.wait().expect("it is a child");
    let run = |(fault, place)| Run { fault, place, transport: Transport::Ring, workers: 1 };
    let all = Fault::ALL.into_iter().flat_map(|fault| places.iter().map(move |place| (fault, *place)));
    // A system that cannot keep a sandbox, or limits no memory, lacks the cells that need that.
    let cells = all.filter(|cell| run(*cell).is_possible().is_ok()).count();
    let all = output.starts_with(&format!("{cells} of {cells} cells agree with the table"));
    assert!(read.is_ok() && ended.success() && all, "{ended}:\n{output}");
}

/// Runs two processes, because some cells wait five seconds for workers that do not leave.
fn every_cell_passes(transport: &str, workers: &str) {
    let (shutdown, others): (Vec<Place>, Vec<Place>) = Place::ALL.iter().partition(|at| **at == Place::Shutdown);
    let children = [shutdown, others].map(|places| (start(transport, workers, &places), places));
    children.into_iter().for_each(|(child, places)| finish(child, &places));
}

#[test]
fn on_a_ring_with_two_workers_every_cell_passes() {
    every_cell_passes("ring", "2");
}

#[test]
fn on_a_socket_with_one_worker_every_cell_passes() {
    every_cell_passes("socket", "1");
}

#[test]
fn the_report_agrees_with_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../FAULTS.md");
    let written = fs::read_to_string(path).expect("the report is beside this package");
    assert!(written == report::report(), "run `cargo run --release -p tests --bin faults -- --write`");
}
