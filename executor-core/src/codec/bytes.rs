//! A byte buffer for values that are usually small.

use std::{cell::Cell, fmt, ops::Deref};

use smallvec::SmallVec;

/// An encoded argument or reply.
///
/// Up to 16 bytes are stored inline, so a task on a number does not allocate. More bytes are a vector, and converting
/// from and into a `Vec<u8>` does not copy them.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod backend { pub use executor_core::*; } }
/// use concurrent_futures::backend::codec::Bytes;
/// let few = Bytes::from(&[1u8, 2, 3][..]);
/// assert_eq!(few.len(), 3);
/// assert_eq!(few.into_vec(), [1, 2, 3]);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bytes(SmallVec<[u8; FEW]>);

/// This many inline bytes take no more space than a vector does.
const FEW: usize = 16;

impl Bytes {
    /// Calls `write` with an empty vector. Returns the bytes that `write` has appended, and its result.
    ///
    /// # Errors
    ///
    /// Returns the error of `write`.
    #[inline]
    pub fn written<R, E>(write: impl FnOnce(&mut Vec<u8>) -> Result<R, E>) -> Result<(Bytes, R), E> {
        thread_local! {
            static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
        }
        // The vector is taken out because `write` may call this function again.
        let mut scratch = SCRATCH.try_with(Cell::take).unwrap_or_default();
        scratch.clear();
        let written = write(&mut scratch)?;
        if scratch.len() > FEW {
            return Ok((Bytes::from(scratch), written));
        }
        let bytes = Bytes::from(scratch.as_slice());
        let _ = SCRATCH.try_with(|cell| cell.set(scratch));
        Ok((bytes, written))
    }

    /// Returns the bytes as a vector.
    pub fn into_vec(self) -> Vec<u8> {
        self.0.into_vec()
    }

    /// Returns how many bytes fit without reallocation.
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// Removes the first `count` bytes.
    ///
    /// # Panics
    ///
    /// Panics if there are fewer bytes.
    pub fn skip(&mut self, count: usize) {
        self.0.drain(..count);
    }

    /// Returns whether the bytes are on the heap.
    pub(crate) fn is_vector(&self) -> bool {
        self.0.spilled()
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Bytes {
        Bytes(SmallVec::from_slice(bytes))
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Bytes {
        Bytes(SmallVec::from_vec(bytes))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}
