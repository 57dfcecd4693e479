//! Whether a value is encoded or decoded only to compare the result.

use std::{cell::Cell, marker::PhantomData};

thread_local! {
    /// How many trials of this thread have not ended.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Returns `true` while this thread encodes or decodes a value only to check that it survives the round trip, and drops
/// the result. A `Serialize` or `Deserialize` with an effect, such as moving what it names to another owner, must not
/// have the effect then.
pub fn is_trial() -> bool {
    DEPTH.get() > 0
}

/// A trial, until it is dropped.
#[derive(Debug)]
pub(super) struct Trial {
    /// It belongs to the thread that began it.
    not_send: PhantomData<*const ()>,
}

impl Trial {
    pub(super) fn begin() -> Trial {
        DEPTH.set(DEPTH.get() + 1);
        Trial { not_send: PhantomData }
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}
