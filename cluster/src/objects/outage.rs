//! How long an operation goes on without the server.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::nats::{Ensure, Failure, Status};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(5);

/// How long to wait before another attempt while there is a connection, such as during an election.
const PAUSE: Duration = Duration::from_millis(200);

/// Why an operation has ended without a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The caller's time has run out.
    TimedOut,
    Engine(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        Trouble::Engine(failure)
    }
}

/// Repeats what the server has not answered, until it has been away for too long.
#[derive(Debug)]
pub(super) struct Outage {
    status: watch::Receiver<Status>,
    limit: Duration,
    deadline: Option<Instant>,
    /// When the first attempt has failed since the last one that did not.
    began: Option<Instant>,
}

impl Outage {
    /// Returns an operation that must end at the deadline, and that waits for this time for a server that is away.
    pub(super) fn new(status: watch::Receiver<Status>, limit: Duration, deadline: Option<Instant>) -> Outage {
        Outage { status, limit, deadline, began: None }
    }

    /// Repeats an attempt until the engine has answered it. What the engine lacks is made.
    pub(super) async fn persist<T, F>(
        &mut self,
        store: &impl Ensure,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let longest = ATTEMPT.min(self.limit);
        self.persist_long(store, || {
            let attempt = timeout(longest, attempt());
            async { attempt.await.unwrap_or_else(|_| Err(no_answer())) }
        })
        .await
    }

    /// Repeats an attempt that may take any time, but ends if the engine does not answer.
    pub(super) async fn persist_long<T, F>(
        &mut self,
        store: &impl Ensure,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        loop {
            self.connected().await?;
            match attempt().await {
                Err(failure @ (Failure::Away(_) | Failure::Missing)) => self.repair(store, failure).await?,
                result => {
                    self.over();
                    return Ok(result?);
                }
            }
        }
    }

    /// Waits until there is a connection.
    pub(super) async fn connected(&mut self) -> Result<(), Trouble> {
        if self.status.borrow().is_connected {
            return Ok(());
        }
        let end = self.end();
        let mut status = self.status.clone();
        match timeout_at(end, status.wait_for(|status| status.is_connected)).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(self.ended(self.trouble())),
        }
    }

    /// Waits after an attempt that has failed, and makes what the engine may lack.
    pub(super) async fn repair(&mut self, store: &impl Ensure, failure: Failure) -> Result<(), Trouble> {
        let end = self.end();
        if let Some(denial) = self.denial(store) {
            return Err(Failure::Refused(denial).into());
        }
        let mut reason = failure.to_string();
        if failure == Failure::Missing {
            match timeout(ATTEMPT.min(self.limit), store.ensure()).await {
                Ok(Ok(())) => reason = "it was made again, and is not there".into(),
                Ok(Err(Failure::Away(away))) => reason = away,
                Ok(Err(Failure::Missing)) | Err(_) => {}
                Ok(Err(refused)) => return Err(refused.into()),
            }
        }
        if let Some(denial) = self.denial(store) {
            return Err(Failure::Refused(denial).into());
        }
        if Instant::now() + PAUSE >= end {
            return Err(self.ended(reason));
        }
        sleep(PAUSE).await;
        Ok(())
    }

    /// Notes that the server has answered.
    pub(super) fn over(&mut self) {
        self.began = None;
    }

    /// Returns `true` if there is a connection at the moment.
    pub(super) fn is_connected(&self) -> bool {
        self.status.borrow().is_connected
    }

    /// Returns how many times the connection was made.
    pub(super) fn connects(&self) -> u64 {
        self.status.borrow().connects
    }

    /// Waits until there is another connection than this one. What was asked on the old one may never be answered.
    pub(super) async fn reconnected(&self, connects: u64) {
        let mut status = self.status.clone();
        if status.wait_for(|status| status.is_connected && status.connects != connects).await.is_err() {
            // The connection is closed, which its other side notices.
            std::future::pending::<()>().await;
        }
    }

    /// Returns how much time the caller has left, or `None` if it has any.
    pub(super) fn left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Returns when to give up: an outage that is not known yet begins now.
    fn end(&mut self) -> Instant {
        let began = *self.began.get_or_insert_with(Instant::now);
        let end = began + self.limit;
        self.deadline.map_or(end, |deadline| deadline.min(end))
    }

    fn ended(&self, reason: String) -> Trouble {
        match self.left() {
            Some(left) if left <= PAUSE && self.began.is_none_or(|began| began.elapsed() + PAUSE < self.limit) => {
                Trouble::TimedOut
            }
            _ => Failure::Away(reason).into(),
        }
    }

    /// Returns what the server has refused of this store. A request that it refuses has no answer.
    fn denial(&self, store: &impl Ensure) -> Option<String> {
        self.status.borrow().denials.iter().find(|denial| store.is_named_in(denial)).cloned()
    }

    fn trouble(&self) -> String {
        self.status.borrow().trouble.clone().unwrap_or_else(|| "the connection was lost".into())
    }
}

fn no_answer() -> Failure {
    Failure::Away("it does not answer".into())
}
