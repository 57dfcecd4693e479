//! Some rows of the measurement, with the processor time of every process, and with the messages and bytes that the
//! server receives and sends.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use cluster::Server;
use executor_core::{Error, Executor as _};

use crate::{
    Measured, TASKS, increment, load, median, one_by_one,
    processes::{Agents, Kind, cpu, failed, workers},
    raw, tasks,
};

/// What the server counts: messages into and out of it, and their bytes.
const COUNTS: [&str; 4] = ["in_msgs", "out_msgs", "in_bytes", "out_bytes"];

/// Returns the counts of a server whose monitoring listens at this address.
fn counts(address: &str) -> Result<[f64; 4], Error> {
    let mut connection = TcpStream::connect(address).map_err(failed)?;
    write!(connection, "GET /varz HTTP/1.0\r\n\r\n").map_err(failed)?;
    let mut text = String::new();
    connection.read_to_string(&mut text).map_err(failed)?;
    let field = |name: &str| {
        let rest = text.split(&format!("\"{name}\":")).nth(1)?;
        rest.split([',', '\n']).next()?.trim().parse().ok()
    };
    Ok(COUNTS.map(|name| field(name).unwrap_or(f64::NAN)))
}

/// What tasks cost: also microseconds of the agent and of its workers for each task, and what the server has counted
/// for each.
struct Row {
    measured: Measured,
    agent: f64,
    workers: f64,
    counts: [f64; 4],
}

impl Row {
    /// Microseconds of all processes for each task.
    fn all(&self) -> f64 {
        self.measured.server + self.measured.client + self.agent + self.workers
    }
}

fn counted(agent: u32, run: impl FnOnce() -> Result<Measured, Error>) -> Result<Row, Error> {
    let address = std::env::var("SPEED_VARZ").unwrap_or_default();
    let now = || if address.is_empty() { Ok([f64::NAN; 4]) } else { counts(&address) };
    let times = || [cpu(agent), workers(agent).into_iter().map(cpu).sum()].map(|time| time.as_secs_f64() * 1e6);
    let (before, began) = (now()?, times());
    let measured = run()?;
    let (after, ended) = (now()?, times());
    let [agent, workers] = [0, 1].map(|at| (ended[at] - began[at]) / TASKS as f64);
    Ok(Row { measured, agent, workers, counts: [0, 1, 2, 3].map(|at| (after[at] - before[at]) / TASKS as f64) })
}

/// One round: the engine alone and the cluster, and microseconds of one task alone of each.
struct Round {
    base: Row,
    row: Row,
    base_lone: f64,
    lone: f64,
}

pub fn print(kind: &str, rounds: &str) -> Result<(), Error> {
    let rounds: usize = rounds.parse().map_err(failed)?;
    let rounds = rounds.max(1);
    let kinds = match kind {
        "inline" => vec![Kind::Inline],
        "pool" => vec![Kind::Pool],
        "both" => vec![Kind::Inline, Kind::Pool],
        other => return Err(failed(format!("there is no part `{other}`"))),
    };
    let server = Server::start("127.0.0.1:0", "speed")?;
    let mut raw = raw::Client::start(&server)?;
    let mut all: Vec<Vec<Round>> = kinds.iter().map(|_| Vec::new()).collect();
    let mut items = Vec::new();
    // What starts is not measured.
    for round in 0..=rounds {
        for (at, &kind) in kinds.iter().enumerate() {
            let base = counted(raw.agent(), || raw.tasks(TASKS))?;
            let base_lone = one_by_one(300, || raw.reply())?;
            let agents = Agents::start(&server, kind, 1, 2)?;
            let cluster = agents.client()?;
            tasks(&cluster, server.pid(), 2000)?;
            let row = counted(agents.pid(), || tasks(&cluster, server.pid(), TASKS))?;
            let lone = one_by_one(300, || cluster.submit(increment, 1)?.result(None).map(drop))?;
            if round > 0 {
                all[at].push(Round { base, row, base_lone, lone });
                if kind == Kind::Pool {
                    let began = std::time::Instant::now();
                    cluster.map(increment, 0..1_000_000)?.sum::<Result<u64, Error>>()?;
                    items.push(1.0 / began.elapsed().as_secs_f64());
                }
            }
        }
    }
    println!("load {}; medians of {rounds} rounds; {TASKS} tasks with 8 bytes", load());
    println!(
        "| | tasks/s | ratio | server us | ratio | client us | agent us | workers us | all us | ratio | one task, us | ratio |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for (kind, rows) in kinds.iter().zip(&all) {
        let of = |what: &dyn Fn(&Round) -> f64| median(rows.iter().map(what).collect());
        let line = |name: &str, row: &dyn Fn(&Round) -> &Row, lone: &dyn Fn(&Round) -> f64| {
            println!(
                "| {name} | {:.0} | {:.2} | {:.1} | {:.2} | {:.1} | {:.1} | {:.1} | {:.1} | {:.2} | {:.0} | {:.2} |",
                of(&|r| row(r).measured.rate),
                of(&|r| row(r).measured.rate / r.base.measured.rate),
                of(&|r| row(r).measured.server),
                of(&|r| row(r).measured.server / r.base.measured.server),
                of(&|r| row(r).measured.client),
                of(&|r| row(r).agent),
                of(&|r| row(r).workers),
                of(&|r| row(r).all()),
                of(&|r| row(r).all() / r.base.all()),
                of(&|r| lone(r)),
                of(&|r| lone(r) / r.base_lone),
            );
        };
        line("the engine alone", &|r| &r.base, &|r| r.base_lone);
        line(&format!("{kind:?}"), &|r| &r.row, &|r| r.lone);
    }
    println!("\n| for each task | messages in | out | bytes in | out |");
    println!("|---|---|---|---|---|");
    for (kind, rows) in kinds.iter().zip(&all) {
        let line = |name: &str, row: &dyn Fn(&Round) -> &Row| {
            let [a, b, c, d] = [0, 1, 2, 3].map(|at| median(rows.iter().map(|r| row(r).counts[at]).collect()));
            println!("| {name} | {a:.2} | {b:.2} | {c:.0} | {d:.0} |");
        };
        line("the engine alone", &|r| &r.base);
        line(&format!("{kind:?}"), &|r| &r.row);
    }
    if !items.is_empty() {
        println!("\n`map` of a million items: {:.1} million items/s", median(items));
    }
    Ok(())
}
