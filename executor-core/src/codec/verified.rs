//! A cache of the kinds of values that are known to survive a round trip.
//!
//! Fields are matched by name. A type may omit a field and have another default for it, or use different names in the
//! two directions. Such a value is written without an error, but cannot be read, or is read as another value. Whether
//! that happens depends on the type and on the [mark](super::shapes::Mark) of the value. So the first value of each
//! type and mark is verified: an argument is encoded again after it was decoded, and a result is decoded and encoded
//! again after it was encoded. Both happen in the worker, because `Serialize` and `Deserialize` are user code that may
//! end a process.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::shapes::Mark;

/// The size of the cache. If a kind is evicted, it is verified again later.
const SLOTS: usize = 1024;
const WAYS: usize = 4;

static VERIFIED: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];

/// A type, and the mark of a value of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind(u64);

impl Kind {
    #[inline]
    pub(super) fn of<T>(mark: Mark) -> Kind {
        // If the linker merges two of these functions, two types count as one and only the first is verified.
        let of_type = of_type::<T> as fn() as usize as u64;
        Kind((of_type.rotate_left(20) ^ mark.number()).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    #[inline]
    fn slots(self) -> &'static [AtomicU64] {
        let first = (self.0 >> 40) as usize % (SLOTS / WAYS) * WAYS;
        &VERIFIED[first..first + WAYS]
    }

    #[inline]
    pub(super) fn is_verified(self) -> bool {
        // ORDERING: Relaxed, because no other memory is read depending on a slot.
        self.slots().iter().any(|slot| slot.load(Relaxed) == self.0)
    }

    /// Adds the kind to the cache, and evicts another one if there is no free slot.
    #[cold]
    pub(super) fn remember(self) {
        let slots = self.slots();
        // ORDERING: Relaxed as above. If two threads choose the same slot, one kind is lost and will be verified again.
        let free = slots.iter().position(|slot| slot.load(Relaxed) == 0);
        slots[free.unwrap_or((self.0 >> 8) as usize % WAYS)].store(self.0, Relaxed);
    }
}

/// Does nothing. The address of this function identifies the type.
fn of_type<T>() {
    std::hint::black_box(size_of::<T>());
}
