//! How arguments and results are written down: the one place that knows the format.
//!
//! Numbers, bytes, text and plain vectors of numbers are copied as they are, or moved if the caller is done with them.
//! Every other value describes itself, with the names of its fields, so whatever serde can write and read may travel:
//!
//! - A field that is left out, renamed or moved never changes another one.
//! - `#[serde(flatten)]`, `#[serde(untagged)]`, internally tagged enums and `serde_json::Value` work.
//! - What would arrive as another value is an error: the first value of a type with a set of names is compared, in the
//!   worker. What serde is told to skip in both directions arrives as its default. An untagged enum is the first of
//!   its variants that fits, as in every format.
//! - A value may be nested as deeply as the stack of the thread allows that writes or reads it, and its announced
//!   lengths are believed as far as there are bytes. So no value ends a thread or takes more memory than it has bytes
//!   for.
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

use self::{failure::Failure, proven::Kind, shapes::Mark};
use crate::{Error, ErrorKind, Payload, catch};

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
/// [`ErrorKind::Encode`] if the type's own `Serialize` refuses, with its reason; if the value is nested more deeply
/// than the stack of this thread allows; if it has more elements than can travel.
///
/// # Panics
///
/// If the type's own `Serialize` does; `into` then holds what was written so far.
#[inline]
pub fn encode<T: Payload>(value: &T, into: &mut Vec<u8>) -> Result<(), Error> {
    encode_by(value, into, |value, into| write(value, into).map(|_| ()))
}

/// Writes a value as [`encode`] does. Bytes and text are taken out of the value, which is then only to be dropped.
#[inline]
pub(crate) fn encode_taking<T: Payload>(value: &mut T, into: &mut Vec<u8>) -> Result<(), Error> {
    if bulk::encode_taking(value, into) { Ok(()) } else { encode(value, into) }
}

/// Writes a result as [`encode_taking`] does. In the worker, so that it can be [compared](proven).
#[inline]
pub(crate) fn encode_result<T: Payload>(value: &mut T, into: &mut Vec<u8>) -> Result<(), Error> {
    if bulk::encode_taking(value, into) { Ok(()) } else { encode_by(value, into, write_compared) }
}

#[inline]
fn encode_by<T: Payload>(
    value: &T,
    into: &mut Vec<u8>,
    write: impl FnOnce(&T, &mut Vec<u8>) -> Result<(), Failure>,
) -> Result<(), Error> {
    if bulk::encode(value, into) { Ok(()) } else { encode_with_serde(value, into, write) }
}

#[inline(never)]
fn encode_with_serde<T: Payload>(
    value: &T,
    into: &mut Vec<u8>,
    write: impl FnOnce(&T, &mut Vec<u8>) -> Result<(), Failure>,
) -> Result<(), Error> {
    let start = into.len();
    write(value, into).map_err(|cause| {
        into.truncate(start);
        refusal(ErrorKind::Encode, type_name::<T>(), "encoded", &cause)
    })
}

/// Reads an argument that [`encode`] wrote, from exactly these bytes.
///
/// # Errors
///
/// [`ErrorKind::Decode`] if the bytes are not such a value, if the type's own `Deserialize` refuses, with its reason,
/// or if the value is nested more deeply than the stack of this thread allows. Also if the value is another one than
/// was written, because of what its type tells serde.
///
/// # Panics
///
/// If the type's own `Deserialize` does.
pub fn decode<T: Payload>(bytes: &[u8]) -> Result<T, Error> {
    decode_by(bytes, read_compared)
}

/// Reads an argument as [`decode`] does. The vector may become the value, and is empty then.
pub(crate) fn decode_taking<T: Payload>(bytes: &mut Vec<u8>) -> Result<T, Error> {
    let mut value: Option<T> = None;
    bulk::decode_taking(bytes, &mut value);
    match value {
        Some(value) => Ok(value),
        None => decode(bytes),
    }
}

/// Reads a result, which was compared where it was written.
pub(crate) fn decode_result<T: Payload>(bytes: &[u8]) -> Result<T, Error> {
    decode_by(bytes, read)
}

