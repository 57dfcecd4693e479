//! A program that is an agent if its environment says so, and does nothing else.
//!
//! ```text
//! CONCURRENT_FUTURES_AGENT=nats://10.0.0.1:4222 ./agent
//! ```

fn main() {
    cluster::init();
    println!("set CONCURRENT_FUTURES_AGENT to the URL of a server, and this program becomes an agent");
}
