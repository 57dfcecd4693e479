//! Tests of the handles of tasks: what a worker is sent, and what it may send.

use std::{
    io::Read,
    os::{fd::AsFd, unix::net::UnixStream},
};

use executor_core::codec::handles::Handle;
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    frame::{ProtocolError, Reply, ReplyKind},
    pool::{MOST_HANDLES, handle::Withdrawal},
    transport::descriptors::{self, Channel, Pulled, Pushed},
};

/// A pool with workers that have channels. The other ends of the channels are the workers'.
struct Carrying {
    bench: Bench,
    channels: Vec<Channel>,
    results: Vec<Future<Vec<Handle>>>,
}

impl Carrying {
    fn new(depths: &[usize]) -> Carrying {
        let mut carrying = Carrying { bench: Bench::new(depths), channels: Vec::new(), results: Vec::new() };
        (0..depths.len()).for_each(|slot| carrying.open(slot));
        carrying
    }

    fn open(&mut self, slot: usize) {
        let (own, other) = Channel::pair().expect("a socketpair");
        self.bench.state.open_channel(SlotId::new(slot), own);
        self.channels.truncate(slot);
        self.channels.push(Channel::of(other));
    }

    /// Submits a task with these handles, which it returns.
    fn submit(&mut self, handles: Vec<Handle>) {
        let catch = Catch::default();
        self.results.push(catch.submit(|handles: Vec<Handle>| handles, handles).expect("caught"));
        let job = Job::new(catch.0.lock().pop().expect("one"), None).expect("written");
        let now = self.bench.now;
        if let Enqueued::Dispatched(deferred) = self.bench.state.enqueue(job, || now) {
            perform(deferred);
        }
    }

    /// Returns `true` if the next message that was sent to a worker has this many descriptors.
    fn pulls(&self, slot: usize, count: usize) -> bool {
        matches!(self.channels[slot].pull(count), Ok(Pulled::All(_)))
    }

    fn has_nothing(&self, slot: usize) -> bool {
        self.channels[slot].pull(1).is_err()
    }
}

fn pair() -> (UnixStream, Handle) {
    let (reader, writer) = UnixStream::pair().expect("a pair");
    (reader, Handle::new(writer.into()))
}

fn handle() -> Handle {
    pair().1
}

fn is_closed(mut reader: UnixStream) -> bool {
    reader.read(&mut [0]).is_ok_and(|count| count == 0)
}

#[test]
fn a_descriptor_is_sent_to_each_worker_once() {
    let mut pool = Carrying::new(&[4, 1]);
    let (one, other) = (handle(), handle());
    pool.submit(vec![one.clone()]);
    pool.submit(vec![one.clone(), other.clone()]);
    assert!(pool.pulls(0, 1) && pool.has_nothing(0));
    assert!(pool.pulls(1, 2) && pool.has_nothing(1));
    pool.submit(vec![one, other]);
    assert_eq!(pool.bench.has(0).len(), 2);
    assert!(pool.pulls(0, 1) && pool.has_nothing(0), "only the new one is sent");
}

#[test]
fn a_replaced_worker_is_sent_everything_again() {
    let mut pool = Carrying::new(&[1]);
    let known = handle();
    pool.submit(vec![known.clone()]);
    assert!(pool.pulls(0, 1));
    pool.bench.die(0);
    pool.bench.start_worker(0);
    pool.open(0);
    pool.bench.dispatch();
    assert!(pool.pulls(0, 1) && pool.has_nothing(0));
}

#[test]
fn a_withdrawn_task_leaves_nothing_that_the_next_one_could_take_for_its_own() {
    let mut pool = Carrying::new(&[4]);
    pool.submit(vec![handle()]);
    let (reader, withdrawn) = pair();
    pool.submit(vec![withdrawn]);
    let sequence = pool.bench.worker(0).in_flight().back().expect("two").sequence;
    assert!(pool.pulls(0, 1) && pool.pulls(0, 1));
    let job = pool.bench.worker(0).withdraw(sequence, Withdrawal::Cancel).expect("it has not started");
    let (task, _) = job.into_body();
    drop(task.cancel());
    assert!(is_closed(reader), "the arguments were its last clone");
    // The worker is told with the next task, before its descriptors.
    let before = pool.bench.worker(0).bytes_sent();
    pool.submit(vec![handle()]);
    assert!(pool.pulls(0, 1) && pool.has_nothing(0));
    assert!(pool.bench.worker(0).bytes_sent() > before);
    assert!(pool.bench.state.send_forgets().is_empty());
}

