//! A task's part of this module.

use std::{fmt, sync::Arc};

use super::{shared::Shared, span::TaskSpan};

/// A task's part of this module. It lives as long as the pool's record of the task.
#[derive(Default)]
pub(crate) struct TaskTelemetry(Option<(Arc<TaskSpan>, Arc<Shared>)>);

impl TaskTelemetry {
    pub(super) fn begin(shared: Arc<Shared>) -> TaskTelemetry {
        TaskTelemetry(Some((Arc::new(TaskSpan::of_submit()), shared)))
    }

    /// Returns the spans for an event of the task. `describe` returns its id and its name.
    pub(crate) fn share(&self, describe: impl FnOnce() -> (u64, String)) -> Option<Arc<TaskSpan>> {
        let (span, _) = self.0.as_ref()?;
        span.describe(describe);
        Some(span.clone())
    }
}

impl Drop for TaskTelemetry {
    fn drop(&mut self) {
        let Some((span, shared)) = self.0.take() else { return };
        // An event that waits may still make a span. If there is none, nothing else has this by now.
        if Arc::strong_count(&span) > 1 || span.is_live() {
            shared.queue.push_end(span);
        }
    }
}

impl fmt::Debug for TaskTelemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskTelemetry").field(&self.0.is_some()).finish()
    }
}
