//! The handles of results, which a worker encodes where it has called the function.
//!
//! A back-end says for a thread that it [can carry](carry_results) them, and [takes](take_results) them after each
//! call. Collecting around the whole call would accept a handle that the function itself gives to another format.

use std::cell::{Cell, RefCell};

use super::{Handle, Handles, collect};

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The back-end cannot carry handles.
    Refused,
    /// It can, and the last call has none.
    Empty,
    Filled,
}

thread_local! {
    static STATE: Cell<State> = const { Cell::new(State::Refused) };
    static HANDLES: RefCell<Vec<Handle>> = const { RefCell::new(Vec::new()) };
}

/// Allows handles in the results that this thread encodes from now on.
pub fn carry_results() {
    if STATE.get() == State::Refused {
        STATE.set(State::Empty);
    }
}

/// Returns the handles of the results that this thread has encoded since the last call.
#[inline]
pub fn take_results() -> Handles {
    if STATE.get() == State::Filled { take() } else { Handles::NONE }
}

#[cold]
fn take() -> Handles {
    STATE.set(State::Empty);
    HANDLES.try_with(RefCell::take).unwrap_or_default().into()
}

/// Allows handles in the results that this thread encodes during `call`, and returns them. Results that are encoded
/// around it keep their own.
pub(crate) fn collect_results<R>(call: impl FnOnce() -> R) -> (R, Handles) {
    /// Restores what was before, even if the call unwinds.
    struct Restore(State, Vec<Handle>);
    impl Drop for Restore {
        fn drop(&mut self) {
            STATE.set(self.0);
            let before = std::mem::take(&mut self.1);
            // The handles of this call were taken, unless it unwinds.
            drop(HANDLES.try_with(|kept| kept.replace(before)));
        }
    }
    let before = HANDLES.try_with(RefCell::take).unwrap_or_default();
    let _restore = Restore(STATE.replace(State::Empty), before);
    let result = call();
    (result, take_results())
}

/// Encodes a result with `write`, and keeps its handles for [`take_results`].
#[inline]
pub(in crate::codec) fn collect_result<E>(write: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
    if STATE.get() == State::Refused {
        return write();
    }
    let (written, handles) = collect(write);
    if !handles.is_empty() && written.is_ok() {
        keep(&handles);
    }
    written
}

#[cold]
fn keep(handles: &Handles) {
    if HANDLES.try_with(|kept| kept.borrow_mut().extend(handles.iter().cloned())).is_ok() {
        STATE.set(State::Filled);
    }
}
