//! Some rows of the measurement, with the messages that the server receives and sends.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use cluster::Server;
use executor_core::{Error, Executor as _};

use crate::{
    Measured, TASKS, increment, load, median, one_by_one,
    processes::{Agents, Kind, failed},
    raw, tasks,
};

/// Returns the counts of messages into and out of a server whose monitoring listens at this address.
fn messages(address: &str) -> Result<[f64; 2], Error> {
    let mut connection = TcpStream::connect(address).map_err(failed)?;
    write!(connection, "GET /varz HTTP/1.0\r\n\r\n").map_err(failed)?;
    let mut text = String::new();
    connection.read_to_string(&mut text).map_err(failed)?;
    let field = |name: &str| {
        let rest = text.split(&format!("\"{name}\":")).nth(1)?;
        rest.split([',', '\n']).next()?.trim().parse().ok()
    };
    Ok(["in_msgs", "out_msgs"].map(|name| field(name).unwrap_or(f64::NAN)))
}

/// What tasks cost, and how many messages went into and out of the server for each.
struct Row {
    measured: Measured,
    messages: [f64; 2],
}

fn counted(run: impl FnOnce() -> Result<Measured, Error>) -> Result<Row, Error> {
    let address = std::env::var("SPEED_VARZ").unwrap_or_default();
    let now = || if address.is_empty() { Ok([f64::NAN; 2]) } else { messages(&address) };
    let before = now()?;
    let measured = run()?;
    let after = now()?;
    Ok(Row { measured, messages: [0, 1].map(|at| (after[at] - before[at]) / TASKS as f64) })
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
            let base = counted(|| raw.tasks(TASKS))?;
            let base_lone = one_by_one(300, || raw.reply())?;
            let agents = Agents::start(&server, kind, 1, 2)?;
            let cluster = agents.client()?;
            tasks(&cluster, server.pid(), 2000)?;
            let row = counted(|| tasks(&cluster, server.pid(), TASKS))?;
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
    println!("| | tasks/s | ratio | server us | ratio | client us | messages in | out | one task, us | ratio |");
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for (kind, rows) in kinds.iter().zip(&all) {
        let of = |what: &dyn Fn(&Round) -> f64| median(rows.iter().map(what).collect());
        println!(
            "| the engine alone | {:.0} | 1.00 | {:.1} | 1.00 | {:.1} | {:.2} | {:.2} | {:.0} | 1.00 |",
            of(&|r| r.base.measured.rate),
            of(&|r| r.base.measured.server),
            of(&|r| r.base.measured.client),
            of(&|r| r.base.messages[0]),
            of(&|r| r.base.messages[1]),
            of(&|r| r.base_lone),
        );
        println!(
            "| {kind:?} | {:.0} | {:.2} | {:.1} | {:.2} | {:.1} | {:.2} | {:.2} | {:.0} | {:.2} |",
            of(&|r| r.row.measured.rate),
            of(&|r| r.row.measured.rate / r.base.measured.rate),
            of(&|r| r.row.measured.server),
            of(&|r| r.row.measured.server / r.base.measured.server),
            of(&|r| r.row.measured.client),
            of(&|r| r.row.messages[0]),
            of(&|r| r.row.messages[1]),
            of(&|r| r.lone),
            of(&|r| r.lone / r.base_lone),
        );
    }
    if !items.is_empty() {
        println!("\n`map` of a million items: {:.1} million items/s", median(items));
    }
    Ok(())
}
