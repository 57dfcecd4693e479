//! `Shared`, `SharedSlice`, `SharedMut`.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

use executor_core::{
    Error,
    ErrorKind::{Decode, Encode, InvalidArgument, InvalidState, WorkerDied},
    Executor, TaskOptions,
    codec::{self, handles},
};
use process_pool::{ProcessPoolExecutor, Transport};
use process_sync::{Event, Queue, Shared, SharedChunk, SharedMut, SharedSlice, Value};
use serde::{Deserialize, Deserializer, Serialize, de};
use test_support::wait_until;

use crate::support::{Line, Role, child, dead, each_harness};

pub const ROLES: &[(&str, Role)] = &[
    ("add up a shared value", add_up_a_shared_value),
    ("add up a shared slice", add_up_a_shared_slice),
    ("fill a chunk", fill_a_chunk),
    ("fill chunks of a queue", fill_chunks_of_a_queue),
    ("die with a chunk", die_with_a_chunk),
    ("die while reading chunks", die_while_reading_chunks),
    ("split elsewhere", split_elsewhere),
];

fn each_transport(test: fn(ProcessPoolExecutor)) {
    for transport in [Transport::Ring, Transport::Socket] {
        test_support::watched(move || {
            test(ProcessPoolExecutor::builder().max_workers(2).transport(transport).build().unwrap());
        });
    }
}

fn add_up_a_shared_value(line: &mut Line) {
    let numbers: Shared<Vec<u64>> = line.receive();
    let again: Shared<Vec<u64>> = line.receive();
    assert!(std::ptr::eq(&*numbers, &*again), "it is decoded once");
    line.send(&numbers.iter().sum::<u64>());
    line.send(&numbers);
}

#[test]
fn a_shared_value_is_read_everywhere() {
    each_harness(|harness| {
        let numbers = Shared::new(vec![1_u64, 2, 39]).unwrap();
        let mut partner = harness.start("add up a shared value", &numbers);
        partner.line.send(&numbers);
        assert_eq!(partner.line.receive::<u64>(), 42);
        let back: Shared<Vec<u64>> = partner.line.receive();
        assert!(std::ptr::eq(&*numbers, &*back), "this process has it already");
        assert_eq!((back.len(), back.as_ref()[2], format!("{back:?}")), (3, 39, "Shared([1, 2, 39])".to_string()));
        partner.join();
    });
}

static DECODED: AtomicUsize = AtomicUsize::new(0);
static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// Counts how often this process decodes it, and how many it has.
#[derive(Serialize)]
struct Counted(u64);

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Counted, D::Error> {
        DECODED.fetch_add(1, SeqCst);
        ALIVE.fetch_add(1, SeqCst);
        u64::deserialize(deserializer).map(Counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, SeqCst);
    }
}

#[test]
fn a_worker_decodes_a_shared_value_once_and_drops_it_after_the_last_handle() {
    each_transport(|pool| {
        // This process has made one, which it has not decoded.
        ALIVE.fetch_add(1, SeqCst);
        let value = Shared::new(Counted(7)).unwrap();
        let task = |value: Shared<Counted>| (value.0, DECODED.load(SeqCst), std::process::id());
        let answers: Vec<_> = pool.map(task, vec![value.clone(); 40]).unwrap().map(Result::unwrap).collect();
        assert!(answers.iter().all(|(value, decoded, _)| (*value, *decoded) == (7, 1)), "{answers:?}");
        assert!(answers.iter().all(|(.., pid)| *pid != std::process::id()));
        drop(value);
        let alive = |()| ALIVE.load(SeqCst);
        wait_until("both workers have dropped the value", || {
            let counts: Vec<_> = (0..20).map(|_| pool.submit(alive, ()).unwrap()).collect();
            counts.iter().all(|count| count.result(None).unwrap() == 0)
        });
    });
}

#[derive(Debug, Serialize)]
struct Undecodable(u64);

impl<'de> Deserialize<'de> for Undecodable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Undecodable, D::Error> {
        match u64::deserialize(deserializer)? {
            0 => Err(de::Error::custom("there is nothing in it")),
            number => Ok(Undecodable(number)),
        }
    }
}

#[test]
fn a_shared_value_that_cannot_be_decoded_fails_the_tasks_that_use_it() {
    each_transport(|pool| {
        let values = [0, 5, 0].map(|number| Shared::new(Undecodable(number)).unwrap());
        let outcomes: Vec<_> = pool.map(|value: Shared<Undecodable>| value.0, values).unwrap().collect();
        let error = outcomes[0].as_ref().unwrap_err();
        assert_eq!(error.kind(), Decode);
        assert!(error.to_string().contains("there is nothing in it"), "{error}");
        assert_eq!(*outcomes[1].as_ref().unwrap(), 5);
        assert_eq!(outcomes[2].as_ref().unwrap_err().kind(), Decode);
    });
}

