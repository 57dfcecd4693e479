//! The words of a type's own errors, which postcard's error has no room for.
//!
//! A type that refuses to be written or read says why through `custom` of the error type it is handed. [`Kept`] is that
//! type here: it is the format's error, and notes the words down for this thread. [`Write`](super::write::Write) and
//! [`Read`](super::read::Read) stand between the type and the format so that it is handed this one.

use std::{cell::RefCell, fmt};

use serde::{de, ser};

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The error of the format, made by whoever was handed this type.
#[derive(Debug)]
pub(super) struct Kept<E>(pub(super) E);

/// The words of the last error that this thread made in here. Only worth asking for an error that was not the format's
/// own: a type may have made one and gone on.
pub(super) fn take() -> Option<String> {
    LAST.try_with(|last| last.borrow_mut().take()).ok().flatten()
}

fn note(words: String) {
    let _ = LAST.try_with(|last| last.replace(Some(words)));
}

impl<E: ser::Error> ser::Error for Kept<E> {
    fn custom<T: fmt::Display>(words: T) -> Kept<E> {
        note(words.to_string());
        Kept(E::custom(words))
    }
}

impl<E: de::Error> de::Error for Kept<E> {
    fn custom<T: fmt::Display>(words: T) -> Kept<E> {
        note(words.to_string());
        Kept(E::custom(words))
    }
}

impl<E: fmt::Display> fmt::Display for Kept<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: std::error::Error> std::error::Error for Kept<E> {}
