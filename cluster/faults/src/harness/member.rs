//! Agents and clients, which are processes of this program.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use cluster::{ClusterBuilder, ClusterExecutor};
use executor_core::Error;
use rustix::process::Signal;
use test_support::{DEADLINE, SharedDir, wait_until};

use super::{process::Process, secrets::Credentials};

/// How long the rows let an agent or a client be silent.
pub const GRACE: Duration = Duration::from_secs(3);

/// Where a member of a cluster connects, and as whom.
#[derive(Clone, Debug, Default)]
pub struct Site {
    pub urls: Vec<String>,
    pub pool: String,
    pub credentials: Credentials,
    /// How long an agent may be silent, if not for [`GRACE`].
    pub grace: Option<Duration>,
}

impl Site {
    pub fn new(urls: Vec<String>, pool: &str) -> Site {
        Site { urls, pool: pool.to_string(), ..Site::default() }
    }

    pub fn with(&self, credentials: &Credentials) -> Site {
        Site { credentials: credentials.clone(), ..self.clone() }
    }

    /// Returns a builder of a client of this process.
    pub fn builder(&self) -> ClusterBuilder {
        let mut builder = ClusterExecutor::builder().pool(&self.pool).grace(self.grace.unwrap_or(GRACE));
        for url in &self.urls {
            builder = builder.server(url);
        }
        if let Some(user) = &self.credentials.name {
            builder = builder.user(user);
        }
        if let Some(seed) = &self.credentials.seed {
            builder = builder.nkey(seed);
        }
        if let Some(tls) = &self.credentials.tls {
            builder = builder.tls(tls.options());
        }
        builder
    }

    /// Makes a client of this process.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn client(&self) -> Client {
        Client::from(self.builder().build())
    }

    /// Returns the arguments that tell another process of this program the same.
    fn arguments(&self, command: &mut Command) {
        command.args(["--pool", &self.pool]);
        for url in &self.urls {
            command.args(["--url", url]);
        }
        if let Some(user) = &self.credentials.name {
            command.args(["--user", user]);
        }
        if let Some(seed) = &self.credentials.seed {
            // Not an argument, which every user of the machine can read.
            command.env("FAULTS_SEED", seed);
        }
        if let Some(tls) = &self.credentials.tls {
            command.arg("--ca").arg(&tls.authority);
            if let Some((certificate, key)) = &tls.certificate {
                command.arg("--certificate").arg(certificate).arg("--key").arg(key);
            }
        }
    }
}

/// An executor that does not wait for its tasks if the row fails.
pub struct Client(Option<ClusterExecutor>);

impl From<Result<ClusterExecutor, Error>> for Client {
    fn from(executor: Result<ClusterExecutor, Error>) -> Client {
        Client(Some(executor.unwrap_or_else(|error| panic!("no client: {error}"))))
    }
}

impl std::ops::Deref for Client {
    type Target = ClusterExecutor;

    fn deref(&self) -> &ClusterExecutor {
        self.0.as_ref().expect("it is there until the drop")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::mem::forget(self.0.take());
        }
    }
}

/// An agent, in a process of its own.
pub struct Agent {
    pub process: Process,
    ready: PathBuf,
}

/// How an agent is started.
#[derive(Clone, Debug)]
pub struct AgentOptions {
    pub slots: usize,
    /// The program, if it is not this one.
    pub program: Option<PathBuf>,
    /// The network namespace.
    pub namespace: Option<String>,
    /// The limit of the memory of a task, in bytes.
    pub memory_limit: Option<u64>,
}

impl Default for AgentOptions {
    fn default() -> AgentOptions {
        AgentOptions { slots: 2, program: None, namespace: None, memory_limit: None }
    }
}

