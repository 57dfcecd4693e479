//! The memory of a task, and the only code that accesses it directly.
//!
//! One cell holds everything: the [`Header`], which is the same for all tasks; the output slot, whose type is that of
//! the future; and the work, whose type only the table of functions depends on. [`TaskRef`] is a counted pointer to the
//! header, and [`Typed`](super::typed::Typed) is one that has the type of the output.
//!
//! README.md in this folder has the rules of ownership that the comments here cite: which thread may touch which field
//! in which state, and why these rules are enough.
#![allow(unsafe_code)]

use std::{
    alloc::Layout,
    mem::ManuallyDrop,
    ops::Deref,
    ptr::{self, NonNull},
    sync::atomic::Ordering::*,
};

use super::{
    Origin, TaskId,
    block::{self, Memory},
    id,
    rare::Rare,
    state::{End, Snapshot, State},
    waiter::Waiters,
    work::{Encoded, Work},
};
use crate::{
    Error, TaskOptions, catch,
    codec::{self, Bytes, handles::Handles},
    fork,
    function::outcome,
    host::HostId,
    options::Settings,
    sync::{AtomicU32, AtomicU64, UnsafeCell},
    unread,
};

/// The part of a task that does not depend on its types.
///
/// The fields that a worker does not need come first. The others come last, next to the output and the work, so that
/// the worker reads fewer of the cache lines that the submitter has just written.
#[repr(C)]
pub(crate) struct Header {
    pub(crate) rare: Rare,
    pub(crate) id: TaskId,
    /// The location of the task in the back-end. Every call of the host carries it.
    pub(crate) place: AtomicU64,
    /// The host of the back-end that has the task, or 0 until the back-end attaches one. See [`crate::host`].
    pub(crate) host: AtomicU32,
    /// The fork generation of the process that made the task.
    pub(crate) born: fork::Generation,
    vtable: &'static VTable,
    pub(crate) state: State,
    references: AtomicU32,
}

/// A header and the output slot behind it. A `Typed<T>` points to one.
#[repr(C)]
struct Slot<T> {
    header: Header,
    /// Dropped by `free` alone, which knows that most outputs need no drop.
    output: UnsafeCell<ManuallyDrop<Output<T>>>,
}

/// A task.
#[repr(C)]
struct Cell<W: Work> {
    slot: Slot<W::Output>,
    work: UnsafeCell<ManuallyDrop<W>>,
}

/// The output slot.
pub(super) enum Output<T> {
    /// The output is not written yet, or the task is CANCELLED.
    Empty,
    /// If TAKEN, the value was moved out. So only `free` may drop it.
    Value(ManuallyDrop<T>),
    Error(Error),
    Packed(Bytes),
    /// A packed reply and its handles. Boxed because few replies have handles, and each output has space for this.
    PackedWith(Box<(Bytes, Handles)>),
}

impl<T> Output<T> {
    fn of(result: Result<T, Error>) -> (Output<T>, End) {
        match result {
            Ok(value) => (Output::Value(ManuallyDrop::new(value)), End::Value),
            Err(error) => {
                let end = if error.panic().is_some() { End::Panicked } else { End::Failed };
                (Output::Error(error), end)
            }
        }
    }

    /// Prints the panic in an error that no one has read.
    #[cold]
    fn report_unread(&self) {
        let packed = match self {
            Output::Error(error) => return unread::report(error),
            Output::Packed(reply) => reply,
            Output::PackedWith(packed) => &packed.0,
            Output::Empty | Output::Value(_) => return,
        };
        if let Err(error) = outcome::open(packed) {
            unread::report(&error);
        }
    }
}

