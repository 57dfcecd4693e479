//! What a value that is being encoded on this thread has attached.

use std::{
    cell::{Cell, RefCell},
    fmt,
    marker::PhantomData,
};

use super::{Handle, Handles};

thread_local! {
    // An ordinary value touches only the first two. The vector is separate because it has a destructor, for which the
    // first access of a thread must register.
    /// How many calls of [`collect`] have not returned.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// Whether anything is attached, at any depth.
    static IS_FILLED: Cell<bool> = const { Cell::new(false) };
    /// The handles, each with the depth at which it was attached. The depths ascend.
    static ATTACHED: RefCell<Vec<(u32, Attached)>> = const { RefCell::new(Vec::new()) };
}

enum Attached {
    One(Handle),
    Several(Handles),
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
    push(|| Attached::One(handle.clone()))
}

/// Attaches several handles as [`attach`] attaches each of them. If they are all that the value has, they stay the same
/// set, and a back-end need not look at each.
///
/// # Errors
///
/// Returns the error of [`attach`].
pub fn attach_all(handles: &Handles) -> Result<(), NotHere> {
    push(|| Attached::Several(handles.clone()))
}

fn push(attached: impl FnOnce() -> Attached) -> Result<(), NotHere> {
    let depth = DEPTH.get();
    if depth == 0 {
        return Err(NotHere);
    }
    // The vector of a thread that is ending may be gone. Duplicates are removed at the end.
    ATTACHED.try_with(|all| all.borrow_mut().push((depth, attached()))).map_err(|_| NotHere)?;
    IS_FILLED.set(true);
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

/// Collects what is attached on this thread until it is closed. [`collect`] is the safer form of it; this one saves
/// moving the result. If it is dropped, its handles are dropped too. Collectors of one thread must be closed in the
/// reverse order of their opening.
#[derive(Debug)]
#[must_use = "it collects only as long as it lives"]
pub struct Collector {
    /// It belongs to the thread that opened it.
    not_send: PhantomData<*const ()>,
}

impl Collector {
    /// Begins to collect.
    #[inline]
    pub fn open() -> Collector {
        DEPTH.set(DEPTH.get() + 1);
        Collector { not_send: PhantomData }
    }

    /// Returns what was attached.
    #[inline]
    pub fn close(self) -> Handles {
        std::mem::forget(self);
        let handles = if IS_FILLED.get() { take() } else { Handles::NONE };
        DEPTH.set(DEPTH.get() - 1);
        handles
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if IS_FILLED.get() {
            drop(take());
        }
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Takes what was attached at the current depth.
#[cold]
fn take() -> Handles {
    let depth = DEPTH.get();
    let taken = ATTACHED.try_with(|attached| {
        let mut attached = attached.borrow_mut();
        let start = attached.partition_point(|(at, _)| *at < depth);
        let taken = union(&mut attached, start);
        IS_FILLED.set(!attached.is_empty());
        taken
    });
    taken.unwrap_or_default()
}

/// Removes the handles from a place on, and returns them as one set.
fn union(attached: &mut Vec<(u32, Attached)>, start: usize) -> Handles {
    if attached.len() == start + 1 && matches!(attached[start].1, Attached::Several(_)) {
        if let Some((_, Attached::Several(handles))) = attached.pop() {
            return handles;
        }
    }
    let mut all = Vec::new();
    for (_, some) in attached.drain(start..) {
        match some {
            Attached::One(handle) => all.push(handle),
            Attached::Several(handles) => all.extend(handles.iter().cloned()),
        }
    }
    all.into()
}
