//! `Queue`, `JoinableQueue`.

use std::{collections::BTreeSet, thread, time::Duration};

use executor_core::{
    Error,
    ErrorKind::{self, Abandoned, Closed, Decode, Encode, InvalidArgument, InvalidState, Timeout},
};
use process_sync::{JoinableQueue, Lock, Queue, SimpleQueue, Value};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::support::{Line, Role, child, each_harness};

pub const ROLES: &[(&str, Role)] = &[
    ("produce", produce),
    ("consume", consume),
    ("drain", drain),
    ("reply", reply),
    ("get until closed", get_until_closed),
    ("put one", put_one),
    ("get and die", get_and_die),
    ("finish items", finish_items),
    ("take two and die", take_two_and_die),
    ("echo locks", echo_locks),
];

const ITEMS: u64 = 3_000;

/// The producer, the number of the item, and bytes.
type Item = (u64, u64, Vec<u8>);

fn produce(line: &mut Line) {
    let (queue, producer): (Queue<Item>, u64) = line.receive();
    for item in 0..ITEMS {
        queue.put((producer, item, vec![item as u8; (item % 300) as usize])).unwrap();
    }
}

/// Checks that the items of each producer come in order, and counts them.
fn consume(line: &mut Line) {
    let (queue, count): (Queue<Item>, Value<u64>) = line.receive();
    let mut last = [None; 4];
    for (producer, item, bytes) in queue.iter() {
        let last = &mut last[producer as usize];
        assert!(last.is_none_or(|last| last < item), "the items of a producer are in order");
        *last = Some(item);
        assert!(bytes.len() == (item % 300) as usize && bytes.iter().all(|byte| *byte == item as u8));
        count.update(|count| *count += 1);
    }
}

#[test]
fn every_item_arrives_once_and_those_of_a_producer_in_order() {
    each_harness(|harness| {
        let queues = [Queue::<Item>::unbounded(), Queue::bounded(4), Queue::builder().max_bytes(4096).build()];
        for queue in queues {
            let (queue, count) = (queue.unwrap(), Value::new(0_u64).unwrap());
            let consumers: Vec<_> = (0..2).map(|_| harness.start("consume", &(queue.clone(), count.clone()))).collect();
            let producers: Vec<_> = (0..2_u64).map(|n| harness.start("produce", &(queue.clone(), n))).collect();
            producers.into_iter().for_each(|producer| producer.join());
            queue.close().unwrap();
            consumers.into_iter().for_each(|consumer| consumer.join());
            assert_eq!((count.get(), queue.len()), (2 * ITEMS, 0));
        }
    });
}

#[test]
fn a_queue_tells_how_full_it_is_and_refuses_more() {
    let queue = Queue::<u64>::bounded(2).unwrap();
    assert!(queue.is_empty() && !queue.is_full() && queue.try_get().unwrap().is_none());
    assert!(queue.try_put(1).unwrap());
    queue.put(2).unwrap();
    assert!(queue.is_full() && queue.len() == 2 && !queue.try_put(3).unwrap());
    let error = queue.put_timeout(3, Duration::from_millis(5)).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Timeout, "the wait for room of a queue timed out"));
    assert_eq!((queue.get(None).unwrap(), queue.get(Duration::ZERO).unwrap()), (1, 2));
    let error = queue.get(Duration::from_millis(5)).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Timeout, "the wait for an item of a queue timed out"));
    queue.put_timeout(4, Duration::MAX).unwrap();
    assert_eq!(queue.get(Duration::MAX).unwrap(), 4);
    let simple: SimpleQueue<String> = SimpleQueue::unbounded().unwrap();
    simple.put("text".to_string()).unwrap();
    let borrowed = "borrowed".to_string();
    simple.put(&borrowed).unwrap();
    assert_eq!(simple.len(), 2);
}

fn put_one(line: &mut Line) {
    let queue: Queue<u64> = line.receive();
    queue.put(7).unwrap();
    std::process::exit(0);
}