/// The operations that depend on the types of a task. Each takes the header of a `Cell<W>` for the `W` of the table.
struct VTable {
    /// Runs the work and writes its output. The caller owns the work (rule 2) and the output (rule 3).
    run: unsafe fn(NonNull<Header>) -> End,
    /// Drops the work, which the caller owns.
    discard: unsafe fn(NonNull<Header>),
    /// Encodes and drops the work, which the caller owns.
    encode: unsafe fn(NonNull<Header>, &mut Vec<u8>) -> Result<Encoded, Error>,
    /// Writes an error into the output, which the caller owns.
    write_error: unsafe fn(NonNull<Header>, Error),
    /// Writes a packed reply into the output, which the caller owns.
    write_packed: unsafe fn(NonNull<Header>, Bytes),
    /// Writes a packed reply with its handles into the output, which the caller owns.
    write_packed_with: unsafe fn(NonNull<Header>, Box<(Bytes, Handles)>),
    /// Unpacks the output, which is packed and which the caller owns.
    unpack: unsafe fn(NonNull<Header>) -> End,
    /// Drops and frees everything. The caller has the last reference.
    free: unsafe fn(NonNull<Header>),
    name: fn() -> &'static str,
}

impl<W: Work> Cell<W> {
    const VTABLE: VTable = VTable {
        run: |header| {
            // SAFETY: the header is the beginning of a `Cell<W>`, and the caller has a reference to it.
            let cell = unsafe { header.cast::<Cell<W>>().as_ref() };
            // SAFETY: the caller owns the work, so no other thread reads it, and WORK is clear, so it is not dropped
            // again.
            let work = unsafe { cell.take_work() };
            // Panics are caught here, so there is always an output.
            let (output, end) = Output::of(catch::guarded(|| work.run()).unwrap_or_else(Err));
            // SAFETY: the caller has claimed the task, so by rule 3 no other thread touches the output. It is `Empty`,
            // which needs no drop.
            cell.slot.output.with_mut(|slot| unsafe { slot.write(ManuallyDrop::new(output)) });
            end
        },
        discard: |header| {
            // SAFETY: as in `run`: the cell is alive, and the caller owns the work.
            let work = unsafe { header.cast::<Cell<W>>().as_ref().take_work() };
            catch::drop_contained(work);
        },
        encode: |header, into| {
            // SAFETY: as in `run`.
            let work = unsafe { header.cast::<Cell<W>>().as_ref().take_work() };
            work.encode(into)
        },
        write_error: Slot::<W::Output>::write_error,
        write_packed: Slot::<W::Output>::write_packed,
        write_packed_with: Slot::<W::Output>::write_packed_with,
        // SAFETY: by the contract of the field, and the header is the beginning of a `Slot<W::Output>`.
        unpack: |header| unsafe { Slot::<W::Output>::unpack(header, W::unpack) },
        free: |header| {
            // SAFETY: this is the last reference, so no other thread touches the cell.
            let cell = unsafe { header.cast::<Cell<W>>().as_mut() };
            let state = cell.slot.header.state.snapshot();
            // SAFETY: `allocate` has this memory from `block::allocate`, and nothing uses it after this function.
            let _memory = unsafe { Memory::of(header.cast(), state.spot(), Layout::new::<Cell<W>>()) };
            if state.has_work() {
                // SAFETY: WORK is set, so the work was never taken, and the cell is not used again.
                let work = unsafe { ManuallyDrop::take(cell.work.get_mut()) };
                catch::drop_contained(work);
            }
            let output = cell.slot.output.get_mut();
            match &mut **output {
                Output::Value(value) => {
                    if !state.is_taken() {
                        // SAFETY: TAKEN is not set, so the value was never moved out, and the cell is not used again.
                        let value = unsafe { ManuallyDrop::take(value) };
                        catch::drop_contained(value);
                    }
                }
                Output::Empty => {}
                _ => {
                    let report_inner = W::HAS_INNER_ERRORS.then_some(W::report_unread as fn(&[u8]));
                    // SAFETY: the output is not used again.
                    unsafe { drop_other(output, state, report_inner) }
                }
            }
            // Each field by itself, because the compiler inlines these, and does not inline the drop of the whole cell.
            // SAFETY: nothing uses the cell after this, and `_memory` is freed only afterwards.
            unsafe {
                ptr::drop_in_place(&raw mut cell.slot.header);
                ptr::drop_in_place(&raw mut cell.slot.output);
                ptr::drop_in_place(&raw mut cell.work);
            }
        },
        name: W::name,
    };

