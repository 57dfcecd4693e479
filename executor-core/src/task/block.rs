//! The memory of tasks: a block holds many tasks, one after the other.
//!
//! Each thread has an open block for its tasks, and gives out each place in it once. When no place is left, the thread
//! opens another block, or the same one again if it is empty by then. The last user of a closed block frees it. So most
//! tasks cost an addition to a pointer and one atomic subtraction, and no call of the allocator.
//!
//! In return, a task that is kept alive keeps its block of [`BYTES`] bytes, and a thread keeps its last block. Tasks
//! that are large, or have a large alignment, are allocated alone.
//!
//! # Who may touch a block
//!
//! 1. A place that was given out belongs to its task, until [`Memory`] is dropped.
//! 2. The places that were not given out belong to the thread that opened the block, until it closes the block.
//! 3. The block itself belongs to its last user: the one to which a method of [`Tally`] returns `true`.
#![allow(unsafe_code)]

use std::{
    alloc::{Layout, alloc, dealloc, handle_alloc_error},
    cell::Cell,
    ptr::{NonNull, null_mut},
    sync::atomic::Ordering::*,
};

use crate::sync::AtomicU32;

/// The size of a block.
pub(super) const BYTES: usize = 4096;
/// Each task begins at a multiple of this. Two tasks may share a cache line, because more lines for each task cost more
/// than the contention of two processors for one.
const UNIT: usize = 8;
/// The largest alignment of a task in a block, and that of the block.
const LARGEST_ALIGN: usize = 16;
/// Larger tasks are allocated alone.
const LARGEST: usize = 512;

/// The number of users of a block: the tasks in it, and the thread that has it open.
pub(super) struct Tally(AtomicU32);

impl Tally {
    /// Counts for the thread that opened the block. More places than this can never be given out.
    const OPEN: u32 = 1 << 31;

    pub(super) fn new() -> Tally {
        Tally(AtomicU32::new(Tally::OPEN))
    }

    /// Gives back a place. Returns whether its task was the last user, so that the caller owns the block.
    #[must_use]
    #[inline]
    pub(super) fn leave(&self) -> bool {
        // ORDERING: Release publishes the use of the place to the last user. This may be the last user, whose Acquire
        // pairs with the Release of the others.
        self.0.fetch_sub(1, AcqRel) == 1
    }

    /// Ends the use by the thread that opened the block and has given out `given` places. Returns whether it was the
    /// last user, so that it owns the block.
    #[must_use]
    pub(super) fn close(&self, given: u32) -> bool {
        // ORDERING: as above.
        self.0.fetch_sub(Tally::OPEN - given, AcqRel) == Tally::OPEN - given
    }
}

/// The beginning of a block.
struct Block(Tally);

impl Block {
    const LAYOUT: Layout = match Layout::from_size_align(BYTES, LARGEST_ALIGN) {
        Ok(layout) => layout,
        Err(_) => panic!("the size of a block"),
    };

    fn new() -> NonNull<Block> {
        // SAFETY: the size is not zero.
        let block = checked(unsafe { alloc(Block::LAYOUT) }, Block::LAYOUT).cast::<Block>();
        // SAFETY: it is fresh, large enough and aligned.
        unsafe { block.write(Block(Tally::new())) };
        block
    }

    /// # Safety
    ///
    /// - A method of [`Tally`] has returned that the caller owns the block.
    unsafe fn free(block: NonNull<Block>) {
        // SAFETY: `new` has allocated the block, and it has no other user.
        unsafe { dealloc(block.cast().as_ptr(), Block::LAYOUT) }
    }
}

/// The block that a thread puts its tasks into.
struct Open {
    /// Null before the first one.
    block: Cell<*mut Block>,
    /// The distance from the beginning of the block to the first byte that is left. If there is no block, none is left.
    next: Cell<usize>,
    /// The number of places that were given out.
    given: Cell<u32>,
}

impl Open {
    const fn new() -> Open {
        Open { block: Cell::new(null_mut()), next: Cell::new(BYTES), given: Cell::new(0) }
    }

    /// Returns a place, and where in its block that is. The layout is at most [`LARGEST`] and aligned to
    /// [`LARGEST_ALIGN`]. Returns `None` if this thread cannot have a block.
    #[inline]
    fn place(&self, layout: Layout, prepare: fn() -> bool) -> Option<(NonNull<u8>, Spot)> {
        let mut start = aligned(self.next.get(), layout);
        if start > BYTES - layout.size() {
            start = aligned(self.open_next(prepare)?, layout);
        }
        // Both are multiples of the unit, so the sum is one.
        self.next.set(start + layout.size().next_multiple_of(UNIT));
        self.given.set(self.given.get() + 1);
        // SAFETY: there is a block, and enough is left of it, because otherwise another one was opened above.
        let place = unsafe { NonNull::new_unchecked(self.block.get()).cast::<u8>().byte_add(start) };
        Some((place, Spot::at(start)))
    }

