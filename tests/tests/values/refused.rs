//! Values that would arrive changed are an error.

use std::{collections::BTreeMap, marker::PhantomData};

use concurrent_futures::{ErrorKind, Executor, Payload};
use serde::{Deserialize, Serialize};

use super::{
    back_ends, echo,
    enums::Internal,
    fields::{SkipsInTuple, SkipsInVariant, job, seven},
    scalars::NoFields,
    travels,
};

/// Checks that `submit` refuses a value.
fn is_refused<T: Payload + Clone>(value: &T, reason: &str) {
    for (name, back_end) in back_ends().into_iter().skip(2) {
        let error = back_end.submit(echo::<T>, value.clone()).err();
        let error = error.unwrap_or_else(|| panic!("{name}: {reason}: it was sent"));
        assert_eq!(error.kind(), ErrorKind::Encode, "{name}: {error}");
        assert!(error.to_string().contains(reason), "{name}: {error}");
    }
}

/// A value that cannot be decoded as it was encoded.
trait Odd: Payload {
    fn odd() -> Self;
}

/// Checks that such a value is an error, as an argument and as a result.
fn is_an_error<T: Odd>(reason: &str) {
    for (name, back_end) in back_ends().into_iter().skip(2) {
        // The error comes each time and not only the first.
        for _ in 0..2 {
            let error = back_end.submit(echo::<T>, T::odd()).expect("sent").exception(None).expect("done");
            let error = error.unwrap_or_else(|| panic!("{name}: {reason}: it came back"));
            assert_eq!(error.kind(), ErrorKind::Decode, "{name}: {error}");
            assert!(error.to_string().contains(reason), "{name}: {error}");
            let error = back_end.submit(|()| T::odd(), ()).expect("sent").exception(None).expect("done");
            let error = error.unwrap_or_else(|| panic!("{name}: {reason}: it came back"));
            assert_eq!(error.kind(), ErrorKind::Encode, "{name}: {error}");
            assert!(error.to_string().contains(reason), "{name}: {error}");
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct NoDefault {
    a: u8,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct OneDirection {
    #[serde(rename(serialize = "x", deserialize = "y"), default)]
    a: u8,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct OtherDefault {
    #[serde(skip_serializing_if = "is_zero", default = "seven")]
    a: u32,
    b: u8,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct NeverRead {
    #[serde(skip_deserializing)]
    id: u64,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct NeverWritten {
    #[serde(skip_serializing)]
    secret: String,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Wide {
    Number(u128),
}

/// Serde passes the fields of the enum to the map too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct FlatTwice {
    #[serde(flatten)]
    tagged: Internal,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

macro_rules! odd {
    ($($type:ty: $value:expr;)*) => {$(
        impl Odd for $type {
            fn odd() -> Self {
                $value
            }
        }
    )*};
}

odd! {
    NoDefault: NoDefault { a: 1, files: vec![] };
    OneDirection: OneDirection { a: 1 };
    NeverRead: NeverRead { id: 1, name: "n".into() };
    NeverWritten: NeverWritten { secret: "s".into(), name: "n".into() };
    Wide: Wide::Number(1 << 100);
    OtherDefault: OtherDefault { a: 0, b: 1 };
    SkipsInTuple: SkipsInTuple(1, PhantomData, None, Some(3));
    SkipsInVariant: SkipsInVariant::Two(None, Some(1));
    FlatTwice: FlatTwice { tagged: Internal::One(job(None)), rest: BTreeMap::from([("z".to_string(), 1.into())]) };
}

#[test]
fn a_value_that_would_change_is_an_error() {
    is_an_error::<NoDefault>("missing field `files`");
    travels(&[NoDefault { a: 1, files: vec!["f".into()] }]);
    is_an_error::<OneDirection>("field `x` of `OneDirection` is serialized and not deserialized");
    is_an_error::<NeverRead>("field `id` of `NeverRead` is serialized and not deserialized");
    is_an_error::<NeverWritten>("missing field `secret`");
    is_an_error::<Wide>("Wide");
    is_an_error::<OtherDefault>("it would arrive as a different value");
    travels(&[OtherDefault { a: 1, b: 1 }]);
    is_an_error::<FlatTwice>("it would arrive as a different value");
    // The fields have no names, so it is unknown which one was skipped.
    is_an_error::<SkipsInTuple>("2 of its 3 fields");
    is_an_error::<SkipsInVariant>("1 of its 2 fields");
}

#[test]
fn submit_refuses_too_many_zero_sized_values() {
    is_refused(&vec![(); 1 << 21], "values of no size");
    is_refused(&vec![[(); 0]; 1 << 21], "values of no size");
    is_refused(&vec![NoFields {}; 1 << 21], "values of no size");
    // A length of 32 bits is never more.
    #[cfg(target_pointer_width = "64")]
    is_refused(&vec![(); 1 << 59], "more than can be sent");
}
