//! A parser that hostile inputs exploit, and one line that contains it.
//!
//! ```text
//! cargo run --release --example untrusted
//! ```
//!
//! The parser has a bug by which an input runs code of its choice: it reads a secret file, connects to a server of the
//! attacker, ends the program that has the pool, and starts processes without end. Each attack is made twice, on a pool
//! without a sandbox and on one with `.sandbox(Sandbox::compute())`, and the report shows what it got. The honest
//! inputs are parsed by both pools, and their results must be the same.
//!
//! The exit code is 0 only if every attack got something without the sandbox, and nothing in it. It is 2 if this system
//! cannot keep the sandbox.

mod corpus;
mod exploit;
mod parser;
mod report;

use std::{error, fs, net::TcpListener, process::ExitCode};

use concurrent_futures::{
    Error, Executor, ProcessPoolExecutor, Sandbox,
    multiprocessing::{Process, Stdio},
};
use serde::{Deserialize, Serialize};

use corpus::Document;
use exploit::{Attack, Target};
use parser::{Page, parse};
use report::{Got, Report};

/// What one program with a pool does.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Job {
    documents: Vec<Document>,
    /// `Sandbox` can be sent like any value.
    sandbox: Option<Sandbox>,
}

/// Parses documents on a pool. These are the only lines that a program needs.
fn parse_all(job: Job) -> Result<Vec<Result<Page, String>>, Error> {
    let builder = ProcessPoolExecutor::builder().max_workers(2);
    let pool = match job.sandbox {
        Some(sandbox) => builder.sandbox(sandbox).build()?,
        None => builder.build()?,
    };
    let pages = job.documents.into_iter().map(|document| pool.submit(parse, document));
    let pages = pages.collect::<Result<Vec<_>, Error>>()?;
    Ok(pages.into_iter().map(|page| page.result(None).map_err(|error| error.to_string())).collect())
}

fn main() -> ExitCode {
    let sandbox = Sandbox::compute();
    if let Err(error) = sandbox.check() {
        eprintln!("untrusted: {error}");
        return ExitCode::from(2);
    }
    match run(sandbox) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("untrusted: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(sandbox: Sandbox) -> Result<bool, Box<dyn error::Error>> {
    let [without, within] = [None, Some(sandbox)];

    let honest = corpus::honest();
    let pages = |sandbox: &Option<Sandbox>| parse_all(Job { documents: honest.clone(), sandbox: sandbox.clone() });
    let is_same = pages(&without)? == pages(&within)?;

    let directory = tempfile::tempdir()?;
    let secret = directory.path().join("id_ed25519");
    fs::write(&secret, "the key of this user")?;
    let server = TcpListener::bind("127.0.0.1:0")?;
    let target = Target { secret, server: server.local_addr()? };
    let mut attacks = Vec::new();
    for attack in Attack::ALL {
        let got = |sandbox: &Option<Sandbox>| attacked(corpus::hostile(attack, &target), sandbox.clone());
        attacks.push((attack, got(&without)?, got(&within)?));
    }
    Ok(report::write(&Report { honest: honest.len(), is_same, attacks }))
}

/// Has a document parsed by a program of its own, which the attack may end, and returns what the attack got.
fn attacked(document: Document, sandbox: Option<Sandbox>) -> Result<Got, Error> {
    let job = Job { documents: vec![document, corpus::honest().remove(0)], sandbox };
    let host = Process::builder().name("host").stdin(Stdio::Null).spawn(
        // An error of the pool itself would not be the attack's.
        |job: Job| parse_all(job).expect("the pool works"),
        job,
    )?;
    Ok(match host.result(None) {
        Err(error) if error.worker_death().is_some() => {
            Got::Something("the program that has the pool has ended".into())
        }
        Err(error) => return Err(error),
        Ok(pages) => match &pages[..] {
            [Ok(Page { loot: Ok(loot), .. }), _] => Got::Something(loot.clone()),
            [Ok(Page { loot: Err(refused), .. }), Ok(_)] => Got::Nothing(refused.clone()),
            [Err(error), Ok(_)] => Got::Nothing(error.clone()),
            pages => Got::Something(format!("the honest document behind it failed: {pages:?}")),
        },
    })
}