#[test]
fn an_item_is_there_although_its_producer_ended_immediately() {
    let queue = Queue::<u64>::bounded(1).unwrap();
    child("put one", &queue).join();
    assert_eq!(queue.try_get().unwrap(), Some(7));
}

fn get_until_closed(line: &mut Line) {
    let queue: Queue<u64> = line.receive();
    line.mark();
    let mut sum = 0;
    let end = loop {
        match queue.get(None) {
            Ok(item) => sum += item,
            Err(error) => break error.kind(),
        }
    };
    line.send(&(sum, end));
}

#[test]
fn a_closed_queue_gives_out_what_is_in_it_and_wakes_everyone() {
    each_harness(|harness| {
        let queue = Queue::<u64>::bounded(2).unwrap();
        let mut getters: Vec<_> = (0..3).map(|_| harness.start("get until closed", &queue)).collect();
        getters.iter_mut().for_each(|getter| getter.line.wait_mark());
        (1..=10).for_each(|item| queue.put(item).unwrap());
        queue.close().unwrap();
        let error = queue.put(1).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (Closed, "the queue is closed"));
        let outcomes: Vec<(u64, ErrorKind)> = getters.iter_mut().map(|getter| getter.line.receive()).collect();
        getters.into_iter().for_each(|getter| getter.join());
        assert_eq!(outcomes.iter().map(|(sum, _)| sum).sum::<u64>(), 55);
        assert!(outcomes.iter().all(|(_, end)| *end == Closed));
        assert_eq!(queue.try_get().unwrap_err().kind(), Closed);
        queue.close().unwrap();
    });
}

#[test]
fn a_putter_that_waits_for_room_is_woken_by_a_close() {
    let queue = Queue::<u64>::bounded(1).unwrap();
    queue.put(1).unwrap();
    let putter = thread::spawn({
        let queue = queue.clone();
        move || queue.put(2).unwrap_err().kind()
    });
    thread::yield_now();
    queue.close().unwrap();
    assert_eq!(putter.join().unwrap(), Closed);
    assert_eq!(queue.get(None).unwrap(), 1);
    assert_eq!(queue.iter().count(), 0);
}

#[test]
fn a_queue_grows_with_what_is_in_it() {
    let queue = Queue::<Vec<u8>>::unbounded().unwrap();
    let lengths = [0, 1, 70_000, 3, 1 << 20, 200_000, 20 << 20, 9];
    for round in 0..3_u8 {
        lengths.iter().for_each(|length| queue.put(vec![round; *length]).unwrap());
        for length in lengths {
            let item = queue.get(None).unwrap();
            assert!(item.len() == length && item.iter().all(|byte| *byte == round));
        }
        assert!(queue.is_empty());
    }
    let small = Queue::<Vec<u8>>::builder().max_bytes(1000).build().unwrap();
    let error = small.put(vec![0; 1000]).unwrap_err();
    assert_eq!(error.kind(), InvalidArgument);
    assert!(error.to_string().contains("raise max_bytes, 1000"), "{error}");
    assert!(small.try_put(vec![0; 900]).unwrap() && !small.try_put(vec![0; 900]).unwrap());
    drop(small.get(None).unwrap());
    assert!(small.try_put(vec![0; 900]).unwrap());
}

#[test]
fn many_small_items_that_nobody_reads_are_kept() {
    let queue = Queue::<u64>::unbounded().unwrap();
    (0..100_000).for_each(|item| queue.put(item).unwrap());
    assert_eq!(queue.len(), 100_000);
    assert!((0..100_000).all(|item| queue.get(None).unwrap() == item));
}

fn drain(line: &mut Line) {
    let (queue, sum): (Queue<Vec<u8>>, Value<u64>) = line.receive();
    for item in queue.iter() {
        sum.update(|sum| *sum += item.len() as u64);
    }
}