    /// Moves the work out.
    ///
    /// # Safety
    ///
    /// - The caller owns the work (rule 2), and does this once.
    unsafe fn take_work(&self) -> W {
        // SAFETY: by the contract no other thread touches the work, and it is not used again.
        self.work.with_mut(|work| unsafe { ManuallyDrop::take(&mut *work) })
    }
}

/// The operations that depend on the type of the output alone. The tasks of all functions with this output share them.
///
/// Each takes the header of a `Slot<T>`, to which the caller has a reference, and whose output the caller owns.
impl<T: 'static> Slot<T> {
    unsafe fn write_error(header: NonNull<Header>, error: Error) {
        // SAFETY: by the contract of the operations.
        unsafe { Slot::<T>::write(header, Output::Error(error)) }
    }

    unsafe fn write_packed(header: NonNull<Header>, reply: Bytes) {
        // SAFETY: by the contract of the operations.
        unsafe { Slot::<T>::write(header, Output::Packed(reply)) }
    }

    unsafe fn write_packed_with(header: NonNull<Header>, packed: Box<(Bytes, Handles)>) {
        // SAFETY: by the contract of the operations.
        unsafe { Slot::<T>::write(header, Output::PackedWith(packed)) }
    }

    #[inline]
    unsafe fn write(header: NonNull<Header>, output: Output<T>) {
        // SAFETY: by the contract of the operations.
        let slot = unsafe { header.cast::<Slot<T>>().as_ref() };
        // SAFETY: the caller owns the output, which is `Empty` and needs no drop.
        slot.output.with_mut(|slot| unsafe { slot.write(ManuallyDrop::new(output)) });
    }

    #[inline(never)]
    unsafe fn unpack(header: NonNull<Header>, unpack: fn(Bytes) -> Result<T, Error>) -> End {
        // SAFETY: by the contract of the operations.
        let slot = unsafe { header.cast::<Slot<T>>().as_ref() };
        // SAFETY: the caller owns the output.
        let packed = slot.output.with_mut(|output| unsafe { output.replace(ManuallyDrop::new(Output::Empty)) });
        // The handles live until the reply is decoded, which finds them by name.
        let (reply, _handles) = match ManuallyDrop::into_inner(packed) {
            Output::Packed(reply) => (reply, Handles::NONE),
            Output::PackedWith(packed) => *packed,
            _ => unreachable!("PACKED says that the output is packed"),
        };
        // User code runs here, and no lock is held: other threads see UNPACKING and wait.
        let unpacked = match codec::number_size::<T>() {
            // No user code decodes a number, so nothing panics.
            Some(_) => unpack(reply),
            None => catch::guarded_for(slot.header.name(), || unpack(reply)).unwrap_or_else(Err),
        };
        let (output, end) = Output::of(unpacked);
        // SAFETY: the caller owns the output, which is `Empty`.
        unsafe { Slot::<T>::write(header, output) };
        end
    }
}

/// Drops an output that is no value, and prints the panics in it that no one has read. `report_inner` prints those of a
/// reply that is a value.
///
/// # Safety
///
/// - The output is not used again.
#[cold]
#[inline(never)]
unsafe fn drop_other<T>(output: &mut ManuallyDrop<Output<T>>, state: Snapshot, report_inner: Option<fn(&[u8])>) {
    match (&mut **output, report_inner) {
        (failure, _) if state.is_unread_failure() => failure.report_unread(),
        (Output::Packed(reply), Some(report)) => report(reply),
        (Output::PackedWith(packed), Some(report)) => report(&packed.0),
        _ => {}
    }
    // SAFETY: by the contract.
    unsafe { ManuallyDrop::drop(output) }
}

