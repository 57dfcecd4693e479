//! Waiting for one task.

use std::{
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    Error, ErrorKind, deadline,
    group::Group,
    host::{Host, HostId, Waiting},
    nesting::{self, StackLeft},
    signal::Signal,
    spin, stack,
    task::{
        TaskId,
        cell::TaskRef,
        queued::{fail_inline, run_inline},
        state::Event,
        typed::Read,
        waiter::Waiter,
    },
    worker::worker_host,
};

/// Why a wait ended without the awaited event.
pub(crate) enum WaitEnd {
    /// The deadline has passed.
    TimedOut,
    /// The event cannot happen in this process, which was forked from the one that has the task.
    Forked(Error),
    /// This thread must run the task inline, and has no stack for it.
    TooDeep(Error),
}

/// Runs a task inline if it has not started and the calling thread is a worker of its host, because no other worker
/// might be free to run it. Returns whether it did.
///
/// # Errors
///
/// Returns an error if there is no stack for it. The task is unchanged. If the thread slept instead, all workers could
/// end up asleep.
#[inline]
pub(crate) fn help(task: &TaskRef) -> Result<bool, Error> {
    if !is_on_worker_of_its_host(task) {
        return Ok(false);
    }
    if nesting::stack_left() == StackLeft::Much {
        return Ok(nesting::deeper(|| run_inline(task)));
    }
    help_on_fresh_stack(task)
}

/// Returns whether the calling thread is a worker of the host that has the task.
#[inline]
fn is_on_worker_of_its_host(task: &TaskRef) -> bool {
    let host = worker_host();
    host != HostId::NONE && host == task.host()
}

#[cold]
fn help_on_fresh_stack(task: &TaskRef) -> Result<bool, Error> {
    // A task that runs or is done needs no stack here.
    if !task.state.snapshot().is_queued() {
        return Ok(false);
    }
    let mut ran = false;
    let refused = match task.host().find() {
        None => None,
        Some(host) => match host.run_on_fresh_stack(stack::size(), &mut || ran = run_inline(task)) {
            Ok(()) => return Ok(ran),
            Err(refused) => Some(refused),
        },
    };
    if nesting::stack_left() == StackLeft::Little {
        return Err(nesting::too_deep(task.name(), refused.as_ref()));
    }
    Ok(nesting::deeper(|| run_inline(task)))
}

/// Runs a task inline as [`help`] does, or fails it if there is no stack for it. Returns whether it did either.
pub(crate) fn help_or_fail(task: &TaskRef) -> bool {
    help(task).unwrap_or_else(|error| fail_inline(task, error))
}

/// Returns the host of a task if one of its idle workers can run the task. A wait with a deadline then does not run the
/// task inline, and ends at its deadline.
fn host_with_idle_worker(task: &TaskRef, deadline: Option<Instant>) -> Option<Arc<dyn Host>> {
    deadline?;
    if !is_on_worker_of_its_host(task) || !task.state.snapshot().is_queued() {
        return None;
    }
    task.host().find().filter(|host| host.has_idle_worker())
}

/// Waits with a deadline until the event, or until no worker is idle and this thread must help.
#[cold]
fn wait_while_idle(task: &TaskRef, host: &dyn Host, deadline: Option<Instant>, event: Event) -> Result<(), WaitEnd> {
    let _entered = host.idle_watch().map(|watch| watch.enter());
    wait_until_or(task, deadline, event, || !host.has_idle_worker())
}

/// Helps, or waits until the event. The caller checks again whether it has happened.
fn help_or_wait(task: &TaskRef, deadline: Option<Instant>, event: Event) -> Result<(), WaitEnd> {
    if let Some(host) = host_with_idle_worker(task, deadline) {
        return wait_while_idle(task, &*host, deadline, event);
    }
    if help(task).map_err(WaitEnd::TooDeep)? {
        return Ok(());
    }
    match event {
        Event::Readable => spin_then_sleep(task, deadline),
        Event::Done => wait_until(task, deadline, event),
    }
}

