//! How a thread waits for one task.

use std::{
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    Error, ErrorKind, deadline,
    group::Group,
    host::{Host, HostId, Waiting},
    nesting::{self, Left},
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

/// Why a wait ended without what was waited for.
pub(crate) enum WaitEnd {
    /// The time ran out.
    TooLate,
    /// What was waited for cannot happen in this process, which was forked from the one that has the task.
    Forked(Error),
    /// This thread must run what it waits for, and has no stack for it.
    TooDeep(Error),
}

/// On a worker of the task's own host, a task that has not started is run inline: no other worker might be free to do
/// it. True: it is done.
///
/// # Errors
///
/// There is no stack for it; the task is as it was. To sleep instead could put all workers to sleep.
#[inline]
pub(crate) fn help(task: &TaskRef) -> Result<bool, Error> {
    if !is_own(task) {
        return Ok(false);
    }
    if nesting::left() == Left::Much {
        return Ok(nesting::deeper(|| run_inline(task)));
    }
    help_on_fresh_stack(task)
}

/// Whether the calling thread is a worker of the host that has the task.
#[inline]
fn is_own(task: &TaskRef) -> bool {
    let host = worker_host();
    host != HostId::NONE && host == task.host()
}

#[cold]
fn help_on_fresh_stack(task: &TaskRef) -> Result<bool, Error> {
    // Not for a task that runs or is over, which is only waited for.
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
    if nesting::left() == Left::Little {
        return Err(nesting::too_deep(task.name(), refused.as_ref()));
    }
    Ok(nesting::deeper(|| run_inline(task)))
}

/// As [`help`], where the task must not be left as it is: it fails if there is no stack for it. True: it is done.
pub(crate) fn help_or_fail(task: &TaskRef) -> bool {
    help(task).unwrap_or_else(|error| fail_inline(task, error))
}

/// The host of a task that an idle worker of this thread's own host can run, so that this thread waits for it with its
/// time-out, and does not help.
fn spared_by_idle_worker(task: &TaskRef, deadline: Option<Instant>) -> Option<Arc<dyn Host>> {
    deadline?;
    if !is_own(task) || !task.state.snapshot().is_queued() {
        return None;
    }
    task.host().find().filter(|host| host.has_idle_worker())
}

/// Waits for a while with a time-out: until the event, or until no worker is idle any more and this thread has to help.
#[cold]
fn wait_while_idle(task: &TaskRef, host: &dyn Host, deadline: Option<Instant>, event: Event) -> Result<(), WaitEnd> {
    let _entered = host.idle_watch().map(|watch| watch.enter());
    wait_until_or(task, deadline, event, || !host.has_idle_worker())
}

/// Helps, or waits until the event. The caller looks again whether it is there.
fn help_or_wait(task: &TaskRef, deadline: Option<Instant>, event: Event) -> Result<(), WaitEnd> {
    if let Some(host) = spared_by_idle_worker(task, deadline) {
        return wait_while_idle(task, &*host, deadline, event);
    }
    if help(task).map_err(WaitEnd::TooDeep)? {
        return Ok(());
    }
    match event {
        Event::Readable => look_or_sleep(task, deadline),
        Event::Done => wait_until(task, deadline, event),
    }
}

/// Waits until the task is done, without looking at its output.
pub(crate) fn wait_until_done(task: &TaskRef, deadline: Option<Instant>) -> Result<(), WaitEnd> {
    loop {
        if task.state.snapshot().is_done() {
            return Ok(());
        }
        if deadline::has_passed(deadline) {
            return Err(WaitEnd::TooLate);
        }
        help_or_wait(task, deadline, Event::Done)?;
    }
}

/// Helps with one of many tasks, or waits until one of the group may be done. The caller looks again.
///
/// `next` returns the tasks that this thread may have to run, one after the other; of each it is asked once.
///
/// # Errors
///
/// As [`help`].
pub(crate) fn help_or_wait_for_any<'a>(
    group: &Group,
    deadline: Option<Instant>,
    mut next: impl FnMut() -> Option<&'a TaskRef>,
) -> Result<(), Error> {
    let own = worker_host();
    if own != HostId::NONE {
        if deadline.is_some()
            && let Some(host) = own.find()
            && host.has_idle_worker()
        {
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

/// Looks for a while before the thread sleeps, and lets the task's host do so, which may have something to do for it.
fn look_or_sleep(task: &TaskRef, deadline: Option<Instant>) -> Result<(), WaitEnd> {
    let Some(host) = task.host().find() else { return wait_until(task, deadline, Event::Readable) };
    let waiting = describe(task, deadline, false);
    let waited = spin::of_this_thread(|patience| {
        if host.attend(&waiting, patience) {
            return Ok(());
        }
        let asleep = Instant::now();
        let waited = wait_until(task, deadline, Event::Readable);
        patience.slept(asleep.elapsed());
        waited
    });
    LAST_WAIT.set(TaskId::end_of_own());
    waited
}

/// Looks for a task's end for some microseconds, and lets its host do so, for an `.await` that is polled. True: it is
/// there. The thread is a runtime's, which has more to do, so it does not go on even if others' results come meanwhile.
pub(crate) fn look(task: &TaskRef) -> bool {
    let Some(host) = task.host().find() else { return false };
    let waiting = describe(task, Some(Instant::now()), true);
    let found = spin::of_this_thread(|patience| host.attend(&waiting, patience));
    LAST_WAIT.set(TaskId::end_of_own());
    found
}

thread_local! {
    /// Tasks with lesser ids were made before this thread's last wait was over.
    static LAST_WAIT: Cell<TaskId> = const { Cell::new(TaskId::from_u64(0)) };
}

/// Describes a wait to the task's host.
fn describe(task: &TaskRef, deadline: Option<Instant>, is_polling: bool) -> Waiting<'_> {
    let backoff = if task.id < LAST_WAIT.get() { spin::COLLECTING } else { spin::IN_A_HURRY };
    Waiting { task: task.id, state: &task.state, place: &task.place, deadline, backoff, is_polling }
}

/// Waits until `read` has an answer. A zero time-out only looks.
///
/// Once the task is done there is no time-out any more: another thread may be unpacking the output, which takes it no
/// longer than it would take this one.
pub(crate) fn wait_for<R>(
    task: &TaskRef,
    timeout: Option<Duration>,
    mut read: impl FnMut() -> Read<R>,
) -> Result<R, Error> {
    let looks_only = timeout.is_some_and(|timeout| timeout.is_zero());
    // Asked for when it is first needed, which it seldom is.
    let mut deadline = None;
    loop {
        let waited = match read() {
            Read::Ready(result) => return result,
            Read::Taken => return Err(taken(task)),
            Read::Unpacking => wait_until(task, None, Event::Readable),
            Read::NotDone if looks_only => Err(WaitEnd::TooLate),
            Read::NotDone => {
                let deadline = *deadline.get_or_insert_with(|| deadline::after(timeout));
                help_or_wait(task, deadline, Event::Readable)
            }
        };
        match waited {
            Ok(()) => {}
            Err(WaitEnd::Forked(error) | WaitEnd::TooDeep(error)) => return Err(error),
            Err(WaitEnd::TooLate) if task.state.snapshot().is_done() => {}
            Err(WaitEnd::TooLate) => {
                return Err(Error::timed_out(task.name(), task.state_name(), timeout.unwrap_or_default()));
            }
        }
    }
}

/// What is answered where the value has gone.
pub(crate) fn taken(task: &TaskRef) -> Error {
    let reason = if task.state.snapshot().is_shared() {
        "is shared: read it through the `SharedFuture`"
    } else {
        "was moved out before: use `shared()` to read it several times"
    };
    Error::new(ErrorKind::InvalidState, format!("the result of task `{}` {reason}", task.name()))
}

/// Blocks until the event, which a notification of this task tells of.
pub(crate) fn wait_until(task: &TaskRef, deadline: Option<Instant>, event: Event) -> Result<(), WaitEnd> {
    wait_until_or(task, deadline, event, || false)
}

/// As [`wait_until`], and stops when `interrupted` is true, of which the thread's signal tells.
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
        // Looked at after registering, so that a change between the look and the sleep is not missed. Not registered
        // means that it was there a moment ago; then another look tells whether it still is, for somebody may have
        // begun to unpack.
        let registered = task.waiters.add(task, Waiter::Thread(signal.clone())).is_ok();
        if registered && !task.state.snapshot().has(event) && !interrupted() {
            signal.wait(deadline);
        }
        if registered {
            task.waiters.remove(is_this);
        }
        if task.state.snapshot().has(event) || interrupted() {
            return Ok(());
        }
        if deadline::has_passed(deadline) {
            return Err(WaitEnd::TooLate);
        }
    }
}