/// A counted pointer to a task of any type.
pub(crate) struct TaskRef(NonNull<Header>);

// SAFETY: the work and the output are `Send` (`Work` requires both), and one thread at a time touches each of them
// (rules 2 to 4; shared reading requires `T: Sync` in `Typed::with_value`). The header is `Sync`.
unsafe impl Send for TaskRef {}
// SAFETY: as above.
unsafe impl Sync for TaskRef {}

impl Deref for TaskRef {
    type Target = Header;

    #[inline]
    fn deref(&self) -> &Header {
        // SAFETY: a TaskRef holds a reference count, so the allocation lives. After it was made, only shared references
        // to the header exist.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for TaskRef {
    fn clone(&self) -> TaskRef {
        // ORDERING: a new reference comes from a live one, which keeps the allocation alive meanwhile.
        let before = self.references.fetch_add(1, Relaxed);
        if before > u32::MAX / 2 {
            // Only leaked references reach this count. An overflow would free a live task.
            std::process::abort();
        }
        TaskRef(self.0)
    }
}

impl Drop for TaskRef {
    #[inline]
    fn drop(&mut self) {
        // ORDERING: Acquire pairs with the Release below, of the others. A count of one cannot rise, because only a
        // reference makes another one, so the last one is dropped without an exchange.
        let is_last = self.references.load(Acquire) == 1 || self.is_last_by_count();
        if is_last {
            // SAFETY: the count was one, so this was the last reference.
            unsafe { (self.vtable.free)(self.0) }
        }
    }
}

impl Header {
    /// Returns the list of waiters.
    #[inline]
    pub(crate) fn waiters(&self) -> &Waiters {
        self.rare.waiters()
    }

    /// Returns where the task comes from, if it is forwarded.
    pub(crate) fn origin(&self) -> Option<Origin> {
        self.rare.settings()?.origin
    }

    /// Returns the name from the options, or else that of the work.
    pub(crate) fn name(&self) -> &str {
        match self.rare.settings() {
            Some(Settings { options: TaskOptions { name: Some(name), .. }, .. }) => name,
            _ => (self.vtable.name)(),
        }
    }
}

impl TaskRef {
    pub(crate) fn host(&self) -> HostId {
        // ORDERING: the id publishes no other memory.
        HostId::from_raw(self.host.load(Relaxed))
    }

    /// Returns the place, for a thread that has seen the task PLACED.
    pub(crate) fn place(&self) -> u64 {
        // ORDERING: the state word orders this: the place was written before the task was PLACED.
        self.place.load(Relaxed)
    }

    /// Returns whether the task runs at this moment. Calls the host if this process cannot see that.
    pub(crate) fn is_running(&self) -> bool {
        let state = self.state.snapshot();
        if !state.is_placed() {
            return state.is_running();
        }
        let started = self.host().find().is_some_and(|host| host.started(self.id, self.place()));
        // The host may have returned `false` because the task was moved meanwhile, or `true` although the task is done
        // now.
        let state = self.state.snapshot();
        if state.is_placed() { started } else { state.is_running() }
    }

    /// Returns the name of the state for users. This may call the host, so the caller must hold no lock of a back-end.
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

    /// Drops this reference to a done task. Returns it instead if it is the last one and freeing the task may run user
    /// code: the `Drop` of its argument or result.
    pub(crate) fn release(self) -> Option<TaskRef> {
        // ORDERING: the count alone decides whether this is the last reference. The Release of the exchange is that of
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
        // There is no other reference, so the state does not change any more.
        if self.state.snapshot().holds_user_values() {
            return Some(self);
        }
        drop(self);
        None
    }

    /// Drops this reference, which is probably not the last one.
    #[inline]
    pub(crate) fn drop_beside_others(self) {
        let task = ManuallyDrop::new(self);
        if task.is_last_by_count() {
            // SAFETY: the count was one, so this was the last reference, and `drop` is not called for it.
            unsafe { (task.vtable.free)(task.0) }
        }
    }

