//! Functions that prepare a worker, and may fail.
//!
//! An initializer fails if it panics or returns an `Err`. Its result may be of any type, so serde tells whether it is a
//! `Result`, and what is in it.

#![allow(unsafe_code)]

mod text;

use std::{any::TypeId, fmt::Display};

use serde::{
    Serialize, Serializer,
    ser::{Error as _, Impossible},
};

use super::{Entry, entry::Argument, outcome, table};
use crate::{Error, ErrorKind, Function, Payload, catch::guarded, payload::assert_captures_nothing};

/// Judges what an initializer returns.
pub trait Judge<R>: Send + 'static {
    /// Returns the error, if the initializer has failed.
    fn failure(returned: &R) -> Option<Error>;
}

/// Judges a result of any type: it is a failure if it is the `Err` of a `Result`.
#[derive(Clone, Copy, Debug)]
pub struct AnyResult;

impl<R: Serialize> Judge<R> for AnyResult {
    fn failure(returned: &R) -> Option<Error> {
        let text = returned.serialize(FindErr).ok()?;
        Some(returned_an_error(&text))
    }
}

/// Judges a `Result` whose error can be shown, and need not be encoded.
#[derive(Clone, Copy, Debug)]
pub struct Displayed;

impl<T, E: Display> Judge<Result<T, E>> for Displayed {
    fn failure(returned: &Result<T, E>) -> Option<Error> {
        returned.as_ref().err().map(|error| returned_an_error(&error.to_string()))
    }
}

fn returned_an_error(text: &str) -> Error {
    Error::new(ErrorKind::Other, format!("the initializer returned an error: {text}"))
}

/// The type for which the compiler emits the entry of an initializer.
struct Initializers<F, A, R, J>(F, A, R, J);

impl<F, A, R, J> Initializers<F, A, R, J>
where
    F: Function<A, R>,
    A: Payload,
    R: 'static,
    J: Judge<R>,
{
    const ENTRY: &'static Entry = &Entry::new(
        TypeId::of::<fn(F, A, J) -> R>,
        std::any::type_name::<F>,
        // Its argument arrives once.
        || None,
        initialize::<F, A, R, J>,
        // Initializers are never called in a batch.
        |_, _, _| {},
    );
}

/// Returns the entry of an initializer. Its outcome is `()`, or the error that `J` finds in what the function returns.
pub fn entry_of_initializer<F, A, R, J>(_: F, _: J) -> &'static Entry
where
    F: Function<A, R>,
    A: Payload,
    R: 'static,
    J: Judge<R>,
{
    Initializers::<F, A, R, J>::ENTRY
}

/// Reads the argument, calls the initializer and writes the outcome. A panic in any of these is the outcome.
fn initialize<F, A, R, J>(argument: Argument<'_>, reply: &mut Vec<u8>)
where
    F: Function<A, R>,
    A: Payload,
    R: 'static,
    J: Judge<R>,
{
    const { assert_captures_nothing::<F>() };
    let called = guarded(|| {
        let args = table::read(argument)?;
        // SAFETY: the first line has checked that `F` has no size, and this function is in an entry of it.
        let returned = unsafe { table::invoke::<F, A, R>(args) };
        J::failure(&returned).map_or(Ok(()), Err)
    });
    match called.unwrap_or_else(Err) {
        Ok(()) => outcome::close_value(reply),
        Err(error) => outcome::write_error(&error, reply),
    }
}

/// Succeeds with the text of an `Err`, and fails for every other value.
struct FindErr;

/// The value is not an `Err`, or cannot be serialized.
#[derive(Debug)]
struct NotAnErr;

impl std::fmt::Display for NotAnErr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not an `Err`")
    }
}

impl std::error::Error for NotAnErr {}

impl serde::ser::Error for NotAnErr {
    fn custom<T: Display>(_: T) -> NotAnErr {
        NotAnErr
    }
}

macro_rules! not_an_err {
    ($($method:ident($($argument:ty),*) -> $output:ty;)*) => {$(
        fn $method(self $(, _: $argument)*) -> Result<$output, NotAnErr> {
            Err(NotAnErr)
        }
    )*};
}

type Never = Impossible<String, NotAnErr>;

