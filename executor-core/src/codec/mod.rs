//! How arguments and results are written down: the one place that knows the format.
//!
//! Numbers, bytes, text and plain vectors of numbers are copied as they are, or moved if the caller is done with them. Every
//! other value describes itself, with the names of its fields, so whatever serde can write and read may travel:
//!
//! - A field that is left out, renamed or moved never changes another one.
//! - `#[serde(flatten)]`, `#[serde(untagged)]`, internally tagged enums and `serde_json::Value` work.
//! - What could not be read again, or would be another value then, is refused when it is written: the first value of a type
//!   with a set of names is read back. What serde is told to skip in both directions arrives as its default. An untagged
//!   enum is the first of its variants that fits, as in every format.
//! - A value may be nested as deeply as the stack of the thread allows that writes or reads it, and its announced lengths are
//!   believed as far as there are bytes. So no value ends a thread or takes more memory than it has bytes for.
//!
//! Both sides are the same build, and the format may change with any release. It is not for storage.

mod bulk;
mod bytes;
mod depth;
mod failure;
mod format;
mod parts;
mod proven;
mod read;
mod run;
mod shapes;
mod write;

pub use bytes::Bytes;

use std::any::type_name;

use serde::{Serialize, de::DeserializeOwned};

use self::failure::Failure;
use crate::{Error, ErrorKind, Payload};

/// Writes a value behind what `into` holds. On an error `into` is as it was before.
///
/// ```
/// use executor_core::codec;
/// let mut bytes = vec![0xff];
/// codec::encode(&(7u8, true), &mut bytes)?;
/// assert_eq!(bytes[0], 0xff);
/// assert_eq!(codec::decode::<(u8, bool)>(&bytes[1..])?, (7, true));
/// # Ok::<(), executor_core::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorKind::Encode`] where the type's own `Serialize` says no, with its words.
///
/// # Panics
///
/// Where the type's own `Serialize` does; `into` then holds what was written so far.
pub fn encode<T: Payload>(value: &T, into: &mut Vec<u8>) -> Result<(), Error> {
    if bulk::encode(value, into) {
        return Ok(());
    }
    let start = into.len();
    encode_with_serde(value, into).map_err(|cause| {
        into.truncate(start);
        refusal(ErrorKind::Encode, type_name::<T>(), "encoded", &cause)
    })
}

/// As [`encode`], and may take out of the value what it consists of, for who only drops it afterwards.
pub(crate) fn encode_taking<T: Payload>(value: &mut T, into: &mut Vec<u8>) -> Result<(), Error> {
    if bulk::encode_taking(value, into) { Ok(()) } else { encode(value, into) }
}

/// Reads a value that [`encode`] wrote, from exactly these bytes.
///
/// # Errors
///
/// [`ErrorKind::Decode`] where the bytes are not such a value, or the type's own `Deserialize` says no, with its words.
///
/// # Panics
///
/// Where the type's own `Deserialize` does.
pub fn decode<T: Payload>(bytes: &[u8]) -> Result<T, Error> {
    let mut value: Option<T> = None;
    let decoded =
        if bulk::decode(bytes, &mut value) { value.ok_or_else(Failure::damaged) } else { decode_with_serde(bytes) };
    decoded.map_err(|cause| refusal(ErrorKind::Decode, type_name::<T>(), "decoded", &cause))
}

/// As [`decode`], and may make the value of the vector itself, which is empty then.
pub(crate) fn decode_taking<T: Payload>(bytes: &mut Vec<u8>) -> Result<T, Error> {
    let mut value: Option<T> = None;
    bulk::decode_taking(bytes, &mut value);
    value.map_or_else(|| decode(bytes), Ok)
}

/// Writes a value, and checks once for each type and set of fields that it can be read again, and is the same then.
fn encode_with_serde<T: Payload>(value: &T, into: &mut Vec<u8>) -> Result<(), Failure> {
    let start = into.len();
    let shape = write(value, into)?;
    if shape == 0 {
        return Ok(());
    }
    let written = proven::Written::of::<T>(shape);
    if written.is_proven() {
        return Ok(());
    }
    prove::<T>(shape, &into[start..])?;
    written.note();
    Ok(())
}

#[cold]
#[inline(never)]
fn prove<T: Payload>(shape: u64, bytes: &[u8]) -> Result<(), Failure> {
    let value =
        decode_with_serde::<T>(bytes).map_err(|reason| Failure::new(format!("it could not be read back: {reason}")))?;
    let mut again = Vec::with_capacity(bytes.len());
    let shape_again = write(&value, &mut again)?;
    drop(value);
    // Not the bytes themselves, because a map may have another order now.
    if shape_again != shape || again.len() != bytes.len() {
        return Err(Failure::new(
            "it is another value when it is read back: a field that is left out must have what is left out as its default, and \
             flattened fields must not share names",
        ));
    }
    Ok(())
}

/// Writes a value that is known to be readable.
pub(crate) fn write<T: Serialize>(value: &T, into: &mut Vec<u8>) -> Result<u64, Failure> {
    let mut writer = write::Writer::new(into);
    value.serialize(&mut writer)?;
    writer.finish()
}

pub(crate) fn decode_with_serde<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let mut reader = read::Reader::new();
    reader.begin(bytes)?;
    let value = T::deserialize(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

/// Puts into words why a value could not be encoded or decoded.
#[cold]
fn refusal(kind: ErrorKind, value: &str, done: &str, reason: &Failure) -> Error {
    Error::new(kind, format!("a value of type `{value}` could not be {done}: {reason}"))
}

#[cfg(test)]
mod tests;
