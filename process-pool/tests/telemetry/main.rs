//! Events and records that tasks emit in a worker.

mod collector;
mod hostile;
mod invented;
mod tasks;

use std::sync::Once;

use process_pool::{ProcessPoolBuilder, ProcessPoolExecutor, Transport};

/// Runs a test over each transport.
fn on_both(test: fn(Transport)) {
    for transport in [Transport::Ring, Transport::Socket] {
        let name = format!("{} with {transport:?}", std::thread::current().name().unwrap_or("a test"));
        test_support::watched_within(&name, test_support::DEADLINE, move || test(transport));
    }
}

fn builder(transport: Transport) -> ProcessPoolBuilder {
    ProcessPoolExecutor::builder().transport(transport).max_workers(1).name_prefix("parser")
}

/// Sets a logger, which all tests of this program share.
fn install_logger() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&collector::LOGGER).expect("no other logger");
        log::set_max_level(log::LevelFilter::Debug);
    });
}
