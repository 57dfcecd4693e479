//! A program that is an agent.
//!
//! ```text
//! CONCURRENT_FUTURES_AGENT=nats://10.0.0.1:4222 ./agent      if its environment says so
//! ./agent nats://10.0.0.1:4222                               if its command line says so
//! ./agent local                                              for itself: it starts a server and an agent
//! ./agent server                                             it starts a server, and says where that is
//! ```

use cluster::{ClusterExecutor, ServeOptions, Server, init, serve};
use executor_core::{Error, Executor as _};

fn main() -> Result<(), Error> {
    init();
    match std::env::args().nth(1).as_deref() {
        None => println!("set CONCURRENT_FUTURES_AGENT to the URL of a server, and this program becomes an agent"),
        Some("local") => println!("{}", ClusterExecutor::local(1)?.submit(|n: u64| n + 1, 41)?.result(None)?),
        Some("server") => println!("{}", Server::start("127.0.0.1:0", "a token")?.url()),
        Some(url) => serve(ServeOptions::new(url))?,
    }
    Ok(())
}
