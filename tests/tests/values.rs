//! Sends values with every attribute of serde to every back-end, as arguments, results, items of a map and arguments of
//! an initializer. A value arrives unchanged or gives a typed error. It never becomes another value.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    fmt::Debug,
    marker::PhantomData,
    net::{IpAddr, SocketAddr},
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use concurrent_futures::{
    Backend, ErrorKind, Executor, InlineExecutor, MapOptions, Payload, ProcessPoolExecutor, ThreadPoolExecutor,
    Transport,
};
use serde::{Deserialize, Serialize};

fn processes(transport: Transport) -> ProcessPoolExecutor {
    ProcessPoolExecutor::builder().max_workers(1).transport(transport).build().expect("the pool can be built")
}

static RING: LazyLock<ProcessPoolExecutor> = LazyLock::new(|| processes(Transport::Ring));
static SOCKET: LazyLock<ProcessPoolExecutor> = LazyLock::new(|| processes(Transport::Socket));
static THREADS: LazyLock<ThreadPoolExecutor> =
    LazyLock::new(|| ThreadPoolExecutor::builder().max_workers(1).build().expect("the pool can be built"));
static INLINE: LazyLock<InlineExecutor> = LazyLock::new(InlineExecutor::new);

fn back_ends() -> [(&'static str, &'static dyn Backend); 4] {
    [("inline", &*INLINE), ("threads", &*THREADS), ("ring", &*RING), ("socket", &*SOCKET)]
}

fn echo<T>(value: T) -> T {
    value
}

