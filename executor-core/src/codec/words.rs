//! Encoded numbers in the memory of a vector of numbers.
//!
//! Memory must be freed with the alignment with which it was allocated, so a `Vec<u8>` cannot become a `Vec<f64>`, and
//! a large vector of numbers would be copied wherever numbers become bytes or the reverse. [`Words`] are such a vector,
//! used as bytes. All of its elements are initialised, so the conversions need no unsafe code.

use std::{cell::Cell, fmt, ops::Deref, ptr};

use bytemuck::{Pod, allocation::cast_vec, cast_slice, cast_slice_mut};

/// Encoded numbers that can become a vector of numbers without a copy.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod backend { pub use executor_core::*; } }
/// use concurrent_futures::backend::codec::Words;
/// let mut words = Words::with_room(8, 12).expect("numbers have 8 bytes");
/// words.room()[..3].copy_from_slice(b"abc");
/// words.advance(3);
/// assert_eq!((&*words, words.capacity()), (&b"abc"[..], 16));
/// assert!(Words::with_room(3, 12).is_none());
/// ```
// Boxed because they are rare: who handles other values too passes one machine word and not five.
#[derive(Clone)]
pub struct Words(Box<Used>);

#[derive(Clone)]
struct Used {
    memory: Memory,
    /// The number of bytes that are in use, from the start of the memory on.
    length: usize,
}

macro_rules! memory {
    ($($size:literal $variant:ident $word:ty;)*) => {
        /// A vector, by the size of its elements.
        #[derive(Clone)]
        enum Memory {
            $($variant(Vec<$word>),)*
        }

        impl Memory {
            fn zeroed(size: usize, bytes: usize) -> Option<Memory> {
                match size {
                    $($size => Some(Memory::$variant(vec![0; bytes.div_ceil($size)])),)*
                    _ => None,
                }
            }

            fn of<N: Pod>(numbers: Vec<N>) -> Option<Memory> {
                match size_of::<N>() {
                    $($size => Some(Memory::$variant(cast_vec(numbers))),)*
                    _ => None,
                }
            }

            /// Returns the first `bytes` bytes as numbers.
            fn into_numbers<N: Pod>(self, bytes: usize) -> Result<Vec<N>, Memory> {
                match self {
                    $(Memory::$variant(mut words) if size_of::<N>() == $size && bytes % $size == 0 => {
                        words.truncate(bytes / $size);
                        Ok(cast_vec(words))
                    })*
                    other => Err(other),
                }
            }

            fn bytes(&self) -> &[u8] {
                match self {
                    $(Memory::$variant(words) => cast_slice(words),)*
                }
            }

            fn bytes_mut(&mut self) -> &mut [u8] {
                match self {
                    $(Memory::$variant(words) => cast_slice_mut(words),)*
                }
            }

            fn grow_to(&mut self, bytes: usize) {
                match self {
                    $(Memory::$variant(words) => {
                        let count = bytes.div_ceil($size);
                        words.reserve_exact(count.saturating_sub(words.len()));
                        words.resize(count.max(words.len()), 0);
                    })*
                }
            }

            /// Returns the size of a number.
            fn size(&self) -> usize {
                match self {
                    $(Memory::$variant(_) => $size,)*
                }
            }

            /// Returns how many bytes are allocated.
            fn allocated(&self) -> usize {
                match self {
                    $(Memory::$variant(words) => words.capacity() * $size,)*
                }
            }
        }
    };
}

memory! {
    2 Two u16;
    4 Four u32;
    8 Eight u64;
    16 Sixteen u128;
}

impl Words {
    /// Returns zeroed memory for so many bytes, for numbers of this size. Returns `None` if no number has this size, or
    /// if a vector of them needs no words.
    pub fn with_room(size: usize, bytes: usize) -> Option<Words> {
        Some(Words(Box::new(Used { memory: Memory::zeroed(size, bytes)?, length: 0 })))
    }

    /// Returns the memory of these numbers. Returns `None` if a vector of bytes serves them as well.
    pub(super) fn of<N: Pod>(numbers: Vec<N>) -> Option<Words> {
        let memory = Memory::of(numbers)?;
        Some(Words(Box::new(Used { length: memory.bytes().len(), memory })))
    }

    /// Returns the numbers. Returns the words if they are for numbers of another size, or the bytes are not a whole
    /// number of them.
    pub(super) fn into_numbers<N: Pod>(self) -> Result<Vec<N>, Words> {
        let Used { memory, length } = *self.0;
        memory.into_numbers(length).map_err(|memory| Words(Box::new(Used { memory, length })))
    }

    /// Returns the memory after the bytes.
    pub fn room(&mut self) -> &mut [u8] {
        &mut self.0.memory.bytes_mut()[self.0.length..]
    }

    /// Adds the first `count` bytes of the [room](Words::room) to the bytes.
    ///
    /// # Panics
    ///
    /// Panics if there are fewer.
    pub fn advance(&mut self, count: usize) {
        assert!(count <= self.capacity() - self.0.length, "there is room for what was put in");
        self.0.length += count;
    }

    /// Removes all bytes, and keeps the memory.
    pub fn clear(&mut self) {
        self.0.length = 0;
    }

    /// Removes the bytes from this length on.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.0.length = self.0.length.min(length);
    }

    /// Makes the [capacity](Words::capacity) at least this large.
    pub fn grow_to(&mut self, bytes: usize) {
        self.0.memory.grow_to(bytes);
    }

    /// Returns how many bytes can be put in, those that are there included.
    pub fn capacity(&self) -> usize {
        self.0.memory.bytes().len()
    }

    /// Returns the size of the numbers.
    pub fn size(&self) -> usize {
        self.0.memory.size()
    }

    /// Returns how many bytes are allocated.
    pub(super) fn allocated(&self) -> usize {
        self.0.memory.allocated()
    }
}

