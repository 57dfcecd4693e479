//! The memory of a task, and the only code that reaches into it.
//!
//! One cell holds everything: the [`Header`] that is the same for all tasks, the output slot whose type the future
//! knows, and the work whose type nobody but the vtable knows. [`TaskRef`] is a counted pointer to the header,
//! [`Typed`](super::typed::Typed) the same with the type of the output, through which it is read.
//!
//! # Who may touch which field in which state
//!
//! 1. The header's plain fields are written before the task is shared, and only read afterwards.
//! 2. The work belongs to the one who cleared WORK, by `State::claim` or `State::take_work`.
//! 3. The output belongs, while RUNNING_LOCAL, COMPLETING or FAILING, to the one who made that transition; while UNPACKING, to
//!    the one who was answered `Access::Unpack`.
//! 4. While DONE and not UNPACKING, the output is only read, and never its value but by the one whose `State::take_value`
//!    returned true, or, if SHARED, by anyone who may hold a `&T`. Taking leaves the variant in place.
//! 5. The last reference drops what is left: the work if WORK is set, the output's value unless TAKEN.
//!
//! README.md in this folder says why these rules are enough.
#![allow(unsafe_code)]

use std::{
    alloc::Layout,
    mem::ManuallyDrop,
    ops::Deref,
    ptr::{self, NonNull},
    sync::atomic::Ordering::*,
};

use super::{
    TaskId,
    block::{self, BlockPointer, Memory},
    state::{End, State},
    waiter::Waiters,
    work::{Encoded, Work},
};
use crate::{
    Error, TaskOptions, catch,
    codec::Bytes,
    fork,
    host::HostId,
    sync::{AtomicU32, AtomicU64, UnsafeCell},
};

/// The part of a task that does not depend on its types.
///
/// In this order: what a worker that runs the task has no business with comes first, and what it needs last, next to
/// the output and the work. So the worker asks for fewer of the cache lines that the submitter has just written.
#[repr(C)]
pub(crate) struct Header {
    pub(crate) waiters: Waiters,
    pub(crate) options: Option<Box<TaskOptions>>,
    pub(crate) id: TaskId,
    /// What the host wants to be told again when it is asked about the task.
    pub(crate) place: AtomicU64,
    /// The back-end that has the task; 0 until it says so, and for back-ends that never do. See [`crate::host`].
    pub(crate) host: AtomicU32,
    /// In which process of a family of forks the task was made.
    pub(crate) born: fork::Generation,
    block: BlockPointer,
    vtable: &'static VTable,
    pub(crate) state: State,
    references: AtomicU32,
}

/// A header, and the output slot behind it. A `Typed<T>` points to one.
#[repr(C)]
struct Slot<T> {
    header: Header,
    output: UnsafeCell<Output<T>>,
}

/// The whole of a task.
#[repr(C)]
struct Cell<W: Work> {
    slot: Slot<W::Output>,
    work: UnsafeCell<ManuallyDrop<W>>,
}

/// The output slot.
pub(super) enum Output<T> {
    /// Not written yet, or the task is CANCELLED.
    Empty,
    /// Moved out already if TAKEN, which is why dropping it is left to `free`.
    Value(ManuallyDrop<T>),
    Error(Error),
    Packed(Bytes),
}

impl<T> Output<T> {
    fn of(result: Result<T, Error>) -> (Output<T>, End) {
        match result {
            Ok(value) => (Output::Value(ManuallyDrop::new(value)), End::Value),
            Err(error) => (Output::Error(error), End::Failed),
        }
    }
}

/// What a task can do that depends on its types. Each entry takes the header of a `Cell<W>` for the `W` of the table.
struct VTable {
    /// Owns the work (rule 2) and the output (rule 3): runs the one into the other.
    run: unsafe fn(NonNull<Header>) -> End,
    /// Owns the work: drops it.
    discard: unsafe fn(NonNull<Header>),
    /// Owns the work: writes it down and drops it.
    encode: unsafe fn(NonNull<Header>, &mut Vec<u8>) -> Result<Encoded, Error>,
    /// Owns the output: writes an error into it.
    write_error: unsafe fn(NonNull<Header>, Error),
    /// Owns the output: writes a packed reply into it.
    write_packed: unsafe fn(NonNull<Header>, Bytes),
    /// Owns the output, which is packed: unpacks it.
    unpack: unsafe fn(NonNull<Header>) -> End,
    /// Has the last reference: drops and frees everything.
    free: unsafe fn(NonNull<Header>),
    name: fn() -> &'static str,
}