#[test]
fn a_producer_that_is_faster_than_its_consumers_loses_nothing() {
    /// More than the size from which on a producer waits before the ring grows.
    const MANY: u64 = 12;
    each_harness(|harness| {
        let (queue, sum) = (Queue::<Vec<u8>>::unbounded().unwrap(), Value::new(0_u64).unwrap());
        for item in 0..MANY {
            queue.put(vec![1; 100_000 + item as usize]).unwrap();
        }
        // Neither waits longer than it was told to.
        queue.put_timeout(vec![1; 1_500_000], Duration::ZERO).unwrap();
        assert!(queue.try_put(vec![1; 2_500_000]).unwrap());
        let consumer = harness.start("drain", &(queue.clone(), sum.clone()));
        for item in 0..MANY {
            queue.put(vec![1; 100_000 + item as usize]).unwrap();
        }
        queue.close().unwrap();
        consumer.join();
        assert_eq!(sum.get(), 4_000_000 + 2 * (MANY * 100_000 + MANY * (MANY - 1) / 2));
    });
}

#[test]
fn a_queue_without_room_is_refused() {
    let message = "a queue needs room for at least one item";
    for error in [
        Queue::<u8>::bounded(0).unwrap_err(),
        JoinableQueue::<u8>::bounded(0).unwrap_err(),
        Queue::<u8>::builder().max_bytes(0).build().unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.to_string().as_str()), (InvalidArgument, message));
    }
}

/// Fails to encode, or to decode, if it is told so.
#[derive(Debug, PartialEq)]
struct Picky(u8);

const UNWRITABLE: u8 = 1;
const UNREADABLE: u8 = 2;

impl Serialize for Picky {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            UNWRITABLE => Err(serde::ser::Error::custom("it is not to be written")),
            byte => (byte, "x").serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Picky, D::Error> {
        match <(u8, String)>::deserialize(deserializer)?.0 {
            UNREADABLE => Err(serde::de::Error::custom("it is not to be read")),
            byte => Ok(Picky(byte)),
        }
    }
}

#[test]
fn a_value_that_cannot_be_encoded_or_decoded_costs_nobody_else() {
    let queue = Queue::<Picky>::unbounded().unwrap();
    queue.put(Picky(0)).unwrap();
    assert_eq!(queue.put(Picky(UNWRITABLE)).unwrap_err().kind(), Encode);
    queue.put(Picky(UNREADABLE)).unwrap();
    queue.put(Picky(3)).unwrap();
    assert_eq!((queue.len(), queue.get(None).unwrap()), (3, Picky(0)));
    assert_eq!(queue.get(None).unwrap_err().kind(), Decode);
    assert_eq!(queue.get(None).unwrap(), Picky(3));
}

#[derive(Serialize, Deserialize)]
struct Request {
    number: u64,
    answer: Queue<u64>,
}

fn reply(line: &mut Line) {
    let requests: Queue<Request> = line.receive();
    for request in requests.iter() {
        request.answer.put(request.number * 2).unwrap();
    }
}

#[test]
fn a_queue_carries_queues() {
    each_harness(|harness| {
        let requests = Queue::<Request>::unbounded().unwrap();
        let partner = harness.start("reply", &requests);
        for number in 0..200 {
            let answer = Queue::bounded(1).unwrap();
            requests.put(Request { number, answer: answer.clone() }).unwrap();
            assert_eq!(answer.get(None).unwrap(), number * 2);
        }
        requests.close().unwrap();
        partner.join();
    });
}

fn echo_locks(line: &mut Line) {
    let (there, back): (Queue<Lock>, Queue<Lock>) = line.receive();
    for lock in there.iter() {
        drop(lock.lock().unwrap());
        back.put(lock).unwrap();
    }
}

#[test]
fn more_descriptors_than_a_lane_holds_are_a_full_queue() {
    each_harness(|harness| {
        let (there, back) = (Queue::unbounded().unwrap(), Queue::<Lock>::unbounded().unwrap());
        let mut under_way = 0;
        while there.try_put(Lock::new().unwrap()).unwrap() {
            under_way += 1;
            assert!(under_way < 10_000, "the lane is bounded");
        }
        let partner = harness.start("echo locks", &(there.clone(), back.clone()));
        for _ in 0..under_way {
            drop(back.get(None).unwrap().lock().unwrap());
        }
        there.close().unwrap();
        partner.join();
    });
}