impl Agent {
    /// Starts an agent with two slots, and waits until it has connected.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn start(site: &Site, dir: &SharedDir) -> Agent {
        Agent::start_with(site, dir, &AgentOptions::default())
    }

    /// Starts an agent with these options, and waits until its pool has started.
    ///
    /// # Panics
    ///
    /// As [`start`](Agent::start).
    pub fn start_with(site: &Site, dir: &SharedDir, options: &AgentOptions) -> Agent {
        let mut agent = Agent::launch(site, dir, options);
        let ready = agent.ready.clone();
        wait_until("an agent", || {
            assert!(agent.process.ended().is_none(), "an agent has ended: {}", agent.process.says());
            ready.exists()
        });
        agent
    }

    /// Starts an agent, and does not wait.
    pub fn launch(site: &Site, dir: &SharedDir, options: &AgentOptions) -> Agent {
        let number = next_number();
        let ready = PathBuf::from(dir.path(&format!("agent-{number}.ready")));
        let mut command = this_program(options.program.as_deref(), options.namespace.as_deref());
        command.args(["--role", "agent", "--slots", &options.slots.to_string()]).arg("--ready").arg(&ready);
        if let Some(bytes) = options.memory_limit {
            command.args(["--memory-limit", &bytes.to_string()]);
        }
        site.arguments(&mut command);
        let process = Process::start(command, Path::new(&dir.path(&format!("agent-{number}.log"))));
        Agent { process, ready }
    }

    /// Stops the agent and its tasks without ending them.
    pub fn stop(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets a stopped agent go on.
    pub fn go_on(&self) {
        self.process.signal(Signal::CONT);
    }
}

/// A client in a process of its own, which submits tasks and writes what became of them.
pub struct ClientProcess {
    pub process: Process,
    summary: PathBuf,
}

impl ClientProcess {
    /// Starts a client that submits this many tasks of so many milliseconds, with these retries.
    pub fn start(site: &Site, dir: &SharedDir, journal: &str, tasks: u32, milliseconds: u32, retries: u32) -> Self {
        Self::start_program((None, site, dir), journal, tasks, milliseconds, retries)
    }

    /// The same, of a program that may not be this one.
    pub fn start_program(
        (program, site, dir): (Option<&Path>, &Site, &SharedDir),
        journal: &str,
        tasks: u32,
        milliseconds: u32,
        retries: u32,
    ) -> Self {
        let number = next_number();
        let summary = PathBuf::from(dir.path(&format!("client-{number}.summary")));
        let mut command = this_program(program, None);
        command.args(["--role", "client", "--journal", journal, "--tasks", &tasks.to_string()]);
        command.args(["--milliseconds", &milliseconds.to_string(), "--retries", &retries.to_string()]);
        command.arg("--summary").arg(&summary);
        site.arguments(&mut command);
        let process = Process::start(command, Path::new(&dir.path(&format!("client-{number}.log"))));
        ClientProcess { process, summary }
    }

    /// Waits for the end of the client, and returns the numbers of results and of errors, and the first error.
    ///
    /// # Panics
    ///
    /// If it does not end in time, or not well.
    pub fn wait(mut self, within: Duration) -> (usize, usize, String) {
        let status = self.process.wait(within);
        assert!(status.success(), "the client has ended with {status}: {}", self.process.says());
        let text = std::fs::read_to_string(&self.summary).expect("the client has written its summary");
        let mut lines = text.lines();
        let mut number = || lines.next().and_then(|line| line.parse().ok()).expect("a number");
        (number(), number(), text.lines().nth(2).unwrap_or_default().to_string())
    }

    /// Waits until the client has ended in any way.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

fn this_program(program: Option<&Path>, namespace: Option<&str>) -> Command {
    let own = std::env::current_exe().expect("the program has a path");
    let program = program.unwrap_or(&own);
    match namespace {
        Some(namespace) => {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", namespace]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

fn next_number() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Relaxed)
}

/// Waits until a client knows as many agents as there are.
pub fn wait_for_agents(client: &ClusterExecutor, agents: usize) {
    let began = std::time::Instant::now();
    while client.workers().len() < agents {
        assert!(began.elapsed() < DEADLINE, "there are {agents} agents, and the client knows {:?}", client.workers());
        std::thread::sleep(Duration::from_millis(20));
    }
}