impl<W: Work> Cell<W> {
    const VTABLE: VTable = VTable {
        run: |header| {
            // SAFETY: the header is the beginning of a `Cell<W>`, and the caller has a reference to it.
            let cell = unsafe { header.cast::<Cell<W>>().as_ref() };
            // SAFETY: the caller owns the work, so nobody else reads it, and WORK is clear, so it is not dropped again.
            let work = unsafe { cell.take_work() };
            // The one place that user code cannot unwind out of: behind it there is always an output.
            let (output, end) = Output::of(catch::guarded(|| work.run()).flatten());
            // SAFETY: the caller is the one who claimed the task, so by rule 3 nobody else touches the output. It is
            // `Empty`, which needs no drop.
            cell.slot.output.with_mut(|slot| unsafe { slot.write(output) });
            end
        },
        discard: |header| {
            // SAFETY: as in `run`: the cell is alive, and the caller owns the work.
            let work = unsafe { header.cast::<Cell<W>>().as_ref().take_work() };
            catch::contain(|| drop(work));
        },
        encode: |header, into| {
            // SAFETY: as in `run`.
            let work = unsafe { header.cast::<Cell<W>>().as_ref().take_work() };
            work.encode(into)
        },
        write_error: |header, error| {
            // SAFETY: the header is the beginning of a `Slot<W::Output>`, and the caller has a reference to it.
            let slot = unsafe { header.cast::<Slot<W::Output>>().as_ref() };
            // SAFETY: the caller owns the output, which is `Empty`.
            slot.output.with_mut(|output| unsafe { output.write(Output::Error(error)) });
        },
        write_packed: |header, bytes| {
            // SAFETY: as in `write_error`.
            let slot = unsafe { header.cast::<Slot<W::Output>>().as_ref() };
            // SAFETY: the caller owns the output, which is `Empty`.
            slot.output.with_mut(|output| unsafe { output.write(Output::Packed(bytes)) });
        },
        unpack: |header| {
            // SAFETY: as in `write_error`.
            let slot = unsafe { header.cast::<Slot<W::Output>>().as_ref() };
            // SAFETY: the caller owns the output.
            let packed = slot.output.with_mut(|output| unsafe { output.replace(Output::Empty) });
            let Output::Packed(reply) = packed else { unreachable!("PACKED says that the output is packed") };
            // User code runs here, and no lock is held: other threads see UNPACKING and wait.
            let unpacked = catch::guarded_for(slot.header.name(), || W::unpack(reply)).flatten();
            let (output, end) = Output::of(unpacked);
            // SAFETY: as above. The slot is `Empty`, which needs no drop.
            slot.output.with_mut(|slot| unsafe { slot.write(output) });
            end
        },
        free: |header| {
            // SAFETY: this is the last reference, so nobody else touches the cell.
            let cell = unsafe { header.cast::<Cell<W>>().as_mut() };
            // SAFETY: `allocate` has it from there, and it is used up to the end of this only.
            let _memory = unsafe { Memory::of(header.cast(), cell.slot.header.block, Layout::new::<Cell<W>>()) };
            let state = cell.slot.header.state.snapshot();
            if state.has_work() {
                // SAFETY: WORK is set, so the work was never taken, and the cell is not used again.
                let work = unsafe { ManuallyDrop::take(cell.work.get_mut()) };
                catch::contain(|| drop(work));
            }
            if let (Output::Value(value), false) = (cell.slot.output.get_mut(), state.is_taken()) {
                // SAFETY: TAKEN is not set, so the value was never moved out, and the cell is not used again.
                let value = unsafe { ManuallyDrop::take(value) };
                catch::contain(|| drop(value));
            }
            // SAFETY: nobody uses the cell after this, and its memory goes back only now.
            unsafe { ptr::drop_in_place(cell) };
        },
        name: W::name,
    };