#[test]
fn an_item_has_a_limited_number_of_descriptors() {
    let queue = Queue::<Vec<Lock>>::unbounded().unwrap();
    let locks: Vec<Lock> = (0..253).map(|_| Lock::new().unwrap()).collect();
    let error = queue.put(&locks).unwrap_err();
    assert_eq!(error.kind(), InvalidArgument);
    assert_eq!(error.to_string(), "an item with 254 descriptors: at most 253 go with one");
    queue.put(locks[1..].to_vec()).unwrap();
    assert_eq!(queue.get(None).unwrap().len(), 252);
}

fn get_and_die(line: &mut Line) {
    let queue: Queue<u64> = line.receive();
    queue.get(None).unwrap();
    line.mark();
    line.wait_for_death();
}

#[test]
fn a_consumer_that_dies_costs_the_item_that_it_had_taken() {
    let queue = Queue::<u64>::unbounded().unwrap();
    (0..4).for_each(|item| queue.put(item).unwrap());
    let mut dying = child("get and die", &queue);
    dying.line.wait_mark();
    dying.kill();
    let rest: BTreeSet<u64> = (0..3).map(|_| queue.get(None).unwrap()).collect();
    assert!(rest == BTreeSet::from([1, 2, 3]) && queue.is_empty());
}

fn finish_items(line: &mut Line) {
    let queue: JoinableQueue<u64> = line.receive();
    for _ in queue.iter() {
        queue.task_done().unwrap();
    }
}

fn take_two_and_die(line: &mut Line) {
    let queue: JoinableQueue<u64> = line.receive();
    queue.get(None).unwrap();
    queue.get(None).unwrap();
    line.mark();
    line.wait_for_death();
}

#[test]
fn a_join_ends_when_all_items_are_finished() {
    each_harness(|harness| {
        let queue = JoinableQueue::<u64>::bounded(3).unwrap();
        queue.join(None).unwrap();
        let consumers: Vec<_> = (0..2).map(|_| harness.start("finish items", &queue)).collect();
        for _ in 0..3 {
            (0..50_u64).for_each(|item| queue.put(item).unwrap());
            queue.join(None).unwrap();
            assert!(queue.is_empty());
        }
        queue.close().unwrap();
        consumers.into_iter().for_each(|consumer| consumer.join());
        let error = queue.task_done().unwrap_err();
        assert_eq!(error.kind(), InvalidState);
        assert_eq!(error.to_string(), "`task_done` was called more often than an item was gotten");
    });
}

#[test]
fn a_join_times_out_and_an_item_can_be_finished_by_another() {
    let queue = JoinableQueue::<u64>::unbounded().unwrap();
    queue.put(1).unwrap();
    assert_eq!(queue.task_done().unwrap_err().kind(), InvalidState);
    let error = queue.join(Duration::from_millis(5)).unwrap_err();
    assert_eq!(error.to_string(), "the wait for the end of all work of a joinable queue timed out");
    queue.get(None).unwrap();
    let finisher = thread::spawn({
        let queue = queue.clone();
        move || queue.task_done()
    });
    queue.join(None).unwrap();
    finisher.join().unwrap().unwrap();
}

#[test]
fn items_of_a_dead_consumer_are_reported_once() {
    let queue = JoinableQueue::<u64>::unbounded().unwrap();
    (0..3).for_each(|item| queue.put(item).unwrap());
    let mut dying = child("take two and die", &queue);
    dying.line.wait_mark();
    let joiner = thread::spawn({
        let queue = queue.clone();
        move || queue.join(None)
    });
    dying.kill();
    assert_eq!(queue.get(None).unwrap(), 2);
    queue.task_done().unwrap();
    let outcomes: Vec<Result<(), Error>> = vec![joiner.join().unwrap(), queue.join(None)];
    let errors: Vec<&Error> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].kind(), Abandoned);
    assert_eq!(
        errors[0].to_string(),
        "2 items are lost: processes died that had taken and not finished them; all others are finished"
    );
    queue.join(None).unwrap();
}
