//! The wire format of arguments and results, and the functions that encode and decode it.
//!
//! Numbers, bytes, text and vectors of numbers are copied as they are, or moved if the caller gives them up. Every
//! other value is written in a self-describing format with the names of its fields, so every type that serde can
//! serialize and deserialize can be sent:
//!
//! - A field that is omitted, renamed or moved never changes another field.
//! - `#[serde(flatten)]`, `#[serde(untagged)]`, internally tagged enums and `serde_json::Value` work.
//! - A value that would arrive changed is an error. The worker verifies this by a round trip of the first value of each
//!   type and each set of field names. A field that serde skips in both directions arrives as its default. An untagged
//!   enum becomes its first variant that matches, as in every format.
//! - Nesting is limited by the stack of the thread that encodes or decodes, and an announced length is limited by the
//!   number of bytes. So no value overflows a stack or makes the reader allocate more memory than its bytes justify.
//!
//! Both sides must be the same build. The format may change with any release, so it must not be used for storage.

mod bulk;
mod bytes;
mod depth;
mod failure;
mod format;
pub mod handles;
mod numbers;
mod read;
mod shapes;
mod trial;
mod verified;
mod words;
mod write;

pub use bytes::Bytes;
pub use failure::{de_error, ser_error};
pub use trial::is_trial;
pub use words::{Words, accept_words};

use std::any::type_name;

use serde::{Serialize, de::DeserializeOwned};

use self::{failure::Failure, shapes::Mark, trial::Trial, verified::Kind};
use crate::{Error, ErrorKind, Payload, catch};

/// Appends the encoded value to `into`. After an error `into` is unchanged.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod backend { pub use executor_core::*; } }
/// use concurrent_futures::backend::codec;
/// let mut bytes = vec![0xff];
/// codec::encode(&(7u8, true), &mut bytes)?;
/// assert_eq!(bytes[0], 0xff);
/// assert_eq!(codec::decode::<(u8, bool)>(&bytes[1..])?, (7, true));
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
///
/// # Errors
///
/// Returns [`ErrorKind::Encode`] if the `Serialize` implementation fails, with its reason, if the value is nested more
/// deeply than the stack of this thread allows, or if it has more elements than the format can represent. An
/// implementation can choose another kind with [`ser_error`].
///
/// # Panics
///
/// Panics if the `Serialize` implementation panics. `into` then holds an incomplete value.
#[inline]
pub fn encode<T: Payload>(value: &T, into: &mut Vec<u8>) -> Result<(), Error> {
    encode_by(value, into, |value, into| write(value, into).map(|_| ()))
}

/// Returns the encoding of a value whose memory has it already: text, bytes, and most vectors of numbers.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod backend { pub use executor_core::*; } }
/// use concurrent_futures::backend::codec;
/// assert_eq!(codec::as_encoded(&"text".to_string()), Some(&b"text"[..]));
/// assert_eq!(codec::as_encoded(&Some(7)), None);
/// ```
#[inline]
pub fn as_encoded<T: Payload>(value: &T) -> Option<&[u8]> {
    bulk::borrow(value)
}

/// Encodes a value as [`encode`] does, but may move bytes, text and numbers out of it. The caller may only drop the
/// value afterwards.
#[inline]
pub(crate) fn encode_taking<T: Payload>(value: &mut T, into: &mut Vec<u8>) -> Result<(), Error> {
    if bulk::encode_taking(value, into) { Ok(()) } else { encode(value, into) }
}

/// Encodes a result as [`encode_taking`] does and [verifies](verified) it. Only a worker calls this.
#[inline]
pub(crate) fn encode_result<T: Payload>(value: &mut T, into: &mut Vec<u8>) -> Result<(), Error> {
    if bulk::encode_taking(value, into) || bulk::encode(value, into) {
        return Ok(());
    }
    handles::collect_result(|| encode_with_serde(value, into, write_verified))
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
        error(ErrorKind::Encode, type_name::<T>(), "encoded", &cause)
    })
}

/// Decodes an argument that [`encode`] encoded. `bytes` must be exactly the encoded value.
///
/// # Errors
///
/// Returns [`ErrorKind::Decode`] if the bytes are not a value of this type, if the `Deserialize` implementation fails,
/// with its reason, if the value is nested more deeply than the stack of this thread allows, or if the decoded value
/// differs from the encoded one because of the type's serde attributes. An implementation can choose another kind with
/// [`de_error`].
///
/// # Panics
///
/// Panics if the `Deserialize` implementation panics.
pub fn decode<T: Payload>(bytes: &[u8]) -> Result<T, Error> {
    decode_by(bytes, read_verified)
}

/// Decodes an argument as [`decode`] does. The vector itself may become the value, which saves a copy of bytes and
/// text; it is empty then.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod backend { pub use executor_core::*; } }
/// use concurrent_futures::backend::codec;
/// let mut bytes = b"text".to_vec();
/// assert_eq!(codec::decode_taking::<String>(&mut bytes)?, "text");
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
///
/// # Errors
///
/// As [`decode`].
///
/// # Panics
///
/// As [`decode`].
#[inline]
pub fn decode_taking<T: Payload>(bytes: &mut Vec<u8>) -> Result<T, Error> {
    let mut value: Option<T> = None;
    bulk::decode_taking(bytes, &mut value);
    match value {
        Some(value) => Ok(value),
        None => decode(bytes),
    }
}

