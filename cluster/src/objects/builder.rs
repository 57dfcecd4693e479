//! Making a client with options.

use std::{sync::Arc, time::Duration};

use executor_core::{Error, ErrorKind};

use super::{client::Client, connection::Connection};
use crate::{
    address::Address,
    credentials::credential_setters,
    nats::{Engine, Stores},
};

/// How long a lease lasts without a sign of life, if no option says otherwise.
const LEASE: Duration = Duration::from_secs(30);

/// The server counts the lifetime of a lock in seconds, and this process stops a tenth earlier.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);

/// How long a lost connection is waited for, if no option says otherwise.
const UNAVAILABLE_AFTER: Duration = Duration::from_secs(60);

/// How long the first connection may take, if no option says otherwise.
const START: Duration = Duration::from_secs(10);

/// More is as good as for ever, and can be added to a moment.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl Client {
    /// Connects to the server at a URL such as `nats://10.0.0.1:4222`, with the token that it knows.
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::build`].
    pub fn connect<'a>(url: impl Into<String>, token: impl Into<Option<&'a str>>) -> Result<Client, Error> {
        let builder = Client::builder().server(url);
        match token.into() {
            Some(token) => builder.token(token),
            None => builder,
        }
        .build()
    }

    /// Returns a builder, for several servers, nkeys, TLS and other options.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            address: Address::default(),
            lease: LEASE,
            replicas: 1,
            unavailable_after: UNAVAILABLE_AFTER,
            start_timeout: START,
        }
    }
}

/// Makes a [`Client`] with options. [`Client::builder`] returns one.
///
/// ```no_run
/// # mod concurrent_futures { pub use cluster; pub use executor_core::Error; }
/// use std::time::Duration;
/// use concurrent_futures::{Error, cluster::{Client, Tls}};
/// let client = Client::builder()
///     .server("nats://10.0.0.1:4222")
///     .server("nats://10.0.0.2:4222")
///     .nkey("SU…")
///     .tls(Tls::new().ca("/etc/cluster/ca.pem"))
///     .lease(Duration::from_secs(10))
///     .build()?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    address: Address,
    lease: Duration,
    replicas: usize,
    unavailable_after: Duration,
    start_timeout: Duration,
}

impl ClientBuilder {
    /// Adds the URL of a server, such as `nats://10.0.0.1:4222`. The client uses one of them, and another one when that
    /// is lost.
    pub fn server(mut self, url: impl Into<String>) -> ClientBuilder {
        self.address.servers.push(url.into());
        self
    }

    credential_setters!();

    /// Sets after what time without a sign of life an item or a lock passes to another process: 30 seconds by default,
    /// and at least one. A lock uses the lease of the client that takes it, in whole seconds, and a queue that of the
    /// client that makes it.
    pub fn lease(mut self, lease: Duration) -> ClientBuilder {
        self.lease = lease;
        self
    }

    /// Sets how many servers have a copy of each queue, map and lock that this client makes: 1 by default, 3 or 5 on a
    /// cluster of servers.
    pub fn replicas(mut self, servers: usize) -> ClientBuilder {
        self.replicas = servers;
        self
    }

    /// Sets after what time without the server an operation fails with
    /// [`Unavailable`](ErrorKind::Unavailable): 60 seconds by default.
    pub fn unavailable_after(mut self, time: Duration) -> ClientBuilder {
        self.unavailable_after = time;
        self
    }

    /// Sets how long the first connection may take: 10 seconds by default.
    pub fn start_timeout(mut self, time: Duration) -> ClientBuilder {
        self.start_timeout = time;
        self
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// - [`InvalidArgument`](ErrorKind::InvalidArgument): there is no server, or an option is never valid.
    /// - [`Unavailable`](ErrorKind::Unavailable): no server answers in time, it refuses the credentials, it is too old,
    ///   or the connection cannot be encrypted.
    /// - [`Other`](ErrorKind::Other): the system refuses a thread.
    pub fn build(self) -> Result<Client, Error> {
        if self.lease < SHORTEST_LEASE {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("a lease of {:?} is too short: it must be {SHORTEST_LEASE:?} or more", self.lease),
            ));
        }
        if !(1..=5).contains(&self.replicas) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("{} replicas are not possible: a server makes 1 to 5", self.replicas),
            ));
        }
        let engine = Engine::connect(&self.address, "concurrent-futures", self.start_timeout.min(LONGEST))?;
        let stores = Stores::new(&engine)?;
        Ok(Client::new(Arc::new(Connection {
            engine,
            stores,
            lease: self.lease.min(LONGEST),
            replicas: self.replicas,
            unavailable_after: self.unavailable_after.min(LONGEST),
        })))
    }
}
