//! Numbers that no process changes.
#![allow(unsafe_code)]

use std::{fmt, marker::PhantomData, ops::Deref, slice, sync::Arc};

use bytemuck::{Pod, cast_slice};
use executor_core::{Error, codec};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    constant::{HEADER, Which},
    received::{self, Registration},
};
use crate::{
    errors,
    object::{Kind, another_type, fingerprint},
    sys::{Attached, Draft, File, Names, Sealed},
};

static KIND: Kind = Kind {
    name: "shared slice",
    file: c"concurrent-futures-slice",
    length: 0,
    is_mapped_whole: true,
    on_death: |_| {},
};

/// Numbers, or other plain values, that many tasks read.
///
/// They lie in memory that the kernel lets no process change. A process that receives a handle maps that memory:
/// nothing is copied and nothing decoded, however many there are. A worker keeps the mapping between its tasks, until
/// the process that made the slice drops its last handle.
///
/// Python's counterpart is a NumPy array in a `SharedMemory`.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use concurrent_futures::multiprocessing::SharedSlice;
///
/// let squares = SharedSlice::build(1000, |squares: &mut [u64]| {
///     (0..).zip(squares).for_each(|(n, square)| *square = n * n);
/// })?;
/// let also = squares.clone();
/// let sum = std::thread::spawn(move || also.iter().sum::<u64>());
/// assert_eq!((sum.join().unwrap(), squares[9]), (332_833_500, 81));
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub struct SharedSlice<T>(Arc<Inner>, PhantomData<fn() -> T>);

struct Inner {
    /// It has the elements, and is aligned for them.
    sealed: Sealed,
    count: usize,
    /// The fingerprint of the elements.
    content: u64,
    file: File,
    attached: Attached,
    _registration: Registration,
}

impl<T: Pod> SharedSlice<T> {
    /// Where the elements begin. Their alignment is a power of two.
    const START: usize = if align_of::<T>() > HEADER { align_of::<T>() } else { HEADER };

    /// Copies elements into memory that does not change any more.
    ///
    /// # Errors
    ///
    /// If the system refuses memory or descriptors.
    pub fn from(elements: &[T]) -> Result<SharedSlice<T>, Error> {
        SharedSlice::filled(elements.len(), |draft| {
            draft.write(Self::START, cast_slice(elements)).map_err(|error| which::<T>().cannot_make(&error))
        })
    }

    /// Makes so many elements, which `fill` writes where they lie. They are zeros before.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](executor_core::ErrorKind::InvalidArgument) if that is more than can be addressed, and if the
    /// system refuses memory or descriptors.
    pub fn build(count: usize, fill: impl FnOnce(&mut [T])) -> Result<SharedSlice<T>, Error> {
        SharedSlice::filled(count, |draft| {
            let bytes = &mut draft.bytes().map_err(|error| which::<T>().cannot_make(&error))?[Self::START..];
            // SAFETY: the memory after the header has the elements, by the length in `filled`, and is borrowed
            // exclusively. It is aligned for them, because the file begins at a page. Every pattern of bits is a value.
            fill(unsafe { slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), count) });
            Ok(())
        })
    }

    fn filled(count: usize, fill: impl FnOnce(&mut Draft) -> Result<(), Error>) -> Result<SharedSlice<T>, Error> {
        const { assert!(align_of::<T>() <= 4096, "a page is aligned for it") };
        let length = count.checked_mul(size_of::<T>()).and_then(|bytes| bytes.checked_add(Self::START));
        let length = length.filter(|length| *length <= isize::MAX as usize);
        let length = length.ok_or_else(|| errors::invalid_argument("a slice of this length cannot be addressed"))?;
        let mut draft = which::<T>().draft(count, length)?;
        fill(&mut draft)?;
        let (file, sealed) = draft.seal().map_err(|error| which::<T>().cannot_make(&error))?;
        let inner = Arc::new(Inner::new(sealed, count, which::<T>().content, file));
        received::remember(&inner.file, &inner);
        Ok(SharedSlice(inner, PhantomData))
    }

    fn make(file: &File) -> Result<Option<Arc<Inner>>, Error> {
        received::get_or_make(file, || {
            let (sealed, count) = which::<T>().open(file)?;
            let has = |count: &usize| {
                let end = count.checked_mul(size_of::<T>()).and_then(|bytes| bytes.checked_add(Self::START));
                end.is_some_and(|end| end <= sealed.bytes().len())
            };
            let count = usize::try_from(count).ok().filter(has).ok_or_else(|| another_type(&KIND))?;
            Ok(Inner::new(sealed, count, which::<T>().content, file.clone()))
        })
    }

    fn of(made: Option<Arc<Inner>>) -> Result<SharedSlice<T>, Error> {
        let inner = made.filter(|inner| inner.content == which::<T>().content).ok_or_else(|| another_type(&KIND))?;
        Ok(SharedSlice(inner, PhantomData))
    }
}

fn which<T: 'static>() -> Which {
    Which { kind: &KIND, content: fingerprint::<T>() }
}

impl Inner {
    fn new(sealed: Sealed, count: usize, content: u64, file: File) -> Inner {
        let (attached, _registration) = (Attached::default(), Registration::of(&file));
        Inner { sealed, count, content, file, attached, _registration }
    }
}

impl<T: Pod> TryFrom<&[T]> for SharedSlice<T> {
    type Error = Error;

    fn try_from(elements: &[T]) -> Result<SharedSlice<T>, Error> {
        SharedSlice::from(elements)
    }
}

impl<T> Clone for SharedSlice<T> {
    /// Returns another handle of the same slice.
    fn clone(&self) -> SharedSlice<T> {
        SharedSlice(self.0.clone(), PhantomData)
    }
}

impl<T: Pod> Deref for SharedSlice<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        let start = self.0.sealed.bytes()[Self::START..].as_ptr().cast();
        // SAFETY: the elements lie in the mapping, which was checked when the slice was made, and the mapping lives as
        // long as the slice. They are aligned, because the mapping begins at a page. Every pattern of bits is a value,
        // and the kernel lets no process change them.
        unsafe { slice::from_raw_parts(start, self.0.count) }
    }
}

impl<T: Pod> AsRef<[T]> for SharedSlice<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<T> Serialize for SharedSlice<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.attached.attach::<S::Error, 1>([&self.0.file])?;
        Names::of([&self.0.file]).serialize(serializer)
    }
}

impl<'de, T: Pod> Deserialize<'de> for SharedSlice<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SharedSlice<T>, D::Error> {
        let names: Names<1> = Deserialize::deserialize(deserializer)?;
        let made = match received::find(names.name(0)) {
            Some(made) => Ok(made),
            None => SharedSlice::<T>::make(&names.file(0)?),
        };
        made.and_then(SharedSlice::of).map_err(|error| codec::de_error(&error))
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for SharedSlice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedSlice").field(&&**self).finish()
    }
}
