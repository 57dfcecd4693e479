use std::{collections::BTreeMap, fmt::Debug};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::*;

mod deep;
mod properties;

fn encoded<T: Payload>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes).expect("encodes");
    bytes
}

fn round_trip<T: Payload + PartialEq + Debug>(value: T) {
    assert_eq!(decode::<T>(&encoded(&value)).expect("decodes"), value);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unit;
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(u64);
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pair(i8, Option<Box<Pair>>);
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Circle(f32),
    Segment(u8, u8),
    Named { name: String, tags: Vec<(char, Vec<u8>)> },
}
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    unit: Unit,
    newtype: Newtype,
    pair: Pair,
    shapes: [Shape; 4],
    map: BTreeMap<String, Result<i64, ()>>,
    numbers: (u16, i16, u32, i32, u128, i128, f64, bool),
}

fn everything() -> Everything {
    Everything {
        unit: Unit,
        newtype: Newtype(u64::MAX),
        pair: Pair(-1, Some(Box::new(Pair(2, None)))),
        shapes: [
            Shape::Nothing,
            Shape::Circle(1.5),
            Shape::Segment(1, 2),
            Shape::Named { name: "n".into(), tags: vec![('t', vec![1, 2])] },
        ],
        map: [("a".to_string(), Ok(-5)), ("b".to_string(), Err(()))].into(),
        numbers: (1, -1, 2, -2, u128::MAX, i128::MIN, 0.5, true),
    }
}

#[test]
fn every_shape_of_value_survives_a_round_trip() {
    round_trip(());
    round_trip((1u8, -5i64, "text".to_string(), Some(vec![1.5f64])));
    round_trip(everything());
}

#[test]
fn bytes_text_and_numbers_are_copied() {
    round_trip(vec![0u8, 255, 7]);
    round_trip(Vec::<u8>::new());
    round_trip(vec![i8::MIN, -1, 0]);
    round_trip(vec![u16::MAX, 1]);
    round_trip(vec![i32::MIN, 1]);
    round_trip(vec![u64::MAX, 1]);
    round_trip(vec![usize::MAX, 1]);
    round_trip(vec![i128::MIN, 1]);
    round_trip(vec![1.5f32, f32::MIN, f32::INFINITY]);
    round_trip(vec![1.5f64, -0.0]);
    round_trip("grüße".to_string());
    assert_eq!(encoded(&vec![1u32, 256]), [1, 0, 0, 0, 0, 1, 0, 0]);
    assert_eq!(encoded(&"text".to_string()), b"text");
    let nan = decode::<Vec<f64>>(&encoded(&vec![f64::NAN])).expect("decodes");
    assert!(nan[0].is_nan());
}

#[test]
fn the_encoding_of_bytes_text_and_numbers_is_their_memory() {
    let (bytes, numbers) = (vec![1u8, 2], vec![1.5f64, -2.0]);
    assert_eq!(as_encoded(&bytes), Some(&*encoded(&bytes)));
    assert_eq!(as_encoded(&"text".to_string()), Some(&*encoded(&"text".to_string())));
    if cfg!(target_endian = "little") {
        assert_eq!(as_encoded(&numbers), Some(&*encoded(&numbers)));
    }
    assert!(as_encoded(&vec!["text".to_string()]).is_none() && as_encoded(&7u8).is_none());
}

#[test]
fn a_copy_is_appended() {
    let mut bytes = vec![9];
    encode(&vec![1u16, 2], &mut bytes).expect("encodes");
    encode(&"a".to_string(), &mut bytes).expect("encodes");
    assert_eq!(bytes, [9, 1, 0, 2, 0, b'a']);
}

#[test]
fn bytes_and_numbers_inside_a_value_survive_in_every_container() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Page {
        number: u32,
        bytes: Vec<u8>,
        boxed: Box<[u8]>,
        lent: std::borrow::Cow<'static, [u8]>,
        several: Vec<Vec<u8>>,
        perhaps: Option<Vec<u8>>,
        queue: std::collections::VecDeque<u8>,
        signed: Vec<i8>,
        array: [u8; 3],
    }
    let bytes = Vec::from_iter((0..1000).map(|n| n as u8));
    let page = Page {
        number: 300,
        bytes: bytes.clone(),
        boxed: bytes.as_slice().into(),
        lent: bytes.clone().into(),
        several: vec![bytes.clone(), vec![], vec![255]],
        perhaps: Some(bytes.clone()),
        queue: bytes.iter().copied().collect(),
        signed: vec![-1, 1],
        array: [1, 2, 255],
    };
    round_trip(page);
    round_trip((7u8, bytes));
    let complete = encoded(&(7u8, vec![1u8, 2, 3]));
    for length in 0..complete.len() {
        assert_eq!(decode::<(u8, Vec<u8>)>(&complete[..length]).expect_err("too short").kind(), ErrorKind::Decode);
    }
}

