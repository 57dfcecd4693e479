//! An item of a queue that a process has, until it is done with it.

use std::{fmt, ops::Deref, sync::Arc, time::Duration};

use executor_core::{Error, ErrorKind};
use tokio::{
    select,
    sync::oneshot,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{connection::Shared, outage::Outage, term::Term};
use crate::nats::{Lane, Word};

/// How many times a server that is there may leave the same word unanswered. It does so if it was killed and has
/// forgotten that it has given the item to this process.
const MOST_UNANSWERED: u32 = 2;

/// How long to wait before the server is told again what it has not answered.
const PAUSE: Duration = Duration::from_millis(100);

/// An item of a [`Queue`](super::Queue) that this process has leased. It can be read through `*lease`.
///
/// The lease is renewed in the background for as long as this value lives. [`done`](Self::done) removes the item from
/// the queue. [`give_back`](Self::give_back), and dropping this value, let another program have it.
///
/// An item is worked on at least once: a process may die after the work and before `done`. `done` succeeds once for
/// each item, and its error says that another process may have had the item meanwhile. So what has to happen exactly
/// once happens after `done`, or can be repeated without harm. The exception is a server that is killed, and does not
/// end by itself: it may forget what it was told right before, and give an item to another process although it was
/// done.
///
/// ```
/// # mod concurrent_futures { pub use cluster; pub use executor_core::Error; }
/// # if cluster::Server::local().is_err() { return Ok::<(), Error>(()) }
/// use concurrent_futures::{Error, cluster::{Client, Server}};
/// let server = Server::local()?;
/// let client = Client::connect(server.url(), server.token())?;
/// let (tasks, results) = (client.queue::<u64>("tasks")?, client.queue::<u64>("results")?);
/// tasks.put(7)?;
///
/// let task = tasks.take(None)?;
/// results.put(*task * *task)?;
/// task.done()?;
///
/// assert_eq!(results.get(None)?, 49);
/// assert!(tasks.is_empty()?);
/// # Ok::<(), Error>(())
/// ```
#[must_use = "an item whose lease is dropped is given back"]
pub struct Lease<T> {
    value: T,
    held: Held,
    times: u64,
}

impl<T> Lease<T> {
    pub(super) fn new(value: T, held: Held, times: u64) -> Lease<T> {
        Lease { value, held, times }
    }

    /// Returns how many times the item was given to a program, with this time: 1 at first. A high number means that the
    /// item kills those who work on it.
    pub fn attempt(&self) -> u64 {
        self.times
    }

    /// Returns `true` if no other process can have the item, as far as this one knows. It is `false` after this process
    /// was stopped, or without its connection, for longer than the lease.
    pub fn is_held(&self) -> bool {
        self.held.term.is_held()
    }

    /// Removes the item from the queue, because its work is done. When this returns, the server has done so.
    ///
    /// # Errors
    ///
    /// - [`InvalidState`](ErrorKind::InvalidState): the lease was lost, and another process may have the item.
    /// - [`Unavailable`](ErrorKind::Unavailable): the connection is closed.
    pub fn done(self) -> Result<(), Error> {
        self.held.done()
    }

    /// Gives the item back, so that another program gets it, or this one again. Dropping the lease does the same, but
    /// does not wait for the server.
    ///
    /// # Errors
    ///
    /// As [`done`](Self::done).
    pub fn give_back(self) -> Result<(), Error> {
        self.held.settle(Word::GivenBack)
    }

    /// Removes the item and returns it.
    pub(super) fn remove(self) -> Result<T, Error> {
        let what = self.held.what().to_string();
        match self.held.done() {
            Ok(()) => Ok(self.value),
            Err(error) if error.kind() == ErrorKind::InvalidState => Err(Error::new(
                ErrorKind::Unavailable,
                format!("the server has not confirmed the removal of {what}: it was removed, or comes again"),
            )),
            Err(error) => Err(error),
        }
    }
}

impl<T> Deref for Lease<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Lease<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("value", &self.value)
            .field("is_held", &self.is_held())
            .field("attempt", &self.times)
            .finish_non_exhaustive()
    }
}

/// A lease without its value. Dropping it gives the item back.
pub(super) struct Held {
    connection: Shared,
    lane: Arc<Lane>,
    receipt: String,
    term: Arc<Term>,
    what: String,
    /// Whether the server knows, or was told, what has become of the item.
    is_settled: bool,
    /// Dropped to end the renewal.
    renewal: Option<oneshot::Sender<()>>,
}

impl Held {
    pub(super) fn new(
        connection: Shared,
        lane: Arc<Lane>,
        receipt: String,
        term: Term,
        what: String,
        renews: bool,
    ) -> Held {
        let term = Arc::new(term);
        let renewal = renews.then(|| {
            let (end, ended) = oneshot::channel();
            connection.engine.spawn(renew(lane.clone(), receipt.clone(), term.clone(), ended));
            end
        });
        Held { connection, lane, receipt, term, what, is_settled: false, renewal }
    }

    /// Returns the item for an error.
    pub(super) fn what(&self) -> &str {
        &self.what
    }

    pub(super) fn done(self) -> Result<(), Error> {
        let lane = self.lane.clone();
        self.settle(Word::Done)?;
        lane.tell_removal();
        Ok(())
    }

    /// Tells the server what has become of the item, until it has noted that or the lease is lost.
    fn settle(mut self, word: Word) -> Result<(), Error> {
        // Whatever happens, saying something else later would be wrong.
        self.is_settled = true;
        // A server that has forgotten the lease still answers signs of life, and would be asked for ever.
        self.renewal.take();
        let (outage, lane) = (self.connection.outage(None), self.lane.clone());
        let (receipt, term) = (self.receipt.clone(), self.term.clone());
        let is_told = self.connection.run(async move { Ok(tell(&lane, &receipt, &term, word, &outage).await) })?;
        if is_told.unwrap_or(false) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::InvalidState,
            format!(
                "the lease of {} was lost, because this process was stopped or had no connection, or because the server \
                 was killed: another process may have the item; a longer `lease` helps if that happens often",
                self.what
            ),
        ))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A word that arrives late would be about the lease of another process. Without it the item comes back later.
        if !self.is_settled && self.term.is_held() && self.connection.is_connected() {
            self.lane.tell_now(&self.receipt, Word::GivenBack);
        }
    }
}

/// Sends signs of life, until the lease has ended.
async fn renew(lane: Arc<Lane>, receipt: String, term: Arc<Term>, mut ended: oneshot::Receiver<()>) {
    let mut failed = None;
    while let Some(next) = failed.take().or_else(|| term.next_sign()) {
        select! {
            _ = &mut ended => return,
            () = sleep_until(Instant::from_std(next)) => {}
        }
        if !term.is_held() {
            return;
        }
        let sent = std::time::Instant::now();
        match timeout(term.answer(), lane.tell(&receipt, Word::Held)).await {
            Ok(Ok(())) => term.extend(sent),
            _ => failed = Some(std::time::Instant::now() + term.pause()),
        }
    }
}

/// Tells the server something, and returns `true` if it has surely noted it before another process had the item.
async fn tell(lane: &Lane, receipt: &str, term: &Term, word: Word, outage: &Outage) -> bool {
    let mut unanswered = 0;
    while term.is_held() && unanswered < MOST_UNANSWERED {
        let connects = outage.connects();
        if outage.is_connected() {
            if let Ok(Ok(())) = timeout(term.answer(), lane.tell(receipt, word)).await {
                return term.is_held();
            }
            if outage.is_connected() && outage.connects() == connects {
                unanswered += 1;
            }
        }
        sleep(PAUSE).await;
    }
    false
}
