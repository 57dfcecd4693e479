//! Tasks that are written down, called from bytes, and answered with bytes.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use executor_core::{Error, ErrorKind, Executor, MapOptions, function::Address, task};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::support::{Elsewhere, LOOK, Pile, action, at_once, kind};

/// Refuses to be written, or to be read, as its content says.
#[derive(Clone, Debug, PartialEq)]
struct Picky(u8);

const FINE: u8 = 0;
const REFUSES_WRITING: u8 = 1;
const REFUSES_READING: u8 = 2;
const PANICS_WRITING: u8 = 3;
const PANICS_READING: u8 = 4;

impl Serialize for Picky {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            REFUSES_WRITING => Err(ser::Error::custom("a picky value is not written today")),
            PANICS_WRITING => panic!("while writing"),
            other => serializer.serialize_u8(other),
        }
    }
}

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Picky, D::Error> {
        match u8::deserialize(deserializer)? {
            REFUSES_READING => Err(de::Error::custom("a picky value is not read today")),
            PANICS_READING => panic!("while reading"),
            other => Ok(Picky(other)),
        }
    }
}

fn answered(function_argument: u8, answer: fn(u8) -> u8) -> Result<Picky, Error> {
    // A function item for each answer, because what is submitted captures nothing.
    let elsewhere = Elsewhere::default();
    let future = match answer(FINE) {
        REFUSES_WRITING => elsewhere.submit(|_: Picky| Picky(REFUSES_WRITING), Picky(function_argument)),
        REFUSES_READING => elsewhere.submit(|_: Picky| Picky(REFUSES_READING), Picky(function_argument)),
        PANICS_WRITING => elsewhere.submit(|_: Picky| Picky(PANICS_WRITING), Picky(function_argument)),
        PANICS_READING => elsewhere.submit(|_: Picky| Picky(PANICS_READING), Picky(function_argument)),
        _ => elsewhere.submit(|given: Picky| given, Picky(function_argument)),
    }?;
    elsewhere.complete_all();
    future.result(None)
}

#[test]
fn an_argument_that_refuses_or_panics_while_it_is_written_is_an_error_of_submit() {
    let refused = answered(REFUSES_WRITING, |_| FINE).expect_err("refused");
    assert_eq!(refused.kind(), ErrorKind::Encode);
    assert!(refused.to_string().contains("not written today"), "{refused}");
    let panicked = answered(PANICS_WRITING, |_| FINE).expect_err("panicked");
    assert_eq!(panicked.kind(), ErrorKind::Panicked);
    assert_eq!(panicked.panic().expect("the panic is kept").message(), "while writing");
}

#[test]
fn an_argument_that_refuses_or_panics_while_it_is_read_fails_its_future() {
    let refused = answered(REFUSES_READING, |_| FINE).expect_err("refused");
    assert_eq!(refused.kind(), ErrorKind::Decode);
    assert!(refused.to_string().contains("not read today"), "{refused}");
    assert_eq!(answered(PANICS_READING, |_| FINE).expect_err("panicked").kind(), ErrorKind::Panicked);
}

#[test]
fn a_result_that_refuses_or_panics_on_either_side_fails_its_future() {
    assert_eq!(answered(FINE, |_| FINE).expect("a value"), Picky(FINE));
    let written = answered(FINE, |_| REFUSES_WRITING).expect_err("refused");
    assert_eq!(written.kind(), ErrorKind::Encode);
    assert!(written.to_string().contains("not written today"), "{written}");
    let read = answered(FINE, |_| REFUSES_READING).expect_err("refused");
    assert_eq!(read.kind(), ErrorKind::Decode);
    assert!(read.to_string().contains("not read today"), "{read}");
    for answer in [(|_| PANICS_WRITING) as fn(u8) -> u8, |_| PANICS_READING] {
        assert_eq!(answered(FINE, answer).expect_err("panicked").kind(), ErrorKind::Panicked);
    }
}

#[test]
fn a_failed_encode_leaves_the_buffer_of_the_backend_as_it_was_also_after_a_panic() {
    for refusal in [REFUSES_WRITING, PANICS_WRITING] {
        let pile = Pile::new();
        let future = pile.submit(|pair: (u64, Picky)| pair.0, (7, Picky(refusal))).expect("accepted");
        let task = pile.take();
        let mut bytes = vec![1, 2];
        let error = task.encode(&mut bytes).expect_err("refused");
        assert_eq!(bytes, [1, 2]);
        drop(task.fail(error));
        assert!(future.done());
    }
}

#[test]
fn a_panic_of_the_function_comes_back_with_its_place() {
    let elsewhere = Elsewhere::default();
    let future = elsewhere.submit(|n: u64| if n == 3 { panic!("three") } else { n }, 3).expect("accepted");
    elsewhere.complete_all();
    let error = future.result(None).expect_err("panicked");
    let panic = error.panic().expect("the panic travelled");
    assert_eq!(panic.message(), "three");
    assert!(panic.location().expect("the place travelled").contains("elsewhere.rs:"));
}

