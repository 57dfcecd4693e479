//! Futures that the watchdog can describe.

use std::{fmt, ops::Deref, sync::Arc, thread};

use executor_core::Future;

use crate::registry::Registry;

/// A future that the watchdog can describe while a rule holds it.
pub struct Tracked<T: Send + 'static> {
    /// The future, or `None` after `into_future`.
    future: Option<Arc<Future<T>>>,
    registry: Arc<Registry>,
    entry: usize,
}

impl<T: Send + 'static> Tracked<T> {
    pub(crate) fn new(label: String, future: Future<T>, registry: Arc<Registry>) -> Tracked<T> {
        let future = Arc::new(future);
        let weak = Arc::downgrade(&future);
        let entry = registry.add_task(
            label,
            Box::new(move || match weak.upgrade() {
                Some(future) => format!("{future:?}"),
                None => "passed to a call".to_string(),
            }),
        );
        Tracked { future: Some(future), registry, entry }
    }

    /// Returns the future itself, for calls that take it by value. The watchdog can no longer describe it then.
    pub fn into_future(mut self) -> Future<T> {
        let mut future = self.future.take().expect("it is taken out once");
        self.registry.note_task(self.entry, format!("{future:?}, then passed to a call"));
        loop {
            // The watchdog holds a reference only while it describes the future.
            match Arc::try_unwrap(future) {
                Ok(future) => return future,
                Err(shared) => future = shared,
            }
            thread::yield_now();
        }
    }
}

impl<T: Send + 'static> Deref for Tracked<T> {
    type Target = Future<T>;

    fn deref(&self) -> &Future<T> {
        self.future.as_ref().expect("only `into_future` takes it out")
    }
}

impl<T: Send + 'static> Drop for Tracked<T> {
    fn drop(&mut self) {
        if let Some(future) = &self.future {
            self.registry.note_task(self.entry, format!("{future:?}, then dropped by the rule"));
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Tracked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