#[test]
fn a_custom_visitor_receives_each_byte() {
    /// Reads each byte inverted, into the same type as the visitor of `Vec<u8>`.
    struct Opposite;
    impl<'de> de::Visitor<'de> for Opposite {
        type Value = Vec<u8>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("bytes")
        }
        fn visit_seq<A: de::SeqAccess<'de>>(self, mut parts: A) -> Result<Vec<u8>, A::Error> {
            let mut bytes = Vec::new();
            while let Some(byte) = parts.next_element::<u8>()? {
                bytes.push(!byte);
            }
            Ok(bytes)
        }
    }
    #[derive(Debug, PartialEq)]
    struct Negative(Vec<u8>);
    impl Serialize for Negative {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(self.0.iter().map(|byte| !byte))
        }
    }
    impl<'de> Deserialize<'de> for Negative {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Negative, D::Error> {
            deserializer.deserialize_seq(Opposite).map(Negative)
        }
    }
    round_trip(Negative(vec![1, 2]));
}

#[test]
fn a_value_is_only_moved_if_that_saves_a_copy() {
    let long = vec![7u8; 10_000];
    let taken = |mut value: Vec<u8>, mut into: Vec<u8>| {
        let expected = [into.as_slice(), value.as_slice()].concat();
        encode_taking(&mut value, &mut into).expect("encodes");
        assert_eq!(into, expected);
        value.is_empty()
    };
    assert!(taken(long.clone(), Vec::new()));
    assert!(taken(long.clone(), Vec::with_capacity(20_000)));
    assert!(!taken(long.clone(), vec![1]), "it must be appended");
    assert!(!taken(vec![7; 10], Vec::with_capacity(100)), "the target has the capacity");
    let roomy = || {
        let mut bytes = Vec::with_capacity(1 << 20);
        bytes.push(7);
        bytes
    };
    assert!(!taken(roomy(), Vec::new()), "a large buffer would hold one byte");
    let mut bytes = roomy();
    assert!(decode_taking::<Vec<u8>>(&mut bytes).expect("decodes").capacity() < 100);

    let mut bytes = long.clone();
    assert_eq!(decode_taking::<Vec<u8>>(&mut bytes).expect("decodes"), long);
    assert!(bytes.is_empty());
    let mut bytes = vec![0xff; 3];
    assert_eq!(decode_taking::<String>(&mut bytes).expect_err("not UTF-8").kind(), ErrorKind::Decode);
    let mut bytes = encoded(&(1u8, 2u8));
    assert_eq!(decode_taking::<(u8, u8)>(&mut bytes).expect("decodes"), (1, 2));
}

#[test]
fn bytes_that_are_not_a_value_of_the_type_are_an_error() {
    let fails = |error: Error| assert_eq!(error.kind(), ErrorKind::Decode);
    fails(decode::<Vec<u32>>(&[0; 7]).expect_err("not a whole number of numbers"));
    fails(decode::<String>(&[0xff]).expect_err("not UTF-8"));
    fails(decode::<(u64, u64)>(&[1]).expect_err("too short"));
    fails(decode::<bool>(&[2]).expect_err("not a truth value"));
    fails(decode::<Vec<(u64, u64)>>(&[0xff, 0xff, 0xff, 0xff, 0x0f]).expect_err("a length without the bytes"));
    let mut bytes = encoded(&7u64);
    bytes.push(0);
    fails(decode::<u64>(&bytes).expect_err("one byte too many"));
}

/// Fails to be written and to be read, with a different reason for each.
#[derive(Debug)]
struct Refuses;

impl Serialize for Refuses {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(ser::Error::custom("a lock guard cannot be sent"))
    }
}

impl<'de> Deserialize<'de> for Refuses {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Refuses, D::Error> {
        Err(de::Error::custom("the file is closed"))
    }
}