#[test]
fn a_reply_is_unpacked_once_however_many_ask() {
    static READ: AtomicUsize = AtomicUsize::new(0);
    #[derive(Clone, Debug, PartialEq, Serialize)]
    struct Observed(u64);
    impl<'de> Deserialize<'de> for Observed {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Observed, D::Error> {
            READ.fetch_add(1, SeqCst);
            u64::deserialize(deserializer).map(Observed)
        }
    }
    for _ in 0..200 {
        READ.store(0, SeqCst);
        let elsewhere = Elsewhere::default();
        let shared = elsewhere.submit(|n: u64| Observed(n), 9).expect("accepted").shared();
        let ask = || action(|| shared.result(None).expect("a value"));
        let complete = action(|| {
            elsewhere.complete_all();
            Observed(9)
        });
        assert_eq!(at_once(vec![ask(), ask(), ask(), complete]), vec![Observed(9); 4]);
        assert_eq!(READ.load(SeqCst), 1);
    }
}

#[test]
fn while_a_reply_is_unpacked_the_future_is_done_for_callbacks_and_for_time_outs() {
    use std::sync::{Mutex, mpsc};
    type Channels = (mpsc::Sender<()>, mpsc::Receiver<()>);
    static GATE: Mutex<Option<Channels>> = Mutex::new(None);
    #[derive(Serialize)]
    struct Slow;
    impl<'de> Deserialize<'de> for Slow {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Slow, D::Error> {
            let gate = GATE.lock().unwrap().take();
            if let Some((reached, go_on)) = gate {
                reached.send(()).expect("the test listens");
                go_on.recv().expect("the test goes on");
            }
            <()>::deserialize(deserializer).map(|()| Slow)
        }
    }
    let elsewhere = Elsewhere::default();
    let future = elsewhere.submit(|_: u8| Slow, 0).expect("accepted");
    elsewhere.complete_all();
    let (reached, is_reached) = mpsc::channel();
    let (release, go_on) = mpsc::channel();
    *GATE.lock().unwrap() = Some((reached, go_on));
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(future.exception(None).expect("done").is_none()));
        is_reached.recv().expect("another thread unpacks");
        let (called, was_called) = mpsc::channel();
        future.add_done_callback(move |_| called.send(std::thread::current().id()).expect("the test listens"));
        assert_eq!(was_called.try_recv().expect("it ran at once"), std::thread::current().id());
        // Done is done: who only looks waits for the unpacking, as long as it would take to do it.
        scope.spawn(|| assert!(future.exception(LOOK).expect("no time-out").is_none()));
        scope.spawn(|| assert!(future.exception(std::time::Duration::from_nanos(1)).expect("no time-out").is_none()));
        release.send(()).expect("the other thread waits");
    });
    assert!(future.result(LOOK).is_ok());
}

#[test]
fn a_map_in_chunks_elsewhere_keeps_each_failure_to_its_own_item() {
    fn judge(item: Picky) -> u8 {
        assert_ne!(item.0, 9, "a nine");
        item.0
    }
    let elsewhere = Elsewhere::default();
    let items = [FINE, REFUSES_WRITING, 5, REFUSES_READING, PANICS_WRITING, 9, PANICS_READING, 6].map(Picky);
    let map = elsewhere.map_with(MapOptions::new().chunksize(8), judge, items).expect("accepted");
    elsewhere.complete_all();
    let answers: Vec<Result<u8, ErrorKind>> = map.map(|item| item.map_err(|error| error.kind())).collect();
    let panicked = Err(ErrorKind::Panicked);
    assert_eq!(
        answers,
        [Ok(0), Err(ErrorKind::Encode), Ok(5), Err(ErrorKind::Decode), panicked, panicked, panicked, Ok(6)]
    );
}

#[test]
fn a_chunk_whose_reply_is_too_short_or_too_long_still_answers_once_for_each_item() {
    for records in [0_usize, 2, 9] {
        let elsewhere = Elsewhere::default();
        let map = elsewhere.map_with(MapOptions::new().chunksize(4), |n: u8| n, 0..4u8).expect("accepted");
        let mut reply = Vec::new();
        for _ in 0..records {
            executor_core::function::batch::write_record(&mut reply, |into| into.extend_from_slice(&[1, 0]));
        }
        executor_core::function::outcome::close_value(&mut reply);
        drop(elsewhere.take().task.complete(reply));
        let answers: Vec<_> = map.collect();
        assert_eq!(answers.len(), 4);
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), records.min(4));
    }
}

#[test]
fn bytes_that_are_no_reply_are_a_decode_error() {
    for reply in [vec![], vec![7], vec![0], vec![1, 1, 0], vec![200, 1]] {
        let elsewhere = Elsewhere::default();
        let future = elsewhere.submit(|n: u64| n, 1).expect("accepted");
        drop(elsewhere.take().task.complete(reply));
        assert_eq!(kind(&future), ErrorKind::Decode);
    }
}

#[test]
#[allow(unsafe_code)]
fn a_function_is_found_by_its_address() {
    let elsewhere = Elsewhere::default();
    let future = elsewhere.submit(|(a, b): (u64, u64)| a * b, (6, 7)).expect("accepted");
    let written = elsewhere.take();
    let address = Address::of(written.encoded.entry).expect("in this program");
    // SAFETY: this process made it, and the function captures nothing at all.
    let entry = unsafe { address.resolve() }.expect("found");
    let mut reply = Vec::new();
    entry.call(&written.arguments, &mut reply);
    drop(written.task.complete(reply));
    assert_eq!(future.result(None).expect("a value"), 42);
}

#[test]
fn a_task_that_runs_for_another_process_sees_itself() {
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
