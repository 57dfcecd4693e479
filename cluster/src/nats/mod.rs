//! The connection to NATS: the only module that knows async-nats.
//!
//! An [`Engine`] is one connection and the thread that serves it. The thread has a runtime of its own, so that programs
//! need none, and those that have one are not touched.

mod agent;
mod api;
mod assets;
mod bucket;
mod client;
mod client_out;
mod client_reader;
mod connection;
mod ensure;
mod failure;
mod groups;
mod lane;
mod names;
mod options;
mod outgoing;
mod pulls;
mod roll_call;
mod room;
mod status;
mod stores;
#[cfg(test)]
mod tests;
mod unavailable;
mod uploads;
mod values;

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use async_nats::Client;
use executor_core::{Error, ErrorKind, fork};
use tokio::{
    runtime::{Builder, Handle},
    sync::{oneshot, watch},
};

pub(crate) use self::{
    agent::{ConnectedAgent, Description},
    assets::{StoreOptions, StreamOptions},
    bucket::{Bucket, Change, Record},
    client::{ClientSide, Unattached},
    client_reader::ClientLimits,
    ensure::Ensure,
    failure::Failure,
    lane::{Delivery, Item, Lane, LaneOptions, Made, News, Part, Word},
    names::Names,
    status::Status,
    stores::Stores,
};
use crate::address::Address;

/// How long the end of a connection waits for what was sent to leave.
const LAST_FLUSH: Duration = Duration::from_secs(2);

/// A connection, and the thread that serves it. It connects again by itself, for as long as it lives.
///
/// The thread runs futures and never user code. Dropping the engine sends what was published, at most for two seconds,
/// and ends the thread with all of its futures.
pub(crate) struct Engine {
    client: Client,
    runtime: Handle,
    status: watch::Receiver<Status>,
    /// Dropped to end the thread.
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    servers: String,
    born: fork::Generation,
}

impl Engine {
    /// Connects, and tries again until the time has run out. `name` is what the server shows of the connection.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if the address is none. [`ErrorKind::Unavailable`] if no server answers in time,
    /// refuses the credentials, is too old, or cannot be trusted. [`ErrorKind::Other`] if a thread cannot be started.
    pub(crate) fn connect(address: &Address, name: &str, within: Duration) -> Result<Engine, Error> {
        address.check()?;
        let (status, changes) = status::channel();
        let (sender, receiver) = channel();
        let (end, ended) = oneshot::channel();
        let (own, own_name) = (address.clone(), name.to_string());
        let run = move || {
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(sender.send(Err(no_thread(error)))),
            };
            let status = Arc::new(status);
            match runtime.block_on(options::connect(&own, &own_name, within, &status)) {
                Ok(client) => {
                    if sender.send(Ok((client.clone(), runtime.handle().clone()))).is_ok() {
                        runtime.block_on(async move {
                            let _ = ended.await;
                            let _ = tokio::time::timeout(LAST_FLUSH, client.flush()).await;
                        });
                    }
                }
                Err(error) => drop(sender.send(Err(error))),
            }
            // A name that is being resolved must not keep the program.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("cluster-nats".into()).spawn(run).map_err(no_thread)?;
        let servers = address.shown();
        match receiver.recv() {
            Ok(Ok((client, runtime))) => Ok(Engine {
                client,
                runtime,
                status: changes,
                end: Some(end),
                thread: Some(thread),
                servers,
                born: fork::generation(),
            }),
            Ok(Err(error)) => {
                let _ = thread.join();
                Err(error)
            }
            Err(_) => Err(Error::new(ErrorKind::Broken, "the thread of a connection to the cluster has panicked")),
        }
    }

    /// Returns the client. Use it in futures that this engine runs.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Returns whether there is a connection, and follows that.
    pub(crate) fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Returns the servers for an error.
    pub(crate) fn servers(&self) -> &str {
        &self.servers
    }

    /// Returns the longest message that the server accepts, in bytes.
    pub(crate) fn longest_message(&self) -> usize {
        self.client.max_payload()
    }

    /// Runs a future on the thread of this engine. It ends with the engine at the latest.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(future);
    }

    /// Returns what runs futures on the thread of this engine. They end with the engine.
    pub(crate) fn runtime(&self) -> Handle {
        self.runtime.clone()
    }

    /// Runs a future on the thread of this engine, and waits for it, at most for `timeout`. The caller may be any
    /// thread but that one.
    ///
    /// # Errors
    ///
    /// That of the future, and [`ErrorKind::Unavailable`] if the time has run out first. The future is dropped then.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        timeout: Duration,
        future: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        self.born.check()?;
        if self.is_own_thread() {
            return Err(Error::new(ErrorKind::InvalidState, "the thread of a connection cannot wait for itself"));
        }
        let (sender, receiver) = channel();
        let task = self.runtime.spawn(async move {
            // No one waits any more if this fails.
            let _ = sender.send(future.await);
        });
        match receiver.recv_timeout(timeout) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => {
                task.abort();
                Err(self.no_answer(timeout))
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.closed()),
        }
    }

    fn no_answer(&self, timeout: Duration) -> Error {
        let why = match &self.status.borrow().trouble {
            Some(trouble) => trouble.clone(),
            None => "the connection may be lost, or the server overloaded".to_string(),
        };
        Error::new(
            ErrorKind::Unavailable,
            format!("the cluster at {} has not answered within {timeout:?}: {why}", self.servers),
        )
    }

    fn closed(&self) -> Error {
        Error::new(ErrorKind::Unavailable, format!("the connection to the cluster at {} is closed", self.servers))
    }

    fn is_own_thread(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| thread.thread().id() == std::thread::current().id())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.end.take();
        // A forked child has no such thread, and the last owner may be a future that the thread drops.
        if self.born.check().is_err() || self.is_own_thread() {
            return;
        }
        if let Some(thread) = self.thread.take() {
            // It runs no user code, so it has not panicked.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status.borrow();
        f.debug_struct("Engine")
            .field("servers", &format_args!("{}", self.servers))
            .field("is_connected", &status.is_connected)
            .field("trouble", &status.trouble)
            .finish()
    }
}

/// Makes the queue of a pool with these options, or changes it to them.
///
/// # Errors
///
/// [`ErrorKind::Unavailable`] if that is not permitted, or not done in time.
pub(crate) fn provision(
    engine: &Engine,
    names: &Names,
    options: StreamOptions,
    stores: StoreOptions,
    clients: Vec<String>,
    within: Duration,
) -> Result<(), Error> {
    let (client, status, names) = (engine.client(), engine.status(), names.clone());
    engine.run(within + LAST_FLUSH, async move {
        let api = api::Api::new(client, status);
        assets::provision(&api, &names, options, stores, &clients, tokio::time::Instant::now() + within).await
    })
}

fn no_thread(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Other, format!("a connection to the cluster cannot start its thread: {error}"))
}
