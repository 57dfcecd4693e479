//! The output of a task, read by code that knows its type.
#![allow(unsafe_code)]

use std::{marker::PhantomData, mem::ManuallyDrop};

use super::{
    cell::{Output, TaskRef, allocate},
    rare::Rare,
    state::{Access, Owed, Snapshot},
    view::{self, Shown, View},
    work::Work,
};
use crate::{Error, ErrorKind, sync::UnsafeCell};

/// A counted pointer to a task whose output is a `T`.
pub(crate) struct Typed<T> {
    pub(crate) task: TaskRef,
    output: PhantomData<fn() -> T>,
}

impl<T> Typed<T> {
    /// Allocates a task, and returns the first two references to it: the owner's and the caller's.
    #[inline]
    pub(crate) fn allocate<W: Work<Output = T>>(work: W, rare: Rare, may_wait: bool) -> (Typed<T>, Typed<T>) {
        let (owner, caller) = allocate(work, rare, may_wait);
        // SAFETY: the output of a task with this work is a `W::Output`.
        unsafe { (Typed::of(owner), Typed::of(caller)) }
    }

    /// Returns the typed view of a task.
    ///
    /// # Safety
    ///
    /// - The output of this task is a `T`.
    unsafe fn of(task: TaskRef) -> Typed<T> {
        Typed { task, output: PhantomData }
    }
}

impl<T> Clone for Typed<T> {
    fn clone(&self) -> Typed<T> {
        Typed { task: self.task.clone(), output: PhantomData }
    }
}

/// The result of an attempt to read the output.
pub(crate) enum Read<R> {
    /// The task is not done.
    NotDone,
    /// Another thread is unpacking the output.
    Unpacking,
    /// Result callbacks have the output, on another thread.
    Reserved,
    /// The output was read.
    Ready(Result<R, Error>),
    /// There was a value, but it was moved out before.
    Taken,
}

/// Why an output cannot be read.
enum Unreadable {
    NotDone,
    Unpacking,
    Reserved,
    /// A result callback of this thread asks for the output that it was given.
    InItsCallback(Error),
}

impl<R> From<Unreadable> for Read<R> {
    fn from(reason: Unreadable) -> Read<R> {
        match reason {
            Unreadable::NotDone => Read::NotDone,
            Unreadable::Unpacking => Read::Unpacking,
            Unreadable::Reserved => Read::Reserved,
            Unreadable::InItsCallback(error) => Read::Ready(Err(error)),
        }
    }
}

/// Makes the output of a task readable, and unpacks it on this thread if it is packed.
#[inline]
fn make_readable(task: &TaskRef) -> Result<Snapshot, Unreadable> {
    match task.state.access() {
        Access::NotDone => Err(Unreadable::NotDone),
        Access::Unpacking => Err(Unreadable::Unpacking),
        Access::Reserved => Err(reserved(task)),
        Access::Ready(snapshot) => Ok(snapshot),
        Access::Unpack => Ok(unpack(task)),
    }
}

#[cold]
fn reserved(task: &TaskRef) -> Unreadable {
    if !view::is_shown_by_this_thread(task) {
        return Unreadable::Reserved;
    }
    let name = task.name();
    Unreadable::InItsCallback(Error::new(
        ErrorKind::InvalidState,
        format!("a result callback of task `{name}` reads the result that it has as its argument: use the argument"),
    ))
}

/// Unpacks the output. `access` has returned that this thread must do it.
fn unpack(task: &TaskRef) -> Snapshot {
    // SAFETY: `Access::Unpack` gives this thread the output (rule 3), which PACKED says is packed.
    let end = unsafe { task.unpack() };
    if task.state.unpacked(end) == Owed::Notification {
        task.waiters().notify_readers(task);
    }
    task.state.snapshot()
}

