//! Bytes that are mostly few.

use std::{cell::Cell, fmt, ops::Deref};

use smallvec::SmallVec;

/// An argument or a reply that was written down. Few bytes lie in the value itself, so that a task on a number asks the
/// allocator for nothing; many are a vector, from which and into which they move without being copied.
///
/// ```
/// use executor_core::codec::Bytes;
/// let few = Bytes::from(&[1u8, 2, 3][..]);
/// assert_eq!(few.len(), 3);
/// assert_eq!(few.into_vec(), [1, 2, 3]);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bytes(SmallVec<[u8; FEW]>);

/// So many take no more room than a vector does.
const FEW: usize = 16;

impl Bytes {
    /// What `write` appends to an empty vector.
    ///
    /// # Errors
    ///
    /// Those of `write`.
    #[inline]
    pub fn written<R, E>(write: impl FnOnce(&mut Vec<u8>) -> Result<R, E>) -> Result<(Bytes, R), E> {
        thread_local! {
            static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
        }
        // Taken out of its place meanwhile, for `write` may come here again.
        let mut scratch = SCRATCH.try_with(Cell::take).unwrap_or_default();
        scratch.clear();
        let written = write(&mut scratch)?;
        if scratch.len() > FEW {
            return Ok((Bytes::from(scratch), written));
        }
        let bytes = Bytes::from(scratch.as_slice());
        let _ = SCRATCH.try_with(|kept| kept.set(scratch));
        Ok((bytes, written))
    }

    /// The bytes as a vector.
    pub fn into_vec(self) -> Vec<u8> {
        self.0.into_vec()
    }

    /// How many there is memory for.
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// Forgets the first bytes.
    pub fn skip(&mut self, count: usize) {
        self.0.drain(..count);
    }

    /// Whether it is a vector.
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
