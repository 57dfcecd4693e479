//! The outcome of one call: a value or an error, as bytes. The last byte says which.
//!
//! It is not the first byte, so that bytes and text become an outcome, and a value again, without a copy.

use crate::{
    Error, ErrorKind, Payload,
    codec::{self, Bytes, Words},
};

pub(super) const VALUE: u8 = 0;
pub(super) const ERROR: u8 = 1;

/// Appends a value, and may move the bytes out of it. On an error nothing is written. Numbers may be
/// [moved](codec::accept_words) to the caller, and then all but the end of the outcome is there.
pub(crate) fn write_value<R: Payload>(value: &mut R, into: &mut Vec<u8>) -> Result<(), Error> {
    let is_alone = into.is_empty();
    codec::encode_result(value, into)?;
    if is_alone {
        // Bytes that were moved here fill their vector, whose capacity must not double for one more byte.
        into.reserve_exact(1);
    }
    close_value(into);
    Ok(())
}

/// Completes the outcome of a value, after the value was written.
pub fn close_value(into: &mut Vec<u8>) {
    into.push(VALUE);
}

/// Appends an error.
pub fn write_error(error: &Error, into: &mut Vec<u8>) {
    error.encode(into);
    into.push(ERROR);
}

/// Returns the bytes of the value of a call, or its error.
pub(crate) fn open(bytes: &[u8]) -> Result<&[u8], Error> {
    match bytes.split_last() {
        Some((&VALUE, value)) => Ok(value),
        Some((&ERROR, error)) => Err(Error::decode(error)),
        _ => Err(Error::new(ErrorKind::Decode, "a worker sent a reply that is neither a value nor an error")),
    }
}

/// Decodes the outcome of a call.
pub(crate) fn read<R: Payload>(bytes: &[u8]) -> Result<R, Error> {
    codec::decode_result(open(bytes)?)
}

/// Decodes the outcome of a call as [`read`] does. The memory itself may become the value.
pub(crate) fn unpack<R: Payload>(bytes: Bytes) -> Result<R, Error> {
    match bytes.as_few() {
        Some(few) => read(few),
        None => unpack_many(bytes),
    }
}

#[inline(never)]
fn unpack_many<R: Payload>(bytes: Bytes) -> Result<R, Error> {
    let mut bytes = match bytes.into_words() {
        Ok(words) => return unpack_words(words),
        Err(bytes) => bytes.into_vec(),
    };
    let length = open(&bytes)?.len();
    bytes.truncate(length);
    let decoded = codec::decode_result_taking(&mut bytes);
    Bytes::from(bytes).recycle();
    decoded
}

#[cold]
fn unpack_words<R: Payload>(mut words: Words) -> Result<R, Error> {
    let length = open(&words)?.len();
    words.truncate(length);
    codec::decode_result_words(words)
}

/// Returns whether the outcome is an error, as far as is known without decoding it.
pub fn is_error(bytes: &[u8]) -> bool {
    bytes.last() != Some(&VALUE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome<R: Payload>(mut value: R) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_value(&mut value, &mut bytes).expect("written");
        bytes
    }

    #[test]
    fn an_outcome_is_a_value_or_an_error() {
        assert_eq!(read::<(u8, String)>(&outcome((7u8, "text".to_string()))).expect("a value"), (7, "text".into()));
        assert_eq!(
            unpack::<(u8, String)>(outcome((7u8, "text".to_string())).into()).expect("a value"),
            (7, "text".into())
        );
        let mut error = Vec::new();
        write_error(&Error::new(ErrorKind::Panicked, "it did"), &mut error);
        assert!(is_error(&error) && !is_error(&outcome(())));
        assert_eq!(read::<()>(&error).expect_err("an error").to_string(), "it did");
        assert_eq!(unpack::<()>(error.into()).expect_err("an error").to_string(), "it did");
        for neither in [&[][..], &[0, 9]] {
            assert!(is_error(neither));
            assert_eq!(unpack::<()>(neither.into()).expect_err("neither").kind(), ErrorKind::Decode);
        }
    }

    #[test]
    fn bytes_and_text_are_written_and_read_without_a_copy() {
        let bytes = Vec::from_iter((0..100_000u32).map(|n| n as u8));
        let mut roomy = Vec::with_capacity(bytes.len() + 1);
        roomy.extend_from_slice(&bytes);
        let place = roomy.as_ptr();
        let outcome = outcome(roomy);
        assert_eq!((outcome.as_ptr(), outcome.capacity()), (place, bytes.len() + 1));
        let read = unpack::<Vec<u8>>(outcome.into()).expect("a value");
        assert_eq!((read.as_ptr(), &read), (place, &bytes));

        let text = "x".repeat(100_000);
        let outcome = self::outcome(text.clone());
        assert_eq!(outcome.capacity(), text.len() + 1);
        let place = outcome.as_ptr();
        let read = unpack::<String>(outcome.into()).expect("a value");
        assert_eq!((read.as_ptr(), &read), (place, &text));
    }

    #[test]
    fn large_vectors_of_numbers_are_written_and_read_without_a_copy() {
        let numbers = Vec::from_iter((0..10_000).map(f64::from));
        let copied = outcome(numbers.clone());
        let mut value = numbers.clone();
        let place = value.as_ptr();
        let mut end = Vec::new();
        let (written, words) = codec::accept_words(&mut end, |into| write_value(&mut value, into));
        written.expect("written");
        if cfg!(target_endian = "big") {
            return assert!(words.is_none() && end == copied);
        }
        let mut words = words.expect("it is large");
        assert!(words.as_ptr() == place.cast() && [&words[..], &end].concat() == copied);
        assert_eq!(end, [VALUE]);
        words.grow_to(copied.len());
        words.room()[0] = VALUE;
        words.advance(1);
        let place = words.as_ptr();
        let read = unpack::<Vec<f64>>(words.into()).expect("a value");
        assert_eq!((read.as_ptr().cast(), &read), (place, &numbers));
    }

    #[test]
    fn words_that_are_not_the_value_are_copied_or_an_error() {
        let words = |bytes: &[u8]| {
            let mut words = codec::Words::with_room(8, bytes.len()).expect("words");
            words.room()[..bytes.len()].copy_from_slice(bytes);
            words.advance(bytes.len());
            words
        };
        assert_eq!(unpack::<Vec<u8>>(words(&[1, 2, VALUE]).into()).expect("a value"), [1, 2]);
        assert_eq!(unpack::<Vec<u16>>(words(&[1, 0, VALUE]).into()).expect("a value"), [1]);
        assert_eq!(unpack::<Vec<u64>>(words(&[1, 2, VALUE]).into()).expect_err("a part").kind(), ErrorKind::Decode);
        let mut error = Vec::new();
        write_error(&Error::new(ErrorKind::Panicked, "it did"), &mut error);
        assert_eq!(unpack::<Vec<u64>>(words(&error).into()).expect_err("an error").to_string(), "it did");
    }
}