#[test]
fn a_task_that_is_cancelled_in_the_queue_drops_its_handles_before_its_turn() {
    let mut pool = Carrying::new(&[1]);
    pool.submit(Vec::new());
    let (reader, waiting) = pair();
    pool.submit(vec![waiting]);
    assert_eq!(pool.bench.waiting(), [2]);
    assert!(pool.results[1].cancel());
    perform(pool.bench.state.on_cancelled_in_queue(pool.results[1].id(), 2));
    assert!(is_closed(reader));
}

#[test]
fn an_idle_worker_is_told_to_forget() {
    let mut pool = Carrying::new(&[1]);
    let known = handle();
    pool.submit(vec![known.clone()]);
    pool.bench.twins[0].start_next();
    pool.bench.finish(0);
    let before = pool.bench.worker(0).bytes_sent();
    pool.bench.state.send_forgets();
    assert_eq!(pool.bench.worker(0).bytes_sent(), before, "it lives");
    drop(known);
    pool.bench.state.send_forgets();
    assert!(pool.bench.worker(0).bytes_sent() > before);
    let after = pool.bench.worker(0).bytes_sent();
    pool.bench.state.send_forgets();
    assert_eq!(pool.bench.worker(0).bytes_sent(), after, "it was told");
}

#[test]
fn a_handle_that_comes_back_while_its_worker_is_told_to_forget_it_is_sent_again() {
    let mut pool = Carrying::new(&[4]);
    let first = handle();
    pool.submit(vec![first.clone()]);
    assert!(pool.pulls(0, 1));
    pool.bench.twins[0].start_next();
    pool.bench.finish(0);
    let name = first.name();
    let file = first.as_fd().try_clone_to_owned().expect("a descriptor");
    drop(first);
    // The pool has not handled that yet.
    let again = Handle::received(name, file);
    pool.submit(vec![again.clone()]);
    assert!(pool.pulls(0, 1), "it is another instance");
    let before = pool.bench.worker(0).bytes_sent();
    pool.bench.state.send_forgets();
    assert_eq!(pool.bench.worker(0).bytes_sent(), before, "the worker needs it");
    pool.submit(vec![again]);
    assert!(pool.has_nothing(0));
}

#[test]
fn a_worker_gets_no_further_task_while_it_has_many_descriptors_of_unfinished_ones() {
    let mut pool = Carrying::new(&[200]);
    (0..100).for_each(|_| pool.submit(vec![handle()]));
    assert_eq!(pool.bench.has(0).len(), 64);
    pool.bench.twins[0].start_next();
    pool.bench.finish(0);
    assert_eq!(pool.bench.has(0).len(), 64, "the next one takes its place");
    let common = handle();
    let mut pool = Carrying::new(&[200]);
    (0..100).for_each(|_| pool.submit(vec![common.clone()]));
    assert_eq!(pool.bench.has(0).len(), 100);
}

#[test]
fn a_request_waits_until_the_channel_has_space() {
    let mut pool = Carrying::new(&[4]);
    let file = handle();
    let full = |channel: &Channel| channel.push(&[file.as_fd()]).expect("it is open") == Pushed::Full;
    // The pool's end of the channel.
    let (own, other) = Channel::pair().expect("a socketpair");
    let mut count = 0;
    while !full(&own) {
        count += 1;
    }
    pool.bench.state.open_channel(SlotId::new(0), own);
    let other = Channel::of(other);
    pool.submit(vec![handle(), handle()]);
    assert!(pool.bench.worker(0).has_backlog());
    assert_eq!(pool.bench.worker(0).blocked_descriptors(), Some(Pushed::Full));
    let now = pool.bench.now;
    perform(pool.bench.state.send_rest(SlotId::new(0), true, now).1);
    assert!(pool.bench.worker(0).has_backlog());
    for _ in 0..count {
        assert!(matches!(other.pull(1), Ok(Pulled::All(_))));
    }
    perform(pool.bench.state.send_rest(SlotId::new(0), true, now).1);
    assert!(!pool.bench.worker(0).has_backlog());
    assert!(matches!(other.pull(2), Ok(Pulled::All(_))));
}

#[test]
fn a_result_whose_descriptors_this_program_cannot_have_is_an_error_that_says_so() {
    let mut pool = Carrying::new(&[1]);
    pool.submit(Vec::new());
    let catch = Catch::default();
    let mut map = catch.map_with(MapOptions::new().chunksize(3), |n: u8| n, 0..3).expect("caught");
    let mut job = Job::new(catch.0.lock().pop().expect("one"), None).expect("written");
    let record = |n: u8| [2, 0, 0, 0, n, 0];
    assert!(job.outcome(record(0).to_vec().into(), u64::MAX).is_none());
    assert!(job.receive([handle()], true));
    let reply = job.outcome([record(1), record(2)].concat().into(), u64::MAX).expect("the last ones");
    drop(job.into_completion(reply).complete());
    assert_eq!(map.next().expect("an item").expect("a value"), 0);
    let error = map.next().expect("an item").expect_err("its descriptor was lost");
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("raise the limit of descriptors"), "{error}");
    assert_eq!(map.next().expect("an item").expect("a value"), 2);
}

