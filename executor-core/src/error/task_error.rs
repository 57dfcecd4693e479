//! Any error as a value that can be sent to another process.

use std::{error::Error as StdError, fmt};

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind};

/// The error of a task as a value that can be sent: the message of any error, and those of its sources.
///
/// Errors such as `std::io::Error` cannot be encoded for another process, so a function that returns one cannot be
/// submitted. A function that returns `Result<_, TaskError>` can, and `?` converts every error. The types of the errors
/// are lost; to distinguish them, return an enum of your own that implements `Serialize` and `Deserialize`.
///
/// It does not implement [`std::error::Error`], because `?` could not convert every error then. It converts to a boxed
/// one and to [`std::io::Error`]; [`into_error`](TaskError::into_error) makes an [`Error`] of it, and
/// [`as_error`](TaskError::as_error) returns it as a reference. Python's counterpart is the pickled exception with its
/// `__cause__`.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Error, Executor, FlattenResult, InlineExecutor, TaskError};
///
/// fn number_in(path: String) -> Result<u64, TaskError> {
///     let text = std::fs::read_to_string(&path);
///     let text = text.map_err(|cause| TaskError::of(cause).context(format!("read {path}")))?;
///     Ok(text.trim().parse()?)
/// }
/// let future = InlineExecutor::new().submit(number_in, "no such file".to_string())?;
/// let error: TaskError = future.result(None).flattened().unwrap_err();
/// assert_eq!(error.to_string(), "read no such file");
/// assert_eq!(error.chain().count(), 2);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskError(Box<Cause>);

/// The longest chain that is kept. The sources of an error may even form a circle.
const LONGEST: usize = 64;

/// One error of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "concurrent_futures::Message")]
struct Cause {
    message: String,
    source: Option<Box<Cause>>,
}

impl Cause {
    fn of(error: &(dyn StdError + 'static)) -> Cause {
        let sources = std::iter::successors(error.source(), |error: &&(dyn StdError + 'static)| (*error).source())
            .take(LONGEST - 1);
        let messages: Vec<String> = sources.map(ToString::to_string).collect();
        let source = messages.into_iter().rev().fold(None, |source, message| Some(Box::new(Cause { message, source })));
        Cause { message: error.to_string(), source }
    }
}

impl TaskError {
    /// Creates an error with this message and no source.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::TaskError;
    /// assert_eq!(TaskError::new("no such queue").to_string(), "no such queue");
    /// ```
    pub fn new(message: impl Into<String>) -> TaskError {
        TaskError(Box::new(Cause { message: message.into(), source: None }))
    }

    /// Converts any error, as `?` does. At most 64 messages are kept.
    pub fn of(error: impl StdError + 'static) -> TaskError {
        TaskError(Box::new(Cause::of(&error)))
    }

    /// Returns an error with this message, whose source is this one.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::TaskError;
    /// let error = TaskError::new("no such file").context("read the index");
    /// assert_eq!(error.chain().collect::<Vec<_>>(), ["read the index", "no such file"]);
    /// assert_eq!(format!("{error:#}"), "read the index: no such file");
    /// ```
    pub fn context(self, message: impl Into<String>) -> TaskError {
        TaskError(Box::new(Cause { message: message.into(), source: Some(self.0) }))
    }

    /// Returns the messages: that of the error, then that of its source, and so on.
    pub fn chain(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(&*self.0), |cause| cause.source.as_deref()).map(|cause| cause.message.as_str())
    }

    /// Returns an error of the library with the kind [`ErrorKind::Other`], whose message has the whole chain.
    ///
    /// This is not a `From`, because a second conversion to [`Error`] would leave the type of an error open in code
    /// that compiles without it.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::TaskError;
    /// let error = TaskError::new("no such file").context("read the index").into_error();
    /// assert_eq!(error.to_string(), "read the index: no such file");
    /// ```
    pub fn into_error(self) -> Error {
        Error::new(ErrorKind::Other, format!("{self:#}"))
    }

    /// Returns this as an error of the standard library, whose `source` is the next one of the chain.
    pub fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.0
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// Shows the message. With `{:#}` the messages of the sources follow.
impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return f.write_str(&self.0.message);
        }
        for (number, message) in self.chain().enumerate() {
            f.write_str(if number == 0 { "" } else { ": " })?;
            f.write_str(message)?;
        }
        Ok(())
    }
}

/// Shows the chain of messages, which is what `main` prints for an `Err`.
impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for (number, message) in self.chain().skip(1).enumerate() {
            f.write_str(if number == 0 { "\n\nCaused by:" } else { "" })?;
            write!(f, "\n    {message}")?;
        }
        Ok(())
    }
}

impl<E: StdError + 'static> From<E> for TaskError {
    fn from(error: E) -> TaskError {
        TaskError::of(error)
    }
}

impl From<TaskError> for Box<dyn StdError + Send + Sync> {
    fn from(error: TaskError) -> Box<dyn StdError + Send + Sync> {
        error.0
    }
}

impl From<TaskError> for Box<dyn StdError> {
    fn from(error: TaskError) -> Box<dyn StdError> {
        error.0
    }
}

impl From<TaskError> for std::io::Error {
    fn from(error: TaskError) -> std::io::Error {
        std::io::Error::other(error.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error whose source is the error itself.
    #[derive(Debug)]
    struct Circle;
    impl fmt::Display for Circle {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("round")
        }
    }
    impl StdError for Circle {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(self)
        }
    }

    #[test]
    fn a_chain_is_as_long_as_its_sources_and_not_endless() {
        assert_eq!(TaskError::of(Circle).chain().count(), LONGEST);
        let error = TaskError::new("c").context("b").context("a");
        assert_eq!(TaskError::of(*error.0.clone()), error);
        assert_eq!(format!("{error}, {error:#}, {error:?}"), "a, a: b: c, a\n\nCaused by:\n    b\n    c");
    }

    #[test]
    fn an_error_converts_to_those_of_the_standard_library_and_of_the_library() {
        let error = || TaskError::new("inner").context("outer");
        let boxed: Box<dyn StdError + Send + Sync> = error().into();
        assert_eq!(boxed.source().expect("a source").to_string(), "inner");
        assert_eq!(std::io::Error::from(error()).to_string(), "outer");
        assert_eq!(error().into_error().to_string(), "outer: inner");
        assert_eq!(error().as_error().to_string(), "outer");
    }
}
