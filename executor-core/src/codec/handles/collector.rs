//! What a value that is being encoded on this thread has attached.

use std::{
    cell::{Cell, RefCell},
    fmt,
};

use super::{Handle, Handles};

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing collects.
    Closed,
    /// Nothing was attached yet.
    Empty,
    /// At least one handle was attached.
    Filled,
}

thread_local! {
    // An ordinary value touches only the state. The vector is separate because it has a destructor, for which the first
    // access of a thread must register.
    static STATE: Cell<State> = const { Cell::new(State::Closed) };
    static ATTACHED: RefCell<Vec<Handle>> = const { RefCell::new(Vec::new()) };
}

/// The error of a handle that is encoded where its descriptor cannot follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotHere;

impl fmt::Display for NotHere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "it is a descriptor or memory of this machine: it goes to tasks, processes, queues and pipes of this program",
        )
    }
}

impl std::error::Error for NotHere {}

/// Attaches a handle to the value that is being encoded on this thread. `Serialize` calls this for each name it writes.
///
/// # Errors
///
/// Returns [`NotHere`] if nothing collects handles: the bytes go to a file, to another machine, or to a back-end that
/// cannot carry descriptors.
pub fn attach(handle: &Handle) -> Result<(), NotHere> {
    if STATE.get() == State::Closed {
        return Err(NotHere);
    }
    let attached = ATTACHED.try_with(|attached| {
        let mut attached = attached.borrow_mut();
        // Other duplicates are removed at the end.
        if attached.last() != Some(handle) {
            attached.push(handle.clone());
        }
    });
    // The vector of a thread that is ending may be gone.
    attached.map_err(|_| NotHere)?;
    STATE.set(State::Filled);
    Ok(())
}

/// Calls `write`, and returns its result and the handles that were attached meanwhile.
///
/// A value whose `Serialize` encodes another value this way does not get the handles of that one. If `write` panics,
/// its handles are dropped.
#[inline]
pub fn collect<R>(write: impl FnOnce() -> R) -> (R, Handles) {
    let collector = Collector::open();
    let result = write();
    (result, collector.close())
}

/// One call of [`collect`]. Dropping it restores the state of the enclosing one.
struct Collector {
    outer: State,
    /// How many handles the enclosing calls have collected.
    start: usize,
}

impl Collector {
    #[inline]
    fn open() -> Collector {
        let outer = STATE.replace(State::Empty);
        Collector { outer, start: if outer == State::Filled { attached() } else { 0 } }
    }

    #[inline]
    fn close(self) -> Handles {
        if STATE.get() == State::Filled { Handles::from(self.take()) } else { Handles::NONE }
    }

    #[cold]
    fn take(&self) -> Vec<Handle> {
        STATE.set(State::Empty);
        ATTACHED.try_with(|attached| attached.borrow_mut().split_off(self.start)).unwrap_or_default()
    }
}

impl Drop for Collector {
    #[inline]
    fn drop(&mut self) {
        if STATE.get() == State::Filled {
            drop(self.take());
        }
        STATE.set(self.outer);
    }
}

#[cold]
fn attached() -> usize {
    ATTACHED.try_with(|attached| attached.borrow().len()).unwrap_or(0)
}
