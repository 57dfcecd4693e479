//! A queue between machines.

use std::{borrow::Borrow, fmt, marker::PhantomData, sync::Arc, time::Duration};

use executor_core::{Error, ErrorKind, Payload};
use tokio::{
    select,
    time::{Instant, sleep},
};

use super::{
    connection::{Shared, deadline},
    lease::{Held, Lease},
    name,
    options::QueueOptions,
    outage::{Outage, Trouble},
    term::Term,
    value,
};
use crate::{
    nats::{Delivery, Failure, Item, Lane, LaneOptions, Made, News, Part},
    unique,
};

/// How long one who waits for the removal of an item sleeps if no one tells of one. The news may be lost with a
/// connection.
const NO_NEWS: Duration = Duration::from_secs(5);

/// A queue between machines, for any number of programs that put and take items. [`Client::queue`] returns it. A clone
/// is the same queue.
///
/// Its items are in the server, first in, first out. Each is stored once, and given to one program. So a program that
/// puts items may end before others take them.
///
/// | Python, on a manager's queue | here |
/// |---|---|
/// | `put(item)`, `put(item, timeout=t)`, `put_nowait(item)` | [`put`](Self::put), [`put_timeout`](Self::put_timeout), [`try_put`](Self::try_put) |
/// | `get()`, `get(timeout=t)`, `get_nowait()` | [`get`](Self::get), [`try_get`](Self::try_get) |
/// | `task_done()`, `join()` of a `JoinableQueue` | [`Lease::done`] after [`take`](Self::take), [`join`](Self::join) |
/// | `qsize()`, `empty()` | [`len`](Self::len), [`is_empty`](Self::is_empty) |
///
/// # An item that must not be lost
///
/// [`get`](Self::get) removes an item before it returns it, so an item is lost with the process that got it.
/// [`take`](Self::take) leases it instead. The item stays in the server until [`Lease::done`], and is given to another
/// program if this one ends, is stopped for too long, or loses its connection.
///
/// # Values
///
/// Values are written in CBOR, with the names of fields and variants, so programs of other builds and in other
/// languages can take part. A `Vec<u8>` takes its own length; inside of other values use the crate `serde_bytes` for
/// that. A value may take as many bytes as the server accepts, which is 1 MiB by default, and 8 MiB on a
/// [`Server`](crate::Server).
///
/// An item that is not a `T` is [`Decode`](ErrorKind::Decode) for the program that takes it. It is put aside, so that
/// it stops no one, and [`aside`](Self::aside) gives it back, as another type.
///
/// [`Client::queue`]: super::Client::queue
pub struct Queue<T> {
    connection: Shared,
    lane: Arc<Lane>,
    made: Made,
    name: Arc<str>,
    part: Part,
    values: PhantomData<fn(T) -> T>,
}

impl<T: Payload> Queue<T> {
    pub(super) fn open(connection: Shared, name: &str, options: QueueOptions) -> Result<Queue<T>, Error> {
        let part = name::of_object("queue", name)?;
        if options.capacity == Some(0) {
            let message = format!("{}: a queue with a capacity of 0 could have no item", shown(name, Part::Items));
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        let options =
            LaneOptions { capacity: options.capacity, lease: connection.lease, replicas: connection.replicas };
        let lane = connection.stores.lane(part, options);
        Queue::with_lane(connection, lane, name.into(), Part::Items)
    }

    fn with_lane(connection: Shared, lane: Lane, name: Arc<str>, part: Part) -> Result<Queue<T>, Error> {
        let lane = Arc::new(lane);
        let (mut outage, own) = (connection.outage(None), lane.clone());
        let made = connection
            .run(async move { outage.persist(&*own, || own.make()).await })?
            .map_err(|trouble| connection.error(&shown(&name, part), &trouble))?;
        Ok(Queue { connection, lane, made, name, part, values: PhantomData })
    }

    /// Returns the name of the queue.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Puts an item into the queue, and waits for room if the queue is full. When this returns, the server has stored
    /// it, once.
    ///
    /// # Errors
    ///
    /// - [`Encode`](ErrorKind::Encode): the value cannot be encoded, or is longer than the server accepts.
    /// - [`QueueFull`](ErrorKind::QueueFull): the server has no more room for any queue.
    /// - [`Unavailable`](ErrorKind::Unavailable): the server does not answer. The item may be stored.
    pub fn put(&self, value: impl Borrow<T>) -> Result<(), Error> {
        match self.put_until(value.borrow(), None, true)? {
            true => Ok(()),
            false => Err(self.error(&Trouble::Engine(Failure::Full("there is no room".into())))),
        }
    }

    /// Puts an item into the queue, and waits for room for at most this time.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put), and [`Timeout`](ErrorKind::Timeout).
    pub fn put_timeout(&self, value: impl Borrow<T>, timeout: Duration) -> Result<(), Error> {
        match self.put_until(value.borrow(), deadline(timeout), true)? {
            true => Ok(()),
            false => Err(self.error(&Trouble::TimedOut)),
        }
    }

    /// Puts an item into the queue, unless the queue is full. Returns `false` if it is.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub fn try_put(&self, value: impl Borrow<T>) -> Result<bool, Error> {
        self.put_until(value.borrow(), None, false)
    }

