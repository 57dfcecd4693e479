//! A value that is too large for a message.

use executor_core::codec::Bytes;

use super::{Malformed, reader::Reader};

/// Names a value that is too large for a message, in the store of the client's user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Its name in the store, which no other value has had.
    pub name: String,
    /// How many bytes it has.
    pub length: u64,
    /// Whether more than one task has it as its argument, so that it is worth keeping.
    pub is_shared: bool,
}

/// The last byte of an outcome says what it is. The core uses 0 and 1, for a value and an error.
const STORED: u8 = 2;

impl Reference {
    /// The longest name, in bytes.
    pub const LONGEST_NAME: usize = 255;

    pub(super) fn write(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.length.to_le_bytes());
        into.push(u8::from(self.is_shared));
        into.push(self.name.len().min(Self::LONGEST_NAME) as u8);
        into.extend_from_slice(&self.name.as_bytes()[..self.name.len().min(Self::LONGEST_NAME)]);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Reference, Malformed> {
        let length = reader.u64()?;
        let is_shared = match reader.u8()? {
            0 => false,
            1 => true,
            _ => return Err(Malformed::Field("shared")),
        };
        let count = reader.u8()?;
        let name = reader.bytes(count as usize)?;
        let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if name.is_empty() || !name.iter().all(is_allowed) {
            return Err(Malformed::Field("name of a value"));
        }
        let name = name.iter().map(|byte| char::from(*byte)).collect();
        Ok(Reference { name, length, is_shared })
    }

    /// Returns what stands for an outcome that has this name.
    pub fn to_outcome(&self) -> Bytes {
        let mut bytes = Vec::new();
        self.write(&mut bytes);
        bytes.push(STORED);
        bytes.into()
    }

    /// Returns the name of an outcome, or `None` if these bytes are the outcome itself.
    ///
    /// # Errors
    ///
    /// If they are neither.
    pub fn of_outcome(outcome: &[u8]) -> Result<Option<Reference>, Malformed> {
        let Some((&STORED, bytes)) = outcome.split_last() else { return Ok(None) };
        let mut reader = Reader::new(bytes);
        let reference = Reference::read(&mut reader)?;
        if reader.is_empty() { Ok(Some(reference)) } else { Err(Malformed::Field("outcome")) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_reference_takes_the_place_of_an_outcome(name in "[a-zA-Z0-9._-]{1,255}", length: u64, is_shared: bool) {
            let reference = Reference { name, length, is_shared };
            prop_assert_eq!(Reference::of_outcome(&reference.to_outcome()), Ok(Some(reference)));
        }

        #[test]
        fn any_bytes_are_an_outcome_or_a_reference_or_refused(mut bytes in vec(any::<u8>(), 0..40)) {
            let is_stored = bytes.last() == Some(&STORED);
            prop_assert_eq!(matches!(Reference::of_outcome(&bytes), Ok(None)), !is_stored);
            bytes.push(STORED);
            if let Ok(Some(reference)) = Reference::of_outcome(&bytes) {
                prop_assert_eq!(&*reference.to_outcome(), &bytes[..]);
            }
        }
    }
}
