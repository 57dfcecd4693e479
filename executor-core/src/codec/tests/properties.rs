//! Random values of random types, and damaged bytes.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    collections::{BTreeMap, HashMap},
};

use proptest::{collection::vec, prelude::*};

use super::*;

/// A value whose structure is as random as its content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Any {
    Unit,
    Flag(bool),
    Small(i8),
    Number(u64),
    Signed(i64),
    Wide(u128, i128),
    Float(u64),
    Char(char),
    Text(String),
    Bytes(Vec<u8>),
    Numbers {
        wide: Vec<u64>,
        narrow: Vec<i16>,
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        floats: Vec<f32>,
    },
    Option(Option<Option<Box<Any>>>),
    Seq(Vec<Any>),
    Map(BTreeMap<String, Any>),
    Keyed(Vec<(BTreeMap<i32, Any>, HashMap<char, ()>)>),
    Sparse(Box<Sparse>),
    Untagged(Untagged),
    Tagged(Tagged),
    Json(serde_json::Value),
    Flat(Flat),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Sparse {
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<Any>,
    #[serde(skip_serializing_if = "String::is_empty", rename = "2nd")]
    second: String,
    third: u32,
    #[serde(skip_serializing_if = "Vec::is_empty", alias = "fünfte")]
    fourth: Vec<Any>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Flag(bool),
    Number(i64),
    Text(String),
    Fields { a: Option<u8>, b: Vec<Untagged> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Empty,
    Fields {
        a: i32,
        #[serde(skip_serializing_if = "Option::is_none")]
        b: Option<Box<Tagged>>,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    number: u16,
    #[serde(flatten)]
    rest: BTreeMap<String, Untagged>,
}

fn untagged() -> impl Strategy<Value = Untagged> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Untagged::Flag),
        any::<i64>().prop_map(Untagged::Number),
        ".{0,4}".prop_map(Untagged::Text)
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        (any::<Option<u8>>(), vec(inner, 0..3)).prop_map(|(a, b)| Untagged::Fields { a, b })
    })
}

fn tagged() -> impl Strategy<Value = Tagged> {
    Just(Tagged::Empty).prop_recursive(3, 6, 1, |inner| {
        (any::<i32>(), proptest::option::of(inner)).prop_map(|(a, b)| Tagged::Fields { a, b: b.map(Box::new) })
    })
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        (-1e300..1e300f64).prop_map(Into::into),
        ".{0,40}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::btree_map(".{0,3}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn values() -> impl Strategy<Value = Any> {
    let leaf = prop_oneof![
        Just(Any::Unit),
        any::<bool>().prop_map(Any::Flag),
        any::<i8>().prop_map(Any::Small),
        prop_oneof![any::<u64>(), (0..64u32, -1..2i8).prop_map(|(power, by)| (1u64 << power).wrapping_add(by as u64))]
            .prop_map(Any::Number),
        prop_oneof![any::<i64>(), (0..63u32, -1..2i64).prop_map(|(power, by)| by - (1 << power))].prop_map(Any::Signed),
        (any::<u128>(), any::<i128>()).prop_map(|(a, b)| Any::Wide(a, b)),
        any::<u64>().prop_map(Any::Float),
        any::<char>().prop_map(Any::Char),
        ".{0,40}".prop_map(Any::Text),
        vec(any::<u8>(), 0..300).prop_map(Any::Bytes),
        (vec(any::<u64>(), 0..9), vec(any::<i16>(), 0..9), vec(-1e9..1e9f32, 0..9))
            .prop_map(|(wide, narrow, floats)| Any::Numbers { wide, narrow, floats }),
        untagged().prop_map(Any::Untagged),
        tagged().prop_map(Any::Tagged),
        json().prop_map(Any::Json),
        (any::<u16>(), proptest::collection::btree_map("[a-m]{1,3}", untagged(), 0..3))
            .prop_map(|(number, rest)| Any::Flat(Flat { number, rest })),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let map = proptest::collection::btree_map(any::<i32>(), inner.clone(), 0..3);
        let chars = proptest::collection::hash_map(any::<char>(), Just(()), 0..3);
        prop_oneof![
            proptest::option::of(proptest::option::of(inner.clone()))
                .prop_map(|option| Any::Option(option.map(|inner| inner.map(Box::new)))),
            vec(inner.clone(), 0..20).prop_map(Any::Seq),
            proptest::collection::btree_map(".{0,3}", inner.clone(), 0..4).prop_map(Any::Map),
            vec((map, chars), 0..3).prop_map(Any::Keyed),
            (proptest::option::of(inner.clone()), ".{0,2}", any::<u32>(), vec(inner, 0..3)).prop_map(
                |(first, second, third, fourth)| Any::Sparse(Box::new(Sparse { first, second, third, fourth }))
            ),
        ]
    })
}

/// An allocator that counts what each thread has allocated and not freed, and the maximum of that.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    let held = HELD.get() + bytes;
    HELD.set(held);
    PEAK.set(PEAK.get().max(held));
}

#[allow(unsafe_code)]
// SAFETY: all calls go to the system's allocator; beside that, only thread-local variables without a destructor change.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of this function, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract of this function, which is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Returns the maximum memory that `code` has allocated at any moment.
fn peak(code: impl FnOnce()) -> usize {
    let before = HELD.get();
    PEAK.set(before);
    code();
    (PEAK.get() - before) as usize
}