/// Waits until the task is done, without reading its output.
pub(crate) fn wait_until_done(task: &TaskRef, deadline: Option<Instant>) -> Result<(), WaitEnd> {
    loop {
        if task.state.snapshot().is_done() {
            return Ok(());
        }
        if deadline::has_passed(deadline) {
            return Err(WaitEnd::TimedOut);
        }
        help_or_wait(task, deadline, Event::Done)?;
    }
}

/// Helps with one of many tasks, or waits until one of the group may be done. The caller checks again.
///
/// `next` returns the tasks that this thread may have to run, each of them once.
///
/// # Errors
///
/// Returns an error where [`help`] does.
pub(crate) fn help_or_wait_for_any<'a>(
    group: &Group,
    deadline: Option<Instant>,
    mut next: impl FnMut() -> Option<&'a TaskRef>,
) -> Result<(), Error> {
    let own = worker_host();
    if own != HostId::NONE {
        let host = if deadline.is_some() { own.find() } else { None };
        if let Some(host) = host.filter(|host| host.has_idle_worker()) {
            let _entered = host.idle_watch().map(|watch| watch.enter());
            if host.has_idle_worker() {
                group.wait(deadline);
            }
            return Ok(());
        }
        while let Some(task) = next() {
            if help(task)? {
                return Ok(());
            }
        }
    }
    group.wait(deadline);
    Ok(())
}

