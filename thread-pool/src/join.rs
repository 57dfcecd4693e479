//! Running two closures on the pool, without an allocation. `join/README.md` has the argument.
#![allow(unsafe_code)]

pub(crate) mod half;
pub(crate) mod latch;

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::{Duration, Instant},
};

use executor_core::{Error, scoped};

use crate::{
    job::Job,
    local::{self, Local},
    pool::Pool,
    unwind::AbortOnUnwind,
};
use half::{Half, Place};
use latch::End;

/// The pause before each check while spinning, which takes a cache line from the worker that runs the half.
const BACKOFF: Duration = Duration::from_nanos(100);

/// Runs both closures, the second one on another worker if that is idle. The calling thread is a worker of this pool
/// that has queues. Returns the panic of the second closure, if another worker ran it. Panics if the first one does, or
/// the second one on this worker.
#[inline]
pub(crate) fn join<A, B, RA, RB>(pool: &Pool, first: A, second: B) -> (RA, Result<RB, Error>)
where
    A: FnOnce() -> RA,
    B: FnOnce(Place) -> RB + Send,
    RB: Send,
{
    // SAFETY: the pointer is null or that of queues which live as long as this thread is in the loop of a worker. The
    // caller of this function, and so all of this call, is a job in that loop.
    let local = unsafe { local::queues().as_ref() }.expect("the calling thread is a worker that has queues");
    let half = Half::new(local.index(), second);
    // SAFETY: this function does not leave its frame before the half is taken back or finished: no code below unwinds,
    // except inside `catch_unwind`, and the guard aborts if one does.
    let right = unsafe { half.publish() };
    let guard = AbortOnUnwind;
    local.push_scoped(Job::Half(right));
    pool.after_half(local.index());
    let first = catch_unwind(AssertUnwindSafe(first));
    let is_own = take_back(pool, local, &half) || wait(pool, local, &half) == End::Returned;
    guard.disarm();
    let (closure, result) = half.into_parts();
    match (first, closure, result) {
        (Ok(first), Some(closure), _) if is_own => (first, Ok(closure(Place::Own))),
        (Ok(first), _, Some(result)) => (first, result),
        (Err(panic), _, result) => raise(panic, result.and_then(Result::err)),
        (Ok(_), _, None) => unreachable!("a half that is finished has its closure or its result"),
    }
}

/// Raises the panic of the first half. That of the other half, which has run on another worker, cannot be raised too.
#[cold]
fn raise(panic: Box<dyn Any + Send>, other: Option<Error>) -> ! {
    if let Some(error) = other {
        scoped::report_unread(&error);
    }
    resume_unwind(panic)
}

/// Takes the half out of the worker's own queue, and runs what lies above it. Returns `false` if another thread has
/// taken the half.
#[inline]
fn take_back<F: FnOnce(Place) -> R + Send, R: Send>(pool: &Pool, local: &Local, half: &Half<F, R>) -> bool {
    while let Some(job) = local.pop_scoped() {
        let job = match job {
            Job::Half(right) => match right.take_for(half) {
                Ok(()) => return true,
                Err(other) => Job::Half(other),
            },
            task => task,
        };
        pool.run_nested(job, local.index());
    }
    false
}

/// Waits until another thread has finished the half, and helps the worker that runs it.
#[cold]
fn wait<F: FnOnce(Place) -> R + Send, R: Send>(pool: &Pool, local: &Local, half: &Half<F, R>) -> End {
    loop {
        let ready = |half: &Half<F, R>| {
            let has_work = half.runner().is_some_and(|runner| pool.has_scoped(runner));
            has_work || half.end().is_some()
        };
        if let Some(end) = half.end() {
            return end;
        }
        // What the half has spawned on this worker comes first, because no one else is as near.
        let job = local.pop_scoped().or_else(|| pool.steal_scoped(half.runner()?));
        if let Some(job) = job {
            pool.run_nested(job, local.index());
            continue;
        }
        let mut budget = local.spin_budget();
        if !budget.spin_with_backoff(BACKOFF, || ready(half)) {
            let asleep = Instant::now();
            sleep(pool, local, half);
            budget.slept(asleep.elapsed());
        }
        local.set_spin_budget(budget);
    }
}

/// Sleeps until the half is finished, or the worker that runs it has pushed something that this worker can run.
fn sleep<F: FnOnce(Place) -> R + Send, R: Send>(pool: &Pool, local: &Local, half: &Half<F, R>) {
    let runner = half.runner();
    if let Some(runner) = runner {
        pool.joiners[runner].add_helper(local.index());
    }
    let has_work = runner.is_some_and(|runner| pool.has_scoped(runner));
    if !has_work && half.latch().begin_sleep() {
        local.park();
        half.latch().end_sleep();
    }
    if let Some(runner) = runner {
        pool.joiners[runner].remove_helper(local.index());
    }
}
