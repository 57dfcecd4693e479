//! What comes back for one call: a value or an error, as bytes. The first byte says which.

use crate::{Error, ErrorKind, Payload, codec};

const VALUE: u8 = 0;
pub(super) const ERROR: u8 = 1;

/// Writes a value. On an error nothing is written.
pub(crate) fn write_value<R: Payload>(value: &R, into: &mut Vec<u8>) -> Result<(), Error> {
    let start = into.len();
    into.push(VALUE);
    codec::encode(value, into).inspect_err(|_| into.truncate(start))
}

/// Writes an error.
pub fn write_error(error: &Error, into: &mut Vec<u8>) {
    into.push(ERROR);
    error.encode(into);
}

/// Reads what a call answered.
pub(crate) fn read<R: Payload>(bytes: &[u8]) -> Result<R, Error> {
    match bytes.split_first() {
        Some((&VALUE, value)) => codec::decode(value),
        Some((&ERROR, error)) => Err(Error::decode(error)),
        _ => Err(Error::new(ErrorKind::Decode, "a worker sent a reply that is neither a value nor an error")),
    }
}

/// Whether the outcome is an error, as far as is known without reading it.
pub fn is_error(bytes: &[u8]) -> bool {
    bytes.first() != Some(&VALUE)
}
