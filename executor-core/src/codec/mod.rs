//! How arguments and results are written down: the one place that knows the format.
//!
//! The format is [postcard](https://docs.rs/postcard). Numbers, bytes, text and plain vectors of numbers are copied as they
//! are, or moved where the one who encodes or decodes is done with them. Bytes inside of another value are copied too.

mod bulk;
mod bytes;
mod read;
mod run;
mod words;
mod write;

pub use bytes::Bytes;

use std::any::type_name;

use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, ErrorKind, Payload};

/// Writes a value behind what `into` holds. On an error `into` is as it was before.
///
/// ```
/// use executor_core::codec;
/// let mut bytes = vec![0xff];
/// codec::encode(&(7u8, true), &mut bytes)?;
/// assert_eq!(bytes, [0xff, 7, 1]);
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
        refusal(ErrorKind::Encode, type_name::<T>(), "encoded", cause)
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
    let decoded = if bulk::decode(bytes, &mut value) {
        value.ok_or(postcard::Error::DeserializeBadEncoding)
    } else {
        decode_with_serde(bytes)
    };
    decoded.map_err(|cause| refusal(ErrorKind::Decode, type_name::<T>(), "decoded", cause))
}

/// As [`decode`], and may make the value of the vector itself, which is empty then.
pub(crate) fn decode_taking<T: Payload>(bytes: &mut Vec<u8>) -> Result<T, Error> {
    let mut value: Option<T> = None;
    bulk::decode_taking(bytes, &mut value);
    value.map_or_else(|| decode(bytes), Ok)
}

/// What postcard needs to write into a vector that is lent: it only knows how to extend what it owns.
struct Tail<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Tail<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

fn encode_with_serde<T: Serialize>(value: &T, into: &mut Vec<u8>) -> Result<(), postcard::Error> {
    let mut serializer = postcard::Serializer { output: Tail(into) };
    value.serialize(write::Write(&mut serializer)).map_err(|kept| kept.0)
}

fn decode_with_serde<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, postcard::Error> {
    let mut deserializer = postcard::Deserializer::from_bytes(bytes);
    let value = T::deserialize(read::Read(&mut deserializer)).map_err(|kept| kept.0)?;
    let rest = deserializer.finalize()?;
    if rest.is_empty() { Ok(value) } else { Err(postcard::Error::DeserializeBadEncoding) }
}

/// Puts into words why a value could not be encoded or decoded.
#[cold]
fn refusal(kind: ErrorKind, value: &str, done: &str, cause: postcard::Error) -> Error {
    // Taken in any case, so that the words never turn up behind another error.
    let words = words::take();
    let reason = match cause {
        postcard::Error::SerdeSerCustom | postcard::Error::SerdeDeCustom => words.unwrap_or_else(|| cause.to_string()),
        postcard::Error::WontImplement => "it does not say beforehand what it consists of, as `serde_json::Value` and \
             `#[serde(untagged)]` or `#[serde(flatten)]` types do not: send it as text that you write and read yourself"
            .to_string(),
        postcard::Error::SerializeSeqLengthUnknown => {
            "it does not say how many elements it has: collect them into a vector first".to_string()
        }
        other => format!("{other}; its `Serialize` and `Deserialize` may not fit together"),
    };
    Error::new(kind, format!("a value of type `{value}` could not be {done}: {reason}"))
}

#[cfg(test)]
mod tests;
