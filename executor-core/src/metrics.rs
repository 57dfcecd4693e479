//! The statistics of a back-end, for the recorder of the crate `metrics` that the program has installed.

use metrics::{Label, Unit, counter, describe_counter, describe_gauge, gauge};

/// Records the statistics of one executor, for authors of back-ends.
///
/// Each method sets one metric to its current value. So a back-end counts in its own way, and whoever exports the
/// metrics asks it to record them right before. Every metric has the labels `executor`, its name, and `backend`.
///
/// ```
/// # mod concurrent_futures { pub mod backend { pub use executor_core::*; } }
/// use concurrent_futures::backend::metrics::Recording;
///
/// let recording = Recording::new("thumbnails", "threads");
/// recording.gauge("concurrent_futures_tasks_queued", 3, "Tasks that wait");
/// recording.counter("concurrent_futures_tasks_done_total", 1_204, "Tasks that ended with a value");
/// ```
#[derive(Debug)]
pub struct Recording {
    labels: Vec<Label>,
}

impl Recording {
    /// Starts to record the statistics of the executor with this name. `backend` says what runs its tasks, such as
    /// `threads`.
    pub fn new(executor: &str, backend: &'static str) -> Recording {
        Recording {
            labels: vec![Label::new("executor", executor.to_string()), Label::from_static_parts("backend", backend)],
        }
    }

    /// Sets a metric that rises and falls, such as the length of a queue.
    pub fn gauge(&self, name: &'static str, value: usize, description: &'static str) {
        describe_gauge!(name, Unit::Count, description);
        gauge!(name, self.labels.iter()).set(value as f64);
    }

    /// Sets a metric that only rises.
    pub fn counter(&self, name: &'static str, value: u64, description: &'static str) {
        describe_counter!(name, Unit::Count, description);
        counter!(name, self.labels.iter()).absolute(value);
    }

    /// Sets a metric of bytes that only rises.
    pub fn byte_counter(&self, name: &'static str, value: u64, description: &'static str) {
        describe_counter!(name, Unit::Bytes, description);
        counter!(name, self.labels.iter()).absolute(value);
    }
}