    /// Moves the work out.
    ///
    /// # Safety
    ///
    /// - The caller owns the work (rule 2), and does this once.
    unsafe fn take_work(&self) -> W {
        // SAFETY: by the contract nobody else touches the work, and it is not used again.
        self.work.with_mut(|work| unsafe { ManuallyDrop::take(&mut *work) })
    }
}

/// A counted pointer to a task of any type.
pub(crate) struct TaskRef(NonNull<Header>);

// SAFETY: the work and the output are `Send` (`Work` demands both), each is only ever touched by one owner at a time
// (rules 2 to 4; shared reading asks for `T: Sync` in `Typed::with_value`). Of the header, `block` is an address that
// only the one who frees it follows, and the rest is `Sync`.
unsafe impl Send for TaskRef {}
// SAFETY: as above.
unsafe impl Sync for TaskRef {}

impl Deref for TaskRef {
    type Target = Header;

    #[inline]
    fn deref(&self) -> &Header {
        // SAFETY: a TaskRef holds a reference count, so the allocation lives; only shared access to the header is ever
        // given out after it was made.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for TaskRef {
    fn clone(&self) -> TaskRef {
        // ORDERING: a new reference comes from a live one, which keeps the allocation alive meanwhile.
        let before = self.references.fetch_add(1, Relaxed);
        if before > u32::MAX / 2 {
            // Only leaked references can count this far; going on would free a live task.
            std::process::abort();
        }
        TaskRef(self.0)
    }
}

impl Drop for TaskRef {
    #[inline]
    fn drop(&mut self) {
        // ORDERING: Release goes to the one who frees the task: all use of it happens before its end.
        let before = self.references.fetch_sub(1, Release);
        // ORDERING: Acquire pairs with the Release of the others. A load and not a fence, because the thread sanitizer
        // does not see fences.
        if before == 1 && self.references.load(Acquire) == 0 {
            // SAFETY: the count was one, and it was this one's, so this was the last reference.
            unsafe { (self.vtable.free)(self.0) }
        }
    }
}

impl Header {
    /// Returns the name from the options, or else that of the work.
    pub(crate) fn name(&self) -> &str {
        match self.options.as_deref() {
            Some(TaskOptions { name: Some(name), .. }) => name,
            _ => (self.vtable.name)(),
        }
    }
}

impl TaskRef {
    pub(crate) fn host(&self) -> HostId {
        // ORDERING: the id stands for itself.
        HostId::from_raw(self.host.load(Relaxed))
    }

    /// What the host is to be told when it is asked about the task; for the one who has seen it PLACED.
    pub(crate) fn place(&self) -> u64 {
        // ORDERING: the state word has the order: it was written before the task was PLACED.
        self.place.load(Relaxed)
    }

    /// Whether it runs at this moment, which the host is asked where this process cannot see it.
    pub(crate) fn is_running(&self) -> bool {
        let state = self.state.snapshot();
        if !state.is_placed() {
            return state.is_running();
        }
        let started = self.host().find().is_some_and(|host| host.started(self.id, self.place()));
        // The host may have answered no because the task has moved on meanwhile, and yes although it is over by now.
        let state = self.state.snapshot();
        if state.is_placed() { started } else { state.is_running() }
    }

    /// The word for its state that users read. The host may be asked, so no lock of a back-end is held by the caller.
    pub(crate) fn state_name(&self) -> &'static str {
        let state = self.state.snapshot();
        if state.is_placed() && self.is_running() { "running" } else { state.name() }
    }

    /// Asks a running task to stop, wherever it runs.
    pub(crate) fn ask_to_stop(&self) {
        self.state.ask_to_stop();
        if let Some(host) = self.host().find() {
            host.ask_to_stop(self.id, self.place());
        }
    }

    /// Gives up this reference to a task that is done, unless it is the last one and freeing the task may run user
    /// code: the `Drop` of its argument or result. In that case it is returned.
    pub(crate) fn release(self) -> Option<TaskRef> {
        // ORDERING: whether this is the last one is decided by the count alone. The Release of the exchange is that of
        // `drop`, and pairs with the Acquire below or the one there.
        let mut count = self.references.load(Acquire);
        while count > 1 {
            match self.references.compare_exchange_weak(count, count - 1, Release, Acquire) {
                Ok(_) => {
                    std::mem::forget(self);
                    return None;
                }
                Err(seen) => count = seen,
            }
        }
        // Nobody else has a reference, so the state does not change any more.
        if self.state.snapshot().holds_user_values() {
            return Some(self);
        }
        drop(self);
        None
    }

