//! Drives the service with HTTP over real connections, and counts every answer.

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    thread,
};

use test_support::{DEADLINE, kill, parent, wait_gone, wait_until};

const SIGTERM: i32 = 15;

/// A running service. Dropping it kills it, and its workers end with it.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(options: &[&str]) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_web_service"))
            .args(["--listen", "127.0.0.1:0"])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the service starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let address = line.trim().strip_prefix("listening on ").expect("it listens").parse().expect("an address");
        Server { child, address }
    }

    /// Sends a request and returns the connection, on which the answer comes.
    fn send(&self, method: &str, path: &str, body: &str) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )?;
        Ok(stream)
    }

    fn count(&self, document: &str) -> (u16, String) {
        answer(self.send("POST", "/count", document).expect("it listens"))
    }

    /// Returns one of the numbers of the pool's statistics.
    fn stats(&self, what: &str) -> u64 {
        let (status, stats) = answer(self.send("GET", "/stats", "").expect("it listens"));
        assert_eq!(status, 200, "{stats}");
        let words: Vec<&str> = stats.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
        let at = words.iter().position(|word| *word == what).expect("the name of a number");
        words[at - 1].parse().expect("a number")
    }

    fn wait_for(&self, what: &str, number: u64) {
        wait_until(&format!("{number} {what}"), || self.stats(what) == number);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads an answer to its end: its status and its body.
fn answer(mut stream: TcpStream) -> (u16, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, body.to_owned())
}

#[test]
fn documents_are_counted_and_a_crash_costs_one_request() {
    let server = Server::start(&["--workers", "1"]);
    assert_eq!(server.count("three short words"), (200, "3".to_owned()));
    let (status, message) = server.count("abort");
    assert_eq!(status, 500, "{message}");
    assert!(message.contains("SIGABRT"), "{message}");
    assert_eq!(server.count("two words"), (200, "2".to_owned()));
}

#[test]
fn a_full_queue_is_503_and_a_long_task_is_504_and_is_stopped() {
    let server = Server::start(&["--workers", "1", "--queue", "1", "--time-limit-ms", "3000"]);
    let running = server.send("POST", "/count", "loop").expect("it listens");
    server.wait_for("running", 1);
    let queued = server.send("POST", "/count", "loop").expect("it listens");
    server.wait_for("queued", 1);
    let (status, message) = server.count("one");
    assert_eq!(status, 503, "{message}");
    for connection in [running, queued] {
        let (status, message) = answer(connection);
        assert_eq!(status, 504, "{message}");
    }
    server.wait_for("running", 0);
    server.wait_for("queued", 0);
    assert_eq!(server.count("two words"), (200, "2".to_owned()));
}

#[test]
fn the_task_of_a_client_that_is_gone_is_stopped() {
    let server = Server::start(&["--workers", "1", "--queue", "1", "--time-limit-ms", "3600000"]);
    let running = server.send("POST", "/count", "loop").expect("it listens");
    server.wait_for("running", 1);
    let queued = server.send("POST", "/count", "one").expect("it listens");
    server.wait_for("queued", 1);
    drop(queued);
    server.wait_for("cancelled", 1);
    drop(running);
    server.wait_for("running", 0);
    assert_eq!(server.count("two words"), (200, "2".to_owned()));
}

fn children_of(pid: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").expect("/proc is mounted").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|child| parent(*child) == Some(pid)).collect()
}

/// Checks that a service ends after `end`, and answers the request that it is working on.
fn ends_gracefully(end: impl FnOnce(&Server, &[u32])) {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let file = folder.path().join("document");
    let mut server = Server::start(&["--workers", "2", "--time-limit-ms", "3600000"]);
    let document = format!("wait {}", file.display());
    let running = server.send("POST", "/count", &document).expect("it listens");
    server.wait_for("running", 1);
    let workers = children_of(server.child.id());
    assert_eq!(workers.len(), 2);
    end(&server, &workers);
    wait_until("no more connections", || TcpStream::connect(server.address).is_err());
    assert!(server.child.try_wait().expect("it is our child").is_none(), "it waits for the request");
    std::fs::write(&file, "").expect("a writable folder");
    assert_eq!(answer(running), (200, "2".to_owned()));
    assert_eq!(server.child.wait().expect("it is our child").code(), Some(0));
    wait_gone(&workers, DEADLINE);
}

#[test]
fn sigterm_ends_it_after_the_last_answer() {
    ends_gracefully(|server, _| kill(server.child.id(), SIGTERM));
}

/// This is what systemd does by default (`KillMode=control-group`).
#[test]
fn a_sigterm_for_every_process_ends_it_after_the_last_answer() {
    ends_gracefully(|server, workers| {
        workers.iter().for_each(|worker| kill(*worker, SIGTERM));
        kill(server.child.id(), SIGTERM);
    });
}

#[test]
fn every_request_under_load_has_its_answer() {
    const CLIENTS: usize = 12;
    const REQUESTS: usize = 30;
    let server = Server::start(&["--workers", "2", "--queue", "6", "--time-limit-ms", "200"]);
    let server = &server;
    let counts = thread::scope(|scope| {
        let clients = (0..CLIENTS).map(|client| {
            scope.spawn(move || {
                let mut counts = BTreeMap::new();
                for request in 0..REQUESTS {
                    let kind = ["fine", "abort", "loop", "gone", "fine", "fine"][(client + request) % 6];
                    let outcome = match kind {
                        "gone" => {
                            let stream = server.send("POST", "/count", "loop").expect("it listens");
                            stream.shutdown(Shutdown::Both).expect("it is open");
                            0
                        }
                        document => {
                            let (status, message) = server.count(document);
                            let expected: &[u16] = match document {
                                "fine" => &[200, 503, 504],
                                "abort" => &[500, 503, 504],
                                _ => &[503, 504],
                            };
                            assert!(expected.contains(&status), "{document}: {status} {message}");
                            assert!(status != 200 || message == "1", "{message}");
                            status
                        }
                    };
                    *counts.entry((kind, outcome)).or_insert(0) += 1;
                }
                counts
            })
        });
        let clients: Vec<_> = clients.collect();
        let mut all = BTreeMap::new();
        for client in clients {
            for (key, count) in client.join().expect("no client panics") {
                *all.entry(key).or_insert(0) += count;
            }
        }
        all
    });
    assert_eq!(counts.values().sum::<usize>(), CLIENTS * REQUESTS, "{counts:?}");
    assert_eq!(counts.keys().filter(|(kind, status)| *kind != "gone" && *status == 0).count(), 0, "{counts:?}");
    // Nothing is left, and the service is as before.
    server.wait_for("running", 0);
    server.wait_for("queued", 0);
    assert_eq!(server.count("one more"), (200, "2".to_owned()));
    println!("{counts:?}");
}