#[test]
fn a_shared_value_that_cannot_be_encoded_is_refused_by_its_maker() {
    #[derive(Debug, Deserialize)]
    struct Unencodable;
    impl Serialize for Unencodable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("it is open"))
        }
    }
    let error = Shared::new(Unencodable).unwrap_err();
    assert_eq!(error.kind(), Encode);
    assert!(serde_json::to_string(&Shared::new(1).unwrap()).is_err());
}

#[test]
fn objects_in_a_shared_value_travel_with_it() {
    type Both = Shared<(Queue<u64>, SharedSlice<u64>)>;
    each_transport(|pool| {
        let (queue, slice) = (Queue::<u64>::unbounded().unwrap(), SharedSlice::from(&[2_u64, 3]).unwrap());
        let shared = Shared::new((queue.clone(), slice)).unwrap();
        let letters = Queue::<Both>::unbounded().unwrap();
        let pass_on = |(shared, letters): (Both, Queue<Both>)| letters.put(shared);
        pool.submit(pass_on, (shared.clone(), letters.clone())).unwrap().result(None).unwrap().unwrap();
        drop(shared);
        let answer = |letters: Queue<Both>| {
            let shared = letters.get(None)?;
            shared.0.put(shared.1.iter().sum::<u64>())
        };
        pool.submit(answer, letters).unwrap().result(None).unwrap().unwrap();
        assert_eq!(queue.get(None).unwrap(), 5);
    });
}

fn add_up_a_shared_slice(line: &mut Line) {
    let numbers: SharedSlice<f64> = line.receive();
    line.send(&numbers.iter().sum::<f64>());
    line.send(&numbers);
}

#[test]
fn a_shared_slice_is_read_everywhere() {
    each_harness(|harness| {
        let numbers = SharedSlice::build(1000, |numbers| numbers.fill(0.5)).unwrap();
        let mut partner = harness.start("add up a shared slice", &numbers);
        assert_eq!(partner.line.receive::<f64>(), 500.0);
        let back: SharedSlice<f64> = partner.line.receive();
        assert!(std::ptr::eq(&numbers[0], &back[0]), "this process has it already");
        partner.join();
    });
}

#[test]
fn a_shared_slice_is_as_long_and_as_aligned_as_it_was_made() {
    let empty = SharedSlice::<u64>::from(&[]).unwrap();
    assert!(empty.is_empty() && SharedSlice::<u8>::build(0, |slice| assert!(slice.is_empty())).unwrap().is_empty());
    let nothings = SharedSlice::from(&[[0_u8; 0]; 3]).unwrap();
    assert_eq!(nothings.len(), 3);
    assert_eq!(
        SharedSlice::<()>::build(usize::MAX, |slice| assert_eq!(slice.len(), usize::MAX)).unwrap().len(),
        usize::MAX
    );
    let wide = SharedSlice::from(&[1_u128, 2]).unwrap();
    assert!(*wide == [1, 2] && wide.as_ptr().addr() % 16 == 0);
    assert_eq!(SharedSlice::<u64>::build(usize::MAX / 4, |_| ()).unwrap_err().kind(), InvalidArgument);
    assert_eq!(*SharedSlice::try_from([7_u8, 8].as_slice()).unwrap(), [7, 8]);
    let failed = catch_unwind(|| SharedSlice::<u8>::build(9, |_| panic!("it does")));
    assert!(failed.is_err());
}

/// Encodes a value, and decodes it as another type, in this process.
fn decode_as<T: executor_core::Payload, R: executor_core::Payload>(value: &T) -> Result<R, Error> {
    let mut bytes = Vec::new();
    let (encoded, _attached) = handles::collect(|| codec::encode(value, &mut bytes));
    encoded.unwrap();
    codec::decode(&bytes)
}