#[test]
fn the_reason_of_a_failing_type_is_in_the_message_at_any_depth() {
    fn refuses<T: Payload>(value: &T) {
        let mut bytes = vec![1];
        let error = encode(value, &mut bytes).expect_err("refused");
        assert_eq!((error.kind(), bytes.as_slice()), (ErrorKind::Encode, &[1][..]));
        assert!(error.to_string().ends_with("could not be encoded: a lock guard cannot be sent"), "{error}");
    }
    refuses(&Refuses);
    refuses(&(1u8, vec![Some(Refuses)]));
    refuses(&BTreeMap::from([("key".to_string(), Ok::<Refuses, ()>(Refuses))]));

    let bytes = encoded(&(1u8, vec![Some(())]));
    let error = decode::<(u8, Vec<Option<Refuses>>)>(&bytes).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().ends_with("could not be decoded: the file is closed"), "{error}");
}

#[test]
fn the_reason_that_serde_gives_is_in_the_message() {
    let error = decode::<std::num::NonZeroU8>(&encoded(&Newtype(0))).expect_err("zero");
    assert!(error.to_string().contains("expected a nonzero u8"), "{error}");
}

#[test]
fn an_error_that_a_type_discards_never_appears_in_a_later_error() {
    #[derive(Debug)]
    struct Forgiving;
    impl Serialize for Forgiving {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_u8(1)
        }
    }
    impl<'de> Deserialize<'de> for Forgiving {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Forgiving, D::Error> {
            let _: D::Error = de::Error::custom("discarded");
            u8::deserialize(deserializer).map(|_| Forgiving)
        }
    }
    let error = decode::<(Forgiving, u8)>(&[1]).expect_err("too short");
    assert!(!error.to_string().contains("discarded"), "{error}");
}

/// Refuses, with an error of a kind, to be written if it is `0` and to be read if it is `1`.
#[derive(Debug)]
struct Particular(u8);

impl Serialize for Particular {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            0 => Err(ser_error(&crate::Error::new(ErrorKind::InvalidState, "it is zero"))),
            number => serializer.serialize_u8(number),
        }
    }
}

impl<'de> Deserialize<'de> for Particular {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Particular, D::Error> {
        match u8::deserialize(deserializer)? {
            1 => Err(de_error(&crate::Error::new(ErrorKind::InvalidArgument, "it is one"))),
            number => Ok(Particular(number)),
        }
    }
}

#[test]
fn an_error_keeps_its_kind_and_other_formats_get_its_message() {
    let error = encode(&vec![(Particular(0), 1u8)], &mut Vec::new()).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::InvalidState);
    assert!(error.to_string().ends_with("could not be encoded: it is zero"), "{error}");
    let error = decode::<(u8, Option<Particular>)>(&encoded(&(0u8, Some(Particular(1))))).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().ends_with("could not be decoded: it is one"), "{error}");
    #[derive(Debug, Serialize, Deserialize)]
    struct Holds {
        particular: Particular,
    }
    let mut holds = Holds { particular: Particular(1) };
    let error = encode_result(&mut holds, &mut Vec::new()).expect_err("it cannot be read again");
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert_eq!(serde_json::to_string(&Particular(0)).expect_err("refused").to_string(), "it is zero");
    assert_eq!(decode::<(u8, u8)>(&[1]).expect_err("too short").kind(), ErrorKind::Decode, "no kind is left over");
}

#[test]
fn a_value_is_told_when_it_is_only_compared() {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    static WRITTEN: AtomicU32 = AtomicU32::new(0);
    static READ: AtomicU32 = AtomicU32::new(0);
    #[derive(Debug)]
    struct Counts;
    impl Serialize for Counts {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            WRITTEN.fetch_add(u32::from(!is_trial()), SeqCst);
            serializer.serialize_u8(7)
        }
    }
    impl<'de> Deserialize<'de> for Counts {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Counts, D::Error> {
            READ.fetch_add(u32::from(!is_trial()), SeqCst);
            u8::deserialize(deserializer).map(|_| Counts)
        }
    }
    // Only types with names of fields are compared.
    #[derive(Debug, Serialize, Deserialize)]
    struct Returned {
        counts: Counts,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Argument {
        counts: Counts,
    }
    let counts = || (WRITTEN.load(SeqCst), READ.load(SeqCst));
    let mut bytes = Vec::new();
    encode_result(&mut Returned { counts: Counts }, &mut bytes).expect("encodes");
    assert_eq!(counts(), (1, 0));
    decode_result::<Returned>(&bytes).expect("decodes");
    assert_eq!(counts(), (1, 1));
    decode::<Argument>(&encoded(&Argument { counts: Counts })).expect("decodes");
    assert_eq!(counts(), (2, 2));
    assert!(!is_trial());
}
