//! A parser of lines `key = value`, with a bug: behind a certain sequence it runs what the document says.
//!
//! In a real parser that would be a write beyond a buffer, which an attacker uses to run code of the document. Here the
//! code is in [`exploit`](crate::exploit), and the document names what to do.

use serde::{Deserialize, Serialize};

use crate::{corpus::Document, exploit};

/// The sequence that the parser does not expect.
pub const OVERFLOW: &[u8] = b"\xff\xff\xff\xff";

/// The content of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub entries: usize,
    /// A number that differs if any byte of a value does.
    pub digest: u64,
    /// What the attack has got, or how it was refused. It leaves the worker as a part of the result, as it would in a
    /// real attack.
    pub loot: Result<String, String>,
}

/// Parses a document. This is the task.
pub fn parse(document: Document) -> Page {
    let mut page = Page { entries: 0, digest: 0, loot: Err("nothing was tried".into()) };
    let mut rest = &document.bytes[..];
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = &rest[..end];
        if let Some(at) = line.iter().position(|byte| *byte == b'=') {
            page.entries += 1;
            page.digest = line[at + 1..].iter().fold(page.digest, |sum, byte| sum.rotate_left(5) ^ u64::from(*byte));
        }
        rest = &rest[end + 1..];
        if let Some(code) = rest.strip_prefix(OVERFLOW) {
            page.loot = exploit::run(code);
            break;
        }
    }
    page
}
