//! Where tasks lie: many in one block, one behind the other.
//!
//! Each thread has a block that it puts its tasks into. A place in it is given out once, to whichever threads. When
//! none is left the thread begins another block, or the same one if it is empty by then; whoever empties it later frees
//! it. So memory is asked for once in some thirty tasks, and what a task pays for is a step of a pointer and one atomic
//! subtraction.
//!
//! The price: a task that is kept, keeps its block, which is [`BYTES`] large, and a thread keeps its last one. What is
//! large, or must be aligned more, lies alone.
//!
//! # Who may touch a block
//!
//! 1. A place that was given out belongs to the one who has it, until [`Memory`] is dropped.
//! 2. The rest of the block belongs to the thread that opened it, until it closes it.
//! 3. The block itself belongs to the one whom [`Tally`] tells that it was the last of these.
#![allow(unsafe_code)]

use std::{
    alloc::{Layout, alloc, dealloc, handle_alloc_error},
    cell::Cell,
    ptr::{NonNull, null_mut},
    sync::atomic::Ordering::*,
};

use crate::sync::AtomicU32;

/// The size of a block.
const BYTES: usize = 4096;
/// Tasks begin with a cache line of their own, so that two of them, on two processors, do not take it from each other.
const LINE: usize = 64;
/// What is larger lies alone.
const LARGEST: usize = 512;

/// Who has not let go of a block yet: places that were given out, and the thread that gives them out.
pub(super) struct Tally(AtomicU32);

impl Tally {
    /// For the thread that opened the block: as many as can never be given out.
    const OPEN: u32 = 1 << 31;

    pub(super) fn new() -> Tally {
        Tally(AtomicU32::new(Tally::OPEN))
    }

    /// For a place that was given out, once. True: the block is the caller's, who was the last.
    #[inline]
    pub(super) fn leave(&self) -> bool {
        // ORDERING: Release goes to the one who is last; Acquire, for this one may be it, pairs with the others'
        // Release.
        self.0.fetch_sub(1, AcqRel) == 1
    }

    /// For the thread that opened the block, once, after it has given out so many. True: the block is the caller's.
    pub(super) fn close(&self, given: u32) -> bool {
        // ORDERING: as above.
        self.0.fetch_sub(Tally::OPEN - given, AcqRel) == Tally::OPEN - given
    }
}

/// The beginning of a block.
struct Block(Tally);

impl Block {
    const LAYOUT: Layout = match Layout::from_size_align(BYTES, 16) {
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
    /// - The block is the caller's, by what [`Tally`] has answered.
    unsafe fn free(block: NonNull<Block>) {
        // SAFETY: `new` has allocated it, and nobody else has it.
        unsafe { dealloc(block.cast().as_ptr(), Block::LAYOUT) }
    }
}

/// The block that a thread puts its tasks into.
struct Open {
    /// Null before the first one.
    block: Cell<*mut Block>,
    /// What is left of it.
    next: Cell<*mut u8>,
    left: Cell<usize>,
    /// How many places were given out.
    given: Cell<u32>,
}

impl Open {
    const fn new() -> Open {
        Open { block: Cell::new(null_mut()), next: Cell::new(null_mut()), left: Cell::new(0), given: Cell::new(0) }
    }

    /// So many bytes, a multiple of [`LINE`] and at most [`LARGEST`].
    #[inline]
    fn place(&self, size: usize) -> (NonNull<u8>, NonNull<Block>) {
        if self.left.get() < size {
            self.turn();
        }
        let place = self.next.get();
        self.next.set(place.wrapping_add(size));
        self.left.set(self.left.get() - size);
        self.given.set(self.given.get() + 1);
        // SAFETY: there is a block, and enough is left of it, because otherwise there is another one now.
        unsafe { (NonNull::new_unchecked(place), NonNull::new_unchecked(self.block.get())) }
    }

