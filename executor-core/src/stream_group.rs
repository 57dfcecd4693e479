//! An async task that waits for many tasks.

use std::{collections::VecDeque, task::Waker};

use crate::{catch, sync::Mutex};

/// Collects the indices of done tasks, and wakes the async task that polls for them. It is in the list of waiters of
/// each of these tasks.
#[derive(Default)]
pub(crate) struct StreamGroup(Mutex<Collected>);

#[derive(Default)]
struct Collected {
    done: VecDeque<usize>,
    /// The waker of the last poll, unless it was woken.
    waker: Option<Waker>,
}

impl StreamGroup {
    /// Adds the index of a task that is done, and wakes the waker, which is user code.
    pub(crate) fn completed(&self, index: usize) {
        let mut collected = self.0.lock();
        collected.done.push_back(index);
        let waker = collected.waker.take();
        drop(collected);
        if let Some(waker) = waker {
            catch::contain(|| waker.wake());
        }
    }

    /// Returns the index of the next done task, in the order of completion.
    pub(crate) fn next(&self) -> Option<usize> {
        self.0.lock().done.pop_front()
    }

    /// Sets the waker to wake when a task is done. Returns whether one is done already, so that the caller must poll
    /// again.
    pub(crate) fn register(&self, waker: Waker) -> bool {
        let mut collected = self.0.lock();
        let is_done = !collected.done.is_empty();
        let former = collected.waker.replace(waker);
        drop(collected);
        // Dropping a waker runs user code, as cloning it did.
        catch::contain(|| drop(former));
        is_done
    }
}
