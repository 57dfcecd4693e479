//! Values as bytes: CBOR (RFC 8949), in which structs have the names of their fields.
//!
//! A queue outlives the programs that use it, so its values must be readable by other builds. In CBOR each value says
//! what it is, a field may be added or moved, and programs in other languages can take part.

use std::any::{Any, TypeId, type_name};

use executor_core::{Error, ErrorKind, escape};
use serde::{
    Deserialize, Serialize, Serializer,
    de::{self, DeserializeOwned, Deserializer, Visitor},
};

/// How deep values may be nested. A deeper one could exhaust the stack of the thread that reads it.
const DEEPEST: usize = 128;

/// How much longer a value may be as a message: headers of the server's protocol.
const HEADERS: usize = 512;

/// Encodes a value. A `Vec<u8>` becomes a byte string, which is as long as its content.
pub(super) fn encode<T: Serialize + 'static>(what: &str, value: &T) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let result = match (value as &dyn Any).downcast_ref::<Vec<u8>>() {
        Some(content) => {
            bytes.reserve(content.len() + 9);
            ciborium::into_writer(&Content(content), &mut bytes)
        }
        None => ciborium::into_writer(value, &mut bytes),
    };
    match result {
        Ok(()) => Ok(bytes),
        Err(error) => {
            let reason = escape::message(&error.to_string()).into_owned();
            Err(Error::new(
                ErrorKind::Encode,
                format!("a `{}` for {what} cannot be encoded: {reason}", type_name::<T>()),
            ))
        }
    }
}

/// Encodes a value for a message of at most this length.
pub(super) fn encode_within<T: Serialize + 'static>(what: &str, value: &T, message: usize) -> Result<Vec<u8>, Error> {
    let bytes = encode(what, value)?;
    let longest = message.saturating_sub(HEADERS);
    if bytes.len() <= longest {
        return Ok(bytes);
    }
    Err(Error::new(
        ErrorKind::Encode,
        format!(
            "a `{}` for {what} takes {} bytes, and the server accepts {longest}: raise its `max_payload`, or share the \
             path of a file instead",
            type_name::<T>(),
            bytes.len()
        ),
    ))
}

/// Decodes a value. Bytes after it are an error.
pub(super) fn decode<T: DeserializeOwned + 'static>(what: &str, bytes: &[u8]) -> Result<T, Error> {
    let wrong = |reason: String| {
        let reason = escape::message(&reason).into_owned();
        Error::new(ErrorKind::Decode, format!("{what} is not a `{}`: {reason}", type_name::<T>()))
    };
    let mut rest = bytes;
    let value = if TypeId::of::<T>() == TypeId::of::<Vec<u8>>() {
        let content: ByteString = ciborium::de::from_reader_with_recursion_limit(&mut rest, DEEPEST)
            .map_err(|error| wrong(error.to_string()))?;
        let content: Box<dyn Any> = Box::new(content.0);
        *content.downcast::<T>().expect("the types are equal")
    } else {
        ciborium::de::from_reader_with_recursion_limit(&mut rest, DEEPEST).map_err(|error| wrong(error.to_string()))?
    };
    if rest.is_empty() { Ok(value) } else { Err(wrong(format!("{} bytes follow it", rest.len()))) }
}

/// Bytes that are written as a byte string, and not as a list of numbers.
struct Content<'a>(&'a [u8]);

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// Bytes that were written as a byte string, or as a list of numbers by a program that knows no byte strings.
struct ByteString(Vec<u8>);

impl<'de> Deserialize<'de> for ByteString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ByteString, D::Error> {
        struct Bytes;

        impl<'de> Visitor<'de> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }

            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut numbers: A) -> Result<Vec<u8>, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = numbers.next_element()? {
                    bytes.push(byte);
                }
                Ok(bytes)
            }
        }

        deserializer.deserialize_byte_buf(Bytes).map(ByteString)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Old {
        name: String,
        size: u32,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct New {
        size: u64,
        #[serde(default)]
        owner: Option<String>,
        name: String,
    }

    fn round<T: Serialize + 'static, U: DeserializeOwned + 'static>(value: &T) -> Result<U, Error> {
        decode("it", &encode("it", value)?)
    }

    #[test]
    fn another_build_reads_a_struct_with_other_fields() {
        let old = Old { name: "a".into(), size: 7 };
        assert_eq!(round::<_, New>(&old).unwrap(), New { size: 7, owner: None, name: "a".into() });
        let new = New { size: 7, owner: Some("b".into()), name: "a".into() };
        assert_eq!(round::<_, Old>(&new).unwrap(), old);
    }

    #[test]
    fn bytes_take_their_own_length() {
        let bytes = vec![200_u8; 100_000];
        let encoded = encode("it", &bytes).unwrap();
        assert_eq!(encoded.len(), 100_005);
        assert_eq!(decode::<Vec<u8>>("it", &encoded).unwrap(), bytes);
        // A program that writes them as numbers is understood too, and the same bytes are a list for others.
        assert_eq!(round::<_, Vec<u8>>(&vec![1_u32, 2, 3]).unwrap(), [1, 2, 3]);
        assert_eq!(round::<_, Vec<u16>>(&vec![1_u8, 2, 3]).unwrap(), [1, 2, 3]);
    }

    #[test]
    fn another_type_is_an_error_that_names_both() {
        let error = round::<_, u64>(&"seven".to_string()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().starts_with("it is not a `u64`"), "{error}");
        assert_eq!(round::<_, Vec<u8>>(&"seven".to_string()).unwrap_err().kind(), ErrorKind::Decode);
        assert_eq!(decode::<u64>("it", &[1, 2]).unwrap_err().kind(), ErrorKind::Decode);
        assert_eq!(decode::<u64>("it", &[]).unwrap_err().kind(), ErrorKind::Decode);
    }

    #[test]
    fn hostile_lengths_and_depths_are_errors() {
        for bytes in [
            // An array and a byte string that claim to be as long as memory.
            vec![0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            vec![0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            // Arrays in arrays.
            vec![0x81; 1_000_000],
            // Tags of tags.
            vec![0xc1; 1_000_000],
        ] {
            assert!(decode::<Vec<u8>>("it", &bytes).is_err());
            assert!(decode::<Vec<String>>("it", &bytes).is_err());
            assert!(decode::<Nested>("it", &bytes).is_err());
        }
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Nested(Vec<Nested>);

    proptest! {
        #[test]
        fn any_bytes_are_a_value_or_an_error(bytes in any::<Vec<u8>>()) {
            let _ = decode::<BTreeMap<String, Vec<Option<f64>>>>("it", &bytes);
            let _ = decode::<Nested>("it", &bytes);
            let _ = decode::<Vec<u8>>("it", &bytes);
        }

        #[test]
        fn values_come_back(map in any::<BTreeMap<String, (i64, Option<Vec<f32>>)>>(), text: String, bytes: Vec<u8>) {
            let back = round::<_, BTreeMap<String, (i64, Option<Vec<f32>>)>>(&map).unwrap();
            prop_assert_eq!(format!("{back:?}"), format!("{map:?}"));
            prop_assert_eq!(round::<_, String>(&text).unwrap(), text);
            prop_assert_eq!(round::<_, Vec<u8>>(&bytes).unwrap(), bytes);
        }
    }
}
