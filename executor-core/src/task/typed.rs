//! The output of a task, as the one who knows its type reads it.
#![allow(unsafe_code)]

use std::{marker::PhantomData, mem::ManuallyDrop};

use super::{
    cell::{Output, TaskRef, allocate},
    state::{Access, Snapshot},
    work::Work,
};
use crate::{Error, TaskOptions, catch, codec::Bytes, sync::UnsafeCell};

/// A counted pointer to a task whose output is a `T`.
pub(crate) struct Typed<T> {
    pub(crate) task: TaskRef,
    output: PhantomData<fn() -> T>,
}

impl<T> Typed<T> {
    /// Allocates a task, and returns the first two references to it: the owner's and the caller's.
    #[inline]
    pub(crate) fn allocate<W: Work<Output = T>>(work: W, options: TaskOptions, may_wait: bool) -> (Typed<T>, Typed<T>) {
        let (owner, caller) = allocate(work, options, may_wait);
        // SAFETY: the output of a task with this work is a `W::Output`.
        unsafe { (Typed::of(owner), Typed::of(caller)) }
    }

    /// The typed view of a task.
    ///
    /// # Safety
    ///
    /// - The output of this task is a `T`.
    pub(super) unsafe fn of(task: TaskRef) -> Typed<T> {
        Typed { task, output: PhantomData }
    }
}

impl<T> Clone for Typed<T> {
    fn clone(&self) -> Typed<T> {
        Typed { task: self.task.clone(), output: PhantomData }
    }
}

/// What reading the output answers.
pub(crate) enum Read<R> {
    NotDone,
    /// Another thread is unpacking it.
    Unpacking,
    Ready(Result<R, Error>),
    /// There was a value, and somebody has moved it out.
    Taken,
}

impl<T: Send + 'static> Typed<T> {
    /// The output slot, to be touched by the rules of [`cell`](super::cell).
    fn output(&self) -> &UnsafeCell<Output<T>> {
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
        self.output().with_mut(|output| unsafe { output.write(Output::Value(ManuallyDrop::new(value))) });
    }

    /// Brings the output into the form that can be read, unpacking it on this thread if need be.
    fn ready<R>(&self, unpack: fn(Bytes) -> Result<T, Error>) -> Result<Snapshot, Read<R>> {
        match self.task.state.access() {
            Access::NotDone => Err(Read::NotDone),
            Access::Unpacking => Err(Read::Unpacking),
            Access::Ready(snapshot) => Ok(snapshot),
            Access::Unpack => {
                // SAFETY: `Access::Unpack` gives this thread the output (rule 3).
                let packed = self.output().with_mut(|output| unsafe { output.replace(Output::Empty) });
                let Output::Packed(bytes) = packed else { unreachable!("PACKED says that the output is packed") };
                // User code runs here, and no lock is held: others see UNPACKING and wait.
                let unpacked = catch::catch(|| unpack(bytes))
                    .unwrap_or_else(|panic| Err(Error::panicked(self.task.name(), panic)));
                let failed = unpacked.is_err();
                let unpacked = match unpacked {
                    Ok(value) => Output::Value(ManuallyDrop::new(value)),
                    Err(error) => Output::Error(error),
                };
                // SAFETY: as above. The slot is `Empty`, which needs no drop.
                self.output().with_mut(|output| unsafe { output.write(unpacked) });
                if self.task.state.unpacked(failed) {
                    self.task.waiters.notify_readers(&self.task);
                }
                Ok(self.task.state.snapshot())
            }
        }
    }

    /// What a task without a value answers: its error, or that it was cancelled, which leaves the slot empty.
    fn failure(&self, output: &Output<T>) -> Option<Error> {
        match output {
            Output::Error(error) => Some(error.clone()),
            Output::Empty => Some(Error::cancelled(self.task.name())),
            Output::Value(_) | Output::Packed(_) => None,
        }
    }

    /// Moves the value out, or clones the error.
    pub(crate) fn take(&self, unpack: fn(Bytes) -> Result<T, Error>) -> Read<T> {
        if let Err(answer) = self.ready(unpack) {
            return answer;
        }
        // SAFETY: done and unpacked, so by rule 4 the variant is only read from here on.
        self.output().with(|output| match unsafe { &*output } {
            Output::Value(value) if self.task.state.take() => {
                // SAFETY: `take` answered true, so this is the one who moves the value out; it is never read again.
                Read::Ready(Ok(ManuallyDrop::into_inner(unsafe { std::ptr::read(value) })))
            }
            other => self.failure(other).map_or(Read::Taken, |error| Read::Ready(Err(error))),
        })
    }

    /// The error, if the task failed.
    pub(crate) fn error(&self, unpack: fn(Bytes) -> Result<T, Error>) -> Read<Option<Error>> {
        if let Err(answer) = self.ready(unpack) {
            return answer;
        }
        // SAFETY: as in `take`; the value itself is not looked at.
        Read::Ready(Ok(self.output().with(|output| self.failure(unsafe { &*output }))))
    }

    /// Clones the value of a shared task.
    ///
    /// Several threads may be in here at once, so the caller makes sure that it may hold a `&T` (`T: Sync`, or only one
    /// thread has the means to call this): see `SharedFuture`.
    ///
    /// # Safety
    ///
    /// - The calling thread may hold a `&T` while other callers of this hold one.
    pub(crate) unsafe fn with_value<R>(
        &self,
        unpack: fn(Bytes) -> Result<T, Error>,
        read: impl FnOnce(&T) -> R,
    ) -> Read<R> {
        let snapshot = match self.ready(unpack) {
            Ok(snapshot) => snapshot,
            Err(answer) => return answer,
        };
        // SAFETY: as in `take`.
        self.output().with(|output| match unsafe { &*output } {
            // The flag SHARED was set before, so if the value is not taken by now it never will be.
            Output::Value(value) if !snapshot.is_taken() => Read::Ready(Ok(read(value))),
            other => self.failure(other).map_or(Read::Taken, |error| Read::Ready(Err(error))),
        })
    }

    /// Turns a function of the typed task into one of the untyped, for the waiters of this very task.
    pub(crate) fn erase(&self, callback: impl FnOnce(Typed<T>) + Send + 'static) -> Box<dyn FnOnce(&TaskRef) + Send> {
        let own = self.task.address();
        Box::new(move |task| {
            assert_eq!(task.address(), own, "a callback runs on the task that it was added to");
            // SAFETY: it is the same task, by the assertion, and it is not freed yet, for `task` counts.
            callback(unsafe { Typed::of(task.clone()) });
        })
    }
}
