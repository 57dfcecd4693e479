//! The tasks of a `try_join_all` or a `race`.

use std::sync::Arc;

use crate::{
    AsFuture, Error, Future, as_completed,
    countdown::{Combine, Countdown},
    host::HostId,
    task::queued,
};

/// The tasks whose outcomes are combined. Dropping it stops those that are not done.
pub(super) struct Members<F: AsFuture<Output: Send + 'static>>(Vec<F>);

impl<F: AsFuture<Output: Send + 'static>> Members<F> {
    /// Returns the tasks in the order of their completion. Called inside a task, this runs tasks of the same executor
    /// that have not started.
    pub(super) fn completed(&self) -> impl Iterator<Item = Result<&F, Error>> {
        as_completed(&self.0, None)
    }

    /// Returns the tasks in the order of the input.
    pub(super) fn iter(&self) -> impl Iterator<Item = &F> {
        self.0.iter()
    }
}

impl<F: AsFuture<Output: Send + 'static>> Drop for Members<F> {
    fn drop(&mut self) {
        self.0.iter().for_each(|member| queued::stop(member.as_future().task()));
    }
}

/// Combines tasks: `watch` is called with each of them when it is done, and may end the combined task early.
pub(super) fn combine<F, C>(
    futures: impl IntoIterator<Item = F>,
    combine: impl FnOnce(Members<F>) -> C,
    on_done: fn(&Countdown, Result<(), Error>),
) -> Future<C::Output>
where
    F: AsFuture<Output: Send + 'static> + Send + 'static,
    C: Combine,
{
    let members: Vec<F> = futures.into_iter().collect();
    // The members belong to the combined task, which may be done before the last of them is watched.
    let watched: Vec<Future<F::Output>> = members.iter().map(|member| member.as_future().alias()).collect();
    let host = watched.iter().map(|future| future.task().host()).find(|host| *host != HostId::NONE);
    let (countdown, combined) = Countdown::new(watched.len(), host.unwrap_or(HostId::NONE), combine(Members(members)));
    for future in watched {
        let countdown: Arc<Countdown> = countdown.clone();
        future.add_done_callback(move |future| {
            on_done(&countdown, success(future));
            countdown.one_done();
        });
    }
    countdown.one_done();
    combined
}

/// Returns whether a done task has a value. This decodes the reply of another process.
///
/// # Errors
///
/// Returns the error of the task.
pub(super) fn success<T: Send + 'static>(future: &Future<T>) -> Result<(), Error> {
    future.exception(None)?.map_or(Ok(()), Err)
}