/// Helps with one of many tasks, for an async task that polls for any of them. Returns whether it did. `next` returns
/// the tasks that this thread may have to run, each of them once.
///
/// # Errors
///
/// Returns an error where [`help`] does.
pub(crate) fn help_with_one<'a>(mut next: impl FnMut() -> Option<&'a TaskRef>) -> Result<bool, Error> {
    if worker_host() == HostId::NONE {
        return Ok(false);
    }
    while let Some(task) = next() {
        if help(task)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Lets the task's host spin and handle replies for a while, and then sleeps until the output can be read.
fn spin_then_sleep(task: &TaskRef, deadline: Option<Instant>) -> Result<(), WaitEnd> {
    let Some(host) = task.host().find() else { return wait_until(task, deadline, Event::Readable) };
    let waiting = describe(task, deadline, false);
    let waited = spin::with_own_budget(|budget| {
        if host.poll_replies(&waiting, budget) {
            return Ok(());
        }
        let asleep = Instant::now();
        let waited = wait_until(task, deadline, Event::Readable);
        budget.slept(asleep.elapsed());
        waited
    });
    LAST_WAIT.set(TaskId::end_of_own());
    waited
}

/// Lets the task's host spin and handle replies for some microseconds, for an `.await` that is polled. Returns whether
/// the output can be read. A thread of an async runtime has other work, so it stops spinning even if other results
/// arrive.
pub(crate) fn spin_briefly(task: &TaskRef) -> bool {
    let Some(host) = task.host().find() else { return false };
    let waiting = describe(task, Some(Instant::now()), true);
    let found = spin::with_own_budget(|budget| host.poll_replies(&waiting, budget));
    LAST_WAIT.set(TaskId::end_of_own());
    found
}

thread_local! {
    /// Tasks with smaller ids were made before this thread's last wait ended.
    static LAST_WAIT: Cell<TaskId> = const { Cell::new(TaskId::from_u64(0)) };
}

/// Describes a wait to the task's host.
fn describe(task: &TaskRef, deadline: Option<Instant>, is_polling: bool) -> Waiting<'_> {
    let backoff = if task.id < LAST_WAIT.get() { spin::LONG_BACKOFF } else { spin::SHORT_BACKOFF };
    Waiting { task: task.id, state: &task.state, place: &task.place, deadline, backoff, is_polling }
}

/// Waits until `read` returns an output. A time-out of zero reads once.
///
/// A wait for a task that is done has no time-out if another thread is unpacking its output, because this thread could
/// not do that faster. It has one while result callbacks run, because they are user code.
#[inline]
pub(crate) fn wait_for<R>(
    task: &TaskRef,
    timeout: Option<Duration>,
    mut read: impl FnMut() -> Read<R>,
) -> Result<R, Error> {
    match read() {
        Read::Ready(result) => result,
        other => wait_after(other, task, timeout, read),
    }
}

/// Waits as [`wait_for`] does, after `read` has returned no output. It is not part of its callers, which save fewer
/// registers if they need not wait.
#[inline(never)]
fn wait_after<R>(
    first: Read<R>,
    task: &TaskRef,
    timeout: Option<Duration>,
    mut read: impl FnMut() -> Read<R>,
) -> Result<R, Error> {
    let mut next = first;
    let reads_once = timeout.is_some_and(|timeout| timeout.is_zero());
    // Computed when it is first needed, because most waits do not need it.
    let mut deadline = None;
    loop {
        let waited = match next {
            Read::Ready(result) => return result,
            Read::Taken => return Err(taken(task)),
            Read::Unpacking => wait_until(task, None, Event::Readable),
            Read::NotDone if reads_once => Err(WaitEnd::TimedOut),
            Read::Reserved => {
                let end = *deadline.get_or_insert_with(|| deadline::after(timeout));
                match wait_until(task, end, Event::Readable) {
                    Err(WaitEnd::TimedOut) => return Err(shown(task, timeout)),
                    other => other,
                }
            }
            Read::NotDone => {
                let deadline = *deadline.get_or_insert_with(|| deadline::after(timeout));
                help_or_wait(task, deadline, Event::Readable)
            }
        };
        match waited {
            Ok(()) => {}
            Err(WaitEnd::Forked(error) | WaitEnd::TooDeep(error)) => return Err(error),
            Err(WaitEnd::TimedOut) if task.state.snapshot().is_done() => {}
            Err(WaitEnd::TimedOut) => {
                return Err(Error::timed_out(task.name(), task.state_name(), timeout.unwrap_or_default()));
            }
        }
        next = read();
    }
}

/// Returns the error of a wait that ended while result callbacks had the output.
#[cold]
fn shown(task: &TaskRef, timeout: Option<Duration>) -> Error {
    Error::timed_out(task.name(), "shown to its result callbacks", timeout.unwrap_or_default())
}

/// Returns the error of a read after the value was moved out.
pub(crate) fn taken(task: &TaskRef) -> Error {
    let reason = if task.state.snapshot().is_shared() {
        "is shared: read it through the `SharedFuture`"
    } else {
        "was moved out before: use `shared()` to read it several times"
    };
    Error::new(ErrorKind::InvalidState, format!("the result of task `{}` {reason}", task.name()))
}

/// Blocks until the event happens. The task notifies this thread of it.
pub(crate) fn wait_until(task: &TaskRef, deadline: Option<Instant>, event: Event) -> Result<(), WaitEnd> {
    wait_until_or(task, deadline, event, || false)
}

/// Blocks until the event happens or `interrupted` returns `true`. The code that makes it return `true` must set the
/// thread's signal.
fn wait_until_or(
    task: &TaskRef,
    deadline: Option<Instant>,
    event: Event,
    interrupted: impl Fn() -> bool,
) -> Result<(), WaitEnd> {
    task.born.check().map_err(WaitEnd::Forked)?;
    let signal = Signal::of_this_thread();
    let is_this = |waiter: &Waiter| matches!(waiter, Waiter::Thread(other) if Arc::ptr_eq(other, &signal));
    loop {
        // Checked after registering, so that a change between the check and the sleep is not missed. A thread that
        // could not register has seen the event. The check below reads the state again, because another thread may have
        // begun to unpack since.
        let registered = task.waiters().add(task, Waiter::Thread(signal.clone())).is_ok();
        if registered && !task.state.snapshot().has(event) && !interrupted() {
            signal.wait(deadline);
        }
        if registered {
            task.waiters().remove(is_this);
        }
        if task.state.snapshot().has(event) || interrupted() {
            return Ok(());
        }
        if deadline::has_passed(deadline) {
            return Err(WaitEnd::TimedOut);
        }
    }
}
