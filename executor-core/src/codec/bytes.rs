//! A byte buffer for values that are usually small.

use std::{cell::Cell, fmt, ops::Deref};

use super::words::{Words, accept_words};

/// An encoded argument or reply.
///
/// Up to 15 bytes are stored inline, so a task on a number does not allocate. More bytes are a vector, and converting
/// from and into a `Vec<u8>` does not copy them. Large vectors of numbers stay in their own memory, as [`Words`].
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod backend { pub use executor_core::*; } }
/// use concurrent_futures::backend::codec::Bytes;
/// let few = Bytes::from(&[1u8, 2, 3][..]);
/// assert_eq!(few.len(), 3);
/// assert_eq!(few.into_vec(), [1, 2, 3]);
/// ```
#[derive(Clone)]
pub struct Bytes(Form);

/// Where the bytes are.
#[derive(Clone)]
enum Form {
    Few(u8, [u8; FEW]),
    Vector(Vec<u8>),
    Words(Words),
}

/// The largest memory that a thread keeps: a round number of bytes, and what is added to them.
const KEPT: usize = (1 << 20) + 4096;

thread_local! {
    /// Empty memory for the next bytes.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Returns whether memory that was kept is so much larger than the bytes that they get memory of their own.
fn is_wasteful(bytes: &Vec<u8>) -> bool {
    bytes.capacity() / 2 > bytes.len().max(64)
}

/// This many inline bytes, and their number, take no more space than a vector does.
const FEW: usize = 15;

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Bytes>() == size_of::<Vec<u8>>());

impl Bytes {
    /// Calls `write` with an empty vector. Returns the bytes that `write` has appended, and its result.
    ///
    /// # Errors
    ///
    /// Returns the error of `write`.
    #[inline]
    pub fn written<R, E>(write: impl FnOnce(&mut Vec<u8>) -> Result<R, E>) -> Result<(Bytes, R), E> {
        // The vector is taken out because `write` may call this function again.
        let mut scratch = SCRATCH.try_with(Cell::take).unwrap_or_default();
        scratch.clear();
        let (written, words) = accept_words(&mut scratch, write);
        let written = written?;
        let bytes = match words {
            Some(words) => Bytes::from(words),
            None if scratch.len() > FEW && !is_wasteful(&scratch) => return Ok((Bytes::from(scratch), written)),
            None => Bytes::from(scratch.as_slice()),
        };
        let _ = SCRATCH.try_with(|cell| cell.set(scratch));
        Ok((bytes, written))
    }

    /// Returns the bytes as a vector.
    pub fn into_vec(self) -> Vec<u8> {
        match self.0 {
            Form::Few(count, bytes) => bytes[..usize::from(count)].to_vec(),
            Form::Vector(bytes) => bytes,
            Form::Words(words) => words.to_vec(),
        }
    }

    /// Returns the bytes as words, if that is what they are.
    ///
    /// # Errors
    ///
    /// Returns the bytes otherwise.
    pub fn into_words(self) -> Result<Words, Bytes> {
        match self.0 {
            Form::Words(words) => Ok(words),
            other => Err(Bytes(other)),
        }
    }

    /// Keeps the memory for the bytes that this thread [writes](Bytes::written) next, unless that would be more than
    /// 1 MiB. New memory arrives page by page, which costs more than to copy the bytes into it.
    pub(crate) fn recycle(self) {
        let Form::Vector(memory) = self.0 else { return };
        if memory.capacity() > KEPT {
            return;
        }
        let _ = SCRATCH.try_with(|cell| {
            let kept = cell.take();
            cell.set(if kept.capacity() < memory.capacity() { memory } else { kept });
        });
    }

    /// Returns how many bytes fit without reallocation.
    pub fn capacity(&self) -> usize {
        match &self.0 {
            Form::Few(..) => FEW,
            Form::Vector(bytes) => bytes.capacity(),
            Form::Words(words) => words.capacity(),
        }
    }

