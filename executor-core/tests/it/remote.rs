//! Tasks that are encoded, run from their bytes, and completed with the bytes of a reply.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use executor_core::{Error, ErrorKind, Executor, MapOptions, function::Address, task};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::support::{Manual, NO_WAIT, Remote, action, concurrently, kind};

/// Fails or panics when it is encoded or decoded, depending on its content.
#[derive(Clone, Debug, PartialEq)]
struct Awkward(u8);

const WORKS: u8 = 0;
const REFUSES_WRITING: u8 = 1;
const REFUSES_READING: u8 = 2;
const PANICS_WRITING: u8 = 3;
const PANICS_READING: u8 = 4;

impl Serialize for Awkward {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            REFUSES_WRITING => Err(ser::Error::custom("an awkward value is not encoded here")),
            PANICS_WRITING => panic!("while writing"),
            other => serializer.serialize_u8(other),
        }
    }
}

impl<'de> Deserialize<'de> for Awkward {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Awkward, D::Error> {
        match u8::deserialize(deserializer)? {
            REFUSES_READING => Err(de::Error::custom("an awkward value is not decoded here")),
            PANICS_READING => panic!("while reading"),
            other => Ok(Awkward(other)),
        }
    }
}

fn call(argument: u8, result: fn(u8) -> u8) -> Result<Awkward, Error> {
    // One closure for each result, because a submitted function must not capture anything.
    let remote = Remote::default();
    let future = match result(WORKS) {
        REFUSES_WRITING => remote.submit(|_: Awkward| Awkward(REFUSES_WRITING), Awkward(argument)),
        REFUSES_READING => remote.submit(|_: Awkward| Awkward(REFUSES_READING), Awkward(argument)),
        PANICS_WRITING => remote.submit(|_: Awkward| Awkward(PANICS_WRITING), Awkward(argument)),
        PANICS_READING => remote.submit(|_: Awkward| Awkward(PANICS_READING), Awkward(argument)),
        _ => remote.submit(|given: Awkward| given, Awkward(argument)),
    }?;
    remote.complete_all();
    future.result(None)
}

#[test]
fn an_argument_that_cannot_be_encoded_is_an_error_of_submit() {
    let refused = call(REFUSES_WRITING, |_| WORKS).expect_err("refused");
    assert_eq!(refused.kind(), ErrorKind::Encode);
    assert!(refused.to_string().contains("not encoded here"), "{refused}");
    let panicked = call(PANICS_WRITING, |_| WORKS).expect_err("panicked");
    assert_eq!(panicked.kind(), ErrorKind::Panicked);
    assert_eq!(panicked.panic().expect("the error has the panic").message(), "while writing");
}

#[test]
fn an_argument_that_cannot_be_decoded_fails_its_future() {
    let refused = call(REFUSES_READING, |_| WORKS).expect_err("refused");
    assert_eq!(refused.kind(), ErrorKind::Decode);
    assert!(refused.to_string().contains("not decoded here"), "{refused}");
    assert_eq!(call(PANICS_READING, |_| WORKS).expect_err("panicked").kind(), ErrorKind::Panicked);
}

#[test]
fn a_result_that_cannot_be_encoded_or_decoded_fails_its_future() {
    assert_eq!(call(WORKS, |_| WORKS).expect("a value"), Awkward(WORKS));
    let written = call(WORKS, |_| REFUSES_WRITING).expect_err("refused");
    assert_eq!(written.kind(), ErrorKind::Encode);
    assert!(written.to_string().contains("not encoded here"), "{written}");
    let read = call(WORKS, |_| REFUSES_READING).expect_err("refused");
    assert_eq!(read.kind(), ErrorKind::Decode);
    assert!(read.to_string().contains("not decoded here"), "{read}");
    for result in [(|_| PANICS_WRITING) as fn(u8) -> u8, |_| PANICS_READING] {
        assert_eq!(call(WORKS, result).expect_err("panicked").kind(), ErrorKind::Panicked);
    }
}

#[test]
fn a_failed_encode_leaves_the_buffer_unchanged_even_after_a_panic() {
    for refusal in [REFUSES_WRITING, PANICS_WRITING] {
        let manual = Manual::new();
        let future = manual.submit(|pair: (u64, Awkward)| pair.0, (7, Awkward(refusal))).expect("accepted");
        let task = manual.take();
        let mut bytes = vec![1, 2];
        let error = task.encode(&mut bytes).expect_err("refused");
        assert_eq!(bytes, [1, 2]);
        drop(task.fail(error));
        assert!(future.done());
    }
}

#[test]
fn a_panic_of_the_function_is_returned_with_its_location() {
    let remote = Remote::default();
    let future = remote.submit(|n: u64| if n == 3 { panic!("three") } else { n }, 3).expect("accepted");
    remote.complete_all();
    let error = future.result(None).expect_err("panicked");
    let panic = error.panic().expect("the panic is in the reply");
    assert_eq!(panic.message(), "three");
    assert!(panic.location().expect("the location is in the reply").contains("remote.rs:"));
}