/// Decodes an argument as [`decode`] does. The memory of the words may become the value.
pub(crate) fn decode_words<T: Payload>(words: Option<Words>) -> Result<T, Error> {
    decode_words_by(words, decode)
}

#[inline]
fn decode_words_by<T: Payload>(words: Option<Words>, decode: fn(&[u8]) -> Result<T, Error>) -> Result<T, Error> {
    let mut value: Option<T> = None;
    let words = words.and_then(|words| bulk::decode_words(words, &mut value));
    match (value, words) {
        (Some(value), _) => Ok(value),
        (None, words) => decode(words.as_deref().unwrap_or_default()),
    }
}

/// Returns the size of the numbers if values of this type are vectors of numbers that can be received as [`Words`].
pub(crate) fn word_size<T: 'static>() -> Option<usize> {
    bulk::word_size::<T>()
}

/// Returns the encoding of a number at the start of an array, and its length. Returns `None` for other values.
#[inline(always)]
pub(crate) fn encode_number<T: Payload>(value: &T) -> Option<([u8; 16], usize)> {
    bulk::encode_number(value)
}

/// Returns the length of the encoding of values of this type if they are numbers.
pub(crate) fn number_size<T: 'static>() -> Option<usize> {
    bulk::number_size::<T>()
}

/// Decodes a result, which the worker has verified when it encoded it.
pub(crate) fn decode_result<T: Payload>(bytes: &[u8]) -> Result<T, Error> {
    decode_by(bytes, read)
}

/// Decodes a result as [`decode_result`] does. The vector itself may become the value; it is empty then.
pub(crate) fn decode_result_taking<T: Payload>(bytes: &mut Vec<u8>) -> Result<T, Error> {
    let mut value: Option<T> = None;
    bulk::decode_taking(bytes, &mut value);
    match value {
        Some(value) => Ok(value),
        None => decode_result(bytes),
    }
}

/// Decodes a result as [`decode_result`] does. The memory of the words may become the value.
pub(crate) fn decode_result_words<T: Payload>(words: Words) -> Result<T, Error> {
    decode_words_by(Some(words), decode_result)
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
            Err(error(ErrorKind::Decode, type_name::<T>(), "decoded", &cause))
        }
    }
}

/// Checks that a decoded value is the one that was encoded: encodes it again and compares the result with `bytes`.
#[cold]
#[inline(never)]
fn compare<T: Serialize>(value: &T, mark: Mark, bytes: &[u8]) -> Result<(), Failure> {
    let mut again = Vec::with_capacity(bytes.len());
    let _trial = Trial::begin();
    // The handles of the value stay with the value itself.
    let mark_again = handles::collect(|| write(value, &mut again)).0?;
    // The bytes themselves may differ, because a map may now iterate in another order.
    if mark_again == mark && (again.len() == bytes.len() || mark.varies()) {
        return Ok(());
    }
    Err(Failure::new(
        "it would arrive as a different value: a field that is omitted must have the omitted value as its default, and \
         flattened fields must not share names",
    ))
}

/// Appends a value and the names of its fields and variants.
pub(crate) fn write<T: Serialize>(value: &T, into: &mut Vec<u8>) -> Result<Mark, Failure> {
    let mut writer = write::Writer::new(into);
    value.serialize(&mut writer)?;
    writer.finish()
}

/// Reads what [`write()`] wrote, and stores it in `value`. A function that returned the value would hold several copies
/// of it on its stack in a debug build.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8], value: &mut Option<T>) -> Result<Mark, Failure> {
    let mut reader = read::Reader::new();
    reader.begin(bytes)?;
    match T::deserialize(&mut reader) {
        Ok(read) => *value = Some(read),
        Err(failure) => return Err(failure),
    }
    reader.finish()
}

/// Reads a value, and verifies it if it is the first of its kind in this process.
fn read_verified<T: Payload>(bytes: &[u8], value: &mut Option<T>) -> Result<Mark, Failure> {
    let mark = read(bytes, value)?;
    let kind = Kind::of::<T>(mark);
    if let Some(value) = value.as_mut().filter(|_| !mark.is_none() && !kind.is_verified()) {
        compare(value, mark, bytes)?;
        kind.remember();
    }
    Ok(mark)
}

/// Writes a value, and verifies it if it is the first of its kind in this process.
fn write_verified<T: Payload>(value: &T, into: &mut Vec<u8>) -> Result<(), Failure> {
    let start = into.len();
    let mark = write(value, into)?;
    let kind = Kind::of::<T>(mark);
    if !mark.is_none() && !kind.is_verified() {
        let bytes = &into[start..];
        let mut value: Option<T> = None;
        let trial = Trial::begin();
        let compared = read(bytes, &mut value).and_then(|_| match &value {
            Some(value) => compare(value, mark, bytes),
            None => Ok(()),
        });
        // A panic of its `Drop` does not make the value wrong.
        catch::drop_contained(value);
        drop(trial);
        compared.map_err(|reason| reason.after("it could not be decoded again: "))?;
        kind.remember();
    }
    Ok(())
}

/// Builds the error of a value that could not be encoded or decoded. `kind` is for a reason that has no kind.
#[cold]
fn error(kind: ErrorKind, value: &str, done: &str, reason: &Failure) -> Error {
    let kind = reason.kind().unwrap_or(kind);
    Error::new(kind, format!("a value of type `{value}` could not be {done}: {reason}"))
}

// The tests need crates that are not built for the model checker.
#[cfg(all(test, not(loom)))]
mod tests;
