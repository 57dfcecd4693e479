//! The table: each row makes one fault happen, and checks what the caller sees.

mod agents;
mod builds;
mod chaos;
mod clients;
mod deployment;
mod frames;
mod limits;
mod operators;
mod races;
mod security;
mod servers;
mod tasks;

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

use test_support::{Random, SharedDir};

use crate::harness::{
    member::{Agent, AgentOptions, Client, Site, wait_for_agents},
    server::Servers,
};

/// How long a row waits for tasks that must end.
pub const LONG: Duration = Duration::from_secs(240);

/// A row of the table.
pub struct Row {
    pub number: u32,
    /// What happens.
    pub event: &'static str,
    /// What the caller sees.
    pub expected: &'static str,
    pub play: fn(&mut Run),
}

/// All rows, in the order of their numbers.
pub const ROWS: [Row; 24] = [
    Row {
        number: 1,
        event: "the only server is killed, or ended by `SIGTERM`, several times under load, and started again",
        expected: "no error; no task is lost, and none runs twice",
        play: servers::restarts,
    },
    Row {
        number: 2,
        event: "of three servers the leader of the stream is killed under load",
        expected: "no error; a pause of some seconds; none runs twice",
        play: servers::leader_killed,
    },
    Row {
        number: 3,
        event: "two of three servers are down",
        expected: "submitting goes on, and is `Unavailable` after `unavailable_after`; all resumes when they are back",
        play: servers::majority_down,
    },
    Row {
        number: 4,
        event: "each of three servers is restarted in turn as a lame duck, under load",
        expected: "no error; none runs twice; a short pause",
        play: servers::rolling_restart,
    },
    Row {
        number: 5,
        event: "the process of a task is killed",
        expected: "without retries `WorkerDied` with host, process and signal; with two it runs again",
        play: agents::task_killed,
    },
    Row {
        number: 6,
        event: "an agent and its processes are killed",
        expected: "without retries its running tasks are `WorkerDied` after the grace, and all others run; with two all run",
        play: agents::agent_killed,
    },
    Row {
        number: 7,
        event: "an agent is stopped for longer than the grace, and goes on",
        expected: "its tasks run elsewhere; what it then returns does not count; each task has one result",
        play: agents::agent_stopped,
    },
    Row {
        number: 8,
        event: "an agent, or the client, is cut off silently, and the network comes back",
        expected: "as in rows 6 and 7; a client that was cut off for a moment loses nothing; both come back by themselves",
        play: agents::cut_off,
    },
    Row {
        number: 9,
        event: "one of three servers, the leader of the stream, is cut off from the others",
        expected: "it stores nothing; the client goes to the others; no error",
        play: servers::minority,
    },
    Row {
        number: 10,
        event: "a client is killed",
        expected: "what has not started never does; what runs ends; nothing stays in the stream",
        play: clients::killed,
    },
    Row {
        number: 11,
        event: "a client is stopped, or offline, for longer than the grace, and comes back",
        expected: "every future ends; no error while its agents live; none runs twice",
        play: clients::away,
    },
    Row {
        number: 12,
        event: "the engine's word that a task is stored is lost, late, doubled or overtaken",
        expected: "one execution and one result of each task",
        play: frames::stored,
    },
    Row {
        number: 13,
        event: "an agent's question, or the client's grant, is lost, late, doubled or overtaken",
        expected: "one execution and one result of each task",
        play: frames::granted,
    },
    Row {
        number: 14,
        event: "an outcome, or the word that it has arrived, is lost, late, doubled or overtaken",
        expected: "one execution and one result of each task",
        play: frames::outcomes,
    },
    Row {
        number: 15,
        event: "a task is cancelled while it starts",
        expected: "it is cancelled and has not run, or is not cancelled and has run once",
        play: races::cancels,
    },
    Row {
        number: 16,
        event: "a task is terminated while it ends",
        expected: "one end: its result, and it has ended by itself; or `Terminated`",
        play: races::terminations,
    },
    Row {
        number: 17,
        event: "a task aborts, panics, overflows its stack, exits, or exceeds its time or memory, alone or in a chunk",
        expected: "the error of a local pool; in a chunk for the one item alone",
        play: tasks::deaths,
    },
    Row {
        number: 18,
        event: "agents of another build are in the pool",
        expected: "no task goes to them; `NoWorkers` lists their build; an agent of the own build runs everything",
        play: builds::two_builds,
    },
    Row {
        number: 19,
        event: "the queue, the stream, or the engine's store is full, also with large values",
        expected: "`QueueFull` or a wait; everything runs when there is room",
        play: limits::full,
    },
    Row {
        number: 20,
        event: "an operator deletes the consumer, then the stream, under load",
        expected: "both are made again; no error; none runs twice",
        play: operators::deleted,
    },
    Row {
        number: 21,
        event: "messages vanish from the stream",
        expected: "their tasks are published again, and run once",
        play: operators::vanished,
    },
    Row {
        number: 22,
        event: "wrong credentials, plain text, a foreign authority, and each member tries what its role may not",
        expected: "typed errors and refusals; nothing runs, nothing is seen",
        play: security::refusals,
    },
    Row {
        number: 23,
        event: "all of it, mixed by a seed",
        expected: "every future has one end; executions within the attempts; nothing is left in the stream",
        play: chaos::chaos,
    },
    Row {
        number: 24,
        event: "a new build is deployed machine by machine, under load: its agent starts, and the old one gets `SIGTERM`",
        expected: "no error in clients of either build; every task runs once",
        play: deployment::new_build,
    },
];