/// Decodes arbitrary bytes as several types. That must not panic, hang, or take much more memory than there are bytes.
/// The bound is generous because a value is larger in memory than its bytes, and a growing vector doubles its capacity.
fn read_anything(bytes: &[u8]) {
    let taken = peak(|| {
        let _ = decode::<Any>(bytes);
        let _ = decode::<Sparse>(bytes);
        let _ = decode::<Flat>(bytes);
        let _ = decode::<serde_json::Value>(bytes);
        let _ = decode::<Vec<()>>(bytes);
        let _ = decode::<Vec<Vec<((), [(); 3])>>>(bytes);
        let _ = decode::<Vec<[u64; 4]>>(bytes);
        let _ = decode::<HashMap<String, Vec<(u64, f64)>>>(bytes);
        let _ = decode::<(String, Vec<Option<u8>>)>(bytes);
        let _ = Error::decode(bytes);
    });
    let one = size_of::<Any>().max(256);
    assert!(taken <= (bytes.len() + 64) * one * 8, "{taken} bytes of memory for {}", bytes.len());
}

proptest! {
    #[test]
    fn any_value_of_any_shape_survives_a_round_trip(value in values()) {
        let bytes = encoded(&value);
        prop_assert_eq!(&decode::<Any>(&bytes).expect("decodes"), &value);
        // The same value inside other values.
        round_trip((vec![value.clone(), value.clone()], BTreeMap::from([(value.to_text(), Some(value))])));
    }

    #[test]
    fn any_value_that_is_cut_short_is_an_error(value in values(), cut in any::<prop::sample::Index>()) {
        let bytes = encoded(&value);
        let cut = cut.index(bytes.len());
        prop_assert_eq!(decode::<Any>(&bytes[..cut]).map_err(|error| error.kind()).err(), Some(ErrorKind::Decode));
    }

    #[test]
    fn damaged_bytes_never_panic_and_take_bounded_memory(
        value in values(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..6),
    ) {
        let mut bytes = encoded(&value);
        for (at, byte, kind) in damage {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                break;
            }
        }
        read_anything(&bytes);
    }

    #[test]
    fn random_bytes_never_panic_and_take_bounded_memory(
        bytes in vec(prop_oneof![any::<u8>(), 0x80..=0xdfu8], 0..200),
        names in 0..2u8,
    ) {
        let mut bytes = bytes;
        bytes.push(names);
        read_anything(&bytes);
    }
}

impl Any {
    fn to_text(&self) -> String {
        format!("{self:?}")
    }
}

#[test]
fn announced_lengths_are_limited_by_the_number_of_bytes() {
    use super::super::format::*;
    for length in [5, 1000, 1 << 20, usize::MAX >> 24, usize::MAX >> 4, usize::MAX] {
        for tag in [SEQ, MAP, STR, BYTES, NUMBERS, SEQ_SKEW, MAP_SKEW] {
            let mut bytes = vec![tag];
            if tag == NUMBERS {
                bytes.push(3);
            }
            write_count(length, &mut bytes);
            bytes.extend_from_slice(&[UNIT, UNIT, 0]);
            let taken = peak(|| {
                assert_eq!(decode::<Vec<()>>(&bytes).expect_err("too few").kind(), ErrorKind::Decode);
                // As many bytes as a number has would be one.
                let odd = bytes.len() - if bytes.len() % 8 == 1 { 2 } else { 1 };
                assert_eq!(decode::<Vec<u64>>(&bytes[..odd]).expect_err("odd").kind(), ErrorKind::Decode);
                assert_eq!(decode::<(u8, Vec<u64>)>(&bytes).expect_err("another").kind(), ErrorKind::Decode);
                assert_eq!(decode::<Option<Vec<u64>>>(&bytes).expect_err("too few").kind(), ErrorKind::Decode);
                assert_eq!(decode::<HashMap<(), ()>>(&bytes).expect_err("too few").kind(), ErrorKind::Decode);
                assert_eq!(decode::<Vec<Vec<[u64; 32]>>>(&bytes).expect_err("too few").kind(), ErrorKind::Decode);
            });
            assert!(taken < 20_000, "{taken} bytes of memory for a length of {length} after {tag:#x}");
        }
    }
}

#[test]
fn the_number_of_values_of_no_size_is_limited() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Unit;
    fn is_refused<T: Payload>(value: &T) {
        let error = encode(value, &mut Vec::new()).expect_err("too many");
        assert_eq!(error.kind(), ErrorKind::Encode);
    }
    round_trip(vec![(); 5]);
    round_trip(vec![vec![Unit; 3]; 4]);
    round_trip(vec![[(); 0]; 7]);
    round_trip([(); 32]);
    is_refused(&vec![(); usize::MAX >> 4]);
    is_refused(&(1u8, vec![(); (1 << 20) + 1]));
    is_refused(&vec![[(); 0]; (1 << 20) + 1]);
    is_refused(&vec![vec![Unit; 1 << 12]; (1 << 8) + 1]);
    is_refused(&std::collections::VecDeque::from(vec![std::marker::PhantomData::<u8>; (1 << 20) + 1]));
}