#[test]
fn a_handle_of_other_values_is_an_invalid_argument() {
    let (slice, shared, chunks) =
        (SharedSlice::from(&[1_u64]).unwrap(), Shared::new(1_u64).unwrap(), SharedMut::<u64>::new(1).unwrap());
    assert_eq!(*decode_as::<_, SharedSlice<u64>>(&slice).unwrap(), [1]);
    let error = decode_as::<_, SharedSlice<i64>>(&slice).unwrap_err();
    assert!(error.to_string().contains("this is not a shared slice of this type"), "{error}");
    let wrong = [
        error,
        decode_as::<_, Shared<i64>>(&shared).unwrap_err(),
        decode_as::<_, SharedMut<i64>>(&chunks).unwrap_err(),
        decode_as::<_, Value<u64>>(&chunks).unwrap_err(),
    ];
    assert!(wrong.iter().all(|error| error.kind() == InvalidArgument), "{wrong:?}");
    assert_eq!(decode_as::<_, Shared<u64>>(&slice).unwrap_err().kind(), Decode, "it has other parts");
}

fn fill_a_chunk(line: &mut Line) {
    let mut chunk: SharedChunk<u32> = line.receive();
    let first = chunk.offset() as u32;
    (first..).zip(chunk.iter_mut()).for_each(|(n, element)| *element = n);
    line.mark();
    line.wait_mark();
}

