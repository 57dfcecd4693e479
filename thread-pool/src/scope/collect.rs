//! The results of a map, which each worker writes to the place where they stay.
//!
//! # Why this is sound
//!
//! 1. [`Places`] are a unique borrow of memory for results. Dividing them divides the borrow, so no two threads have
//!    the same place.
//! 2. [`Filled`] owns the results in its places, which are initialised, and drops them unless it is consumed. It is
//!    made of places, and two are only joined if the second one begins where the first one ends.
//! 3. [`collect`] gives the memory to a vector only if one `Filled` has all of it.
#![allow(unsafe_code)]

use std::{
    marker::PhantomData,
    mem::{self, MaybeUninit},
    ptr,
};

/// Places for results, which are not initialised.
pub(super) struct Places<'a, R>(&'a mut [MaybeUninit<R>]);

/// Places with results.
pub(super) struct Filled<'a, R> {
    start: *mut R,
    count: usize,
    places: PhantomData<&'a mut [R]>,
}

// SAFETY: it is a unique borrow of results that it owns.
unsafe impl<R: Send> Send for Filled<'_, R> {}

impl<'a, R> Places<'a, R> {
    /// Divides them into the first `count` and the others.
    pub(super) fn split_at(self, count: usize) -> (Places<'a, R>, Places<'a, R>) {
        let (left, right) = self.0.split_at_mut(count);
        (Places(left), Places(right))
    }

    /// Fills the places with results, as long as there are both.
    #[inline]
    pub(super) fn fill(self, results: impl Iterator<Item = R>) -> Filled<'a, R> {
        let places = self.0.len();
        let mut filled = Filled { start: self.0.as_mut_ptr().cast::<R>(), count: 0, places: PhantomData };
        for result in results.take(places) {
            // SAFETY: there are more places than were filled, by `take`, and this borrows them alone.
            unsafe { filled.start.add(filled.count).write(result) }
            filled.count += 1;
        }
        filled
    }
}

impl<'a, R> Filled<'a, R> {
    /// Joins the results with those that follow.
    pub(super) fn followed_by(mut self, other: Filled<'a, R>) -> Filled<'a, R> {
        // SAFETY: the results lie one behind the other in one allocation, so their end is in it too.
        let end = unsafe { self.start.add(self.count) };
        assert!(ptr::eq(end, other.start), "the parts of a map are joined in their order, and are complete");
        self.count += other.count;
        // The results belong to `self` now.
        mem::forget(other);
        self
    }
}

impl<R> Drop for Filled<'_, R> {
    fn drop(&mut self) {
        // SAFETY: this owns the results, which are initialised and lie one behind the other.
        unsafe { ptr::drop_in_place(ptr::slice_from_raw_parts_mut(self.start, self.count)) }
    }
}

/// Returns the results with which `fill` has filled this number of places, or what it returns instead.
pub(super) fn collect<R, E>(
    count: usize,
    fill: impl for<'a> FnOnce(Places<'a, R>) -> Result<Filled<'a, R>, E>,
) -> Result<Vec<R>, E> {
    let mut results = Vec::with_capacity(count);
    let places = &mut results.spare_capacity_mut()[..count];
    let start = places.as_mut_ptr().cast::<R>();
    let filled = fill(Places(places))?;
    assert!(ptr::eq(filled.start, start) && filled.count == count, "a map has a result for each item");
    mem::forget(filled);
    // SAFETY: `filled` had all the places, so they are initialised, and it is forgotten, so they belong to the vector.
    unsafe { results.set_len(count) }
    Ok(results)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::Arc,
    };

    use super::*;

    #[test]
    fn parts_that_are_filled_in_any_order_become_one_vector() {
        let results = collect::<String, ()>(3, |places| {
            let (left, right) = places.split_at(1);
            let right = right.fill(["b", "c"].map(String::from).into_iter());
            Ok(left.fill(["a".to_string()].into_iter()).followed_by(right))
        });
        assert_eq!(results, Ok(vec!["a".to_string(), "b".to_string(), "c".to_string()]));
        assert_eq!(collect::<u8, ()>(0, |places| Ok(places.fill([].into_iter()))), Ok(vec![]));
        assert_eq!(collect::<(), ()>(2, |places| Ok(places.fill([(), ()].into_iter()))), Ok(vec![(), ()]));
    }

    #[test]
    fn results_are_dropped_if_there_are_not_all() {
        let counted = Arc::new(());
        let failed = collect::<Arc<()>, ()>(2, |places| {
            drop(places.fill([counted.clone()].into_iter()));
            Err(())
        });
        assert_eq!((failed, Arc::strong_count(&counted)), (Err(()), 1));
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            collect::<Arc<()>, ()>(2, |places| {
                let results = (0..2).map(|number| if number == 0 { counted.clone() } else { panic!("no result") });
                Ok(places.fill(results))
            })
        }));
        assert!(unwound.is_err() && Arc::strong_count(&counted) == 1);
        let incomplete = catch_unwind(AssertUnwindSafe(|| {
            collect::<Arc<()>, ()>(2, |places| Ok(places.fill([counted.clone()].into_iter())))
        }));
        assert!(incomplete.is_err() && Arc::strong_count(&counted) == 1);
    }
}
