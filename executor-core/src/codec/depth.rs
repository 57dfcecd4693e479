//! How deeply a value may be nested.
//!
//! Reading or writing a value takes stack for each of its levels, and so does dropping it. How much depends on the
//! type, so levels are not counted: each one compares where its frame is with the lowest address that the value may
//! reach.

use super::failure::Failure;
use crate::stack;

/// The part of the stack that a value may use: this much of what is left when it begins. The rest is for what runs on
/// top of the deepest level, and for dropping the value, whose frames are smaller.
const PART: usize = 2;

/// As [`PART`], for a value whose type does not say what follows, and which may be a buffer that is read again.
const UNTYPED: usize = 4;

/// As [`PART`], for what serde buffers: untagged and internally tagged enums, and flattened fields. It reads the
/// buffer a second time, with the larger frames of the type itself, which do not pass through this format.
const BUFFERED: usize = 8;

/// How many copies of a value its reading may hold on the stack at once. The compiler removes most of them only when it
/// optimizes.
const COPIES: usize = if cfg!(debug_assertions) { 24 } else { 6 };

/// Values that are no larger than this take no more of the stack than any level does.
const NARROW: usize = 256;

/// The most levels where it is not known how much stack is left. As many as `serde_json` allows.
const LEVELS: u32 = 128;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Depth {
    lowest: usize,
    lowest_untyped: usize,
    lowest_buffered: usize,
    /// Where the stack ends.
    end: usize,
    levels: u32,
}

impl Depth {
    /// For a value that begins in this frame.
    #[inline]
    pub(super) fn here() -> Depth {
        match stack::remaining() {
            Some(left) => {
                let lowest = |part| stack::here() - left / part;
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

    /// Goes one level deeper. [`leave`](Depth::leave) must follow, unless the whole value fails.
    #[inline(always)]
    pub(super) fn enter(&mut self) -> Result<(), Failure> {
        if stack::here() < self.lowest || self.levels == 0 {
            return Err(Failure::deep());
        }
        self.levels -= 1;
        Ok(())
    }

    /// As [`enter`](Depth::enter), for reading a value of this type, which may be so wide that the stack is too small
    /// for copies of it.
    #[inline(always)]
    pub(super) fn enter_for<T>(&mut self) -> Result<(), Failure> {
        if size_of::<T>() > NARROW && stack::here().saturating_sub(self.end) / COPIES < size_of::<T>() {
            return Err(Failure::wide());
        }
        self.enter()
    }

    /// As [`enter`](Depth::enter), for a value whose type does not say what follows.
    #[inline(always)]
    pub(super) fn enter_untyped<V>(&mut self) -> Result<(), Failure> {
        if stack::here() < self.lowest_buffered {
            self.check_untyped::<V>()?;
        }
        self.enter()
    }

    #[cold]
    fn check_untyped<V>(&self) -> Result<(), Failure> {
        // The visitors that fill serde's buffer are private, and known by their names.
        let is_buffered = std::any::type_name::<V>().contains("Content");
        if is_buffered || stack::here() < self.lowest_untyped { Err(Failure::deep()) } else { Ok(()) }
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
    fn where_the_end_of_the_stack_is_not_known_levels_are_counted() {
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