    fn put_until(&self, value: &T, deadline: Option<Instant>, waits: bool) -> Result<bool, Error> {
        let payload = value::encode_within(&self.shown(), value, self.lane.longest())?;
        let item = Item::new(payload, &unique::name());
        let (outage, lane, is_bounded) = (self.connection.outage(deadline), self.lane.clone(), self.made.is_bounded);
        let put = async move { put(&lane, &item, outage, is_bounded, waits).await };
        self.connection.run(put)?.map_err(|trouble| self.error(&trouble))
    }

    /// Removes the first item, and returns it. It waits for one, at most for this time.
    ///
    /// The item is lost if this process ends now. [`take`](Self::take) is for items that must not be.
    ///
    /// # Errors
    ///
    /// - [`Timeout`](ErrorKind::Timeout): there was no item in time.
    /// - [`Decode`](ErrorKind::Decode): the item is not a `T`. It was put [aside](Self::aside).
    /// - [`Unavailable`](ErrorKind::Unavailable): the server does not answer. An item may have been removed, if this
    ///   happens just then.
    pub fn get(&self, timeout: impl Into<Option<Duration>>) -> Result<T, Error> {
        let lease = self.take_until(deadline(timeout), false)?;
        lease.ok_or_else(|| self.error(&Trouble::TimedOut))?.remove()
    }

