//! A block of tasks, the thread that gives out its places, and the threads that give them back.

use loom::{cell::UnsafeCell, sync::Arc, thread};

use super::explore;
use crate::task::block::Tally;

/// A block as a set of cells. Freeing it writes to all of them, so loom reports a block that is freed twice or too
/// early.
struct Block {
    tally: Tally,
    places: [UnsafeCell<u32>; 2],
    head: UnsafeCell<u32>,
}

impl Block {
    fn open() -> Arc<Block> {
        Arc::new(Block { tally: Tally::new(), places: Default::default(), head: UnsafeCell::default() })
    }

    /// Ends a task in this place. Returns whether this freed the block.
    fn leave(&self, place: usize) -> bool {
        self.places[place].with_mut(|_| ());
        let is_last = self.tally.leave();
        if is_last {
            self.free();
        }
        is_last
    }

    fn close(&self, given: u32) -> bool {
        self.head.with_mut(|_| ());
        let is_last = self.tally.close(given);
        if is_last {
            self.free();
        }
        is_last
    }

    fn free(&self) {
        self.places.iter().chain([&self.head]).for_each(|cell| cell.with_mut(|_| ()));
    }
}

#[test]
fn the_last_user_of_a_block_frees_it_once() {
    explore(6, |_| {
        let block = Block::open();
        let threads = [0, 1].map(|place| {
            let block = block.clone();
            thread::spawn(move || block.leave(place))
        });
        let closed = block.close(2);
        let left = threads.map(|thread| thread.join().expect("a model does not panic"));
        assert_eq!([closed, left[0], left[1]].into_iter().filter(|is_last| *is_last).count(), 1, "one frees it");
    });
}

#[test]
fn a_block_with_unused_places_is_freed() {
    explore(6, |_| {
        let block = Block::open();
        let leaves = {
            let block = block.clone();
            thread::spawn(move || block.leave(0))
        };
        let closed = block.close(1);
        assert!(closed != leaves.join().expect("a model does not panic"), "one frees it");
    });
}
