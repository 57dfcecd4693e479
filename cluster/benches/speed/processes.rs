//! The processes of a measurement, which are this program again.

use std::{
    io::Read as _,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use cluster::{ClusterExecutor, ServeOptions, Server, serve, serve_on};
use executor_core::{Error, ErrorKind, InlineExecutor};

/// How long agents may need to start.
const START: Duration = Duration::from_secs(60);

/// What runs the tasks of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The thread of the agent.
    Inline,
    /// Worker processes.
    Pool,
}

/// Agents that are killed when this is dropped.
pub struct Agents {
    agents: Vec<Child>,
    url: String,
    token: String,
}

pub fn failed(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Other, format!("a measurement has failed: {error}"))
}

/// Starts this program with these arguments.
pub fn start(arguments: &[&str]) -> Result<Child, Error> {
    let program = std::env::current_exe().map_err(failed)?;
    Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)
}

impl Agents {
    pub fn start(server: &Server, kind: Kind, count: usize, slots: usize) -> Result<Agents, Error> {
        let mut all = Agents { agents: Vec::new(), url: server.url(), token: server.token().to_string() };
        let kind = if kind == Kind::Inline { "inline" } else { "pool" };
        for _ in 0..count {
            all.agents.push(start(&["agent", &all.url, &all.token, kind, &slots.to_string()])?);
        }
        Ok(all)
    }

    /// Connects a client, and waits for all agents, but not for ever: one may have failed to start.
    pub fn client(&self) -> Result<ClusterExecutor, Error> {
        let cluster = ClusterExecutor::builder().server(&self.url).token(&self.token).build()?;
        let began = Instant::now();
        // Each question takes some tenths of a second.
        while began.elapsed() < START {
            if cluster.workers().iter().filter(|worker| self.has(worker.pid())).count() == self.agents.len() {
                return Ok(cluster);
            }
        }
        Err(failed(format!("{} agents have not appeared within {START:?}", self.agents.len())))
    }

    /// Returns the process of the first agent.
    pub fn pid(&self) -> u32 {
        self.agents.first().map_or(0, Child::id)
    }

    fn has(&self, pid: u32) -> bool {
        self.agents.iter().any(|agent| agent.id() == pid)
    }
}

impl Drop for Agents {
    fn drop(&mut self) {
        for agent in &mut self.agents {
            let _ = agent.kill();
            let _ = agent.wait();
        }
    }
}

/// Starts clients that run this many tasks each, and returns how many seconds the slowest one has needed.
pub fn clients(server: &Server, count: usize, tasks: u64) -> Result<f64, Error> {
    let start = |_| start(&["client", &server.url(), server.token(), &tasks.to_string()]);
    let clients = (0..count).map(start).collect::<Result<Vec<_>, Error>>()?;
    let mut slowest: f64 = 0.0;
    for mut client in clients {
        let mut text = String::new();
        if let Some(mut output) = client.stdout.take() {
            output.read_to_string(&mut text).map_err(failed)?;
        }
        client.wait().map_err(failed)?;
        slowest = slowest.max(text.trim().parse().map_err(failed)?);
    }
    Ok(slowest)
}

pub fn be_agent(url: &str, token: &str, kind: &str, slots: &str) -> Result<(), Error> {
    let slots = slots.parse().map_err(failed)?;
    let options = ServeOptions::new(url).token(token).slots(slots);
    match kind {
        "inline" => serve_on(options, InlineExecutor::new()),
        _ => serve(options),
    }
}

pub fn be_client(url: &str, token: &str, count: &str) -> Result<(), Error> {
    let cluster = ClusterExecutor::builder().server(url).token(token).build()?;
    let measured = crate::tasks(&cluster, std::process::id(), count.parse().map_err(failed)?)?;
    let count: f64 = count.parse().map_err(failed)?;
    println!("{}", count / measured.rate);
    Ok(())
}

/// Returns the processor time of the threads of a process.
pub fn cpu(pid: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let time = |folder: std::path::PathBuf| {
        let text = std::fs::read_to_string(folder.join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(threads.filter_map(|thread| time(thread.path())).sum())
}

/// Returns the processes that a process has started, and those that they have started.
pub fn workers(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let texts = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let children: Vec<u32> =
        texts.flat_map(|text| text.split(' ').filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect();
    let below = children.iter().flat_map(|child| workers(*child)).collect::<Vec<_>>();
    children.into_iter().chain(below).collect()
}
