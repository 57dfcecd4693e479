//! A lock that this process holds.

use std::{fmt, sync::Arc, time::Duration};

use executor_core::{Error, ErrorKind};
use tokio::{
    select,
    sync::{Mutex, oneshot},
    time::{Instant, sleep_until, timeout},
};

use super::{connection::Shared, term::Term};
use crate::{
    nats::{Bucket, Change, Failure},
    unique,
};

/// How long the server may take for an answer.
const ANSWER: Duration = Duration::from_secs(5);

/// A lock that this process holds, until this value is dropped. [`Lock::lock`](super::Lock::lock) returns it.
///
/// It is renewed in the background. Dropping it releases the lock and waits for the server, at most for five seconds.
///
/// # A process that was stopped
///
/// A process may be stopped, by a signal, a debugger, a sleeping computer or a long pause of its system, and go on when
/// another process has the lock already. [`is_held`](Self::is_held) tells that after the pause, but the pause may come
/// right after the question. What the lock protects must therefore refuse a holder that is late. Give it the
/// [`token`](Self::token) with each write, and let it refuse each token that is lower than the highest that it has
/// seen. That is called fencing.
#[must_use = "a lock is released when its guard is dropped"]
pub struct Guard {
    connection: Shared,
    held: Arc<Held>,
    token: u64,
    what: String,
    is_released: bool,
    /// Dropped to end the renewal.
    renewal: Option<oneshot::Sender<()>>,
}

/// What a guard and its renewal share.
struct Held {
    bucket: Arc<Bucket>,
    term: Term,
    /// How the record is renewed. `expected` is its revision.
    change: Mutex<Change>,
}

impl Guard {
    pub(super) fn new(
        connection: Shared,
        bucket: Arc<Bucket>,
        change: Change,
        revision: u64,
        term: Term,
        what: String,
    ) -> Guard {
        let change = Mutex::new(Change { expected: Some(revision), ..change });
        let held = Arc::new(Held { bucket, term, change });
        let (end, ended) = oneshot::channel();
        connection.engine.spawn(renew(held.clone(), ended));
        Guard { connection, held, token: revision, what, is_released: false, renewal: Some(end) }
    }

    /// Returns the fencing token: a number that is higher for each holder than for those before it.
    pub fn token(&self) -> u64 {
        self.token
    }

    /// Returns `true` if no other process can hold the lock, as far as this one knows. It is `false` after this process
    /// was stopped, or without its connection, for longer than the lease.
    pub fn is_held(&self) -> bool {
        self.held.term.is_held()
    }

    /// Releases the lock. When this returns, the server has done so.
    ///
    /// # Errors
    ///
    /// - [`InvalidState`](ErrorKind::InvalidState): it was lost before, and another process may have held it meanwhile.
    /// - [`Unavailable`](ErrorKind::Unavailable): the server does not answer, so the lock stays for the rest of its
    ///   lease.
    pub fn unlock(mut self) -> Result<(), Error> {
        self.release()
    }

    fn release(&mut self) -> Result<(), Error> {
        self.is_released = true;
        self.renewal.take();
        let held = self.held.clone();
        let released = async move { Ok(timeout(ANSWER, release(&held)).await.unwrap_or_else(|_| Err(no_answer()))) };
        // An operation without a connection would be done whenever that is back.
        let result = match self.connection.is_connected() {
            true => self.connection.run(released)?.unwrap_or_else(|_| Err(no_answer())),
            false => Err(no_answer()),
        };
        match result {
            Ok(()) => Ok(()),
            Err(Failure::Late) => Err(Error::new(
                ErrorKind::InvalidState,
                format!(
                    "{} was lost before it was released, because this process was stopped or had no connection: \
                     another process may have held it; fence what it protects by `Guard::token`",
                    self.what
                ),
            )),
            Err(failure) => Err(Error::new(
                ErrorKind::Unavailable,
                format!("{} could not be released, and stays locked for the rest of its lease: {failure}", self.what),
            )),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.is_released {
            // A lock that cannot be released passes on when its lease is over.
            let _ = self.release();
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("lock", &self.what)
            .field("token", &self.token)
            .field("is_held", &self.is_held())
            .finish_non_exhaustive()
    }
}

/// Sends signs of life, until the lock is released or lost.
async fn renew(held: Arc<Held>, mut ended: oneshot::Receiver<()>) {
    let mut failed = None;
    // When the sign was first sent that has no answer yet.
    let mut first_sent = None;
    while let Some(next) = failed.take().or_else(|| held.term.next_sign()) {
        select! {
            _ = &mut ended => return,
            () = sleep_until(Instant::from_std(next)) => {}
        }
        // Until there is an answer, nothing else may depend on the revision.
        let mut change = held.change.lock().await;
        if ended.try_recv() != Err(oneshot::error::TryRecvError::Empty) || !held.term.is_held() {
            return;
        }
        let sent = *first_sent.get_or_insert_with(std::time::Instant::now);
        match timeout(held.term.answer(), sign(&held.bucket, &mut change)).await {
            Ok(Ok(())) => {
                held.term.extend(sent);
                first_sent = None;
            }
            Ok(Err(Failure::Late)) => held.term.lose(),
            _ => failed = Some(std::time::Instant::now() + held.term.pause()),
        }
    }
}

/// Renews the record. One that is sent again because there was no answer keeps its id, so the server renews it once.
async fn sign(bucket: &Bucket, change: &mut Change) -> Result<(), Failure> {
    if change.id.is_empty() {
        change.id = unique::name();
    }
    let revision = bucket.write(change).await?;
    change.expected = Some(revision);
    change.id.clear();
    Ok(())
}

/// Removes the record, unless it is no longer that of this holder.
async fn release(held: &Held) -> Result<(), Failure> {
    let mut change = held.change.lock().await;
    if !held.term.is_held() {
        return Err(Failure::Late);
    }
    if !change.id.is_empty() {
        // Only the answer to the last sign tells the revision.
        sign(&held.bucket, &mut change).await?;
    }
    let removal = Change { value: None, id: unique::name(), ..change.clone() };
    held.bucket.write(&removal).await.map(drop)
}

fn no_answer() -> Failure {
    Failure::Away("the server does not answer".into())
}