/// What a row has, and what it has found.
pub struct Run {
    /// Whether to do a small part of the row, in a few seconds.
    pub is_short: bool,
    /// How long the chaos lasts.
    pub chaos: Duration,
    pub random: Random,
    figures: Vec<String>,
    skipped: Vec<String>,
}

impl Run {
    pub fn new(is_short: bool, chaos: Duration, seed: u64) -> Run {
        Run { is_short, chaos, random: Random::new(seed), figures: Vec::new(), skipped: Vec::new() }
    }

    /// Notes what a case has shown.
    pub fn figure(&mut self, case: &str, shown: impl Display) {
        self.figures.push(format!("{case}: {shown}"));
        eprintln!("    {case}: {shown}");
    }

    /// Notes a case that this machine cannot have.
    pub fn skip(&mut self, case: &str, why: impl Display) {
        eprintln!("    SKIPPED {case}: {why}");
        self.skipped.push(format!("{case}: {why}"));
    }

    pub fn into_found(self) -> (Vec<String>, Vec<String>) {
        (self.figures, self.skipped)
    }

    /// Returns the first number in a short run, and the second one otherwise.
    fn amount(&self, short: u32, whole: u32) -> u32 {
        if self.is_short { short } else { whole }
    }

    /// Starts a single server, this many agents with two slots each, and a client.
    fn cluster(&mut self, agents: usize) -> Cluster {
        let servers = Servers::single("");
        let site = Site::new(servers.urls(), "faults");
        Cluster::over(servers, site, agents)
    }
}

/// The servers, agents and client of a row. They are dropped in this order.
struct Cluster {
    client: Client,
    agents: Vec<Agent>,
    site: Site,
    dir: SharedDir,
    servers: Servers,
}

impl Cluster {
    fn over(servers: Servers, site: Site, agents: usize) -> Cluster {
        let dir = SharedDir::new();
        let client = site.client();
        let agents: Vec<Agent> = (0..agents).map(|_| Agent::launch(&site, &dir, &AgentOptions::default())).collect();
        wait_for_agents(&client, agents.len());
        Cluster { client, agents, site, dir, servers }
    }

    /// Returns the path of a journal.
    fn journal(&self, name: &str) -> String {
        self.dir.path(&format!("{name}.journal"))
    }

    /// Adds an agent, and waits until the client knows it.
    fn add_agent(&mut self) {
        self.agents.push(Agent::start(&self.site, &self.dir));
    }
}

fn seconds(since: Instant) -> String {
    format!("{:.1} s", since.elapsed().as_secs_f64())
}
