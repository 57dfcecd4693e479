//! Three servers that have copies of everything.

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Child, Command, Stdio},
};

use cluster::{Client, Map, Queue};
use executor_core::Error;
use process_pool::Process;
use tempfile::TempDir;
use test_support::{DEADLINE, free_port, wait_until, watched, watched_within};

use super::daemon::TOKEN;

/// Three servers. They are killed when this is dropped.
struct Servers {
    processes: Vec<Option<Child>>,
    folder: TempDir,
    ports: Vec<u16>,
    routes: Vec<u16>,
}

impl Servers {
    /// Starts three servers, and waits until they work. Without a program on this machine, the test says so and ends.
    fn start() -> Option<(Servers, Client)> {
        if crate::local::is_skipped() {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let three_ports = || Vec::from_iter((0..3).map(|_| free_port()));
        let (ports, routes) = (three_ports(), three_ports());
        let mut servers = Servers { processes: vec![None, None, None], folder, ports, routes };
        (0..3).for_each(|number| servers.run(number));
        let mut client = None;
        wait_until("three servers", || {
            // The first answers may be that there is no leader yet.
            let connected = servers.client().and_then(|client| {
                client.map::<u32>("ready")?.insert("k", 1)?;
                Ok(client)
            });
            client = connected.ok();
            client.is_some()
        });
        Some((servers, client.expect("it was made")))
    }

    fn run(&mut self, number: usize) {
        self.processes[number] = Some(spawn(number, self.ports[number], &self.routes, self.folder.path()));
    }

    fn kill(&mut self, number: usize) {
        let mut process = self.processes[number].take().expect("it runs");
        process.kill().expect("it is a child");
        process.wait().expect("it is a child");
    }

    fn urls(&self) -> Vec<String> {
        self.ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect()
    }

    fn client(&self) -> Result<Client, Error> {
        connect(self.urls())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().flatten() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn spawn(number: usize, port: u16, routes: &[u16], folder: &Path) -> Child {
    let routes_of_all: Vec<String> = routes.iter().map(|route| format!("nats://127.0.0.1:{route}")).collect();
    Command::new(std::env::var_os("NATS_SERVER").unwrap_or_else(|| "nats-server".into()))
        .args(["-a", "127.0.0.1", "-p", &port.to_string(), "--auth", TOKEN, "-js", "-sd"])
        .arg(folder.join(number.to_string()))
        .args(["--server_name", &format!("s{number}"), "--cluster_name", "three"])
        .args(["--cluster", &format!("nats://127.0.0.1:{}", routes[number]), "--routes", &routes_of_all.join(",")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server's program runs")
}

fn connect(urls: Vec<String>) -> Result<Client, Error> {
    let builder = urls.into_iter().fold(Client::builder(), cluster::ClientBuilder::server);
    builder.token(TOKEN).replicas(3).unavailable_after(DEADLINE).build()
}

fn count((urls, times): (Vec<String>, usize)) -> Vec<u64> {
    let map: Map<u64> = connect(urls).unwrap().map("counters").unwrap();
    (0..times).map(|_| map.update("hits", |hits| Some(hits.unwrap_or(0) + 1)).unwrap().unwrap()).collect()
}

#[test]
fn no_update_is_lost_when_replicas_refuse_those_who_are_late() {
    const TIMES: usize = 10;
    watched(|| {
        let Some((servers, client)) = Servers::start() else { return };
        let workers: Vec<_> = (0..4).map(|_| Process::spawn(count, (servers.urls(), TIMES)).unwrap()).collect();
        let mut made: Vec<u64> = workers.iter().flat_map(|worker| worker.result(None).unwrap()).collect();
        made.sort_unstable();
        assert!(made.into_iter().eq(1..=4 * TIMES as u64), "each value is made once");
        let lock = client.lock("l").unwrap();
        let first = lock.lock(None).unwrap().token();
        assert!(lock.lock(None).unwrap().token() > first);
    });
}

#[test]
fn each_server_can_be_killed_and_nothing_is_lost_or_doubled() {
    const ITEMS: u64 = 300;
    // Each death may take an election.
    watched_within("three servers", DEADLINE * 3, || {
        let Some((mut servers, client)) = Servers::start() else { return };
        let (queue, done): (Queue<u64>, Map<u64>) = (client.queue("q").unwrap(), client.map("done").unwrap());
        let taker = servers.client().unwrap().queue::<u64>("q").unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| (0..ITEMS).for_each(|item| queue.put(item).unwrap()));
            let counts = scope.spawn(|| {
                let mut all = BTreeSet::new();
                while all.len() < ITEMS as usize {
                    let item = taker.take(None).unwrap();
                    done.update(&item.to_string(), |times| Some(times.unwrap_or(0) + 1)).unwrap();
                    let number = *item;
                    // A server that is killed may forget that it has given the item to this program.
                    if item.done().is_ok() {
                        all.insert(number);
                    }
                }
                all
            });
            for number in 0..3 {
                servers.kill(number);
                // The others work on, with one of them as the leader.
                client.map::<u32>("ready").unwrap().insert("k", 2).unwrap();
                servers.run(number);
                wait_until("the server is back", || {
                    let url = format!("nats://127.0.0.1:{}", servers.ports[number]);
                    connect(vec![url]).and_then(|client| client.map::<u32>("ready")?.get("k")).is_ok()
                });
            }
            assert!(counts.join().unwrap().into_iter().eq(0..ITEMS));
        });
        assert!((0..ITEMS).all(|item| done.get(&item.to_string()).unwrap() >= Some(1)));
    });
}