/// Reads a result as [`decode_result`] does. The vector may become the value, and is empty then.
pub(crate) fn decode_result_taking<T: Payload>(bytes: &mut Vec<u8>) -> Result<T, Error> {
    let mut value: Option<T> = None;
    bulk::decode_taking(bytes, &mut value);
    match value {
        Some(value) => Ok(value),
        None => decode_result(bytes),
    }
}

#[inline]
fn decode_by<T: Payload>(
    bytes: &[u8],
    read: impl FnOnce(&[u8], &mut Option<T>) -> Result<Mark, Failure>,
) -> Result<T, Error> {
    let mut value: Option<T> = None;
    let decoded = if bulk::decode(bytes, &mut value) { Ok(()) } else { read(bytes, &mut value).map(|_| ()) };
    match (decoded, value) {
        (Ok(()), Some(value)) => Ok(value),
        (decoded, _) => {
            let cause = decoded.err().unwrap_or_else(Failure::damaged);
            Err(refusal(ErrorKind::Decode, type_name::<T>(), "decoded", &cause))
        }
    }
}

/// Compares a value with what it was: writes it again, and compares that with these bytes.
#[cold]
#[inline(never)]
fn compare<T: Serialize>(value: &T, mark: Mark, bytes: &[u8]) -> Result<(), Failure> {
    let mut again = Vec::with_capacity(bytes.len());
    let mark_again = write(value, &mut again)?;
    // Not the bytes themselves, because a map may have another order now.
    if mark_again == mark && (again.len() == bytes.len() || mark.varies()) {
        return Ok(());
    }
    Err(Failure::new(
        "it would be another value: a field that is left out must have what is left out as its default, and flattened \
         fields must not share names",
    ))
}

/// Appends a value and its names.
pub(crate) fn write<T: Serialize>(value: &T, into: &mut Vec<u8>) -> Result<Mark, Failure> {
    let mut writer = write::Writer::new(into);
    value.serialize(&mut writer)?;
    writer.finish()
}

/// Reads what [`write`] has written into `value`. Every function that returned the value would hold several copies of
/// it on its stack in a debug build.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8], value: &mut Option<T>) -> Result<Mark, Failure> {
    let mut reader = read::Reader::new();
    reader.begin(bytes)?;
    match T::deserialize(&mut reader) {
        Ok(read) => *value = Some(read),
        Err(failure) => return Err(failure),
    }
    reader.finish()
}

/// Reads a value, and compares it with what it was if it is the first of its kind in this process.
fn read_compared<T: Payload>(bytes: &[u8], value: &mut Option<T>) -> Result<Mark, Failure> {
    let mark = read(bytes, value)?;
    let kind = Kind::of::<T>(mark);
    if let Some(value) = value
        && !mark.is_none()
        && !kind.is_proven()
    {
        compare(value, mark, bytes)?;
        kind.note();
    }
    Ok(mark)
}

/// Writes a value, and compares it with what it will be if it is the first of its kind in this process.
fn write_compared<T: Payload>(value: &T, into: &mut Vec<u8>) -> Result<(), Failure> {
    let start = into.len();
    let mark = write(value, into)?;
    let kind = Kind::of::<T>(mark);
    if !mark.is_none() && !kind.is_proven() {
        let bytes = &into[start..];
        let mut value: Option<T> = None;
        let compared = read(bytes, &mut value).and_then(|_| match &value {
            Some(value) => compare(value, mark, bytes),
            None => Ok(()),
        });
        // If its `Drop` panics that says nothing of the value.
        catch::drop_contained(value);
        compared.map_err(|reason| Failure::new(format!("it could not be read: {reason}")))?;
        kind.note();
    }
    Ok(())
}

/// Puts into words why a value could not be encoded or decoded.
#[cold]
fn refusal(kind: ErrorKind, value: &str, done: &str, reason: &Failure) -> Error {
    Error::new(kind, format!("a value of type `{value}` could not be {done}: {reason}"))
}

// Without what the model checker takes the place of, and the crates that only these tests need.
#[cfg(all(test, not(loom)))]
mod tests;
