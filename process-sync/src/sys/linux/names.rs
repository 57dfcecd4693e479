//! The names of the files that travel with an object, as one value of a few bytes.

use std::{fmt, sync::OnceLock};

use executor_core::codec::handles::{self, Handles, Name};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
    ser,
};

use super::File;

/// The names of so many files. A process that has the object already does not look them up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<const N: usize>([Name; N]);

const LENGTH: usize = size_of::<Name>();

impl<const N: usize> Names<N> {
    pub(crate) fn of(files: [&File; N]) -> Names<N> {
        Names(files.map(File::name))
    }

    /// Returns the name of this file.
    pub(crate) fn name(&self, index: usize) -> Option<Name> {
        Some(self.0[index])
    }

    /// Returns this file.
    ///
    /// # Errors
    ///
    /// If it has not arrived.
    pub(crate) fn file<E: de::Error>(&self, index: usize) -> Result<File, E> {
        handles::resolve(self.0[index]).map_err(E::custom)
    }
}

impl<const N: usize> Serialize for Names<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0.as_flattened())
    }
}

impl<'de, const N: usize> Deserialize<'de> for Names<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Names<N>, D::Error> {
        deserializer.deserialize_bytes(NamesVisitor)
    }
}

struct NamesVisitor<const N: usize>;

impl<'de, const N: usize> Visitor<'de> for NamesVisitor<N> {
    type Value = Names<N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the names of {N} handles")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Names<N>, E> {
        if bytes.len() != N * LENGTH {
            return Err(E::invalid_length(bytes.len(), &self));
        }
        let mut names = [Name::default(); N];
        names.as_flattened_mut().copy_from_slice(bytes);
        Ok(Names(names))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Names<N>, A::Error> {
        let mut bytes = Vec::with_capacity(N * LENGTH);
        while let Some(byte) = sequence.next_element()? {
            bytes.push(byte);
        }
        self.visit_bytes(&bytes)
    }
}

/// The files of an object as one set, which is made at the first time that the object travels.
#[derive(Debug, Default)]
pub(crate) struct Attached(OnceLock<Handles>);

impl Attached {
    /// Attaches the files to the value that this thread encodes.
    ///
    /// # Errors
    ///
    /// If they cannot travel with it.
    pub(crate) fn attach<E: ser::Error, const N: usize>(&self, files: [&File; N]) -> Result<(), E> {
        let set = self.0.get_or_init(|| files.into_iter().cloned().collect());
        handles::attach_all(set).map_err(E::custom)
    }
}
