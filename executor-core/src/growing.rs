//! A list that grows while other threads read it, for what a pool has once for each of its workers.
//!
//! An element never moves, so a thread may keep a reference to it while the list grows. The elements that the list was
//! made with are found by an index alone. Those that are added later are in pieces, each of which doubles the list, so
//! there is a fixed number of pieces, and none is ever replaced. Elements are not removed.

use std::{
    iter,
    ops::Index,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering::*},
    },
};

/// How often a list can double. A list of one element can have this power of two.
const DOUBLINGS: usize = 15;

/// See the [module](self).
#[derive(Debug)]
pub struct Growing<T> {
    first: Box<[T]>,
    /// The elements that were added. The piece with number `n` has `first.len() << n` of them.
    more: [OnceLock<Box<[T]>>; DOUBLINGS],
    /// How many pieces there are. All before them are complete.
    pieces: AtomicUsize,
}

impl<T> Growing<T> {
    /// Makes a list of these elements. If there are none, the list cannot grow.
    pub fn new(first: impl IntoIterator<Item = T>) -> Growing<T> {
        let more = [const { OnceLock::new() }; DOUBLINGS];
        Growing { first: first.into_iter().collect(), more, pieces: AtomicUsize::new(0) }
    }

    /// Returns the number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        // ORDERING: Acquire pairs with the Release in `grow`.
        self.first.len() << self.pieces.load(Acquire)
    }

    /// Returns `true` if the list has no element.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// Returns the largest number of elements that the list can have.
    pub fn most(&self) -> usize {
        self.first.len().saturating_mul(1 << DOUBLINGS)
    }

    /// Makes sure that the list has at least this many elements, as far as it [can](Growing::most). It may get more.
    /// `make` makes the element with this index. The caller holds a lock, so that no other thread grows the list.
    pub fn grow(&self, length: usize, mut make: impl FnMut(usize) -> T) {
        for (at, piece) in self.more.iter().enumerate().skip(self.pieces.load(Relaxed)) {
            let begin = self.first.len() << at;
            if length <= begin || begin == 0 {
                return;
            }
            piece.get_or_init(|| (begin..2 * begin).map(&mut make).collect());
            // ORDERING: Release pairs with the Acquire in `len`: a thread that sees the length sees the elements.
            self.pieces.store(at + 1, Release);
        }
    }

    /// Returns the element with this index.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&T> {
        match self.first.get(index) {
            None => self.get_added(index),
            found => found,
        }
    }

    #[cold]
    fn get_added(&self, index: usize) -> Option<&T> {
        let times = index.checked_div(self.first.len())?;
        let piece = times.checked_ilog2()?;
        self.more.get(piece as usize)?.get()?.get(index - (self.first.len() << piece))
    }

    /// Returns the elements in their order. Those that are added meanwhile may be left out.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let mut added = self.more.iter();
        self.first.iter().chain(iter::from_fn(move || added.next()?.get()).flatten())
    }
}

impl<T> Index<usize> for Growing<T> {
    type Output = T;

    /// # Panics
    ///
    /// If the list has no such element.
    #[inline]
    fn index(&self, index: usize) -> &T {
        match self.first.get(index) {
            Some(found) => found,
            None => self.get_added(index).unwrap_or_else(|| panic!("no element {index} in a list of {}", self.len())),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn elements_keep_their_places_while_the_list_grows() {
        for first in [1, 2, 3, 7] {
            let list = Growing::new(0..first);
            let place: *const usize = &list[0];
            for length in [first, first + 1, 2 * first, 5 * first + 1, 100] {
                list.grow(length, |index| index);
                assert!(list.len() >= length && list.len() < 2 * length.max(first) + first);
                assert!(list.iter().copied().eq(0..list.len()));
                assert!((0..list.len()).all(|index| list[index] == index && list.get(index) == Some(&index)));
                assert!(list.get(list.len()).is_none() && std::ptr::eq(place, &list[0]));
            }
        }
    }

    #[test]
    fn a_list_does_not_grow_past_its_end() {
        let list = Growing::new(0..1_usize);
        list.grow(usize::MAX, |index| index);
        assert_eq!(list.len(), list.most());
        let none = Growing::new(0..0_usize);
        none.grow(5, |index| index);
        assert!(none.is_empty() && none.get(0).is_none() && none.get(5).is_none());
    }
}
