//! Which values are known to be the same when they are read.
//!
//! Names decide where a value belongs, so a type that leaves a field out and has another default for it, or that has
//! different names in both directions, is written without an error, and cannot be read or is another value then.
//! Whether that is so depends on the type and on the [mark](super::shapes::Mark) of the value. So the first value of
//! each type with each mark is compared with what it was: an argument where it is read, by writing it again, and a
//! result where it is written, by reading it and writing it again. Both are in the worker, because `Serialize` and
//! `Deserialize` are code of the user's that may end a process.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::shapes::Mark;

/// So many of them are remembered. Those that are forgotten are only compared again.
const SLOTS: usize = 1024;
const WAYS: usize = 4;

static PROVEN: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];

/// A type, and the mark of a value of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind(u64);

impl Kind {
    #[inline]
    pub(super) fn of<T>(mark: Mark) -> Kind {
        // Two functions that the linker has made one are taken for one type, and then only the first is compared.
        let of_type = of_type::<T> as fn() as usize as u64;
        Kind((of_type.rotate_left(20) ^ mark.number()).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    #[inline]
    fn slots(self) -> &'static [AtomicU64] {
        let first = (self.0 >> 40) as usize % (SLOTS / WAYS) * WAYS;
        &PROVEN[first..first + WAYS]
    }

    #[inline]
    pub(super) fn is_proven(self) -> bool {
        // ORDERING: a slot stands for itself; nothing else is read because of it.
        self.slots().iter().any(|slot| slot.load(Relaxed) == self.0)
    }

    /// Remembers it, in the place of another if there is no free one.
    #[cold]
    pub(super) fn note(self) {
        let slots = self.slots();
        // ORDERING: as above. If two threads choose the same slot, one of both values is read back again some time.
        let free = slots.iter().position(|slot| slot.load(Relaxed) == 0);
        slots[free.unwrap_or((self.0 >> 8) as usize % WAYS)].store(self.0, Relaxed);
    }
}

/// Something that has an address of its own for each type.
fn of_type<T>() {
    std::hint::black_box(size_of::<T>());
}
