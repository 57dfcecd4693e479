//! What an initializer may return.

use executor_core::{
    Error, Payload,
    function::{AnyResult, Judge},
};

/// What an initializer returns: any payload, or nothing because it never returns. `Kind` tells the two apart, so that
/// the compiler accepts both implementations.
#[diagnostic::on_unimplemented(
    message = "an initializer cannot return a value of type `{Self}`",
    note = "serde tells whether it is an `Err`, so add `#[derive(serde::Serialize, serde::Deserialize)]` to the type, or \
            return `()`",
    note = "for an error that can only be shown, such as `std::io::Error`, use `try_initializer`"
)]
pub trait Returned<Kind>: 'static {
    /// Returns the error, if the initializer has failed.
    fn failure(&self) -> Option<Error>;
}

/// The kind of a value.
#[derive(Debug)]
pub struct Value;

/// The kind of an initializer that never returns, such as a closure that only panics.
#[derive(Debug)]
pub struct Nothing;

impl<R: Payload> Returned<Value> for R {
    fn failure(&self) -> Option<Error> {
        AnyResult::failure(self)
    }
}

impl Returned<Nothing> for Never {
    fn failure(&self) -> Option<Error> {
        match *self {}
    }
}

/// The type `!`, which stable Rust cannot name elsewhere.
type Never = <fn() -> ! as Function>::Output;

/// A function type, for its result.
pub trait Function {
    /// The result.
    type Output;
}

impl<R> Function for fn() -> R {
    type Output = R;
}
