//! The limit on how deeply a value may be nested.
//!
//! Reading, writing and dropping a value take stack for each of its levels. How much depends on the type, so levels are
//! not counted: each level compares the address of its frame with the lowest address that the value may reach.

use super::failure::Failure;
use crate::stack;

/// A value may use one half of the stack that is left where it begins. The other half is for functions that the deepest
/// level calls, and for dropping the value, whose frames are smaller.
const PART: usize = 2;

/// The share for a value whose type does not determine what follows. It may be a buffer that is read again.
const UNTYPED: usize = 4;

/// The share for values that serde buffers: untagged and internally tagged enums, and flattened fields. Serde reads the
/// buffer a second time, with the larger frames of the type itself, which do not pass through this format. They can be
/// ten times as large as the frames of this format, with `opt-level = 1` and on 32-bit machines.
const BUFFERED: usize = 16;

/// The number of copies of a value that may be on the stack at the same time while it is read. The compiler removes
/// most of them only when it optimizes.
const COPIES: usize = if cfg!(debug_assertions) { 24 } else { 6 };

/// Values up to this size in bytes need no check of their size, because the reserve for their level is enough.
const NARROW: usize = 256;

/// The maximum number of levels where the end of the stack is not known. It is the limit of `serde_json`.
const LEVELS: u32 = 128;

/// The stack that one value may still use.
#[derive(Debug)]
pub(super) struct Depth {
    lowest: usize,
    lowest_untyped: usize,
    lowest_buffered: usize,
    /// The address at which the stack ends.
    end: usize,
    levels: u32,
}

impl Depth {
    /// Returns the limits for a value that begins in this frame.
    #[inline]
    pub(super) fn here() -> Depth {
        match stack::remaining() {
            Some(left) => {
                let lowest = |part| stack::frame_address() - left / part;
                Depth {
                    lowest: lowest(PART),
                    lowest_untyped: lowest(UNTYPED),
                    lowest_buffered: lowest(BUFFERED),
                    end: lowest(1),
                    levels: u32::MAX,
                }
            }
            None => Depth { lowest: 0, lowest_untyped: 0, lowest_buffered: 0, end: 0, levels: LEVELS },
        }
    }

    /// Enters one level. The caller must call [`leave`](Depth::leave) afterwards, unless the encoding or decoding
    /// fails.
    #[inline(always)]
    pub(super) fn enter(&mut self) -> Result<(), Failure> {
        if stack::frame_address() < self.lowest || self.levels == 0 {
            return Err(Failure::deep());
        }
        self.levels -= 1;
        Ok(())
    }

    /// Enters one level of reading a value of type `T`. It also fails if the stack has no space for the copies of a `T`
    /// that reading makes.
    #[inline(always)]
    pub(super) fn enter_for<T>(&mut self) -> Result<(), Failure> {
        if size_of::<T>() > NARROW && stack::frame_address().saturating_sub(self.end) / COPIES < size_of::<T>() {
            return Err(Failure::wide());
        }
        self.enter()
    }

    /// Enters one level of a value whose type does not determine what follows.
    #[inline(always)]
    pub(super) fn enter_untyped<V>(&mut self) -> Result<(), Failure> {
        if stack::frame_address() < self.lowest_buffered {
            self.check_untyped::<V>()?;
        }
        self.enter()
    }

    #[cold]
    fn check_untyped<V>(&self) -> Result<(), Failure> {
        // The visitors that fill serde's buffer are private, so only their names identify them.
        let is_buffered = std::any::type_name::<V>().contains("Content");
        if is_buffered || stack::frame_address() < self.lowest_untyped { Err(Failure::deep()) } else { Ok(()) }
    }

    #[inline(always)]
    pub(super) fn leave(&mut self) {
        self.levels += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_counted_if_the_end_of_the_stack_is_unknown() {
        let mut depth = Depth { lowest: 0, lowest_untyped: 0, lowest_buffered: 0, end: 0, levels: LEVELS };
        for _ in 0..3 {
            for _ in 0..LEVELS {
                depth.enter().expect("not too deep");
            }
            assert!(depth.enter().is_err() && depth.enter_untyped::<()>().is_err());
            (0..LEVELS).for_each(|_| depth.leave());
        }
    }
}
