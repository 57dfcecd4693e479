//! The waiters of a task, as one enum, and the list of them.

use std::{sync::Arc, task::Waker};

use super::{
    cell::TaskRef,
    state::{Announced, Event, Late},
    view::{self, View},
};
use crate::{catch, group::Group, signal::Signal, stream_group::StreamGroup, sync::Mutex};

/// Something that is notified when a task is done.
pub(crate) enum Waiter {
    /// A thread blocked in `result` or `exception`.
    Thread(Arc<Signal>),
    /// An `.await`. The number distinguishes several.
    Waker(u64, Waker),
    /// A `wait`, `as_completed` or `map` over many tasks, and the index of this one.
    Group(Arc<Group>, usize),
    /// A stream over many tasks, and the index of this one.
    Stream(Arc<StreamGroup>, usize),
    /// A done-callback.
    Callback(Box<dyn FnOnce(&TaskRef) + Send>),
    /// A result callback.
    View(View),
}

impl Waiter {
    /// Wakes the waiter if it is a thread. Returns it otherwise, because notifying it runs user code.
    pub(crate) fn wake_thread(self) -> Option<Waiter> {
        match self {
            Waiter::Thread(signal) => signal.set(),
            Waiter::Group(group, index) => group.completed(index),
            user_code @ (Waiter::Waker(..) | Waiter::Stream(..) | Waiter::Callback(_) | Waiter::View(_)) => {
                return Some(user_code);
            }
        }
        None
    }

    fn waits_for(&self) -> Event {
        match self {
            Waiter::Thread(_) | Waiter::Waker(..) => Event::Readable,
            Waiter::Group(..) | Waiter::Stream(..) | Waiter::Callback(_) | Waiter::View(_) => Event::Done,
        }
    }
}

/// The list of waiters. The thread that finishes a task takes the lock only if the state says that there is a waiter.
#[derive(Default)]
pub(crate) struct Waiters(Mutex<Vec<Waiter>>);

impl Waiters {
    /// Adds a waiter. Returns it as an error if its event has happened, because no thread would notify it.
    pub(crate) fn add(&self, task: &TaskRef, waiter: Waiter) -> Result<(), Waiter> {
        let mut list = self.0.lock();
        // Under the lock, so that a thread that sees the flag and then takes the lock finds the waiter in the list.
        if task.state.announce_waiter(waiter.waits_for()) == Announced::TooLate {
            return Err(waiter);
        }
        list.push(waiter);
        Ok(())
    }

    /// Adds a result callback, and reserves the output for it. Returns it as an error if the task is done.
    pub(crate) fn add_view(&self, task: &TaskRef, view: View) -> Result<(), (Late, View)> {
        let mut list = self.0.lock();
        // Under the lock, as in `add`.
        match task.state.reserve() {
            Ok(()) => list.push(Waiter::View(view)),
            Err(late) => return Err((late, view)),
        }
        Ok(())
    }

    /// Removes the waiters for which `gone` returns `true`.
    pub(crate) fn remove(&self, gone: impl Fn(&Waiter) -> bool) {
        let removed = extract(&mut self.0.lock(), gone);
        // A waker's `Drop` is user code, so it runs outside the lock.
        catch::contain(|| drop(removed));
    }

    /// Replaces the waker of an `.await` that is polled again. Returns whether it was in the list.
    ///
    /// The caller clones the waker, because that runs user code, which must not run under the lock.
    pub(crate) fn replace_waker(&self, key: u64, new: Waker) -> bool {
        let mut list = self.0.lock();
        let old = list.iter_mut().find_map(|waiter| match waiter {
            Waiter::Waker(number, waker) if *number == key => Some(waker),
            _ => None,
        });
        let Some(waker) = old else { return false };
        let old = std::mem::replace(waker, new);
        drop(list);
        catch::contain(|| drop(old));
        true
    }

    /// Takes all waiters out of the list.
    pub(crate) fn take(&self) -> Vec<Waiter> {
        std::mem::take(&mut *self.0.lock())
    }

    /// Notifies the waiters that wait to read the output. The others are left to the thread that finished the task,
    /// because the documentation promises that callbacks run in that thread.
    pub(crate) fn notify_readers(&self, task: &TaskRef) {
        let readers = extract(&mut self.0.lock(), |waiter| waiter.waits_for() == Event::Readable);
        notify(task, readers);
    }
}

/// Takes the waiters for which `is_wanted` returns true out of the list. Both parts keep their order.
fn extract(list: &mut Vec<Waiter>, is_wanted: impl Fn(&Waiter) -> bool) -> Vec<Waiter> {
    let (extracted, kept) = std::mem::take(list).into_iter().partition(is_wanted);
    *list = kept;
    extracted
}

