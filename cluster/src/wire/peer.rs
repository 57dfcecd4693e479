//! The name of a client or an agent.

use std::{fmt, sync::Arc};

use super::Malformed;

/// Names a client or an agent: the user as whom it is connected, and a part of its own that no other process has.
///
/// Both become parts of subjects, so they consist of ASCII letters, digits, `-` and `_` alone: a name that another
/// process chose cannot be a wildcard, nor reach into another subject. Cloning is cheap.
///
/// ```
/// use cluster::wire::Peer;
/// let peer = Peer::new("ada", "k3XyZ")?;
/// assert_eq!((peer.user(), peer.process(), peer.to_string().as_str()), ("ada", "k3XyZ", "ada.k3XyZ"));
/// assert!(Peer::new("*", "k3XyZ").is_err());
/// # Ok::<(), cluster::wire::Malformed>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Peer(Arc<str>);

impl Peer {
    /// The longest part of a name, in bytes. A public key of NATS has 56.
    pub const LONGEST_PART: usize = 64;

    /// Makes a name out of its parts.
    ///
    /// # Errors
    ///
    /// [`Malformed::Peer`] if a part is empty, too long, or has other characters.
    pub fn new(user: &str, process: &str) -> Result<Peer, Malformed> {
        if is_part(user.as_bytes()) && is_part(process.as_bytes()) {
            return Ok(Peer(format!("{user}.{process}").into()));
        }
        Err(Malformed::Peer)
    }

    /// Reads a name that was shown with a dot between its parts.
    ///
    /// # Errors
    ///
    /// As [`new`](Peer::new).
    pub fn parse(bytes: &[u8]) -> Result<Peer, Malformed> {
        let text = std::str::from_utf8(bytes).map_err(|_| Malformed::Peer)?;
        let (user, process) = text.split_once('.').ok_or(Malformed::Peer)?;
        Peer::new(user, process)
    }

    /// Returns the user as whom it is connected.
    pub fn user(&self) -> &str {
        self.parts().0
    }

    /// Returns the part of its own.
    pub fn process(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once('.').unwrap_or((&self.0, ""))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

fn is_part(bytes: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=Peer::LONGEST_PART).contains(&bytes.len()) && bytes.iter().all(is_allowed)
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peer({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_reach_into_other_subjects() {
        for bad in ["", ".", "a.", ".b", "a.b.c", "a.*", ">.b", "a b.c", "ä.b", "a.b\n", "$SYS.b"] {
            assert_eq!(Peer::parse(bad.as_bytes()), Err(Malformed::Peer), "{bad:?}");
        }
        assert_eq!(Peer::parse(&[b'a', b'.', 0xff]), Err(Malformed::Peer));
        let long = "x".repeat(Peer::LONGEST_PART);
        assert!(Peer::new(&long, "b").is_ok());
        assert!(Peer::new(&(long + "x"), "b").is_err());
    }
}