#[test]
fn a_reply_is_decoded_once_however_many_threads_ask() {
    static DECODED: AtomicUsize = AtomicUsize::new(0);
    #[derive(Clone, Debug, PartialEq, Serialize)]
    struct Observed(u64);
    impl<'de> Deserialize<'de> for Observed {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Observed, D::Error> {
            DECODED.fetch_add(1, SeqCst);
            u64::deserialize(deserializer).map(Observed)
        }
    }
    for _ in 0..200 {
        DECODED.store(0, SeqCst);
        let remote = Remote::default();
        let shared = remote.submit(|n: u64| Observed(n), 9).expect("accepted").shared();
        let ask = || action(|| shared.result(None).expect("a value"));
        let complete = action(|| {
            remote.complete_all();
            Observed(9)
        });
        assert_eq!(concurrently(vec![ask(), ask(), ask(), complete]), vec![Observed(9); 4]);
        assert_eq!(DECODED.load(SeqCst), 1);
    }
}

#[test]
fn while_a_reply_is_decoded_the_future_is_done_for_callbacks_and_time_outs() {
    use std::sync::{Mutex, mpsc};
    type Channels = (mpsc::Sender<()>, mpsc::Receiver<()>);
    static GATE: Mutex<Option<Channels>> = Mutex::new(None);
    #[derive(Serialize)]
    struct Slow;
    impl<'de> Deserialize<'de> for Slow {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Slow, D::Error> {
            let gate = GATE.lock().unwrap().take();
            if let Some((reached, resume)) = gate {
                reached.send(()).expect("the test receives");
                resume.recv().expect("the test goes on");
            }
            <()>::deserialize(deserializer).map(|()| Slow)
        }
    }
    let remote = Remote::default();
    let future = remote.submit(|_: u8| Slow, 0).expect("accepted");
    remote.complete_all();
    let (reached, is_reached) = mpsc::channel();
    let (release, resume) = mpsc::channel();
    *GATE.lock().unwrap() = Some((reached, resume));
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(future.exception(None).expect("done").is_none()));
        is_reached.recv().expect("another thread decodes");
        let (called, was_called) = mpsc::channel();
        future.add_done_callback(move |_| called.send(std::thread::current().id()).expect("the test receives"));
        assert_eq!(was_called.try_recv().expect("it ran immediately"), std::thread::current().id());
        // The future is done, so a call with any time-out waits until the other thread has decoded the reply.
        scope.spawn(|| assert!(future.exception(NO_WAIT).expect("no time-out").is_none()));
        scope.spawn(|| assert!(future.exception(std::time::Duration::from_nanos(1)).expect("no time-out").is_none()));
        release.send(()).expect("the other thread waits");
    });
    assert!(future.result(NO_WAIT).is_ok());
}

#[test]
fn a_failure_in_a_remote_chunk_affects_only_its_own_item() {
    fn judge(item: Awkward) -> u8 {
        assert_ne!(item.0, 9, "a nine");
        item.0
    }
    let remote = Remote::default();
    let items = [WORKS, REFUSES_WRITING, 5, REFUSES_READING, PANICS_WRITING, 9, PANICS_READING, 6].map(Awkward);
    let map = remote.map_with(MapOptions::new().chunksize(8), judge, items).expect("accepted");
    remote.complete_all();
    let results: Vec<Result<u8, ErrorKind>> = map.map(|item| item.map_err(|error| error.kind())).collect();
    let panicked = Err(ErrorKind::Panicked);
    assert_eq!(
        results,
        [Ok(0), Err(ErrorKind::Encode), Ok(5), Err(ErrorKind::Decode), panicked, panicked, panicked, Ok(6)]
    );
}

#[test]
fn a_chunk_with_too_few_or_too_many_replies_has_one_result_for_each_item() {
    for records in [0_usize, 2, 9] {
        let remote = Remote::default();
        let map = remote.map_with(MapOptions::new().chunksize(4), |n: u8| n, 0..4u8).expect("accepted");
        let mut reply = Vec::new();
        for _ in 0..records {
            executor_core::function::batch::write_record(&mut reply, |into| into.extend_from_slice(&[1, 0]));
        }
        executor_core::function::outcome::close_value(&mut reply);
        drop(remote.take().task.complete(reply));
        let results: Vec<_> = map.collect();
        assert_eq!(results.len(), 4);
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), records.min(4));
    }
}

#[test]
fn bytes_that_are_not_a_reply_are_a_decode_error() {
    for reply in [vec![], vec![7], vec![0], vec![1, 1, 0], vec![200, 1]] {
        let remote = Remote::default();
        let future = remote.submit(|n: u64| n, 1).expect("accepted");
        drop(remote.take().task.complete(reply));
        assert_eq!(kind(&future), ErrorKind::Decode);
    }
}

#[test]
#[allow(unsafe_code)]
fn a_function_is_found_by_its_address() {
    let remote = Remote::default();
    let future = remote.submit(|(a, b): (u64, u64)| a * b, (6, 7)).expect("accepted");
    let written = remote.take();
    let address = Address::of(written.encoded.entry).expect("in this program");
    // SAFETY: this process created the address, and the function captures nothing.
    let entry = unsafe { address.resolve() }.expect("found");
    let mut reply = Vec::new();
    entry.call(&written.arguments, &mut reply);
    drop(written.task.complete(reply));
    assert_eq!(future.result(None).expect("a value"), 42);
}

#[test]
fn a_remote_task_is_the_current_task() {
    let id = executor_core::TaskId::from_u64(77);
    let remote = task::Remote {
        id,
        name: "remote".into(),
        attempt: 2,
        stop: std::sync::Arc::new(|number| number == 7),
        number: 7,
    };
    task::run_remote(std::sync::Arc::new(remote), || {
        let context = task::current().expect("inside a task");
        assert_eq!((context.id(), context.name(), context.attempt(), context.is_cancelled()), (id, "remote", 2, true));
    });
    assert!(task::current().is_none());
}