#[test]
fn chunks_are_filled_elsewhere_and_read_as_a_whole() {
    each_harness(|harness| {
        let numbers = SharedMut::<u32>::new(10).unwrap();
        let chunks = numbers.split(3).unwrap();
        assert_eq!(chunks.iter().map(|chunk| chunk.len()).collect::<Vec<_>>(), [4, 3, 3]);
        let mut partners: Vec<_> = chunks.iter().map(|chunk| harness.start("fill a chunk", chunk)).collect();
        drop(chunks);
        partners.iter_mut().for_each(|partner| partner.line.wait_mark());
        let error = numbers.read().unwrap_err();
        assert_eq!(error.kind(), InvalidState);
        assert!(error.to_string().starts_with("3 of 3 chunks of the slice are out"), "{error}");
        assert_eq!(numbers.split(2).unwrap_err().kind(), InvalidState);
        partners.iter_mut().for_each(|partner| partner.line.mark());
        partners.into_iter().for_each(|partner| partner.join());
        assert_eq!(*numbers.read().unwrap(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    });
}

#[test]
fn a_slice_is_split_as_it_can_be() {
    let numbers = SharedMut::<u8>::from(&[1, 2, 3]).unwrap();
    assert_eq!(numbers.split(0).unwrap_err().kind(), InvalidArgument);
    let chunks = numbers.split(usize::MAX).unwrap();
    assert_eq!(
        chunks.iter().map(|chunk| (chunk.offset(), chunk.to_vec())).collect::<Vec<_>>(),
        [(0, vec![1]), (1, vec![2]), (2, vec![3])]
    );
    assert_eq!(format!("{:?}", chunks[2]), "SharedChunk { offset: 2, elements: [3] }");
    drop(chunks);
    let reading = numbers.read().unwrap();
    assert!(*numbers.read().unwrap() == [1, 2, 3] && format!("{reading:?}") == "[1, 2, 3]");
    let error = numbers.split(1).unwrap_err();
    assert_eq!(error.kind(), InvalidState);
    assert!(error.to_string().starts_with("the slice is being read"), "{error}");
    drop(reading);
    assert_eq!(numbers.split(1).unwrap().len(), 1);
    let empty = SharedMut::<u64>::new(0).unwrap();
    assert!(empty.is_empty() && empty.split(4).unwrap().is_empty() && empty.read().unwrap().is_empty());
    let nothings = SharedMut::<[u8; 0]>::new(5).unwrap();
    assert_eq!(nothings.split(2).unwrap().iter().map(|chunk| chunk.len()).sum::<usize>(), 5);
    assert_eq!(SharedMut::<u64>::new(usize::MAX / 8).unwrap_err().kind(), InvalidArgument);
    let many = SharedMut::<u8>::new((1 << 20) + 1).unwrap();
    assert_eq!(many.split(usize::MAX).unwrap_err().kind(), InvalidArgument);
    assert_eq!(many.split(1 << 20).unwrap().len(), 1 << 20);
}

#[test]
fn a_chunk_is_sent_once() {
    let numbers = SharedMut::<u32>::new(4).unwrap();
    let queue = Queue::<SharedChunk<u32>>::unbounded().unwrap();
    let chunks = numbers.split(2).unwrap();
    queue.put(&chunks[0]).unwrap();
    let error = queue.put(&chunks[0]).unwrap_err();
    assert_eq!(error.kind(), InvalidState);
    assert!(error.to_string().contains("this chunk was sent before"), "{error}");
    assert!(chunks[0].is_empty() && chunks[1].len() == 2);
    let mut received = queue.get(None).unwrap();
    received[1] = 8;
    // The one that was sent still exists, and may have been borrowed before.
    assert!(chunks[0].is_empty() && received.len() == 2);
    drop((chunks, received));
    assert_eq!(*numbers.read().unwrap(), [0, 8, 0, 0]);
    let json = serde_json::to_string(&numbers.split(1).unwrap()[0]).unwrap_err();
    assert!(json.to_string().contains("it goes to tasks, processes, queues and pipes"), "{json}");
    numbers.read().unwrap();
}

#[test]
fn a_chunk_that_did_not_go_anywhere_is_still_there() {
    let numbers = SharedMut::<u32>::from(&[5, 6]).unwrap();
    let full = Queue::<SharedChunk<u32>>::bounded(1).unwrap();
    let mut chunks = numbers.split(2).unwrap();
    assert!(full.try_put(&chunks[0]).unwrap());
    assert!(!full.try_put(&chunks[1]).unwrap());
    assert_eq!(*chunks[1], [6]);
    chunks[1][0] = 7;
    let received = full.get(None).unwrap();
    assert!(full.try_put(&chunks[1]).unwrap(), "there is room");
    drop(full);
    assert_eq!(*chunks[1], [7], "the queue is gone with the message");
    assert!(numbers.read().is_err());
    drop((chunks, received));
    assert_eq!(*numbers.read().unwrap(), [5, 7]);
}

fn fill_chunks_of_a_queue(line: &mut Line) {
    let queue: Queue<SharedChunk<u64>> = line.receive();
    for mut chunk in queue.iter() {
        chunk.iter_mut().for_each(|element| *element += 1);
    }
}

#[test]
fn chunks_travel_through_queues() {
    each_harness(|harness| {
        let numbers = SharedMut::<u64>::new(1000).unwrap();
        let queue = Queue::unbounded().unwrap();
        let partners: Vec<_> = (0..2).map(|_| harness.start("fill chunks of a queue", &queue)).collect();
        numbers.split(50).unwrap().into_iter().for_each(|chunk| queue.put(chunk).unwrap());
        queue.close().unwrap();
        partners.into_iter().for_each(|partner| partner.join());
        assert!(numbers.read().unwrap().iter().all(|element| *element == 1));
    });
}

fn die_with_a_chunk(line: &mut Line) {
    let mut chunk: SharedChunk<u32> = line.receive();
    chunk[0] = 9;
    line.mark();
    line.wait_for_death();
}

#[test]
fn the_chunk_of_a_process_that_dies_is_back() {
    let numbers = SharedMut::<u32>::new(2).unwrap();
    let mut chunks = numbers.split(2).unwrap();
    let other = chunks.pop().unwrap();
    dead("die with a chunk", &chunks[0]);
    assert_eq!(numbers.read().unwrap_err().kind(), InvalidState);
    drop(other);
    assert_eq!(*numbers.read().unwrap(), [9, 0]);
    drop(chunks);
}

#[test]
fn a_chunk_in_a_message_that_nobody_received_is_back() {
    let numbers = SharedMut::<u32>::new(2).unwrap();
    let queue = Queue::unbounded().unwrap();
    numbers.split(2).unwrap().into_iter().for_each(|chunk| queue.put(chunk).unwrap());
    assert_eq!(numbers.read().unwrap_err().kind(), InvalidState);
    drop(queue);
    assert!(numbers.read().is_ok());
}

fn die_while_reading_chunks(line: &mut Line) {
    let numbers: SharedMut<u32> = line.receive();
    let _reading = numbers.read().unwrap();
    line.mark();
    line.wait_for_death();
}

#[test]
fn a_process_that_dies_while_it_reads_is_not_waited_for() {
    let numbers = SharedMut::<u32>::new(2).unwrap();
    let mut partner = child("die while reading chunks", &numbers);
    partner.line.wait_mark();
    assert_eq!(numbers.split(1).unwrap_err().kind(), InvalidState);
    partner.kill();
    assert_eq!(numbers.split(1).unwrap().len(), 1);
}

fn split_elsewhere(line: &mut Line) {
    let numbers: SharedMut<u32> = line.receive();
    assert_eq!(numbers.read().unwrap_err().kind(), InvalidState);
    line.mark();
    line.wait_mark();
    let chunks = numbers.split(2).unwrap();
    line.send(&chunks[1]);
    line.wait_mark();
    drop(chunks);
}

#[test]
fn every_process_can_split_and_read() {
    each_harness(|harness| {
        let numbers = SharedMut::<u32>::new(4).unwrap();
        let chunks = numbers.split(4).unwrap();
        let mut partner = harness.start("split elsewhere", &numbers);
        partner.line.wait_mark();
        drop(chunks);
        partner.line.mark();
        let mut chunk: SharedChunk<u32> = partner.line.receive();
        chunk[1] = 3;
        partner.line.mark();
        partner.join();
        assert_eq!(numbers.read().unwrap_err().kind(), InvalidState);
        drop(chunk);
        assert_eq!(*numbers.read().unwrap(), [0, 0, 0, 3]);
    });
}

#[test]
fn tasks_have_chunks_as_arguments_and_results() {
    #[derive(Serialize, Deserialize)]
    struct Work {
        chunk: SharedChunk<u64>,
        factor: u64,
    }
    each_transport(|pool| {
        let numbers = SharedMut::from(&Vec::from_iter(0..1000_u64)).unwrap();
        let multiply = |mut work: Work| {
            work.chunk.iter_mut().for_each(|element| *element *= work.factor);
            work
        };
        let work = numbers.split(20).unwrap().into_iter().map(|chunk| Work { chunk, factor: 3 });
        let done: Vec<Work> = pool.map(multiply, Vec::from_iter(work)).unwrap().map(Result::unwrap).collect();
        assert!(
            done.iter().all(|work| work.chunk.len() == 50 && work.chunk[1] == 3 * (work.chunk.offset() as u64 + 1))
        );
        assert!(numbers.read().is_err());
        drop(done);
        assert!((0..).zip(numbers.read().unwrap().iter()).all(|(n, element)| *element == 3 * n));
    });
}

#[test]
fn the_chunk_of_a_task_that_dies_is_back_and_a_retried_task_has_it() {
    each_transport(|pool| {
        let numbers = SharedMut::<u64>::new(2).unwrap();
        let mut chunks = numbers.split(2).unwrap();
        let die = |mut chunk: SharedChunk<u64>| {
            chunk[0] += 1;
            std::process::abort()
        };
        let died = pool.submit::<_, _, ()>(die, chunks.pop().unwrap()).unwrap();
        assert_eq!(died.result(None).unwrap_err().kind(), WorkerDied);
        drop(chunks);
        assert_eq!(*numbers.read().unwrap(), [0, 1]);

        let (mut chunks, tries) = (numbers.split(2).unwrap(), Value::new(0_u64).unwrap());
        let die_first = |(mut chunk, tries): (SharedChunk<u64>, Value<u64>)| {
            chunk[0] += 1;
            if tries.update(|tries| std::mem::replace(tries, *tries + 1)) == 0 {
                std::process::abort();
            }
            chunk.len()
        };
        let argument = (chunks.pop().unwrap(), tries);
        let retried = pool.submit_with(TaskOptions::new().retries(1), die_first, argument).unwrap();
        assert_eq!(retried.result(None).unwrap(), 1);
        drop(chunks);
        assert_eq!(*numbers.read().unwrap(), [0, 3]);
    });
}

#[test]
fn the_chunk_of_a_task_that_never_runs_is_back() {
    each_transport(|pool| {
        let numbers = SharedMut::<u64>::new(8).unwrap();
        let (started, ends) = (Event::new().unwrap(), Event::new().unwrap());
        let block = |(started, ends): (Event, Event)| {
            started.set();
            ends.wait(None)
        };
        let blocking: Vec<_> = (0..2).map(|_| pool.submit(block, (started.clone(), ends.clone())).unwrap()).collect();
        started.wait(None);
        let futures =
            numbers.split(8).unwrap().into_iter().map(|chunk| pool.submit(|_: SharedChunk<u64>| (), chunk).unwrap());
        let futures = Vec::from_iter(futures);
        assert!(numbers.read().is_err());
        assert!(futures.iter().all(|future| future.cancel()));
        wait_until("the chunks are back", || numbers.read().is_ok());
        ends.set();
        blocking.iter().for_each(|future| assert!(future.result(None).unwrap()));
    });
}

#[test]
fn wild_messages_of_chunks_are_refused() {
    let numbers = SharedMut::<u64>::new(8).unwrap();
    let chunk = numbers.split(2).unwrap().pop().unwrap();
    let mut bytes = Vec::new();
    let (encoded, attached) = handles::collect(|| codec::encode(&chunk, &mut bytes));
    encoded.unwrap();
    for index in 0..bytes.len() {
        for value in [0, 1, 255] {
            let mut wild = bytes.clone();
            wild[index] ^= value;
            let received = catch_unwind(AssertUnwindSafe(|| codec::decode::<SharedChunk<u64>>(&wild)));
            drop(received.expect("it does not panic"));
        }
    }
    drop(attached);
    drop(chunk);
    numbers.read().unwrap();
}
