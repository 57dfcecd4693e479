//! Errors as the arguments and results of tasks.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Error, Inner, escape};

impl Error {
    /// Returns the error with a message that is safe to show on a terminal. This is for errors that another process
    /// sent.
    pub(crate) fn with_escaped_message(mut self) -> Error {
        let escaped = match escape::message(&self.0.message) {
            Cow::Borrowed(_) => return self,
            Cow::Owned(escaped) => escaped,
        };
        Arc::make_mut(&mut self.0).message = escaped;
        self
    }
}

/// A task can return a `Result` whose error is an [`Error`].
impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Inner::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Error {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Error, D::Error> {
        Inner::deserialize(deserializer).map(|inner| Error(Arc::new(inner)))
    }
}
