//! Sends values with every attribute of serde to every back-end, as arguments, results, items of a map and arguments of
//! an initializer. A value arrives unchanged or gives a typed error. It never becomes another value.

mod custom;
mod enums;
mod fields;
mod flattened;
mod refused;
mod scalars;

use std::{collections::BTreeMap, fmt::Debug, sync::LazyLock};

use concurrent_futures::{
    Backend, Executor, InlineExecutor, MapOptions, Payload, ProcessPoolExecutor, ThreadPoolExecutor, Transport,
};

use enums::Untagged;
use fields::{Job, Sparse, job};

fn processes(transport: Transport) -> ProcessPoolExecutor {
    ProcessPoolExecutor::builder().max_workers(1).transport(transport).build().expect("the pool can be built")
}

static RING: LazyLock<ProcessPoolExecutor> = LazyLock::new(|| processes(Transport::Ring));
static SOCKET: LazyLock<ProcessPoolExecutor> = LazyLock::new(|| processes(Transport::Socket));
static THREADS: LazyLock<ThreadPoolExecutor> =
    LazyLock::new(|| ThreadPoolExecutor::builder().max_workers(1).build().expect("the pool can be built"));
static INLINE: LazyLock<InlineExecutor> = LazyLock::new(InlineExecutor::new);
static ENCODING: LazyLock<InlineExecutor> = LazyLock::new(InlineExecutor::encoding);

/// Returns the back-ends, and first the two that never encode.
fn back_ends() -> [(&'static str, &'static dyn Backend); 5] {
    [
        ("inline", &*INLINE),
        ("threads", &*THREADS),
        ("inline, encoding", &*ENCODING),
        ("ring", &*RING),
        ("socket", &*SOCKET),
    ]
}

fn echo<T>(value: T) -> T {
    value
}

/// Checks that values come back unchanged, alone, in a map and inside of other values.
fn travels<T: Payload + Clone + PartialEq + Debug>(values: &[T]) {
    for (name, back_end) in back_ends() {
        for value in values {
            let future = back_end.submit(echo::<T>, value.clone()).expect("sent");
            assert_eq!(&future.result(None).expect("it has a result"), value, "{name}");
            let named = BTreeMap::from([("a".to_string(), value.clone()), ("b".to_string(), value.clone())]);
            let sent = (value.clone(), 7u8, vec![value.clone(), value.clone()], named);
            let future = back_end.submit(echo::<(T, u8, Vec<T>, BTreeMap<String, T>)>, sent.clone()).expect("sent");
            assert_eq!(future.result(None).expect("it has a result"), sent, "{name}");
        }
        for chunksize in [1, 3] {
            let items: Vec<T> = values.iter().cycle().take(10).cloned().collect();
            let results = back_end.map_with(MapOptions::new().chunksize(chunksize), echo::<T>, items.clone());
            let results: Vec<T> = results.expect("sent").map(|result| result.expect("it has a result")).collect();
            assert_eq!(results, items, "{name}");
        }
    }
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
