//! The documents: honest ones, and those of an attacker.

use serde::{Deserialize, Serialize};

use crate::exploit::{Attack, Target};

/// A document, as it came from somewhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Document {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Returns documents without harm.
pub fn honest() -> Vec<Document> {
    (0..40)
        .map(|number| {
            let lines = (0..50 + number).map(|line| format!("key {line} = {}\n", line * number));
            Document { name: format!("page {number}"), bytes: lines.collect::<String>().into_bytes() }
        })
        .collect()
}

/// Returns a document that exploits the parser.
pub fn hostile(attack: Attack, target: &Target) -> Document {
    let mut bytes = b"key = value\n".to_vec();
    bytes.extend_from_slice(crate::parser::OVERFLOW);
    bytes.extend(attack.shell_code(target));
    Document { name: format!("{attack:?}"), bytes }
}
