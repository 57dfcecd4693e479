//! The spans of a task in this program.

use std::sync::Arc;

use executor_core::host;
use parking_lot::Mutex;
use tracing::{Dispatch, Span};

/// The spans of a task in this program.
pub(crate) struct TaskSpan {
    /// The span in which the task was submitted.
    submitted: Span,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The id and the name of the task, once a worker has sent an event of it.
    task: Option<(u64, Arc<str>)>,
    /// The span of the task on this worker, once an event was delivered.
    shown: Option<(Arc<str>, Span)>,
}

impl TaskSpan {
    /// Makes the spans of a task that the calling thread submits. This calls the subscriber, whose panic ends here.
    pub(super) fn of_submit() -> TaskSpan {
        let mut submitted = Span::none();
        host::contain(|| submitted = Span::current());
        TaskSpan { submitted, state: Mutex::default() }
    }

    /// Notes the id and the name of the task, unless they are known.
    pub(super) fn describe(&self, describe: impl FnOnce() -> (u64, String)) {
        let mut state = self.state.lock();
        if state.task.is_none() {
            let (id, name) = describe();
            state.task = Some((id, name.into()));
        }
    }

    /// Returns `true` if the subscriber has a span of the task.
    pub(super) fn is_live(&self) -> bool {
        !self.submitted.is_disabled() || self.state.lock().shown.is_some()
    }

    /// Returns the subscriber that has the span in which the task was submitted.
    pub(super) fn dispatch(&self) -> Option<Dispatch> {
        self.submitted.with_subscriber(|(_, dispatch)| dispatch.clone())
    }

    /// Returns the span that is the parent of the task's events: the task's own on this worker, or the one in which it
    /// was submitted if the subscriber does not want the other. The first call makes the task's own. Only one thread
    /// calls this at a time, and no lock is held while it calls the subscriber.
    pub(super) fn on(&self, worker: &str) -> Span {
        let State { task, shown } = std::mem::take(&mut *self.state.lock());
        let shown = match shown {
            Some((name, span)) if *name == *worker => (name, span),
            // The first event, or the task runs again on another worker.
            _ => {
                let (id, name) = task.as_ref().map_or((0, ""), |(id, name)| (*id, &**name));
                let parent = self.submitted.id();
                let own = tracing::info_span!(target: "process_pool", parent: parent, "task", id, name, worker);
                (Arc::from(worker), own)
            }
        };
        let span = if shown.1.is_disabled() { self.submitted.clone() } else { shown.1.clone() };
        *self.state.lock() = State { task, shown: Some(shown) };
        span
    }
}
