//! A lock between machines.

use std::{fmt, sync::Arc, time::Duration};

use executor_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};
use tokio::{select, time::sleep};

use super::{
    connection::{Shared, deadline},
    guard::Guard,
    name,
    outage::{Outage, Trouble},
    term::Term,
    value,
};
use crate::{
    nats::{Bucket, Change, Failure, Record},
    unique,
};

/// The bucket of all locks. Its revisions are the fencing tokens, so they grow over all locks.
const BUCKET: &str = "EXL_locks";

/// A lock between machines. [`Client::lock`](super::Client::lock) returns it. A clone is the same lock.
///
/// One program at a time holds it. Those that wait are woken when it is released, in no order. It is not reentrant: a
/// thread that locks it twice waits for itself.
///
/// A holder that ends, or is cut off, loses the lock: another one has it within 30 seconds, if no
/// [option](super::ClientBuilder::lease) says otherwise. No lock of this kind can stop a process that believes that it
/// still holds it: it may be stopped at any place, for longer than its lease, and go on. That is what
/// [`Guard::token`] is for.
///
/// Python's counterpart is the `Lock` of a manager, which stays locked for ever if its holder dies.
///
/// ```
/// # mod concurrent_futures { pub use cluster; pub use executor_core::Error; }
/// # if cluster::Server::local().is_err() { return Ok::<(), Error>(()) }
/// use std::time::Duration;
/// use concurrent_futures::{Error, cluster::{Client, Server}};
/// let server = Server::local()?;
/// let lock = Client::connect(server.url(), server.token())?.lock("printer")?;
/// let first = lock.lock(Duration::from_secs(60))?;
/// assert!(lock.try_lock()?.is_none());
/// let token = first.token();
/// first.unlock()?;
/// assert!(lock.lock(None)?.token() > token);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Lock {
    connection: Shared,
    bucket: Arc<Bucket>,
    name: Arc<str>,
    key: String,
}

/// What a lock tells about its holder, for people.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Holder {
    host: String,
    pid: u32,
}

impl Lock {
    pub(super) fn open(connection: Shared, name: &str) -> Result<Lock, Error> {
        let key = name::of_object("lock", name)?;
        let bucket = Arc::new(connection.stores.bucket(BUCKET.into(), true, connection.replicas));
        let (mut outage, own) = (connection.outage(None), bucket.clone());
        let lock = Lock { connection, bucket, name: name.into(), key };
        lock.connection
            .run(async move { outage.persist(&*own, || own.make()).await })?
            .map_err(|trouble| lock.error(&trouble))?;
        Ok(lock)
    }

    /// Returns the name of the lock.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits for the lock, at most for this time.
    ///
    /// # Errors
    ///
    /// - [`Timeout`](ErrorKind::Timeout): another program holds it, which the message names.
    /// - [`Unavailable`](ErrorKind::Unavailable): the server does not answer.
    pub fn lock(&self, timeout: impl Into<Option<Duration>>) -> Result<Guard, Error> {
        let timeout = timeout.into();
        match self.acquire(timeout)? {
            Ok(guard) => Ok(guard),
            Err(holder) => Err(Error::new(
                ErrorKind::Timeout,
                format!(
                    "{} is still held{} after a wait of {:?}",
                    self.shown(),
                    holder.map_or(String::new(), |it| format!(
                        " by process {} on `{}`",
                        it.pid,
                        it.host.escape_debug()
                    )),
                    timeout.unwrap_or_default()
                ),
            )),
        }
    }

    /// Takes the lock if no one holds it at this moment.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ErrorKind::Unavailable) if the server does not answer.
    pub fn try_lock(&self) -> Result<Option<Guard>, Error> {
        self.acquire(Some(Duration::ZERO)).map(Result::ok)
    }

    /// Returns the guard, or the holder when the time has run out.
    fn acquire(&self, timeout: Option<Duration>) -> Result<Result<Guard, Option<Holder>>, Error> {
        // The server counts seconds.
        let lease = Duration::from_secs(self.connection.lease.as_secs());
        let own = Holder { host: host(), pid: std::process::id() };
        let change = Change {
            key: self.key.clone(),
            value: Some(value::encode(&self.shown(), &own)?),
            lifetime: Some(lease),
            ..Change::default()
        };
        let (outage, bucket, own) = (self.connection.outage(deadline(timeout)), self.bucket.clone(), change.clone());
        match self.connection.run(async move { acquire(&bucket, own, outage, lease).await })? {
            Ok(Ok((revision, term))) => {
                let guard =
                    Guard::new(self.connection.clone(), self.bucket.clone(), change, revision, term, self.shown());
                Ok(Ok(guard))
            }
            Ok(Err(holder)) => Ok(Err(holder.and_then(|bytes| value::decode("its holder", &bytes).ok()))),
            Err(Trouble::TimedOut) => Ok(Err(None)),
            Err(trouble) => Err(self.error(&trouble)),
        }
    }

    fn shown(&self) -> String {
        format!("lock `{}`", self.name.escape_debug())
    }

    fn error(&self, trouble: &Trouble) -> Error {
        self.connection.error(&self.shown(), trouble)
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What those who wait for a lock get: it, or what its record says of its holder.
type Acquired = Result<(u64, Term), Option<Vec<u8>>>;

/// Waits until the record is free, and takes it.
async fn acquire(
    bucket: &Bucket,
    mut change: Change,
    mut outage: Outage,
    lease: Duration,
) -> Result<Acquired, Trouble> {
    let mut changes = None;
    loop {
        let connects = outage.connects();
        let record = outage.persist(bucket, || bucket.read(&change.key)).await?;
        let holder = match record {
            // What no lock has written is no holder. It has no lifetime either, and would be one for ever.
            Some(Record { value: Some(holder), .. }) if value::decode::<Holder>("its holder", &holder).is_ok() => {
                holder
            }
            free => {
                change.expected = Some(free.map_or(0, |mark| mark.revision));
                change.id = unique::name();
                let sent = std::time::Instant::now();
                match outage.persist(bucket, || bucket.write(&change)).await {
                    Ok(revision) => return Ok(Ok((revision, Term::new(sent, lease)))),
                    // Another one was faster.
                    Err(Trouble::Engine(Failure::Late)) => continue,
                    Err(trouble) => return Err(trouble),
                }
            }
        };
        let left = outage.left();
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(Err(Some(holder)));
        }
        let Some(news) = &mut changes else {
            // A change before this is seen by the next look.
            changes = Some(bucket.changes(&change.key).await?);
            continue;
        };
        select! {
            is_open = news.next() => if !is_open { changes = None },
            // News may be lost with a connection, and a lease is over after its time at the latest.
            () = outage.reconnected(connects) => {}
            () = sleep(lease.min(left.unwrap_or(lease))) => {}
        }
    }
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
