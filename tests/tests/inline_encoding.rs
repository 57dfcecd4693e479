//! `InlineExecutor::encoding()` beyond the rules of every back-end, which `conformance_inline_encoding.rs` has, and the
//! values in `values/`: what it shows of processes, and what it does not.

use std::{cell::Cell, sync::LazyLock};

use concurrent_futures::{
    Backend, ErrorKind, Executor, InlineExecutor, MapOptions, ProcessPoolExecutor, TaskOptions,
    multiprocessing::{Queue, SharedChunk, SharedMut, Value},
    task,
};
use serde::{Deserialize, Serialize, Serializer, ser};

static ENCODING: LazyLock<InlineExecutor> = LazyLock::new(InlineExecutor::encoding);

thread_local! {
    static HERE: Cell<u64> = const { Cell::new(0) };
}

#[test]
fn tasks_run_in_the_calling_thread_and_know_themselves() {
    HERE.set(7);
    let about = |()| {
        let context = task::current().expect("inside of a task");
        let (id, name, worker) = (context.id().to_string(), context.name().to_string(), context.worker().to_string());
        (HERE.get(), id, name, worker, context.is_cancelled())
    };
    let future = ENCODING.submit_with(TaskOptions::new().name("named"), about, ()).expect("accepted");
    assert!(future.done());
    let expected = (7, future.id().to_string(), "named".to_string(), "inline".to_string(), false);
    assert_eq!(future.result(None).expect("a result"), expected);
    assert!(task::current().is_none());
}

/// A value that keeps a part of itself to this process.
#[derive(Clone, Serialize, Deserialize)]
struct Request {
    id: u64,
    #[serde(skip)]
    cached: Option<String>,
}

#[test]
fn arguments_results_and_items_are_encoded() {
    let is_cached = |request: Request| request.cached.is_some();
    let make = |id: u64| Request { id, cached: Some("yes".to_string()) };
    for (executor, kept) in [(InlineExecutor::new(), true), (InlineExecutor::encoding(), false)] {
        assert_eq!(executor.submit(is_cached, make(1)).expect("accepted").result(None).expect("a result"), kept);
        let made = executor.submit(make, 1).expect("accepted").result(None).expect("a result");
        assert_eq!((made.id, made.cached.is_some()), (1, kept));
        for chunksize in [1, 4] {
            let options = || MapOptions::new().chunksize(chunksize);
            let items =
                executor.map_with(options(), is_cached, (0..10).map(make).collect::<Vec<_>>()).expect("accepted");
            assert!(items.map(|item| item.expect("a result")).all(|item| item == kept));
            let made = executor.map_with(options(), make, 0..10).expect("accepted");
            let made: Vec<Request> = made.map(|item| item.expect("a result")).collect();
            assert!(made.iter().zip(0..).all(|(made, id)| made.id == id && made.cached.is_some() == kept));
        }
    }
}

/// A value that sometimes cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
struct Fussy(u64);

impl Serialize for Fussy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 == 13 { Err(ser::Error::custom("thirteen")) } else { serializer.serialize_u64(self.0) }
    }
}

fn halve(n: Fussy) -> Fussy {
    assert!(n.0 != 7, "seven");
    Fussy(n.0 / 2)
}

#[test]
fn what_fails_in_processes_fails_in_the_same_way() {
    let processes = ProcessPoolExecutor::new(1).expect("a pool");
    let both: [&dyn Backend; 2] = [&processes, &*ENCODING];
    let same = |of: &dyn Fn(&dyn Backend) -> (ErrorKind, String)| {
        let [processes, inline] = both.map(of);
        assert_eq!(processes, inline);
        processes.0
    };
    let submitted = |n: u64| {
        move |executor: &dyn Backend| match executor.submit(halve, Fussy(n)) {
            Ok(future) => {
                let error = future.result(None).expect_err("it fails");
                let message = error.panic().map_or(error.to_string(), |panic| panic.message().to_string());
                (error.kind(), message)
            }
            Err(error) => (error.kind(), format!("from submit: {error}")),
        }
    };
    assert_eq!(same(&submitted(13)), ErrorKind::Encode, "the argument");
    assert_eq!(same(&submitted(26)), ErrorKind::Encode, "the result");
    assert_eq!(same(&submitted(7)), ErrorKind::Panicked);

    // One item does not hurt its neighbours.
    for executor in both {
        let items = executor.map_with(MapOptions::new().chunksize(5), halve, [2, 13, 26, 7, 8].map(Fussy));
        let items = items.expect("accepted").map(|item| item.map_err(|error| error.kind()));
        let expected =
            [Ok(Fussy(1)), Err(ErrorKind::Encode), Err(ErrorKind::Encode), Err(ErrorKind::Panicked), Ok(Fussy(4))];
        assert_eq!(items.collect::<Vec<_>>(), expected);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn shared_objects_travel_and_are_the_same_objects() {
    let queue = Queue::<u64>::unbounded().expect("a queue");
    let put = |(queue, n): (Queue<u64>, u64)| queue.put(n).map(|()| queue);
    let returned = ENCODING.submit(put, (queue.clone(), 1)).expect("accepted").result(None).expect("a result");
    returned.expect("it was put").put(2).expect("it is open");
    let queues = ENCODING.map_with(MapOptions::new().chunksize(2), put, [(queue.clone(), 3), (queue.clone(), 4)]);
    for queue in queues.expect("accepted") {
        queue.expect("a result").expect("it was put");
    }
    let items: Vec<u64> = std::iter::from_fn(|| queue.try_get().expect("it is open")).collect();
    assert_eq!(items, [1, 2, 3, 4]);

    // A chunk has one owner, and is moved.
    let squares = SharedMut::<u64>::new(100).expect("shared memory");
    let fill = |mut chunk: SharedChunk<u64>| {
        let first = chunk.offset() as u64;
        (first..).zip(chunk.iter_mut()).for_each(|(n, square)| *square = n * n);
    };
    let chunks = squares.split(4).expect("no chunk is out");
    ENCODING.map(fill, chunks).expect("accepted").collect::<Result<(), _>>().expect("all are filled");
    assert_eq!(squares.read().expect("all chunks are back")[99], 9801);
}

/// Submits a task inside of a task. Both have a shared object in their result.
#[cfg(target_os = "linux")]
fn nested(value: Value<u64>) -> (Value<u64>, Value<u64>) {
    let made = |()| Value::new(5_u64).expect("shared memory");
    let inner = ENCODING.submit(made, ()).expect("accepted").result(None).expect("a result");
    (value, inner)
}

#[cfg(target_os = "linux")]
#[test]
fn tasks_inside_of_tasks_keep_their_shared_objects_apart() {
    let value = Value::new(1_u64).expect("shared memory");
    let (outer, inner) = ENCODING.submit(nested, value.clone()).expect("accepted").result(None).expect("a result");
    outer.update(|n| *n += 1);
    assert_eq!((value.get(), inner.get()), (2, 5));
}
