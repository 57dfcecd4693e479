//! What the engine may lack, and can be made.

use super::Failure;

/// What the engine may lack, and can be made.
pub(crate) trait Ensure: Sync {
    /// Makes what is not there.
    fn ensure(&self) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Returns `true` if this is a refusal of something that this store needs.
    fn is_named_in(&self, denial: &str) -> bool;
}

/// Returns `true` if a text has a name that is no part of a longer one.
pub(super) fn has_name(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let next = text[at + name.len()..].bytes().next();
        !next.is_some_and(|next| next.is_ascii_alphanumeric() || matches!(next, b'-' | b'_'))
    })
}
