//! The connection of a program to a server that has its queues, maps and locks.

use std::fmt;

use executor_core::{Error, Payload};

use super::{connection::Shared, lock::Lock, map::Map, options::QueueOptions, queue::Queue};

/// The connection of a program to a server that has its queues, maps and locks. A clone shares the connection, which
/// ends with the last clone and the last object of it.
///
/// Python's counterpart is a `multiprocessing.managers.BaseManager` after `connect()`: an address and a key. A name
/// takes the place of a registered function. Values live in the server, and not in a process of the program.
///
/// ```
/// # mod concurrent_futures { pub use cluster; pub use executor_core::Error; }
/// # // Without a server on this machine there is nothing to show.
/// # if cluster::Server::local().is_err() { return Ok::<(), Error>(()) }
/// use concurrent_futures::{Error, cluster::{Client, Server}};
/// let server = Server::local()?;
///
/// let client = Client::connect(server.url(), server.token())?;
/// let words = client.queue::<String>("words")?;
/// words.put("shared".to_string())?;
/// assert_eq!(words.get(None)?, "shared");
///
/// let colours = client.map::<u32>("colours")?;
/// colours.insert("red", 0xff0000)?;
/// assert_eq!(colours.get("red")?, Some(0xff0000));
///
/// let guard = client.lock("printer")?.lock(None)?;
/// println!("holder number {}", guard.token());
/// # drop(guard);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Client {
    connection: Shared,
}

impl Client {
    pub(super) fn new(connection: Shared) -> Client {
        Client { connection }
    }

    /// Returns the queue with this name, which may be any text of up to about 200 bytes. It is made if it does not
    /// exist.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](executor_core::ErrorKind::InvalidArgument) if the name is too long, and
    /// [`Unavailable`](executor_core::ErrorKind::Unavailable) if the server does not answer or refuses that.
    pub fn queue<T: Payload>(&self, name: impl AsRef<str>) -> Result<Queue<T>, Error> {
        self.queue_with(name, QueueOptions::new())
    }

    /// Returns the queue with this name. The options are those of a queue that does not exist yet.
    ///
    /// # Errors
    ///
    /// As [`queue`](Self::queue), and [`InvalidArgument`](executor_core::ErrorKind::InvalidArgument) if the capacity
    /// is 0.
    pub fn queue_with<T: Payload>(&self, name: impl AsRef<str>, options: QueueOptions) -> Result<Queue<T>, Error> {
        Queue::open(self.connection.clone(), name.as_ref(), options)
    }

    /// Returns the map with this name, which may be any text of up to about 200 bytes. It is made if it does not exist.
    ///
    /// # Errors
    ///
    /// As [`queue`](Self::queue).
    pub fn map<V: Payload>(&self, name: impl AsRef<str>) -> Result<Map<V>, Error> {
        Map::open(self.connection.clone(), name.as_ref())
    }

    /// Returns the lock with this name, which may be any text of up to about 200 bytes.
    ///
    /// # Errors
    ///
    /// As [`queue`](Self::queue).
    pub fn lock(&self, name: impl AsRef<str>) -> Result<Lock, Error> {
        Lock::open(self.connection.clone(), name.as_ref())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("servers", &format_args!("{}", self.connection.engine.servers()))
            .field("is_connected", &self.connection.is_connected())
            .finish()
    }
}
