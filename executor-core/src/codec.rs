//! How arguments and results are written down: the one place that knows the format.
//!
//! The format is [postcard](https://docs.rs/postcard). A plain vector of bytes is copied as it is, because a serde format
//! visits it byte by byte, which costs twenty times the copy.

use std::any::Any;

use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, ErrorKind, Payload};

/// Writes a value behind what `into` holds. On an error `into` is as it was before.
///
/// # Errors
///
/// [`ErrorKind::Encode`] where the type's own `Serialize` says no.
pub fn encode<T: Payload>(value: &T, into: &mut Vec<u8>) -> Result<(), Error> {
    if let Some(bytes) = (value as &dyn Any).downcast_ref::<Vec<u8>>() {
        into.extend_from_slice(bytes);
        return Ok(());
    }
    let start = into.len();
    encode_with_serde(value, into).map_err(|cause| {
        into.truncate(start);
        Error::new(
            ErrorKind::Encode,
            format!("a value of type `{}` could not be encoded: {cause}", std::any::type_name::<T>()),
        )
    })
}

/// Reads a value that [`encode`] wrote, from exactly these bytes.
///
/// # Errors
///
/// [`ErrorKind::Decode`] where the bytes are not such a value, or the type's own `Deserialize` says no.
pub fn decode<T: Payload>(bytes: &[u8]) -> Result<T, Error> {
    let mut raw: Option<T> = None;
    if let Some(target) = (&mut raw as &mut dyn Any).downcast_mut::<Option<Vec<u8>>>() {
        *target = Some(bytes.to_vec());
    }
    if let Some(value) = raw {
        return Ok(value);
    }
    decode_with_serde(bytes).map_err(|cause| {
        Error::new(
            ErrorKind::Decode,
            format!("a value of type `{}` could not be decoded: {cause}", std::any::type_name::<T>()),
        )
    })
}

/// What postcard needs to write into a vector that is lent: it only knows how to extend what it owns.
struct Tail<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Tail<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

fn encode_with_serde<T: Serialize>(value: &T, into: &mut Vec<u8>) -> Result<(), postcard::Error> {
    postcard::serialize_with_flavor(value, Tail(into))
}

fn decode_with_serde<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, postcard::Error> {
    let (value, rest) = postcard::take_from_bytes(bytes)?;
    if rest.is_empty() { Ok(value) } else { Err(postcard::Error::DeserializeBadEncoding) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<T: Payload + PartialEq + std::fmt::Debug>(value: T) {
        let mut bytes = Vec::new();
        encode(&value, &mut bytes).expect("encodes");
        assert_eq!(decode::<T>(&bytes).expect("decodes"), value);
    }

    #[test]
    fn values_survive_a_round_trip() {
        round_trip(());
        round_trip((1u8, -5i64, "text".to_string(), Some(vec![1.5f64])));
        round_trip(vec![0u8, 255, 7]);
        round_trip(Vec::<u8>::new());
    }

    #[test]
    fn bytes_left_over_are_an_error() {
        let mut bytes = Vec::new();
        encode(&7u64, &mut bytes).expect("encodes");
        bytes.push(0);
        assert_eq!(decode::<u64>(&bytes).expect_err("one byte too many").kind(), ErrorKind::Decode);
    }

    #[test]
    fn a_failed_encode_leaves_the_buffer_as_it_was() {
        #[derive(serde::Deserialize)]
        struct Refuses;
        impl Serialize for Refuses {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("no"))
            }
        }
        let mut bytes = vec![1];
        assert_eq!(encode(&("some", Refuses).1, &mut bytes).expect_err("refused").kind(), ErrorKind::Encode);
        assert_eq!(bytes, [1]);
    }
}
