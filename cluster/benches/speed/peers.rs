//! The same work in dask.distributed, ray, mpi4py.futures and CPython's own pool.
//!
//! Each has two worker processes on this machine. The scripts are in `benches/peers`, and `PEERS_PYTHON` names a Python
//! that has what their `requirements.txt` lists. What it does not have is left out, with the reason.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use cluster::{ClusterExecutor, Server};
use executor_core::{Error, Executor as _};

use crate::{
    increment, load, median,
    processes::{Agents, Kind, failed},
    tasks,
};

/// How often each is measured.
const ROUNDS: usize = 3;

/// The work, which is that of `benches/peers/work.py`.
const TASKS: u64 = 1_000;
const SINGLE: usize = 100;
const ITEMS: u64 = 1_000_000;

/// The scripts. One that begins with `mpi` is started by `mpiexec`, with a rank for it and one for each worker.
const SCRIPTS: [&str; 4] = ["cpython", "mpi4py_futures", "ray_core", "dask_distributed"];

/// What one run says: tasks for each second, items for each second, and the median and 99th percentile of one task, in
/// microseconds.
type Row = [f64; 4];

/// Prints the table.
pub fn print() -> Result<(), Error> {
    let python = std::env::var("PEERS_PYTHON").unwrap_or_else(|_| "python3".into());
    println!("load {}; {ROUNDS} rounds in turns, medians, and the range of the rate", load());
    let mut rows: Vec<(String, Vec<Row>)> = Vec::new();
    for _ in 0..ROUNDS {
        let own = own()?;
        note(&mut rows, "this cluster".into(), own);
        for script in SCRIPTS {
            match run(&python, script) {
                Ok((name, row)) => note(&mut rows, name, row),
                Err(why) => eprintln!("SKIPPED {script}: {why}"),
            }
        }
    }
    println!("| 2 worker processes | tasks/s | range | `map` of a million, items/s | one task p50, us | p99, us |");
    println!("|---|---|---|---|---|---|");
    for (name, runs) in rows {
        let of = |at: usize| runs.iter().map(|row| row[at]).collect::<Vec<f64>>();
        let (least, most) = of(0).into_iter().fold((f64::MAX, 0.0_f64), |(least, most), n| (least.min(n), most.max(n)));
        let [many, items, single, late] = [0, 1, 2, 3].map(|at| median(of(at)));
        println!("| {name} | {many:.0} | {least:.0} - {most:.0} | {items:.0} | {single:.0} | {late:.0} |");
    }
    println!("load {}", load());
    Ok(())
}

fn note(rows: &mut Vec<(String, Vec<Row>)>, name: String, row: Row) {
    println!("{name}: {row:.0?}");
    match rows.iter_mut().find(|(known, _)| *known == name) {
        Some((_, runs)) => runs.push(row),
        None => rows.push((name, vec![row])),
    }
}

/// A server, an agent with a pool, and this process as the client.
fn own() -> Result<Row, Error> {
    let server = Server::start("127.0.0.1:0", "peers")?;
    let agents = Agents::start(&server, Kind::Pool, 1, 2)?;
    let cluster: ClusterExecutor = agents.client()?;
    // What starts is not measured, here and there.
    tasks(&cluster, server.pid(), 200)?;
    let many = tasks(&cluster, server.pid(), TASKS)?.rate;

    let mut times = Vec::new();
    for n in 0..SINGLE as u64 {
        let began = Instant::now();
        assert_eq!(cluster.submit(increment, n)?.result(None)?, n + 1);
        times.push(began.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_unstable_by(f64::total_cmp);

    let began = Instant::now();
    let sum = cluster.map(increment, 0..ITEMS)?.sum::<Result<u64, Error>>()?;
    assert_eq!(sum, ITEMS * (ITEMS + 1) / 2);
    let items = ITEMS as f64 / began.elapsed().as_secs_f64();
    Ok([many, items, times[SINGLE / 2], times[SINGLE * 99 / 100]])
}

/// Runs a script, and returns what it calls itself and what it has measured.
fn run(python: &str, script: &str) -> Result<(String, Row), Error> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("benches/peers/{script}.py"));
    let mut command = match script.starts_with("mpi") {
        false => Command::new(python),
        true => {
            // That of the same installation, if it has one.
            let own = Path::new(python).with_file_name("mpiexec");
            let mut command = Command::new(if own.exists() { own.as_path() } else { Path::new("mpiexec") });
            command.args(["--allow-run-as-root", "--oversubscribe", "-n", "3", python, "-m", "mpi4py.futures"]);
            command
        }
    };
    let output = command.arg(file).stdin(Stdio::null()).output().map_err(failed)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("MEASURED\t"));
    let fields: Vec<&str> = line.into_iter().flat_map(|line| line.split('\t')).collect();
    let [name, numbers @ ..] = &fields[..] else {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(failed(format!("{}: {}", output.status, errors.lines().last().unwrap_or_default())));
    };
    let numbers: Vec<f64> = numbers.iter().filter_map(|number| number.parse().ok()).collect();
    let row = Row::try_from(numbers).map_err(|_| failed(format!("it has printed {text:?}")))?;
    Ok((name.to_string(), row))
}