    /// Counts this reference as dropped. Returns whether it was the last one.
    #[inline]
    fn is_last_by_count(&self) -> bool {
        // ORDERING: Release, so that all use of the task happens before it is freed.
        let before = self.references.fetch_sub(1, Release);
        // ORDERING: Acquire pairs with the Release of the others. It is a load and not a fence, because the thread
        // sanitizer does not support fences.
        before == 1 && self.references.load(Acquire) == 0
    }

    /// Returns the address of the task, which is unique as long as a reference to the task is held.
    pub(super) fn address(&self) -> usize {
        self.0.as_ptr().addr()
    }

    /// Returns the output slot, which only rules 3 and 4 allow to access.
    ///
    /// # Safety
    ///
    /// - The output of this task is a `T`.
    pub(super) unsafe fn output<T>(&self) -> &UnsafeCell<ManuallyDrop<Output<T>>> {
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

    /// Writes a packed reply with its handles into the output.
    ///
    /// # Safety
    ///
    /// - The caller owns the output (rule 3), which is `Empty`.
    pub(super) unsafe fn write_packed_with(&self, packed: Box<(Bytes, Handles)>) {
        // SAFETY: as in `run_work`.
        unsafe { (self.vtable.write_packed_with)(self.0, packed) }
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
            // SAFETY: `take_work` returned `true`, so this thread owns the work.
            unsafe { self.drop_work() }
        }
    }

    /// Encodes the work, if it is still there.
    pub(crate) fn encode_work(&self, into: &mut Vec<u8>) -> Option<Result<Encoded, Error>> {
        // SAFETY: `take_work` returned `true`, so this thread owns the work.
        self.state.take_work().then(|| unsafe { (self.vtable.encode)(self.0, into) })
    }
}

// Each task in a block has a header, and an id of those that its thread has reserved.
const _: () = assert!(block::BYTES / size_of::<Header>() <= id::RESERVE as usize);

/// Does what a task needs to have done before. The usual task finds it done, because its thread has a block. Returns
/// whether the panic hook is chained. If not, the thread gets no block, so that the next task tries again.
fn prepare() -> bool {
    let _ = fork::generation();
    TaskId::reserve();
    catch::chain_hook()
}

/// Allocates a task. Returns the first two references to it: the owner's, and the caller's.
///
/// This is part of every function that submits, so it contains only what depends on the type of the work.
#[inline]
pub(super) fn allocate<W: Work>(work: W, rare: Rare, may_wait: bool) -> (TaskRef, TaskRef) {
    let header =
        allocate_header(Layout::new::<Cell<W>>(), &Cell::<W>::VTABLE, rare, State::new(may_wait, W::HAS_INNER_ERRORS));
    let cell = header.cast::<Cell<W>>().as_ptr();
    // SAFETY: the memory was allocated for this cell, with this layout, and no other thread has it.
    unsafe {
        (&raw mut (*cell).slot.output).write(UnsafeCell::new(ManuallyDrop::new(Output::Empty)));
        (&raw mut (*cell).work).write(UnsafeCell::new(ManuallyDrop::new(work)));
    }
    // These are the two references that the count begins with.
    (TaskRef(header), TaskRef(header))
}

/// Allocates memory for a cell with this layout and table, and writes its header.
#[inline(never)]
fn allocate_header(layout: Layout, vtable: &'static VTable, rare: Rare, state: State) -> NonNull<Header> {
    let (place, spot) = block::allocate(layout, prepare);
    let header = Header {
        rare,
        id: TaskId::next_reserved(),
        place: AtomicU64::new(0),
        host: AtomicU32::new(0),
        born: fork::known_generation(),
        vtable,
        state: state.in_block(spot),
        references: AtomicU32::new(2),
    };
    // The pointer covers the whole cell; `repr(C)` puts the header first.
    let memory = place.cast::<Header>();
    // SAFETY: the memory was allocated for a cell, which begins with a header.
    unsafe { memory.write(header) };
    memory
}
