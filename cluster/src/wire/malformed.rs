//! Why bytes are not what they should be.

use std::fmt;

use executor_core::{Error, ErrorKind};

/// Why bytes that arrived are refused. Nothing of them was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// They end in the middle of a field.
    CutShort,
    /// They have another version of the layout, or are something else.
    Version(u8),
    /// They are a frame for the other side.
    Direction(u8),
    /// There is no record with this tag.
    Tag(u8),
    /// A field has a value that it cannot have. The text names the field.
    Field(&'static str),
    /// The name of a client or an agent has no characters, too many, or such as are not allowed.
    Peer,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::CutShort => f.write_str("it ends in the middle of a field"),
            Malformed::Version(version) => write!(f, "it has version {version} of the layout"),
            Malformed::Direction(_) => f.write_str("it is a frame for the other side"),
            Malformed::Tag(tag) => write!(f, "no record has the tag {tag}"),
            Malformed::Field(name) => write!(f, "the field `{name}` has a value that it cannot have"),
            Malformed::Peer => f.write_str("it has a name that no client or agent can have"),
        }
    }
}

impl std::error::Error for Malformed {}

impl From<Malformed> for Error {
    fn from(reason: Malformed) -> Error {
        Error::new(
            ErrorKind::Decode,
            format!("a message of the cluster cannot be decoded: {reason}; all sides must run the same build"),
        )
    }
}