    /// Begins another block, or the same one again if it has become empty meanwhile.
    #[cold]
    fn turn(&self) {
        // If there is no memory for another one, none is what it has.
        self.left.set(0);
        let block = match NonNull::new(self.block.replace(null_mut())) {
            // SAFETY: this thread has not closed it before, so it is there.
            Some(block) if unsafe { block.as_ref() }.0.close(self.given.get()) => {
                // SAFETY: it is this one's, and nobody else has it.
                unsafe { block.write(Block(Tally::new())) };
                block
            }
            _ => Block::new(),
        };
        let start = block.cast::<u8>().as_ptr();
        let head = (start.addr() + size_of::<Block>()).next_multiple_of(LINE) - start.addr();
        self.block.set(block.as_ptr());
        self.next.set(start.wrapping_add(head));
        self.left.set(BYTES - head);
        self.given.set(0);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(block) = NonNull::new(self.block.get())
            // SAFETY: as in `turn`.
            && unsafe { block.as_ref() }.0.close(self.given.get())
        {
            // SAFETY: it is this one's.
            unsafe { Block::free(block) }
        }
    }
}

thread_local! {
    static OPEN: Open = const { Open::new() };
}

/// The block that a task lies in; none, if it lies alone.
#[derive(Clone, Copy)]
pub(super) struct BlockPointer(Option<NonNull<Block>>);

/// Memory for a task.
#[inline]
pub(super) fn allocate(layout: Layout) -> (NonNull<u8>, BlockPointer) {
    // The sanitizers and the models see each task for itself.
    let is_small = layout.size() <= LARGEST && layout.align() <= LINE && !cfg!(any(loom, tasks_apart));
    // A thread whose locals are gone already is ending.
    if is_small && let Ok((place, block)) = OPEN.try_with(|open| open.place(layout.size().next_multiple_of(LINE))) {
        return (place, BlockPointer(Some(block)));
    }
    // SAFETY: a task has a header, so the size is not zero.
    (checked(unsafe { alloc(layout) }, layout), BlockPointer(None))
}

fn checked(memory: *mut u8, layout: Layout) -> NonNull<u8> {
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}

/// The memory of a task, which is given back when this is dropped.
pub(super) struct Memory {
    place: NonNull<u8>,
    block: BlockPointer,
    layout: Layout,
}

impl Memory {
    /// # Safety
    ///
    /// - The place and the block are what [`allocate`] has answered for this layout.
    /// - It is done once, and what lies there is not used after this is dropped.
    #[inline]
    pub(super) unsafe fn of(place: NonNull<u8>, block: BlockPointer, layout: Layout) -> Memory {
        Memory { place, block, layout }
    }
}

impl Drop for Memory {
    #[inline]
    fn drop(&mut self) {
        match self.block.0 {
            Some(block) => {
                // SAFETY: the place was given out and is given back now, so until here the block is there.
                if unsafe { block.as_ref() }.0.leave() {
                    // SAFETY: it is this one's.
                    unsafe { Block::free(block) }
                }
            }
            // SAFETY: by the contract of `of` it was allocated alone, with this layout.
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
        let (place, block) = allocate(layout);
        // SAFETY: just so, and the tests use what lies there only before it is dropped.
        unsafe { Memory::of(place, block, layout) }
    }

    // SAFETY: memory that nobody uses belongs to any thread.
    unsafe impl Send for Memory {}

    #[test]
    fn places_do_not_overlap_and_begin_with_a_line() {
        let all: Vec<Memory> = (0..1000).map(|number| memory(1 + number % LARGEST, 8)).collect();
        for (number, memory) in all.iter().enumerate() {
            assert_eq!(memory.place.as_ptr().addr() % LINE, 0);
            // SAFETY: the place is this long, and nobody else's.
            unsafe { memory.place.write_bytes(number as u8, memory.layout.size()) };
        }
        for (number, memory) in all.iter().enumerate() {
            // SAFETY: it was written above.
            let bytes = unsafe { std::slice::from_raw_parts(memory.place.as_ptr(), memory.layout.size()) };
            assert!(bytes.iter().all(|byte| *byte == number as u8), "{number}");
        }
    }

    #[test]
    fn a_block_that_has_become_empty_is_used_again() {
        let first = memory(LARGEST, 8).place;
        assert!((0..2 * BYTES / LARGEST).any(|_| memory(LARGEST, 8).place == first));
    }

    #[test]
    fn a_block_outlives_the_thread_that_has_opened_it() {
        let (tasks, taken) = mpsc::channel();
        thread::spawn(move || (0..100).for_each(|_| tasks.send(memory(100, 8)).expect("somebody takes them")))
            .join()
            .expect("it does not panic");
        for memory in taken {
            // SAFETY: the place is this long, and nobody else's.
            unsafe { memory.place.write_bytes(7, 100) };
        }
    }

    #[test]
    fn what_is_large_or_must_be_aligned_more_lies_alone() {
        assert!(memory(LARGEST, 16).block.0.is_some());
        assert!(memory(LARGEST + 1, 16).block.0.is_none());
        let aligned = memory(256, 2 * LINE);
        assert!(aligned.block.0.is_none());
        assert_eq!(aligned.place.as_ptr().addr() % (2 * LINE), 0);
    }

    #[test]
    fn a_thread_whose_locals_are_gone_still_gets_memory() {
        struct AtTheEnd(mpsc::Sender<Memory>);
        impl Drop for AtTheEnd {
            fn drop(&mut self) {
                let _ = self.0.send(memory(100, 8));
            }
        }
        thread_local!(static LATER: Cell<Option<AtTheEnd>> = const { Cell::new(None) });
        let (tasks, taken) = mpsc::channel();
        thread::spawn(move || {
            LATER.set(Some(AtTheEnd(tasks)));
            // Opened after it, so dropped before it.
            drop(memory(100, 8));
        })
        .join()
        .expect("it does not panic");
        assert!(taken.recv().is_ok_and(|memory| memory.block.0.is_none()));
    }
}