    /// Opens another block, or the same one again if it has become empty. Returns the distance to its first byte that
    /// is left.
    #[cold]
    fn open_next(&self, prepare: fn() -> bool) -> Option<usize> {
        let closed = self.close();
        // The end of the thread closes the block. A thread that has passed this point gets no block.
        let is_possible = CLOSING.try_with(|_| ()).is_ok() && prepare();
        let block = match closed {
            Some(block) if !is_possible => {
                // SAFETY: `close` returned that this thread owns the block.
                unsafe { Block::free(block) }
                return None;
            }
            None if !is_possible => return None,
            Some(block) => {
                // SAFETY: `close` returned that this thread owns the block.
                unsafe { block.write(Block(Tally::new())) };
                block
            }
            None => Block::new(),
        };
        self.block.set(block.as_ptr());
        Some(size_of::<Block>().next_multiple_of(UNIT))
    }

    /// Closes the block. Returns it if this thread was its last user, so that it owns the block.
    fn close(&self) -> Option<NonNull<Block>> {
        // This thread has no block from now on, even if the allocation of another one fails.
        self.next.set(BYTES);
        let block = NonNull::new(self.block.replace(null_mut()))?;
        // SAFETY: this thread has not closed the block before, so it lives.
        unsafe { block.as_ref() }.0.close(self.given.replace(0)).then_some(block)
    }
}

#[inline]
fn aligned(start: usize, layout: Layout) -> usize {
    if layout.align() > UNIT { start.next_multiple_of(layout.align()) } else { start }
}

thread_local! {
    // It needs no drop, so using it is a plain memory access.
    static OPEN: Open = const { Open::new() };
    /// Closes the block at the end of the thread.
    static CLOSING: Closing = const { Closing };
}

struct Closing;

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(block) = OPEN.with(Open::close) {
            // SAFETY: `close` returned that this thread owns the block.
            unsafe { Block::free(block) }
        }
    }
}

/// Where in its block a task is, in a few bits, or that the task was allocated alone.
#[derive(Clone, Copy)]
pub(super) struct Spot(u32);

impl Spot {
    /// This many bits suffice.
    pub(super) const BITS: u32 = BYTES.ilog2();
    const ALONE: Spot = Spot(0);

    /// Returns the spot at this distance from the beginning of the block, where no task is at 0.
    #[inline]
    fn at(start: usize) -> Spot {
        Spot(start as u32)
    }

    #[inline]
    pub(super) fn from_raw(raw: u32) -> Spot {
        Spot(raw)
    }

    #[inline]
    pub(super) fn raw(self) -> u32 {
        self.0
    }

    /// Returns the block of the task at this place, if it has one.
    ///
    /// # Safety
    ///
    /// - [`allocate`] has returned this and the place.
    #[inline]
    unsafe fn block(self, place: NonNull<u8>) -> Option<NonNull<Block>> {
        // SAFETY: by the contract the block begins at this distance before the place.
        (self.0 != 0).then(|| unsafe { place.byte_sub(self.0 as usize).cast() })
    }
}

/// Allocates memory for a task. Calls `prepare` before, unless the thread has a block, for which `prepare` has returned
/// `true`. So a thread that has a block is prepared for the tasks in it.
#[inline]
pub(super) fn allocate(layout: Layout, prepare: fn() -> bool) -> (NonNull<u8>, Spot) {
    // The sanitizers and the models need each task in an allocation of its own.
    let is_small = layout.size() <= LARGEST && layout.align() <= LARGEST_ALIGN && !cfg!(any(loom, tasks_apart));
    if is_small {
        if let Some(place) = OPEN.with(|open| open.place(layout, prepare)) {
            return place;
        }
    }
    prepare();
    // SAFETY: a task has a header, so the size is not zero.
    (checked(unsafe { alloc(layout) }, layout), Spot::ALONE)
}

fn checked(memory: *mut u8, layout: Layout) -> NonNull<u8> {
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}

/// The memory of a task, which is freed when this is dropped.
pub(super) struct Memory {
    place: NonNull<u8>,
    spot: Spot,
    layout: Layout,
}

impl Memory {
    /// # Safety
    ///
    /// - [`allocate`] has returned the place and the spot for this layout.
    /// - This is called once for them, and nothing uses the memory after this is dropped.
    #[inline]
    pub(super) unsafe fn of(place: NonNull<u8>, spot: Spot, layout: Layout) -> Memory {
        Memory { place, spot, layout }
    }
}