/// Notifies these waiters of this task, outside every lock: first the threads, then the result callbacks, then the
/// wakers, then the callbacks, each in the order they were added. The threads come first, because the others are user
/// code, which may block. The result callbacks come next, because all readers of the output wait for them. If one
/// panics, the panic is reported, and the others are still notified.
pub(crate) fn notify(task: &TaskRef, waiters: Vec<Waiter>) {
    let (mut wakers, mut streams, mut callbacks, mut views) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for waiter in waiters {
        match waiter.wake_thread() {
            Some(Waiter::Waker(_, waker)) => wakers.push(waker),
            Some(Waiter::Stream(group, index)) => streams.push((group, index)),
            Some(Waiter::Callback(callback)) => callbacks.push(callback),
            Some(Waiter::View(view)) => views.push(view),
            _ => {}
        }
    }
    if !views.is_empty() {
        view::show(task, views);
    }
    for waker in wakers {
        catch::contain(|| waker.wake());
    }
    for (group, index) in streams {
        group.completed(index);
    }
    for callback in callbacks {
        catch::contain(|| callback(task));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{Future as _, IntoFuture},
        pin::Pin,
        task::Context,
        time::Duration,
    };

    use super::*;
    use crate::{Future, ReturnWhen, as_completed, codec::Bytes, promise, wait};

    fn waiters(future: &Future<u64>) -> usize {
        future.task().waiters().0.lock().len()
    }

    /// Waits in every way until the time-out.
    fn time_out(future: &Future<u64>, timeout: Duration) {
        assert!(future.result(timeout).is_err() && future.exception(timeout).is_err());
        assert_eq!(wait([future.alias()], timeout, ReturnWhen::AllCompleted).not_done.len(), 1);
        assert!(as_completed([future.alias()], timeout).next().expect("a time-out").is_err());
        let mut awaited = future.alias().into_future();
        for _ in 0..2 {
            assert!(Pin::new(&mut awaited).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        assert_eq!(waiters(future), 1);
    }

    #[test]
    fn a_wait_that_ends_leaves_nothing_in_the_list() {
        let (promise, future) = promise::<u64>();
        for timeout in [Duration::ZERO, Duration::from_nanos(1), Duration::from_micros(50)] {
            for _ in 0..20 {
                time_out(&future, timeout);
                assert_eq!(waiters(&future), 0);
            }
        }
        promise.set_result(1).expect("pending");
        assert_eq!(waiters(&future), 0);
    }

    #[test]
    fn reading_the_output_leaves_the_callbacks_to_the_thread_that_finished() {
        use std::cell::RefCell;

        use crate::{
            Error,
            task::{
                rare::Rare,
                rights::Completing,
                state::Owed,
                typed::Typed,
                work::{Encoded, Work},
            },
        };
        thread_local! {
            static READ: RefCell<Option<TaskRef>> = const { RefCell::new(None) };
        }
        /// While this thread unpacks the output, another thread asks for it.
        struct Contended;
        impl Work for Contended {
            type Output = u64;
            fn name() -> &'static str {
                "contended"
            }
            fn run(self) -> Result<u64, Error> {
                unreachable!("it runs in another process")
            }
            fn encode(self, _: &mut Vec<u8>) -> Result<Encoded, Error> {
                unreachable!("the test makes the reply itself")
            }
            fn unpack(_: Bytes) -> Result<u64, Error> {
                let task = READ.take().expect("set by the test");
                assert!(task.waiters().add(&task, Waiter::Thread(Signal::of_this_thread())).is_ok());
                Ok(1)
            }
        }
        let (typed, _) = Typed::allocate(Contended, Rare::none(), true);
        let (called, calls) = std::sync::mpsc::channel();
        let callback = Waiter::Callback(typed.erase(move |_| called.send(()).expect("the test receives it")));
        assert!(typed.task.waiters().add(&typed.task, callback).is_ok());
        // The finishing thread has set DONE, and has not locked the list yet.
        let completing = Completing::start(&typed.task, true).expect("pending");
        let (task, owed) = completing.packed(Bytes::default(), false).finish();
        assert_eq!(owed, Owed::Notification);
        READ.set(Some(typed.task.clone()));
        typed.take();
        assert!(calls.try_recv().is_err());
        let left = task.waiters().take();
        assert!(matches!(left.as_slice(), [Waiter::Callback(_)]), "only the reader was notified");
        notify(&task, left);
        assert!(calls.try_recv().is_ok());
    }

    #[test]
    fn a_done_task_has_no_waiters() {
        let (promise, future) = promise::<u64>();
        future.add_done_callback(|_| {});
        assert_eq!(waiters(&future), 1);
        promise.set_result(1).expect("pending");
        future.add_done_callback(|_| {});
        drop(as_completed([future.alias()], None));
        assert_eq!(waiters(&future), 0);
    }
}
