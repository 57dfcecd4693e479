//! Programs that become agents.
#![allow(unsafe_code)]

use std::env;

use executor_core::{Error, ErrorKind};

use crate::{Credentials, ServeOptions, rights, serve};

/// The URL of a server makes this process an agent. Several are separated by commas.
const AGENT: &str = "CONCURRENT_FUTURES_AGENT";
/// The pool.
const POOL: &str = "CONCURRENT_FUTURES_POOL";
/// How many tasks it runs at the same time.
const SLOTS: &str = "CONCURRENT_FUTURES_SLOTS";
/// A file with what is secret.
const CREDENTIALS: &str = "CONCURRENT_FUTURES_CREDENTIALS";

/// Turns this process into an agent of a cluster, which exits at its end, if the environment says so. Otherwise it does
/// nothing. Call it as the first line of `main`: then every machine that has the program's file can run its tasks.
///
/// | variable | content |
/// |---|---|
/// | `CONCURRENT_FUTURES_AGENT` | the URL of a server, such as `nats://10.0.0.1:4222`, or several, separated by commas. Without it nothing happens |
/// | `CONCURRENT_FUTURES_POOL` | the pool, by default `default` |
/// | `CONCURRENT_FUTURES_SLOTS` | how many tasks run at the same time, by default one for each processor |
/// | `CONCURRENT_FUTURES_CREDENTIALS` | the path of a file that [`Credentials::read`] reads |
///
/// The agent removes these variables, so that programs that tasks start are no agents. It is told to end by `SIGTERM`
/// or `SIGINT`, as [`serve`] says. It exits with 0 then, and with 1 after an error, which it has written to its
/// standard error. In a process that has more rights than its caller (set-uid, file capabilities), it is such an error
/// if the variable is set.
///
/// Nothing but this call looks at the variables.
///
/// ```no_run
/// # mod concurrent_futures { pub use cluster::{self, ClusterExecutor}; pub use executor_core::*; }
/// use concurrent_futures::{ClusterExecutor, Error, Executor, cluster};
///
/// fn main() -> Result<(), Error> {
///     cluster::init();
///     let cluster = ClusterExecutor::connect("nats://10.0.0.1:4222")?;
///     println!("{}", cluster.submit(|n: u64| n + 1, 41)?.result(None)?);
///     Ok(())
/// }
/// ```
pub fn init() {
    process_pool::init();
    let Ok(urls) = env::var(AGENT) else { return };
    let served = rights::check().and_then(|()| options(&urls)).and_then(|options| {
        for variable in [AGENT, POOL, SLOTS, CREDENTIALS] {
            // SAFETY: this is the first line of `main`, so no other thread reads or changes the environment.
            unsafe { env::remove_var(variable) };
        }
        serve(options)
    });
    std::process::exit(match served {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("this process cannot be an agent of the cluster: {error}");
            1
        }
    });
}

fn options(urls: &str) -> Result<ServeOptions, Error> {
    let mut urls = urls.split(',').map(str::trim).filter(|url| !url.is_empty());
    let mut options = ServeOptions::new(urls.next().unwrap_or_default());
    options = urls.fold(options, |options, url| options.server(url));
    if let Ok(pool) = env::var(POOL) {
        options = options.pool(pool);
    }
    if let Ok(slots) = env::var(SLOTS) {
        let slots = slots.parse().map_err(|_| invalid(format!("{SLOTS} is {slots:?}, which is not a number")))?;
        options = options.slots(slots);
    }
    match env::var_os(CREDENTIALS) {
        Some(path) => Ok(options.credentials(Credentials::read(path)?)),
        None => Ok(options),
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}