#[test]
fn a_worker_that_has_lost_more_messages_than_it_was_sent_is_hostile() {
    let mut pool = Carrying::new(&[1]);
    let known = handle();
    pool.submit(vec![known.clone()]);
    let now = pool.bench.now;
    let name = known.name();
    let lose = |pool: &mut Carrying| {
        let reply = Reply { kind: ReplyKind::Lost, sequence: 0, body: 12 };
        pool.bench.worker(0).on_reply(reply, name.to_vec().into(), now).is_ok()
    };
    assert!(lose(&mut pool));
    assert!(!lose(&mut pool));
    pool.bench.twins[0].start_next();
    pool.bench.finish(0);
    assert!(pool.pulls(0, 1));
    pool.submit(vec![known]);
    assert!(pool.pulls(0, 1), "it is sent again");
}

/// What a worker sends.
#[derive(Clone, Copy, Debug)]
enum Sends {
    Descriptors(usize),
    Names { count: usize, of_another_task: bool },
    HalfAName,
    Outcome,
}

fn sends() -> impl Strategy<Value = Sends> {
    let count = || prop_oneof![4 => 0..4_usize, 1 => 62..=descriptors::MOST, 1 => 65..70_usize];
    prop_oneof![
        4 => (1..=descriptors::MOST).prop_map(Sends::Descriptors),
        4 => (1..4_usize).prop_map(Sends::Descriptors),
        8 => (count(), prop::bool::weighted(0.1))
            .prop_map(|(count, of_another_task)| Sends::Names { count, of_another_task }),
        1 => Just(Sends::HalfAName),
        2 => Just(Sends::Outcome),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn names_without_their_descriptors_are_refused_and_every_descriptor_is_closed(steps in vec(sends(), 0..40)) {
        let mut pool = Carrying::new(&[16]);
        (0..10).for_each(|_| pool.submit(Vec::new()));
        let (reader, sent) = pair();
        let now = pool.bench.now;
        let (mut messages, mut received, mut done) = (std::collections::VecDeque::new(), 0, 0_u8);
        for step in steps {
            let Some(front) = pool.bench.worker(0).in_flight().front().map(|task| task.sequence) else { break };
            let (reply, body, is_right) = match step {
                Sends::Descriptors(count) => {
                    if pool.channels[0].push(&vec![sent.as_fd(); count]).expect("it is open") == Pushed::Yes {
                        messages.push_back(count);
                    }
                    continue;
                }
                Sends::Names { count, of_another_task } => {
                    // A random name for each, which no other test has.
                    let names: Vec<u8> = (0..count).flat_map(|at| {
                        let mut name = sent.name();
                        name[11] ^= 1 + at as u8;
                        name[10] ^= done;
                        name[9] ^= messages.len() as u8 + 1;
                        name
                    }).collect();
                    let sequence = front + u64::from(of_another_task);
                    let is_possible = (1..=descriptors::MOST).contains(&count);
                    let found = if is_possible { messages.pop_front() } else { None };
                    received += count;
                    let is_right = found == Some(count) && !of_another_task && received <= MOST_HANDLES;
                    (Reply { kind: ReplyKind::Adopt, sequence, body: names.len() as u64 }, names, is_right)
                }
                Sends::HalfAName => (Reply { kind: ReplyKind::Adopt, sequence: front, body: 6 }, vec![0; 6], false),
                Sends::Outcome => {
                    (received, done) = (0, done + 1);
                    (Reply { kind: ReplyKind::Outcome, sequence: front, body: 2 }, vec![0, 9], true)
                }
            };
            match pool.bench.worker(0).on_reply(reply, body.into(), now) {
                Ok(effect) => {
                    prop_assert!(is_right, "{step:?}");
                    if let crate::pool::handle::ReplyEffect::Completed(completion) = effect {
                        drop(completion.complete());
                    }
                }
                Err(ProtocolError) => {
                    prop_assert!(!is_right, "{step:?}");
                    break;
                }
            }
        }
        drop((pool, sent));
        prop_assert!(is_closed(reader), "a descriptor is left");
    }
}
