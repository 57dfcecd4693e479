//! The large arguments of a client on their way into the store.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use executor_core::{Error, TaskId};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{names::Kind, values::ValueStores};
use crate::{Value, wire::Reference};

/// For how long it is not asked again whether a value is in the store. Someone may have deleted it, and then agents
/// give its tasks back.
const TRUSTED: Duration = Duration::from_secs(1);

/// The large arguments of a client, and the tasks that wait until they are stored.
pub(super) struct Uploads {
    stores: Arc<ValueStores>,
    user: String,
    /// When each value was last known to be in the store. One task uploads it, and others wait for the lock.
    values: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Instant>>>>>,
    /// The tasks that wait. The executor publishes a task again if that takes long.
    waiting: Mutex<HashSet<TaskId>>,
}

impl Uploads {
    pub(super) fn new(stores: Arc<ValueStores>, user: &str) -> Uploads {
        Uploads { stores, user: user.to_string(), values: Mutex::default(), waiting: Mutex::default() }
    }

    /// Notes that a task waits for its argument. Returns `false` if it waits already.
    pub(super) fn begin(&self, task: TaskId) -> bool {
        self.waiting.lock().insert(task)
    }

    /// The task does not wait any more.
    pub(super) fn end(&self, task: TaskId) {
        self.waiting.lock().remove(&task);
    }

    /// Puts a value into the store, unless it is there.
    ///
    /// # Errors
    ///
    /// As [`ValueStores::put`].
    pub(super) async fn ensure(&self, value: &Value) -> Result<(), Error> {
        let Reference { name, .. } = value.reference();
        let known = self.values.lock().entry(name.clone()).or_default().clone();
        let mut known = known.lock().await;
        if known.is_some_and(|then| then.elapsed() < TRUSTED) {
            return Ok(());
        }
        let is_stored = known.is_some() && self.stores.has(Kind::Arguments, &self.user, name).await.unwrap_or(false);
        if !is_stored {
            *known = None;
            self.stores.put(Kind::Arguments, &self.user, name, value.bytes()).await?;
        }
        *known = Some(Instant::now());
        Ok(())
    }

    /// Removes a value that no task has any more, if it was ever stored.
    pub(super) async fn remove(&self, name: &str) {
        let known = self.values.lock().remove(name);
        if known.is_some() {
            self.stores.remove(Kind::Arguments, &self.user, name).await;
        }
    }

    /// Removes an outcome that was fetched.
    pub(super) async fn remove_outcome(&self, name: &str) {
        self.stores.remove(Kind::Outcomes, &self.user, name).await;
    }
}
