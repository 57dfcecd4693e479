//! What a thread that does not own a task can do: cancel it or ask it to stop, and run or fail it while it is queued.

use std::sync::{Arc, atomic::Ordering::SeqCst};

use super::{
    cell::TaskRef,
    completed::Completed,
    rights::{Claimed, Written},
    state::Withdraw,
};
use crate::{Error, catch, host::Host, sync::fence};

/// Cancels a task, if it is still queued.
pub(crate) fn cancel_queued(task: &TaskRef) -> Withdraw {
    let withdrawn = task.state.withdraw();
    if let Withdraw::Withdrawn(owed) = withdrawn {
        // Made first, so that the waiters are notified even if the host panics.
        let _completed = Completed::new(task.clone(), owed);
        // ORDERING: pairs with the fence of a back-end that attaches its host while the task is being cancelled: either
        // this sees the host, or the back-end sees that the task has left the queue.
        fence(SeqCst);
        if let Some(host) = queueing_host(task) {
            host.left_queue_at(task.id, task.place());
            host.was_cancelled();
        }
    }
    withdrawn
}

/// Cancels a task that has not started, even if a worker has it in its own queue. Returns whether the task is
/// cancelled.
pub(crate) fn cancel(task: &TaskRef) -> bool {
    loop {
        match cancel_queued(task) {
            Withdraw::Withdrawn(_) => return true,
            Withdraw::TooLate(seen) => return seen.is_cancelled(),
            Withdraw::Placed => {
                let place = task.place();
                let Some(host) = task.host().find() else { return task.state.snapshot().is_cancelled() };
                if host.withdraw(task.id, place) {
                    return true;
                }
                // Ask again if the task was moved to another worker meanwhile.
                let again = task.state.snapshot();
                if !(again.is_queued() || again.is_placed() && task.place() != place) {
                    return again.is_cancelled();
                }
            }
        }
    }
}

/// Cancels a task, or asks it to stop if it runs. A task that is done stays as it is.
pub(crate) fn stop(task: &TaskRef) {
    if !task.state.snapshot().is_done() && !cancel(task) {
        task.ask_to_stop();
    }
}

/// Runs a task inline, if it is still queued, on behalf of a task of the same host that waits for it. Returns whether
/// it did.
pub(crate) fn run_inline(task: &TaskRef) -> bool {
    let Some(claimed) = Claimed::claim_shared(task) else { return false };
    let host = queueing_host(task);
    if let Some(host) = &host {
        catch::contain(|| host.left_queue_at(task.id, task.place()));
    }
    end_inline(claimed.run(), host);
    true
}

/// Fails a task, if it is still queued, on behalf of a task of the same host that waits for it. Returns whether it did.
pub(crate) fn fail_inline(task: &TaskRef, error: Error) -> bool {
    let Some(claimed) = Claimed::claim_shared(task) else { return false };
    let host = queueing_host(task);
    if let Some(host) = &host {
        catch::contain(|| host.left_queue(task.id));
    }
    end_inline(claimed.fail(error), host);
    true
}

/// Completes a task that was run or failed inline, after its host has counted it.
fn end_inline(written: Written, host: Option<Arc<dyn Host>>) {
    if let Some(host) = host {
        catch::contain(|| host.ended_inline(written.ended()));
    }
    drop(Completed::of(written));
}

/// Returns the host, if the task was submitted to it. Other tasks have a host only so that its workers run them inline.
pub(crate) fn queueing_host(task: &TaskRef) -> Option<Arc<dyn Host>> {
    task.host().find().filter(|_| !task.state.snapshot().is_in_no_queue())
}
