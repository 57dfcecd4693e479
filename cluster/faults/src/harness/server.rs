//! Servers of NATS: single ones, and clusters of three nodes.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    process::Command,
    time::Duration,
};

use rustix::process::Signal;
use tempfile::TempDir;
use test_support::{DEADLINE, free_port};

use super::{network::Network, process::Process};

/// How long a node may take to end after a signal. A lame duck lets its clients go one after the other.
const LONGEST_END: Duration = Duration::from_secs(60);

/// What a configuration has in common with every other one. A dead peer is noticed within seconds; by default its
/// socket would swallow deliveries for minutes.
const COMMON: &str =
    "ping_interval: \"5s\"\nping_max: 2\nlame_duck_grace_period: \"500ms\"\nlame_duck_duration: \"30s\"\n";

/// Where a server stores what clients send it.
const STORE: &str = "jetstream { store_dir: STORE }\n";

/// Where a server runs.
struct Place {
    host: String,
    namespace: Option<String>,
}

impl Place {
    fn loopback() -> Place {
        Place { host: "127.0.0.1".to_string(), namespace: None }
    }
}

/// The servers of a row. Dropping them kills them, and removes what they have stored.
#[derive(Debug)]
pub struct Servers {
    pub nodes: Vec<Node>,
    _folder: TempDir,
}

impl Drop for Servers {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.nodes.iter().for_each(|node| eprintln!("the log of server {} ends with\n{}", node.name, node.says()));
        }
    }
}

/// A node, which may be down.
#[derive(Debug)]
pub struct Node {
    /// The name of the node in its cluster.
    pub name: String,
    pub host: String,
    pub port: u16,
    monitor: u16,
    namespace: Option<String>,
    environment: Vec<(String, String)>,
    folder: PathBuf,
    process: Option<Process>,
}

/// Returns the program of the server, if there is one.
pub fn program() -> Option<PathBuf> {
    let program = std::env::var_os("NATS_SERVER").map_or_else(|| "nats-server".into(), PathBuf::from);
    Command::new(&program).arg("--version").output().ok().map(|_| program)
}

impl Servers {
    /// Starts a single server. `more` is appended to its configuration.
    ///
    /// # Panics
    ///
    /// As all functions of this module: if a server does not do what it must, in time.
    pub fn single(more: &str) -> Servers {
        Servers::start(&[Place::loopback()], STORE, more)
    }

    /// Starts a single server whose configuration reads these variables.
    pub fn single_in_environment(more: &str, environment: Vec<(String, String)>) -> Servers {
        Servers::start_in(&[Place::loopback()], STORE, more, environment)
    }

    /// Starts a single server that listens on this address.
    pub fn on(host: &str) -> Servers {
        Servers::start(&[Place { host: host.to_string(), namespace: None }], STORE, "")
    }

    /// Starts a single server with this section for its store; `STORE` in it is the folder.
    pub fn single_with_store(store: &str) -> Servers {
        Servers::start(&[Place::loopback()], store, "")
    }

    /// Starts three nodes, on the loopback or each on a machine of a network.
    pub fn three(network: Option<&Network>) -> Servers {
        let place = |n| match network {
            Some(network) => Place { host: network.address(n), namespace: Some(network.namespace(n)) },
            None => Place::loopback(),
        };
        Servers::start(&[place(0), place(1), place(2)], STORE, "")
    }

    fn start(places: &[Place], store: &str, more: &str) -> Servers {
        Servers::start_in(places, store, more, Vec::new())
    }

    fn start_in(places: &[Place], store: &str, more: &str, environment: Vec<(String, String)>) -> Servers {
        let folder = tempfile::tempdir().expect("a folder");
        let routes: Vec<(String, u16)> = places.iter().map(|place| (place.host.clone(), free_port())).collect();
        let nodes = places.iter().enumerate().map(|(n, place)| {
            let node = Node {
                name: format!("n{n}"),
                host: place.host.clone(),
                port: free_port(),
                monitor: free_port(),
                namespace: place.namespace.clone(),
                environment: environment.clone(),
                folder: folder.path().join(format!("n{n}")),
                process: None,
            };
            fs::create_dir(&node.folder).expect("a folder");
            let store = store.replace("STORE", &format!("{:?}", node.folder.join("store")));
            let cluster = if places.len() > 1 { cluster_section(&routes, n) } else { String::new() };
            let text = format!(
                "server_name: {}\nhost: {host}\nport: {}\nhttp: \"{host}:{}\"\n{COMMON}{store}{cluster}{more}\n",
                node.name,
                node.port,
                node.monitor,
                host = node.host,
            );
            fs::write(node.config(), text).expect("a file can be written");
            node
        });
        let mut servers = Servers { nodes: nodes.collect(), _folder: folder };
        servers.nodes.iter_mut().for_each(Node::launch);
        servers.nodes.iter().for_each(Node::wait_until_ready);
        servers
    }

    /// Returns the URLs of all nodes.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Node::url).collect()
    }
}

impl Node {
    /// Returns the last lines of the log.
    pub fn says(&self) -> String {
        self.process.as_ref().map(Process::says).unwrap_or_default()
    }

    /// Returns the host and the port.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub fn url(&self) -> String {
        format!("nats://{}:{}", self.host, self.port)
    }

    /// Starts the node, and waits until it works.
    pub fn start(&mut self) {
        self.launch();
        self.wait_until_ready();
    }

    /// Starts the node, and does not wait.
    pub fn launch(&mut self) {
        let program = program().expect("it was checked");
        let mut command = match &self.namespace {
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace]).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.arg("-c").arg(self.config()).envs(self.environment.iter().cloned());
        self.process = Some(Process::start(command, &self.log()));
    }

    /// Kills the node.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Ends the node as a service manager does.
    pub fn terminate(&mut self) {
        self.end_by(Signal::TERM);
    }

    /// Makes the node a lame duck, which sends its clients to others, and waits for its end.
    pub fn end_as_lame_duck(&mut self) {
        self.end_by(Signal::USR2);
    }

    /// Stops the process without ending it.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a stopped process go on.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }

    fn end_by(&mut self, signal: Signal) {
        if let Some(mut process) = self.process.take() {
            process.signal(signal);
            process.wait(LONGEST_END);
        }
    }

    /// Waits until the node serves, and its cluster has a leader.
    pub fn wait_until_ready(&self) {
        let began = std::time::Instant::now();
        while !self.is_healthy() {
            assert!(began.elapsed() < DEADLINE, "server {} is not ready: {}", self.name, self.says());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Returns whether the node and all that it stores are up to date.
    pub fn is_healthy(&self) -> bool {
        self.get("/healthz").is_some_and(|body| body.contains("\"status\":\"ok\""))
    }

    /// Reads a page of the server's monitoring.
    fn get(&self, path: &str) -> Option<String> {
        let address = format!("{}:{}", self.host, self.monitor).parse().ok()?;
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).ok()?;
        let mut page = String::new();
        stream.read_to_string(&mut page).ok()?;
        Some(page)
    }

    fn config(&self) -> PathBuf {
        self.folder.join("server.conf")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

fn cluster_section(routes: &[(String, u16)], own: usize) -> String {
    let others = routes.iter().enumerate().filter(|(n, _)| *n != own);
    let urls: Vec<String> = others.map(|(_, (host, port))| format!("\"nats-route://{host}:{port}\"")).collect();
    let (host, port) = &routes[own];
    format!("cluster {{ name: faults, listen: \"{host}:{port}\", routes: [{}] }}\n", urls.join(", "))
}