    /// Removes the first `count` bytes.
    ///
    /// # Panics
    ///
    /// Panics if there are fewer bytes.
    pub fn skip(&mut self, count: usize) {
        match &mut self.0 {
            Form::Vector(bytes) => drop(bytes.drain(..count)),
            _ => *self = Bytes::from(&self[count..]),
        }
    }

    /// Returns the bytes if they are stored inline, which is the usual case.
    #[inline]
    pub(crate) fn as_few(&self) -> Option<&[u8]> {
        match &self.0 {
            Form::Few(count, bytes) => Some(&bytes[..usize::from(*count)]),
            _ => None,
        }
    }

    /// Returns whether the bytes are a vector.
    pub(crate) fn is_vector(&self) -> bool {
        matches!(self.0, Form::Vector(_))
    }

    #[inline(never)]
    fn many(&self) -> &[u8] {
        match &self.0 {
            Form::Few(..) => &[],
            Form::Vector(bytes) => bytes,
            Form::Words(words) => words,
        }
    }
}

impl Default for Bytes {
    #[inline]
    fn default() -> Bytes {
        Bytes(Form::Few(0, [0; FEW]))
    }
}

impl From<&[u8]> for Bytes {
    #[inline]
    fn from(bytes: &[u8]) -> Bytes {
        if bytes.len() > FEW {
            return Bytes(Form::Vector(bytes.to_vec()));
        }
        let mut few = [0; FEW];
        few[..bytes.len()].copy_from_slice(bytes);
        Bytes(Form::Few(bytes.len() as u8, few))
    }
}

impl From<Vec<u8>> for Bytes {
    #[inline]
    fn from(bytes: Vec<u8>) -> Bytes {
        Bytes(Form::Vector(bytes))
    }
}

impl From<Words> for Bytes {
    fn from(words: Words) -> Bytes {
        Bytes(Form::Words(words))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // One comparison for the usual case, because a task does this six times.
        self.as_few().unwrap_or_else(|| self.many())
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Bytes) -> bool {
        **self == **other
    }
}

impl Eq for Bytes {}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(length: usize) -> Bytes {
        let filled = Bytes::written(|into| {
            into.resize(length, 7);
            Ok::<(), ()>(())
        });
        filled.expect("written").0
    }

    #[test]
    fn memory_is_kept_for_bytes_of_about_that_length_and_no_more_than_a_mebibyte() {
        let bytes = written(100_000);
        let address = bytes.as_ptr();
        bytes.recycle();
        let few = written(10);
        assert!(few.as_few().is_some());
        let short = written(1000);
        assert!(short.as_ptr() != address && short.capacity() < 2000, "it would hold a hundred times its length");
        let again = written(90_000);
        assert_eq!((again.as_ptr(), again.len()), (address, 90_000));
        again.recycle();
        short.recycle();
        assert_eq!(written(90_000).as_ptr(), address, "the larger memory stays");
        written(KEPT + 1).recycle();
        assert!(written(KEPT / 2 + 1).capacity() < KEPT, "a huge one is freed");
    }

    #[test]
    fn bytes_are_the_same_in_every_form() {
        for length in [0, 1, FEW, FEW + 1, 100] {
            let vector: Vec<u8> = (0..length as u8).collect();
            for mut bytes in [Bytes::from(vector.as_slice()), Bytes::from(vector.clone())] {
                assert_eq!((&*bytes, bytes.clone().into_vec()), (&*vector, vector.clone()));
                assert!(bytes.capacity() >= length);
                bytes.skip(length / 2);
                assert_eq!(*bytes, vector[length / 2..]);
            }
        }
        let mut words = Words::with_room(4, 8).expect("words");
        words.advance(7);
        let mut bytes = Bytes::from(words);
        assert_eq!((&bytes, bytes.capacity()), (&Bytes::from(vec![0; 7]), 8));
        assert_eq!(bytes.clone().into_words().expect("words").len(), 7);
        bytes.skip(3);
        assert!(*bytes == [0; 4] && bytes.into_words().is_err());
    }
}
