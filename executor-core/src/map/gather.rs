//! A map as one future, which has all results.

use std::sync::Arc;

use super::source::Batch;
use crate::{
    Error, Future, Payload,
    countdown::{Combine, Countdown},
    host::HostId,
};

/// Collects the results of a map. This runs when the last batch is done, or in a task of the same executor that waits
/// for it, which then runs the batches that have not started.
struct Gather<I>(I);

impl<R, I> Combine for Gather<I>
where
    R: Payload,
    I: Iterator<Item = Result<R, Error>> + Send,
{
    type Output = Vec<R>;

    const NAME: &'static str = "map";

    fn combine(self) -> Result<Vec<R>, Error> {
        self.0.collect()
    }
}

/// Watches one batch. The result callback sees a failure, and leaves the results to the task that collects them.
/// Dropping the map with that task cancels the other batches.
fn watch<T: Send + 'static>(countdown: &Arc<Countdown>, batch: &Future<T>, failure: fn(&T) -> Option<&Error>) {
    let of_failure = countdown.clone();
    batch.add_result_callback(move |results| {
        if let Some(error) = results.map_or_else(Some, failure) {
            of_failure.fail(error);
        }
    });
    let countdown = countdown.clone();
    batch.add_done_callback(move |_| countdown.one_done());
}

/// Returns the future of all results of a map, whose batches are these. Dropping the map cancels them.
pub(super) fn gather<R: Payload>(
    map: impl Iterator<Item = Result<R, Error>> + Send + 'static,
    batches: &[Batch<R>],
) -> Future<Vec<R>> {
    let host = batches.iter().filter_map(Batch::task).map(|task| task.host()).find(|host| *host != HostId::NONE);
    let (countdown, future) = Countdown::new(batches.len(), host.unwrap_or(HostId::NONE), Gather(map));
    for batch in batches {
        match batch {
            Batch::One(future) => watch(&countdown, future, |_| None),
            Batch::Many(future, _) => watch(&countdown, future, |results| results.first_error()),
            Batch::Refused(error, _) => {
                countdown.fail(error);
                countdown.one_done();
            }
        }
    }
    countdown.one_done();
    future
}