/// Checks that values come back unchanged, alone, in a map and inside of other values.
fn travels<T: Payload + Clone + PartialEq + Debug>(values: &[T]) {
    for (name, back_end) in back_ends() {
        for value in values {
            let sent = (value.clone(), 7u8, vec![value.clone(), value.clone()]);
            let future = back_end.submit(echo::<T>, value.clone()).expect("sent");
            assert_eq!(&future.result(None).expect("it has a result"), value, "{name}");
            let future = back_end.submit(echo::<(T, u8, Vec<T>)>, sent.clone()).expect("sent");
            assert_eq!(future.result(None).expect("it has a result"), sent, "{name}");
            let named = BTreeMap::from([("a".to_string(), value.clone()), ("b".to_string(), value.clone())]);
            let future = back_end.submit(echo::<BTreeMap<String, T>>, named.clone()).expect("sent");
            assert_eq!(future.result(None).expect("it has a result"), named, "{name}");
        }
        for chunksize in [1, 3] {
            let items: Vec<T> = values.iter().cycle().take(10).cloned().collect();
            let results = back_end.map_with(MapOptions::new().chunksize(chunksize), echo::<T>, items.clone());
            let results: Vec<T> = results.expect("sent").map(|result| result.expect("it has a result")).collect();
            assert_eq!(results, items, "{name}");
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Job {
    #[serde(skip_serializing_if = "Option::is_none")]
    retries: Option<u32>,
    priority: u8,
    files: Vec<String>,
    delete: bool,
}

fn job(retries: Option<u32>) -> Job {
    Job { retries, priority: 1, files: vec![String::new(), String::new()], delete: true }
}

#[test]
fn a_skipped_field_never_changes_another() {
    travels(&[job(None), job(Some(7)), job(None)]);
}

fn is_seven(number: &u32) -> bool {
    *number == 7
}

fn seven() -> u32 {
    7
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Sparse {
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "is_seven", default = "seven")]
    count: u32,
    #[serde(skip_serializing_if = "HashMap::is_empty")]
    counts: HashMap<String, u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inner: Option<Box<Sparse>>,
    last: i64,
}

#[test]
fn fields_with_defaults_may_be_skipped_at_every_position() {
    let full = Sparse {
        name: "n".into(),
        tags: vec!["t".into()],
        count: 8,
        counts: HashMap::from([("a".into(), 1)]),
        inner: Some(Box::new(Sparse { last: -1, ..Sparse::default() })),
        last: i64::MIN,
    };
    let some = Sparse { count: 7, inner: Some(Box::new(full.clone())), ..Sparse::default() };
    travels(&[Sparse::default(), full, some, Sparse { last: 5, ..Sparse::default() }]);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Renamed {
    #[serde(rename = "kind")]
    r#type: u8,
    #[serde(alias = "old_name", alias = "another")]
    new_name: String,
    #[serde(skip)]
    cache: Option<Vec<u8>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_one: Option<Newtype<Vec<u16>>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Newtype<T>(T);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Transparent {
    value: Option<Newtype<i8>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SkipsInTuple(
    u8,
    #[serde(skip)] PhantomData<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")] Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")] Option<u8>,
);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum SkipsInVariant {
    Two(
        #[serde(default, skip_serializing_if = "Option::is_none")] Option<u8>,
        #[serde(default, skip_serializing_if = "Option::is_none")] Option<u8>,
    ),
}

#[test]
fn renamed_aliased_and_transparent_fields_travel() {
    let renamed = |last_one| Renamed { r#type: 1, new_name: "x".into(), cache: None, last_one };
    travels(&[renamed(None), renamed(Some(Newtype(vec![1, 2])))]);
    travels(&[Transparent { value: None }, Transparent { value: Some(Newtype(-5)) }]);
    travels(&[SkipsInTuple(1, PhantomData, Some(2), Some(3))]);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum External<T> {
    Nothing,
    One(T),
    Two(u8, T),
    #[serde(rename = "other-name", alias = "third")]
    Fields {
        #[serde(skip_serializing_if = "Option::is_none")]
        a: Option<T>,
        b: u8,
        #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
        c: Vec<External<T>>,
    },
    Empty {},
    #[serde(skip)]
    #[allow(dead_code)]
    Hidden(u8),
    Last,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Internal {
    Nothing,
    One(Job),
    Fields {
        #[serde(skip_serializing_if = "Option::is_none")]
        a: Option<i32>,
        ip: IpAddr,
        nested: Vec<Internal>,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", content = "c", rename_all = "snake_case")]
enum Adjacent<T> {
    UnitVariant,
    One(T),
    Two(T, f32),
    Fields { a: T, b: Option<Option<u8>> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Nothing,
    Flag(bool),
    Number(i64),
    Float(f64),
    Text(String),
    Pair(u8, String),
    Bytes(Vec<u8>),
    Address { ip: IpAddr, port: Option<u16> },
    Nested { list: Vec<Untagged> },
    External { external: External<u8> },
}

fn externals<T: Clone>(value: &T) -> Vec<External<T>> {
    let fields = |a, c| External::Fields { a, b: 3, c };
    vec![
        External::Nothing,
        External::One(value.clone()),
        External::Two(2, value.clone()),
        fields(None, vec![]),
        fields(Some(value.clone()), vec![External::Nothing, fields(None, vec![External::Empty {}, External::Last])]),
        External::Empty {},
        External::Last,
    ]
}

#[test]
fn every_representation_of_an_enum_travels() {
    travels(&externals(&5u8));
    travels(&externals(&"text".to_string()));
    travels(&externals(&job(None)));
    let ip: IpAddr = "2001:db8::1".parse().expect("an address");
    let fields = Internal::Fields { a: None, ip, nested: vec![Internal::Nothing, Internal::One(job(None))] };
    travels(&[Internal::Nothing, Internal::One(job(Some(1))), fields]);
    let adjacent = Adjacent::Fields { a: job(None), b: Some(None) };
    travels(&[Adjacent::UnitVariant, Adjacent::One(job(None)), Adjacent::Two(job(Some(2)), 0.1), adjacent]);
    travels(&[
        Untagged::Nothing,
        Untagged::Flag(true),
        Untagged::Number(i64::MIN),
        Untagged::Number(5),
        Untagged::Float(5.0),
        Untagged::Float(f64::MIN_POSITIVE),
        Untagged::Text("5".into()),
        Untagged::Pair(1, "x".into()),
        Untagged::Bytes(vec![1, 2, 3]),
        Untagged::Address { ip: "127.0.0.1".parse().expect("an address"), port: Some(0) },
        Untagged::Nested { list: vec![Untagged::Nothing, Untagged::Text("t".into()), Untagged::Pair(9, "y".into())] },
        Untagged::External { external: External::Fields { a: Some(1), b: 2, c: vec![External::Last] } },
        Untagged::External { external: External::Two(1, 2) },
    ]);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    before: u8,
    #[serde(flatten)]
    job: Job,
    #[serde(flatten)]
    optional: Option<Corner>,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct FlatTagged {
    before: u8,
    #[serde(flatten)]
    tagged: Internal,
    #[serde(flatten)]
    adjacent: Adjacent<u32>,
}

/// Serde passes the fields of the enum to the map too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct FlatTwice {
    #[serde(flatten)]
    tagged: Internal,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Corner {
    x: f64,
    deep: Option<Option<u8>>,
    unit: Option<()>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct ByNumber {
    name: String,
    #[serde(flatten)]
    rest: HashMap<u16, Option<char>>,
}

#[test]
fn flattened_fields_travel() {
    let corner = Corner { x: 0.1, deep: Some(None), unit: Some(()) };
    let rest = BTreeMap::from([("z".to_string(), serde_json::json!({"a": [1, -1, 1.5, null, "x", true, {}]}))]);
    for optional in [None, Some(corner.clone()), Some(Corner { deep: None, unit: None, ..corner })] {
        travels(&[Flat { before: 1, job: job(None), optional, rest: rest.clone() }]);
    }
    for tagged in [Internal::Nothing, Internal::One(job(Some(1)))] {
        travels(&[FlatTagged { before: 1, tagged, adjacent: Adjacent::Two(8, 0.5) }]);
    }
    travels(&[ByNumber { name: "n".into(), rest: HashMap::from([(7, Some('x')), (300, None)]) }]);
}

#[test]
fn json_travels_unchanged() {
    let text = r#"{"null": null, "list": [1, -1, 18446744073709551615, 0.1, 1e300, "ü", [], {}],
        "deep": {"a": {"b": [[[1]]]}}}"#;
    let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
    travels(&[value.clone(), serde_json::Value::Null, value["list"].clone()]);
    travels(&[(value["deep"].clone(), Some(value))]);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct NoFields {}

#[test]
fn nested_options_and_zero_sized_values_travel() {
    travels(&[None, Some(None), Some(Some(None)), Some(Some(Some(())))]);
    travels(&[vec![(); 5], vec![]]);
    travels(&[vec![vec![(); 3], vec![], vec![(); 1]]]);
    travels(&[vec![Unit; 3]]);
    travels(&[vec![NoFields {}; 300]]);
    travels(&[vec![PhantomData::<String>; 2]]);
    travels(&[[(); 3]]);
    travels(&[(Unit, (), NoFields {}, Some(Unit), None::<Unit>)]);
    travels(&[HashMap::from([((), ())]), HashMap::new()]);
}

#[test]
fn numbers_and_texts_travel_bit_by_bit() {
    travels(&[(u128::MAX, i128::MIN, u64::MAX, i64::MIN), (0, 0, 0, 0), (300, -300, 1 << 32, -(1 << 40))]);
    travels(&[('\0', "\u{10ffff}".to_string(), Duration::MAX), ('ü', "x".repeat(70_000), Duration::ZERO)]);
    travels::<(SocketAddr, IpAddr)>(&[("[::1]:80".parse().expect("one"), "10.0.0.1".parse().expect("one"))]);
    travels(&[(HashSet::from([(1u8, 'x')]), VecDeque::from([1.5f32, f32::MIN]), [1u64, u64::MAX])]);
    travels(&[vec![vec![f64::MAX, -0.0], vec![]], vec![]]);
    let odd = [f64::from_bits(0x7ff8_dead_beef_0001), f64::from_bits(0xfff0_0000_0000_0001), -0.0];
    for (name, back_end) in back_ends() {
        for number in odd {
            let sent = (number, Some(vec![number]), number as f32);
            let (a, b, _) =
                back_end.submit(echo::<(f64, Option<Vec<f64>>, f32)>, sent).expect("sent").result(None).expect("back");
            assert_eq!((a.to_bits(), b.expect("there")[0].to_bits()), (number.to_bits(), number.to_bits()), "{name}");
        }
    }
}

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
    is_refused(&vec![(); 1 << 59], "more than can be sent");
}

/// Counts how often it is decoded in this process.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Counted {
    number: u8,
}

static READ: AtomicUsize = AtomicUsize::new(0);

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Counted, D::Error> {
        #[derive(Deserialize)]
        struct Fields {
            number: u8,
        }
        READ.fetch_add(1, Relaxed);
        Fields::deserialize(deserializer).map(|Fields { number }| Counted { number })
    }
}

#[test]
fn an_argument_is_never_decoded_in_the_process_that_sends_it() {
    for pool in [&RING, &SOCKET] {
        let future = pool.submit(|counted: Counted| counted.number, Counted { number: 7 }).expect("sent");
        assert_eq!(future.result(None).expect("it has a result"), 7);
    }
    assert_eq!(READ.load(Relaxed), 0);
}

/// Serializes in one form and deserializes from another without a loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Full", from = "Part")]
struct Sum {
    a: u32,
    b: u32,
}

#[derive(Serialize)]
struct Full {
    a: u32,
    b: u32,
    sum: u32,
}

#[derive(Deserialize)]
struct Part {
    a: u32,
    b: u32,
}

impl From<Sum> for Full {
    fn from(Sum { a, b }: Sum) -> Full {
        Full { a, b, sum: a + b }
    }
}

impl From<Part> for Sum {
    fn from(Part { a, b }: Part) -> Sum {
        Sum { a, b }
    }
}

#[test]
fn a_type_may_travel_as_another_type() {
    travels(&[Sum { a: 1, b: 2 }]);
}

#[test]
fn the_argument_of_an_initializer_arrives_unchanged() {
    fn check((job, value, sparse): (Job, Untagged, Sparse)) -> Result<(), String> {
        let expected = (self::job(None), Untagged::Pair(1, "x".into()), Sparse { last: 3, ..Sparse::default() });
        let came = (job, value, sparse);
        if came == expected { Ok(()) } else { Err(format!("{came:?} arrived")) }
    }
    for transport in [Transport::Ring, Transport::Socket] {
        let args = (job(None), Untagged::Pair(1, "x".into()), Sparse { last: 3, ..Sparse::default() });
        let pool = ProcessPoolExecutor::builder().max_workers(1).transport(transport).initializer(check, args).build();
        let pool = pool.expect("the pool can be built");
        assert_eq!(pool.submit(echo::<u8>, 1).expect("sent").result(None).expect("it has a result"), 1);
    }
}