    /// Removes the first item, and returns it. Returns `None` if there is none at this moment.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn try_get(&self) -> Result<Option<T>, Error> {
        self.take_until(deadline(Duration::ZERO), false)?.map(Lease::remove).transpose()
    }

    /// Leases the first item. It waits for one, at most for this time.
    ///
    /// No other program gets the item while the lease is held. It is renewed for as long as the [`Lease`] lives, and
    /// ends with this process: then another program gets the item, within 30 seconds, if no
    /// [option](super::ClientBuilder::lease) says otherwise.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get). Nothing is lost.
    pub fn take(&self, timeout: impl Into<Option<Duration>>) -> Result<Lease<T>, Error> {
        self.take_until(deadline(timeout), true)?.ok_or_else(|| self.error(&Trouble::TimedOut))
    }

    /// Leases the first item. Returns `None` if there is none at this moment.
    ///
    /// # Errors
    ///
    /// As [`take`](Self::take).
    pub fn try_take(&self) -> Result<Option<Lease<T>>, Error> {
        self.take_until(deadline(Duration::ZERO), true)
    }

    fn take_until(&self, deadline: Option<Instant>, renews: bool) -> Result<Option<Lease<T>>, Error> {
        let (outage, lane, lease) = (self.connection.outage(deadline), self.lane.clone(), self.made.lease);
        let taken = self.connection.run(async move { take(&lane, outage, lease).await })?;
        let Some((delivery, term)) = taken.map_err(|trouble| self.error(&trouble))? else { return Ok(None) };
        let Delivery { payload, receipt, number, times } = delivery;
        let what = format!("item {number} of {}", self.shown());
        let held = Held::new(self.connection.clone(), self.lane.clone(), receipt, term, what, renews);
        match value::decode(held.what(), &payload) {
            Ok(value) => Ok(Some(Lease::new(value, held, times))),
            Err(error) => Err(self.refuse(held, payload, number, &error)),
        }
    }

    /// Puts an item aside that is not a `T`, and returns the error for the caller.
    fn refuse(&self, held: Held, payload: Vec<u8>, number: u64, error: &Error) -> Error {
        if self.part == Part::Aside {
            // It stays where it is, and the lease gives it back.
            drop(held);
            return Error::new(ErrorKind::Decode, format!("{error}; it stays aside for programs that can read it"));
        }
        let aside = self.lane.part(Part::Aside);
        // Another program that has put the same item aside has used the same id.
        let item = Item::new(payload, &format!("aside-{number}"));
        let mut outage = self.connection.outage(None);
        let put = async move { outage.persist(&aside, || aside.put(&item)).await };
        let put = match self.connection.run(put) {
            Ok(put) => put.map_err(|trouble| self.error(&trouble)),
            Err(error) => Err(error),
        };
        match put.and_then(|()| held.done()) {
            Ok(()) => Error::new(ErrorKind::Decode, format!("{error}; it was put aside, where `aside` reads it")),
            Err(other) => {
                Error::new(ErrorKind::Decode, format!("{error}; it could not be put aside and comes again: {other}"))
            }
        }
    }

    /// Returns the queue of those items that were put aside because they were no `T`, as items of another type.
    ///
    /// # Errors
    ///
    /// As [`Client::queue`](super::Client::queue).
    pub fn aside<U: Payload>(&self) -> Result<Queue<U>, Error> {
        Queue::with_lane(self.connection.clone(), self.lane.part(Part::Aside), self.name.clone(), Part::Aside)
    }

    /// Waits until the queue has no item, leased or not: until each was done or removed. A program whose end is the end
    /// of the [`Server`](crate::Server) calls this before it ends, so that others can still say that they are done.
    ///
    /// # Errors
    ///
    /// - [`Timeout`](ErrorKind::Timeout): there are still items.
    /// - [`Unavailable`](ErrorKind::Unavailable): the server does not answer.
    pub fn join(&self, timeout: impl Into<Option<Duration>>) -> Result<(), Error> {
        let (outage, lane) = (self.connection.outage(deadline(timeout)), self.lane.clone());
        self.connection.run(async move { join(&lane, outage).await })?.map_err(|trouble| self.error(&trouble))
    }

    /// Returns how many items the queue has, those that are leased included. It may be another number a moment later.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ErrorKind::Unavailable) if the server does not answer.
    pub fn len(&self) -> Result<usize, Error> {
        let (mut outage, lane) = (self.connection.outage(None), self.lane.clone());
        let count = self.connection.run(async move { outage.persist(&*lane, || lane.count()).await })?;
        count.map_err(|trouble| self.error(&trouble))
    }

    /// Returns `true` if the queue has no item, leased or not. It may have one a moment later.
    ///
    /// # Errors
    ///
    /// As [`len`](Self::len).
    pub fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.len()? == 0)
    }

    fn shown(&self) -> String {
        shown(&self.name, self.part)
    }

    fn error(&self, trouble: &Trouble) -> Error {
        self.connection.error(&self.shown(), trouble)
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Queue<T> {
        Queue {
            connection: self.connection.clone(),
            lane: self.lane.clone(),
            made: self.made,
            name: self.name.clone(),
            part: self.part,
            values: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("name", &self.name)
            .field("is_aside", &(self.part == Part::Aside))
            .field("lease", &self.made.lease)
            .finish_non_exhaustive()
    }
}

/// Returns a queue for an error.
fn shown(name: &str, part: Part) -> String {
    let aside = if part == Part::Aside { "what was put aside of " } else { "" };
    format!("{aside}queue `{}`", name.escape_debug())
}

/// Stores an item. Returns `false` if the queue is full and the caller waits no longer.
async fn put(lane: &Lane, item: &Item, mut outage: Outage, is_bounded: bool, waits: bool) -> Result<bool, Trouble> {
    let mut news = None;
    loop {
        match outage.persist(lane, || lane.put(item)).await {
            Err(Trouble::Engine(Failure::Full(_))) if is_bounded => {}
            other => return other.map(|()| true),
        }
        if !waits {
            return Ok(false);
        }
        if !wait_for_removal(lane, &mut news, &outage).await? {
            return Ok(false);
        }
    }
}

/// Waits until there is no item.
async fn join(lane: &Lane, mut outage: Outage) -> Result<(), Trouble> {
    let mut news = None;
    loop {
        if outage.persist(lane, || lane.count()).await? == 0 {
            return Ok(());
        }
        if !wait_for_removal(lane, &mut news, &outage).await? {
            return Err(Trouble::TimedOut);
        }
    }
}

/// Waits until an item may have been removed, since the news began. Returns `false` if the caller's time has run out.
async fn wait_for_removal(lane: &Lane, news: &mut Option<News>, outage: &Outage) -> Result<bool, Trouble> {
    let Some(news) = news else {
        // What was removed before this is seen by the next attempt.
        *news = Some(lane.news().await?);
        return Ok(true);
    };
    let left = outage.left();
    if left.is_some_and(|left| left.is_zero()) {
        return Ok(false);
    }
    select! {
        () = news.next() => {}
        () = sleep(NO_NEWS.min(left.unwrap_or(NO_NEWS))) => {}
    }
    Ok(true)
}

/// Waits for an item, and returns since when it is surely held.
async fn take(lane: &Lane, mut outage: Outage, lease: Duration) -> Result<Option<(Delivery, Term)>, Trouble> {
    loop {
        outage.connected().await?;
        let connects = outage.connects();
        // The item may be delivered at any moment after the question, so a long wait would use the lease up.
        let wait = outage.left().map_or(lease / 4, |left| left.min(lease / 4));
        let wait = if wait < Duration::from_millis(1) { Duration::ZERO } else { wait };
        let asked = std::time::Instant::now();
        let taken = select! {
            taken = lane.take(wait) => taken,
            // The question was lost with the connection.
            () = outage.reconnected(connects) => continue,
        };
        match taken {
            Ok(Some(delivery)) => return Ok(Some((delivery, Term::new(asked, lease)))),
            Ok(None) => {
                outage.over();
                if outage.left().is_some_and(|left| left < Duration::from_millis(1)) {
                    return Ok(None);
                }
            }
            Err(failure @ (Failure::Away(_) | Failure::Missing)) => outage.repair(lane, failure).await?,
            Err(failure) => return Err(failure.into()),
        }
    }
}