impl Serializer for FindErr {
    type Ok = String;
    type Error = NotAnErr;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<String, NotAnErr> {
        match (name, variant) {
            ("Result", "Err") => Ok(text::of(value)),
            _ => Err(NotAnErr::custom("another enum")),
        }
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<String, NotAnErr> {
        Err(NotAnErr)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, _: &T) -> Result<String, NotAnErr> {
        Err(NotAnErr)
    }

    not_an_err! {
        serialize_bool(bool) -> String;
        serialize_i8(i8) -> String;
        serialize_i16(i16) -> String;
        serialize_i32(i32) -> String;
        serialize_i64(i64) -> String;
        serialize_i128(i128) -> String;
        serialize_u8(u8) -> String;
        serialize_u16(u16) -> String;
        serialize_u32(u32) -> String;
        serialize_u64(u64) -> String;
        serialize_u128(u128) -> String;
        serialize_f32(f32) -> String;
        serialize_f64(f64) -> String;
        serialize_char(char) -> String;
        serialize_str(&str) -> String;
        serialize_bytes(&[u8]) -> String;
        serialize_none() -> String;
        serialize_unit() -> String;
        serialize_unit_struct(&'static str) -> String;
        serialize_unit_variant(&'static str, u32, &'static str) -> String;
        serialize_seq(Option<usize>) -> Never;
        serialize_tuple(usize) -> Never;
        serialize_tuple_struct(&'static str, usize) -> Never;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never;
        serialize_map(Option<usize>) -> Never;
        serialize_struct(&'static str, usize) -> Never;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::TaskError;

    fn text<R: Payload>(returned: R) -> Option<String> {
        AnyResult::failure(&returned).map(|error| error.to_string())
    }

    fn failed(text: &str) -> Option<String> {
        Some(format!("the initializer returned an error: {text}"))
    }

    #[derive(Serialize, Deserialize)]
    enum Refused {
        Closed,
        Full(u32),
        Locked { by: String, since: Option<u8> },
        Two(u8, u8),
    }

    #[test]
    fn only_the_err_of_a_result_is_a_failure() {
        assert_eq!(text(()), None);
        assert_eq!(text(7u64), None);
        assert_eq!(text(Ok::<u8, String>(1)), None);
        assert_eq!(text(Some("text".to_string())), None);
        assert_eq!(text(vec![Err::<u8, u8>(1)]), None);
        assert_eq!(text((1u8, 'c', 1.5f64)), None);
        assert_eq!(text(Refused::Full(1)), None);
        assert_eq!(text(BTreeMap::from([(1u8, 2u8)])), None);
    }

    #[test]
    fn an_err_of_any_type_has_a_readable_text() {
        assert_eq!(text(Err::<u8, _>("no licence".to_string())), failed("no licence"));
        assert_eq!(text(Err::<(), _>(())), failed("()"));
        assert_eq!(text(Err::<u8, _>(TaskError::new("b").context("a"))), failed("a: b"));
        let error = Error::new(ErrorKind::Other, "no such file");
        assert_eq!(text(Err::<(), _>(error)), failed("no such file"));
        assert_eq!(text(Err::<(), _>(Refused::Closed)), failed("Closed"));
        assert_eq!(text(Err::<(), _>(Refused::Full(7))), failed("Full(7)"));
        assert_eq!(text(Err::<(), _>(Refused::Two(1, 2))), failed("Two(1, 2)"));
        let locked = Refused::Locked { by: "me".to_string(), since: None };
        assert_eq!(text(Err::<(), _>(locked)), failed("Locked { by: me, since: none }"));
        assert_eq!(text(Err::<(), _>(BTreeMap::from([(1u8, vec![2u8, 3])]))), failed("{ 1: [2, 3] }"));
        let long = text(Err::<(), _>("x".repeat(100_000))).expect("it failed");
        assert!(long.len() < 5000, "{}", long.len());
    }

    #[test]
    fn an_error_that_is_only_shown_need_not_be_encoded() {
        let error = std::io::Error::other("no such device");
        let failure = Displayed::failure(&Err::<(), _>(error)).expect("it failed");
        assert_eq!(failure.to_string(), "the initializer returned an error: no such device");
        assert!(Displayed::failure(&Ok::<(), String>(())).is_none());
    }

    #[test]
    fn the_entry_of_an_initializer_returns_its_failure() {
        let even = |n: u64| if n % 2 == 0 { Ok(n) } else { Err(format!("{n} is odd")) };
        let mut argument = Vec::new();
        for (n, failure) in [(2u64, None), (3, Some("the initializer returned an error: 3 is odd"))] {
            argument.clear();
            crate::codec::encode(&n, &mut argument).expect("encoded");
            let mut reply = Vec::new();
            entry_of_initializer(even, AnyResult).call(&argument, &mut reply);
            assert_eq!(outcome::is_error(&reply), failure.is_some());
            let error = outcome::open(&reply).err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), failure);
        }
    }
}