impl Drop for Memory {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `of` got both from `allocate`.
        match unsafe { self.spot.block(self.place) } {
            Some(block) => {
                // SAFETY: the place was given out and is only given back now, so the block lives.
                if unsafe { block.as_ref() }.0.leave() {
                    // SAFETY: `leave` returned that this thread owns the block.
                    unsafe { Block::free(block) }
                }
            }
            // SAFETY: by the contract of `of` the memory was allocated alone, with this layout.
            None => unsafe { dealloc(self.place.as_ptr(), self.layout) },
        }
    }
}

#[cfg(all(test, not(any(loom, tasks_apart))))]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    fn memory(size: usize, align: usize) -> Memory {
        let layout = Layout::from_size_align(size, align).expect("a layout");
        let (place, spot) = allocate(layout, || true);
        // SAFETY: `allocate` returned both, and the tests use the memory only before this is dropped.
        unsafe { Memory::of(place, spot, layout) }
    }

    // SAFETY: unused memory can be freed by any thread.
    unsafe impl Send for Memory {}

    fn is_alone(memory: &Memory) -> bool {
        memory.spot.raw() == 0
    }

    #[test]
    fn places_do_not_overlap_and_are_aligned() {
        let all: Vec<Memory> = (0..1000).map(|number| memory(1 + number % LARGEST, 1 << (number % 5))).collect();
        for (number, memory) in all.iter().enumerate() {
            assert_eq!(memory.place.as_ptr().addr() % memory.layout.align(), 0);
            // SAFETY: the place is this long, and belongs to this test.
            unsafe { memory.place.write_bytes(number as u8, memory.layout.size()) };
        }
        for (number, memory) in all.iter().enumerate() {
            // SAFETY: it was written above.
            let bytes = unsafe { std::slice::from_raw_parts(memory.place.as_ptr(), memory.layout.size()) };
            assert!(bytes.iter().all(|byte| *byte == number as u8), "{number}");
        }
    }

    #[test]
    fn an_empty_block_is_used_again() {
        let first = memory(LARGEST, 8).place;
        assert!((0..2 * BYTES / LARGEST).any(|_| memory(LARGEST, 8).place == first));
    }

    #[test]
    fn a_block_outlives_the_thread_that_opened_it() {
        let (tasks, taken) = mpsc::channel();
        thread::spawn(move || (0..100).for_each(|_| tasks.send(memory(100, 8)).expect("the test receives them")))
            .join()
            .expect("it does not panic");
        for memory in taken {
            // SAFETY: the place is this long, and belongs to this test.
            unsafe { memory.place.write_bytes(7, 100) };
        }
    }

    #[test]
    fn large_and_aligned_tasks_are_allocated_alone() {
        assert!(!is_alone(&memory(LARGEST, LARGEST_ALIGN)));
        assert!(is_alone(&memory(LARGEST + 1, LARGEST_ALIGN)));
        let aligned = memory(256, 2 * LARGEST_ALIGN);
        assert!(is_alone(&aligned));
        assert_eq!(aligned.place.as_ptr().addr() % (2 * LARGEST_ALIGN), 0);
    }

    #[test]
    fn a_thread_whose_locals_are_gone_still_gets_memory() {
        /// Gets memory when it is dropped, and tells whether the thread's block was gone.
        struct AtTheEnd(mpsc::Sender<(bool, Memory)>);
        impl Drop for AtTheEnd {
            fn drop(&mut self) {
                let is_gone = CLOSING.try_with(|_| ()).is_err();
                let _ = self.0.send((is_gone, memory(100, 8)));
            }
        }
        // Systems drop the locals of a thread in different orders, and some make a local again that is used later.
        thread_local! {
            static BEFORE: Cell<Option<AtTheEnd>> = const { Cell::new(None) };
            static AFTER: Cell<Option<AtTheEnd>> = const { Cell::new(None) };
        }
        let (tasks, taken) = mpsc::channel();
        thread::spawn(move || {
            BEFORE.set(Some(AtTheEnd(tasks.clone())));
            drop(memory(100, 8));
            AFTER.set(Some(AtTheEnd(tasks)));
        })
        .join()
        .expect("it does not panic");
        let taken: Vec<(bool, Memory)> = taken.iter().collect();
        assert_eq!(taken.len(), 2);
        for (is_gone, memory) in taken {
            assert_eq!(is_alone(&memory), is_gone);
            // SAFETY: the place is this long, and belongs to this test.
            unsafe { memory.place.write_bytes(7, 100) };
        }
    }
}
