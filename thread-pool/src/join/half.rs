//! The second half of a join: a closure on the stack of the worker that waits for it.
//!
//! # Why this is sound
//!
//! 1. A half lives in the frame of its owner, which does not leave that frame before it has taken the [`HalfRef`] back
//!    out of its queue, or the latch says that the half is finished.
//! 2. There is one [`HalfRef`] for each half. It is consumed by the thread that runs it or gives it back, which does
//!    not touch the half after it has finished the latch.
//! 3. So at any time either the holder of the `HalfRef` or, after it is gone, the owner uses the closure and the
//!    result.
#![allow(unsafe_code)]

use std::{cell::UnsafeCell, ptr::NonNull, sync::atomic::Ordering::*};

use executor_core::{Error, growing::Growing, scoped};

use super::latch::{End, Joiner, Latch, Owner};
use crate::sync::AtomicU32;

/// The part of a half that does not depend on its types.
struct Header {
    latch: Latch,
    /// Runs the closure and stores its result.
    run: unsafe fn(NonNull<Header>),
    /// The number of the worker that waits for the half.
    owner: usize,
    /// The number of the worker that runs the half, plus 1, or 0 if the owner cannot help it.
    runner: AtomicU32,
}

/// A half.
#[repr(C)]
pub(super) struct Half<F, R> {
    header: Header,
    /// The task of the owner, which is that of the half too.
    task: scoped::Current,
    closure: UnsafeCell<Option<F>>,
    result: UnsafeCell<Option<Result<R, Error>>>,
}

/// Where a half runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the worker that waits for it.
    Own,
    /// On another worker.
    Other,
}

/// The right to run a half, which is in a queue.
#[must_use = "its owner waits until it is run or given back"]
pub(crate) struct HalfRef(NonNull<Header>);

// SAFETY: the closure and the result of a half are `Send`, by the bounds of `Half::new`, and one thread at a time uses
// them (rule 3). The header consists of atomics and of fields that do not change.
unsafe impl Send for HalfRef {}

impl<F: FnOnce(Place) -> R + Send, R: Send> Half<F, R> {
    pub(super) fn new(owner: usize, closure: F) -> Half<F, R> {
        Half {
            header: Header {
                latch: Latch::new(),
                run: |header| {
                    // SAFETY: the header is the beginning of a `Half<F, R>`, which lives by rule 1.
                    let half = unsafe { header.cast::<Half<F, R>>().as_ref() };
                    // SAFETY: the caller holds the `HalfRef`, so by rule 3 no other thread uses the two cells.
                    let (closure, result) = unsafe { (&mut *half.closure.get(), &mut *half.result.get()) };
                    if let Some(closure) = closure.take() {
                        // SAFETY: the owner waits for this half inside of the call in which it made it.
                        *result = Some(unsafe { half.task.run(|| scoped::catch(|| closure(Place::Other))) });
                    }
                },
                owner,
                runner: AtomicU32::new(0),
            },
            task: scoped::Current::of_this_thread(),
            closure: UnsafeCell::new(Some(closure)),
            result: UnsafeCell::new(None),
        }
    }

    /// Returns the right to run this half.
    ///
    /// # Safety
    ///
    /// - This is called once.
    /// - The half is neither moved nor dropped before the right is dropped by [`HalfRef::take_for`], or the latch is
    ///   finished.
    pub(super) unsafe fn publish(&self) -> HalfRef {
        // The pointer covers the whole half; `repr(C)` puts the header first.
        HalfRef(NonNull::from(self).cast())
    }

    /// Returns how the half ended, or `None` if it has not.
    pub(super) fn end(&self) -> Option<End> {
        self.header.latch.end()
    }

    pub(super) fn latch(&self) -> &Latch {
        &self.header.latch
    }

    /// Returns the number of the worker that runs the half, if the owner can help it.
    pub(super) fn runner(&self) -> Option<usize> {
        // ORDERING: the number publishes nothing.
        (self.header.runner.load(Relaxed) as usize).checked_sub(1)
    }

    /// Takes the closure and the result of a half whose [`HalfRef`] is gone.
    pub(super) fn into_parts(self) -> (Option<F>, Option<Result<R, Error>>) {
        (self.closure.into_inner(), self.result.into_inner())
    }
}

impl HalfRef {
    /// Gives up the right if it is that of this half, so that its owner, which is the calling thread, may use the half.
    /// Returns it otherwise.
    pub(super) fn take_for<F, R>(self, half: &Half<F, R>) -> Result<(), HalfRef> {
        if self.0.as_ptr().addr() == std::ptr::from_ref(half).addr() { Ok(()) } else { Err(self) }
    }

    /// Runs the half on a worker. `helped` is its number, if all that is in its queue of scoped tasks from now on until
    /// the end belongs to the half, so that the owner can help.
    pub(crate) fn run(self, helped: Option<usize>, joiners: &Growing<Joiner>) {
        // SAFETY: the half lives by rule 1, and this is its `HalfRef`.
        unsafe {
            if let Some(worker) = helped {
                // ORDERING: as in `runner`.
                self.0.as_ref().runner.store(worker as u32 + 1, Relaxed);
            }
            (self.0.as_ref().run)(self.0);
        }
        self.finish(End::Ran, joiners);
    }

    /// Gives the half back to its owner, which must run it.
    pub(crate) fn give_back(self, joiners: &Growing<Joiner>) {
        self.finish(End::Returned, joiners);
    }

    fn finish(self, end: End, joiners: &Growing<Joiner>) {
        // SAFETY: the half lives by rule 1 until the latch is finished, which is the last access.
        let (owner, sleeps) = unsafe {
            let header = self.0.as_ptr();
            let owner = (*header).owner;
            (owner, (*header).latch.finish(end))
        };
        if sleeps == Owner::Asleep {
            joiners[owner].wake();
        }
    }
}