impl<T: Send + 'static> Typed<T> {
    /// Returns the output slot, which only the rules of [`cell`](super::cell) allow to access.
    fn output(&self) -> &UnsafeCell<ManuallyDrop<Output<T>>> {
        // SAFETY: a `Typed<T>` is only made for a task whose output is a `T`.
        unsafe { self.task.output() }
    }

    /// Writes the value.
    ///
    /// # Safety
    ///
    /// - The caller owns the output (rule 3), which is `Empty`.
    pub(super) unsafe fn write_value(&self, value: T) {
        // SAFETY: by the contract.
        self.output()
            .with_mut(|output| unsafe { output.write(ManuallyDrop::new(Output::Value(ManuallyDrop::new(value)))) });
    }

    /// Returns the error of a task that has no value. A cancelled task has an empty slot.
    #[inline(never)]
    fn failure(&self, output: &Output<T>) -> Option<Error> {
        match output {
            Output::Error(error) => {
                self.task.state.mark_error_read();
                Some(error.clone())
            }
            Output::Empty => Some(Error::cancelled(self.task.name())),
            Output::Value(_) | Output::Packed(_) | Output::PackedWith(_) => None,
        }
    }

    /// Moves the value out, or clones the error.
    #[inline]
    pub(crate) fn take(&self) -> Read<T> {
        if let Err(unreadable) = make_readable(&self.task) {
            return unreadable.into();
        }
        // SAFETY: the task is done and unpacked, so by rule 4 the variant is only read from now on.
        self.output().with(|output| match unsafe { &**output } {
            Output::Value(value) => match self.task.state.take_value() {
                // SAFETY: `take_value` succeeded, so only this thread moves the value out. It is never read again.
                Ok(()) => Read::Ready(Ok(ManuallyDrop::into_inner(unsafe { std::ptr::read(value) }))),
                // A late result callback has reserved the value since `make_readable`.
                Err(seen) if seen.is_reserved() => Read::Reserved,
                Err(_) => Read::Taken,
            },
            other => self.failure(other).map_or(Read::Taken, |error| Read::Ready(Err(error))),
        })
    }

    /// Returns the error, if the task failed.
    pub(crate) fn error(&self) -> Read<Option<Error>> {
        if let Err(unreadable) = make_readable(&self.task) {
            return unreadable.into();
        }
        // SAFETY: as in `take`; the value itself is not read.
        Read::Ready(Ok(self.output().with(|output| self.failure(unsafe { &**output }))))
    }

    /// Reads the value of a shared task. Several threads may do this at the same time. See
    /// [`SharedFuture`](crate::SharedFuture).
    ///
    /// # Safety
    ///
    /// - `T: Sync`, so several threads may hold a `&T` at the same time, or only one thread can call this.
    pub(crate) unsafe fn with_value<R>(&self, read: impl FnOnce(&T) -> R) -> Read<R> {
        let snapshot = match make_readable(&self.task) {
            Ok(snapshot) => snapshot,
            Err(unreadable) => return unreadable.into(),
        };
        // SAFETY: as in `take`.
        self.output().with(|output| match unsafe { &**output } {
            // SHARED was set before, so a value that is not taken yet is never taken.
            Output::Value(value) if !snapshot.is_taken() => Read::Ready(Ok(read(value))),
            other => self.failure(other).map_or(Read::Taken, |error| Read::Ready(Err(error))),
        })
    }

    /// Turns a result callback into one of the untyped output. It may only be shown the output of this task.
    pub(crate) fn view(&self, callback: impl FnOnce(Result<&T, &Error>) + Send + 'static) -> View {
        let own = self.task.address();
        View(Box::new(move |shown| {
            let task = match shown {
                Shown::Output(reserved) => reserved.task(),
                Shown::Value(value) => {
                    let value = value.downcast_ref().expect("a result callback sees the value of its own task");
                    return callback(Ok(value));
                }
                Shown::Error(error) => return callback(Err(error)),
            };
            assert_eq!(task.address(), own, "a result callback sees the task that it was added to");
            // SAFETY: it is the same task, by the assertion, and `task` keeps it alive.
            let typed = unsafe { Typed::<T>::of(task.clone()) };
            // SAFETY: `Reserved` says that the task is done and unpacked, and that this thread has the output (rule 3).
            // Its value was not moved out: `reserve` refuses such an output, and `take_value` a reserved one.
            typed.output().with(|output| match unsafe { &**output } {
                Output::Value(value) => callback(Ok(value)),
                other => {
                    let error = typed.failure(other).expect("`Reserved` has unpacked the output");
                    callback(Err(&error));
                }
            });
        }))
    }

    /// Turns a function of the typed task into one of the untyped task. It may only be a waiter of this task.
    pub(crate) fn erase(&self, callback: impl FnOnce(Typed<T>) + Send + 'static) -> Box<dyn FnOnce(&TaskRef) + Send> {
        let own = self.task.address();
        Box::new(move |task| {
            assert_eq!(task.address(), own, "a callback runs on the task that it was added to");
            // SAFETY: it is the same task, by the assertion, and `task` keeps it alive.
            callback(unsafe { Typed::of(task.clone()) });
        })
    }
}
