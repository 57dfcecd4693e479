//! Tests of the public interface of the process pool, on both transports.

mod aborts;
mod batches;
mod deaths;
mod descendants;
mod diagnosis;
mod fork;
mod forwarded;
mod forwarding;
#[cfg(target_env = "gnu")]
mod freed_memory;
mod handles;
mod hostile;
mod initializer;
mod limits;
mod messages;
mod order;
mod orphans;
mod output;
mod process;
mod processors;
mod programs;
mod restarts;
mod rights;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod sandbox;
mod scheduling;
mod security;
mod shutdown;
mod start;
mod stderr_tail;
mod stopped;
mod support;
mod terminal;
mod transport;
mod user_code;
mod width;
mod world;

// Tasks of these tests crash in every way, which would look as if the tests did.
test_support::quiet_workers!();
