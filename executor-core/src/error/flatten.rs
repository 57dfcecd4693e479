//! The result of a task that itself returns a `Result`.

use crate::Error;

/// Flattens the result of a task that returns a `Result`: one error for "the task failed" and "the task returned an
/// error".
///
/// It is implemented if the error of the task can be made from an [`Error`]: for `Error` itself,
/// [`TaskError`](crate::TaskError), `std::io::Error`, `Box<dyn std::error::Error>`, `anyhow::Error`, and every type of
/// yours that implements `From<Error>`.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Error, Executor, FlattenResult, InlineExecutor, TaskError};
///
/// fn parse(text: String) -> Result<u64, TaskError> {
///     Ok(text.parse()?)
/// }
/// fn double(text: &str) -> Result<u64, TaskError> {
///     let future = InlineExecutor::new().submit(parse, text.to_string())?;
///     Ok(future.result(None).flattened()? * 2)
/// }
/// assert_eq!(double("21").unwrap(), 42);
/// assert_eq!(double("x").unwrap_err().to_string(), "invalid digit found in string");
/// ```
pub trait FlattenResult<T, E> {
    /// Returns the value, the error that the task returned, or the error of the library as one of the same type.
    ///
    /// # Errors
    ///
    /// See above.
    fn flattened(self) -> Result<T, E>;
}

impl<T, E: From<Error>> FlattenResult<T, E> for Result<Result<T, E>, Error> {
    fn flattened(self) -> Result<T, E> {
        self?
    }
}
