//! Names of any text, as parts of subjects.

use std::fmt::Write as _;

use executor_core::{Error, ErrorKind};

/// The longest name of a queue, map or lock, when it is written as part of a subject. Streams are folders of the
/// server.
const LONGEST_NAME: usize = 200;

/// The longest key of a map, when it is written as part of a subject.
const LONGEST_KEY: usize = 2000;

/// Returns the part of a subject for the name of an object.
///
/// # Errors
///
/// [`ErrorKind::InvalidArgument`] if it is too long.
pub(super) fn of_object(what: &str, name: &str) -> Result<String, Error> {
    bounded(&format!("the name of a {what}"), name, LONGEST_NAME)
}

/// Returns the part of a subject for a key.
///
/// # Errors
///
/// [`ErrorKind::InvalidArgument`] if it is too long.
pub(super) fn of_key(what: &str, key: &str) -> Result<String, Error> {
    bounded(&format!("the key of a {what}"), key, LONGEST_KEY)
}

fn bounded(what: &str, text: &str, longest: usize) -> Result<String, Error> {
    let part = encode(text);
    if part.len() <= longest {
        return Ok(part);
    }
    Err(Error::new(
        ErrorKind::InvalidArgument,
        format!(
            "{what} may take {longest} bytes, and this one takes {}, where each byte that is no ASCII letter, digit or \
             `-` counts for three: `{}…`",
            part.len(),
            text.chars().take(40).collect::<String>().escape_debug()
        ),
    ))
}

/// Writes a text with letters, digits, `-` and `_`: each other byte is `_` and two digits, and the empty text is `_`.
fn encode(text: &str) -> String {
    let mut part = String::with_capacity(text.len());
    if text.is_empty() {
        part.push('_');
    }
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            part.push(char::from(byte));
        } else {
            let _ = write!(part, "_{byte:02X}");
        }
    }
    part
}

/// Returns the text that was written as this part of a subject, or `None` if it is none of ours.
pub(super) fn decode(part: &str) -> Option<String> {
    if part == "_" {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'_' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    // Another program may write the same text differently. That would be another record.
    String::from_utf8(bytes).ok().filter(|text| encode(text) == part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_readable() {
        assert_eq!(encode("results-7"), "results-7");
        assert_eq!(encode("a.b *>_/ü"), "a_2Eb_20_2A_3E_5F_2F_C3_BC");
        assert_eq!(encode(""), "_");
    }

    #[test]
    fn what_is_none_of_ours_is_none() {
        for part in ["a.b", "_4", "_zz", "_+4", "_61", "_c3_bc", "_FF", "a b", "__"] {
            assert_eq!(decode(part), None, "{part}");
        }
    }

    #[test]
    fn a_name_that_is_too_long_is_refused_with_its_length() {
        assert!(of_object("queue", &"x".repeat(200)).is_ok());
        let error = of_object("queue", &"ü".repeat(34)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("takes 204"), "{error}");
    }

    proptest! {
        #[test]
        fn any_text_comes_back_unchanged(text in ".*") {
            let part = encode(&text);
            prop_assert!(part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')));
            prop_assert_eq!(decode(&part), Some(text));
        }
    }
}