    /// Where the task is, which tells it from every other one as long as a reference to it is held.
    pub(super) fn address(&self) -> usize {
        self.0.as_ptr().addr()
    }

    /// The output slot, to be touched by rules 3 and 4 alone.
    ///
    /// # Safety
    ///
    /// - The output of this task is a `T`.
    pub(super) unsafe fn output<T>(&self) -> &UnsafeCell<Output<T>> {
        // SAFETY: by the contract the header is the beginning of a `Slot<T>`, and it is alive.
        unsafe { &self.0.cast::<Slot<T>>().as_ref().output }
    }

    /// Runs the work, and writes the output.
    ///
    /// # Safety
    ///
    /// - The caller owns the work (rule 2) and the output (rule 3), and gives up both.
    #[inline]
    pub(super) unsafe fn run_work(&self) -> End {
        // SAFETY: by the contract; the table fits the cell, because `allocate` made both.
        unsafe { (self.vtable.run)(self.0) }
    }

    /// Drops the work.
    ///
    /// # Safety
    ///
    /// - The caller owns the work (rule 2), and gives it up.
    pub(super) unsafe fn drop_work(&self) {
        // SAFETY: as in `run_work`.
        unsafe { (self.vtable.discard)(self.0) }
    }

    /// Writes an error into the output.
    ///
    /// # Safety
    ///
    /// - The caller owns the output (rule 3), which is `Empty`.
    pub(super) unsafe fn write_error(&self, error: Error) {
        // SAFETY: as in `run_work`.
        unsafe { (self.vtable.write_error)(self.0, error) }
    }

    /// Writes a packed reply into the output.
    ///
    /// # Safety
    ///
    /// - The caller owns the output (rule 3), which is `Empty`.
    pub(super) unsafe fn write_packed(&self, reply: Bytes) {
        // SAFETY: as in `run_work`.
        unsafe { (self.vtable.write_packed)(self.0, reply) }
    }

    /// Unpacks the output. Returns whether it is a value or an error.
    ///
    /// # Safety
    ///
    /// - The caller owns the output (rule 3), which is packed.
    pub(super) unsafe fn unpack(&self) -> End {
        // SAFETY: as in `run_work`.
        unsafe { (self.vtable.unpack)(self.0) }
    }

    /// Drops the work, if it is still there.
    pub(crate) fn discard_work(&self) {
        if self.state.take_work() {
            // SAFETY: `take_work` returned true, so this thread owns the work.
            unsafe { self.drop_work() }
        }
    }

    /// Writes the work down, if it is still there.
    pub(crate) fn encode_work(&self, into: &mut Vec<u8>) -> Option<Result<Encoded, Error>> {
        // SAFETY: `take_work` returned true, so this thread owns the work.
        self.state.take_work().then(|| unsafe { (self.vtable.encode)(self.0, into) })
    }
}

/// Makes a task and the first two references to it: the owner's, and the caller's.
#[inline]
pub(super) fn allocate<W: Work>(work: W, options: TaskOptions, may_wait: bool) -> (TaskRef, TaskRef) {
    let (place, block) = block::allocate(Layout::new::<Cell<W>>());
    let header = Header {
        waiters: Waiters::default(),
        options: options.boxed(),
        id: TaskId::next(),
        place: AtomicU64::new(0),
        host: AtomicU32::new(0),
        born: fork::generation(),
        block,
        vtable: &Cell::<W>::VTABLE,
        state: State::new(may_wait),
        references: AtomicU32::new(2),
    };
    let cell = Cell {
        slot: Slot { header, output: UnsafeCell::new(Output::Empty) },
        work: UnsafeCell::new(ManuallyDrop::new(work)),
    };
    // SAFETY: the place is this one's, and has this layout.
    unsafe { place.cast::<Cell<W>>().write(cell) };
    // The pointer covers the whole cell; `repr(C)` puts the header first.
    let header = place.cast::<Header>();
    // These are the two references that the count begins with.
    (TaskRef(header), TaskRef(header))
}