impl Deref for Words {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0.memory.bytes()[..self.0.length]
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of numbers", self.0.length)
    }
}

thread_local! {
    /// The address of the vector instead of which words are accepted, or null.
    static ACCEPTS: Cell<*const Vec<u8>> = const { Cell::new(ptr::null()) };
    /// The words that were accepted. Only then is `ACCEPTS` null although it was set.
    static ACCEPTED: Cell<Option<Words>> = const { Cell::new(None) };
}

/// Calls `write`, which may encode a large vector of numbers by moving its memory here instead of appending to `into`.
/// Returns that memory too. What `into` holds comes after it.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod backend { pub use executor_core::*; } }
/// use concurrent_futures::backend::{codec, function::entry_of};
/// let (mut argument, mut end) = (Vec::new(), Vec::new());
/// codec::encode(&1000u32, &mut argument)?;
/// let entry = entry_of(|count: u32| vec![1.5; count as usize]);
/// let ((), words) = codec::accept_words(&mut end, |reply| entry.call(&argument, reply));
/// // An outcome ends with one byte more.
/// assert_eq!(words.map_or(0, |words| words.len()) + end.len(), 1000 * size_of::<f64>() + 1);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
// The encoder is called through functions that only know a `Vec<u8>`, and for most values they need nothing else. So
// the address of that vector says whether the memory is accepted.
#[inline]
pub fn accept_words<R>(into: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> R) -> (R, Option<Words>) {
    /// Restores the address, even if `write` panics.
    struct Restore(*const Vec<u8>);

    impl Drop for Restore {
        #[inline]
        fn drop(&mut self) {
            // `Cell::set` of a thread's variable is a call.
            ACCEPTS.replace(self.0);
        }
    }

    let restore = Restore(ACCEPTS.replace(into));
    let written = write(into);
    let words = if ACCEPTS.get().is_null() { take() } else { None };
    drop(restore);
    (written, words)
}

#[cold]
fn take() -> Option<Words> {
    ACCEPTED.try_with(Cell::take).unwrap_or_default()
}

/// Returns whether [`accept_words`] accepts words instead of bytes in this vector.
pub(super) fn are_accepted(into: &Vec<u8>) -> bool {
    ptr::eq(ACCEPTS.get(), into)
}

/// Hands words to [`accept_words`], after [`are_accepted`] has returned `true`. Returns them if this thread is ending.
///
/// No user code runs between this and the return of the encoder, because the value consists of numbers.
pub(super) fn hand_over(words: Words) -> Option<Words> {
    let mut words = Some(words);
    if ACCEPTED.try_with(|accepted| accepted.set(words.take())).is_ok() {
        ACCEPTS.set(ptr::null());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_words_and_numbers_again_in_the_same_memory() {
        fn check<N: Pod + PartialEq + fmt::Debug>(number: N) {
            let numbers = vec![number; 5];
            let (address, bytes) = (numbers.as_ptr(), cast_slice::<N, u8>(&numbers).to_vec());
            let words = Words::of(numbers).expect("there are words of this size");
            assert_eq!((&*words, words.capacity()), (&*bytes, bytes.len()));
            let again = words.into_numbers::<N>().expect("the same size");
            assert_eq!((again.as_ptr(), &*again), (address, &[number; 5][..]));
        }
        check(7u16);
        check(1.5f32);
        check(-1.5f64);
        check(usize::MAX);
        check(i128::MIN);
        assert!(Words::of(vec![1u8]).is_none());
    }

    #[test]
    fn words_do_not_become_numbers_of_another_size_or_a_part_of_one() {
        let words = Words::of(vec![1u32, 2]).expect("words");
        let words = words.into_numbers::<u64>().expect_err("of another size");
        let mut words = words.into_numbers::<u16>().expect_err("of another size");
        words.truncate(7);
        let mut words = words.into_numbers::<u32>().expect_err("a part");
        words.truncate(4);
        assert_eq!(words.into_numbers::<i32>().expect("one is left"), [1]);
    }

    #[test]
    fn bytes_are_put_into_the_room_that_there_is() {
        let mut words = Words::of(vec![u64::MAX]).expect("words");
        assert!(words.room().is_empty());
        words.grow_to(9);
        assert_eq!((words.capacity(), words.len()), (16, 8));
        words.room()[0] = 3;
        words.advance(1);
        assert_eq!(words[8], 3);
        words.grow_to(1);
        assert_eq!(words.capacity(), 16, "it does not shrink");
        words.clear();
        assert!(words.is_empty() && words.room().len() == 16);
    }

    #[test]
    fn words_are_accepted_for_one_vector_only() {
        let (mut outer, mut inner) = (Vec::new(), Vec::new());
        let (accepted, words) = accept_words(&mut outer, |outer| {
            let (_, words) = accept_words(&mut inner, |inner| {
                assert!(are_accepted(inner) && !are_accepted(outer));
                assert!(hand_over(Words::of(vec![1u16]).expect("words")).is_none());
                assert!(!are_accepted(inner), "one vector of numbers is a value");
            });
            assert_eq!(words.expect("accepted").len(), 2);
            are_accepted(outer)
        });
        assert!(accepted && words.is_none() && !are_accepted(&outer));
    }
}
