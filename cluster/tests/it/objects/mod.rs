//! Queues, maps and locks on real servers, with real processes.

mod daemon;
mod lock;
mod map;
mod outage;
mod permissions;
mod queue;
mod raw;
mod refusals;
mod three;

use std::time::Duration;

use cluster::{Client, Server};

/// The shortest lease, for tests in which one is lost.
const SHORT: Duration = Duration::from_secs(1);

/// Longer than a test takes: what passes on within a test does so because of an event.
const LONG: Duration = Duration::from_secs(3600);

/// Starts a server and connects to it, with this lease. Without a program on this machine, the test says so and ends.
fn start(lease: Duration) -> Option<(Server, Client)> {
    if crate::local::is_skipped() {
        return None;
    }
    let server = Server::local().expect("a server");
    let client = connect(server.url(), server.token(), lease);
    Some((server, client))
}

fn connect(url: String, token: &str, lease: Duration) -> Client {
    Client::builder().server(url).token(token).lease(lease).build().expect("the server is there")
}

/// What another process must know to connect.
fn access(server: &Server) -> (String, String) {
    (server.url(), server.token().to_string())
}
