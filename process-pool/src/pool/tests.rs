//! Who gets which task, with workers that are not processes: each is a table of claims that a test moves on by hand.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use executor_core::{
    Backend, Error, ErrorKind, Executor, Future, MapOptions, Task, TaskOptions,
    function::{batch, outcome},
};
use parking_lot::Mutex;

use super::{Answer, Job, Leftovers, Limits, Reached, Stage, State, Timer, Unit};
use crate::{
    process::Process,
    transport::{Claim, Claims, Outbox},
};

/// What the worker's side of a link would have in shared memory.
#[derive(Clone, Default)]
struct Twin(Arc<Mutex<Memory>>);

#[derive(Default)]
struct Memory {
    claims: Vec<(u64, Claim)>,
    taken: u64,
    wants_room: bool,
    /// How many bytes are taken at once; None: all.
    most: Option<usize>,
}

const SLOTS: u64 = 256;

impl Twin {
    fn change(&self, sequence: u64, from: Claim, to: Claim) -> bool {
        let mut memory = self.0.lock();
        let found = memory.claims.iter_mut().find(|claim| **claim == (sequence, from));
        found.map(|claim| claim.1 = to).is_some()
    }

    /// The worker takes the next task off its queue, and answers its number if it may start it.
    fn start_next(&self) -> Option<u64> {
        let next = self.0.lock().taken + 1;
        let is_there = self.0.lock().claims.iter().any(|(sequence, _)| *sequence == next);
        if !is_there {
            return None;
        }
        self.0.lock().taken = next;
        if self.change(next, Claim::Offered, Claim::Running { item: 0 }) { Some(next) } else { self.start_next() }
    }
}

impl Outbox for Twin {
    fn send(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        let length = first.len() + second.len();
        Ok(self.0.lock().most.map_or(length, |most| most.min(length)))
    }

    fn ring_bell(&mut self) {}

    fn want_room(&mut self) -> bool {
        self.0.lock().wants_room = true;
        true
    }

    fn unread(&self) -> Option<u64> {
        Some(0)
    }

    fn claims(&self) -> Option<&dyn Claims> {
        Some(self)
    }
}

impl Claims for Twin {
    fn slots(&self) -> u64 {
        SLOTS
    }

    fn taken(&self) -> u64 {
        self.0.lock().taken
    }

    fn offer(&self, sequence: u64) {
        self.0.lock().claims.push((sequence, Claim::Offered));
    }

    fn withdraw(&self, sequence: u64) -> bool {
        self.change(sequence, Claim::Offered, Claim::Gone)
    }

    fn claim(&self, sequence: u64) -> Claim {
        let memory = self.0.lock();
        memory.claims.iter().find(|(other, _)| *other == sequence).map_or(Claim::Gone, |(_, claim)| *claim)
    }

    fn condemn(&self, sequence: u64, item: u64) -> bool {
        self.change(sequence, Claim::Running { item }, Claim::Gone)
    }

    fn ask_to_stop(&self, _: u64) {}

    fn started_at(&self) -> Duration {
        crate::transport::monotonic_now()
    }
}

/// Keeps what is submitted.
#[derive(Default)]
struct Catch(Mutex<Vec<Task>>);

impl Backend for Catch {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        self.0.lock().push(task);
        Ok(())
    }

    fn close(&self, _: executor_core::Shutdown) {}

    fn join(&self, _: Option<Duration>) -> bool {
        true
    }

    fn max_workers(&self) -> usize {
        1
    }
}

/// A pool without processes.
struct Bench {
    state: State,
    twins: Vec<Twin>,
    futures: Vec<Future<u32>>,
    now: Instant,
    leftovers: Leftovers,
}

impl Bench {
    /// Each worker may have this many tasks at once.
    fn new(depths: &[usize]) -> Bench {
        let twins: Vec<Twin> = depths.iter().map(|_| Twin::default()).collect();
        let mut units = Vec::new();
        for (depth, twin) in depths.iter().zip(&twins) {
            let mut unit = Unit::new("unit".into());
            unit.occupy(Process::nobody(), Box::new(twin.clone()));
            unit.stage = Stage::Ready;
            unit.depth = *depth;
            units.push(unit);
        }
        let mut state = State::new(Limits::default(), units);
        // Whatever this machine has.
        state.processors = depths.len();
        Bench { state, twins, futures: Vec::new(), now: Instant::now(), leftovers: Leftovers::default() }
    }

    fn submit(&mut self, options: TaskOptions) {
        let catch = Catch::default();
        let priority = options.clone();
        self.futures.push(catch.submit_with(priority, |n: u32| n, 0).expect("caught"));
        let task = catch.0.lock().pop().expect("one");
        self.state.priorities |= task.priority() != 0;
        if self.state.priorities {
            self.state.make_way_for(task.priority());
        }
        self.state.queue.push_back(Job::new(task, None).expect("written"));
        self.dispatch();
    }

    fn submit_many(&mut self, count: usize) {
        (0..count).for_each(|_| self.submit(TaskOptions::new()));
    }

    fn dispatch(&mut self) {
        self.state.dispatch(self.now, &mut self.leftovers);
    }

    /// The tasks in the hands of a worker, by the order of their submission, from 1 on.
    fn has(&self, unit: usize) -> Vec<u64> {
        self.state.units[unit].flights().iter().map(|flight| flight.job.number).collect()
    }

    fn waiting(&mut self) -> Vec<u64> {
        let jobs = self.state.queue.drain();
        let numbers = jobs.iter().map(|job| job.number).collect();
        jobs.into_iter().for_each(|job| self.state.queue.put_back(job));
        numbers
    }

    /// The worker finishes the task that it runs, and begins with the next.
    fn finish(&mut self, unit: usize) {
        let running = self.state.units[unit].flights().front().expect("something runs").sequence;
        self.twins[unit].change(running, Claim::Running { item: 0 }, Claim::Finished);
        let answer = self.state.units[unit].answered(running, vec![0].into(), self.now);
        let Some(Answer::Whole(job, reply)) = answer else { panic!("not an answer") };
        drop(job.task.complete(reply));
        self.twins[unit].start_next();
        self.dispatch();
        if self.state.units[unit].flights().len() == 1 {
            self.twins[unit].start_next();
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }
}

#[test]
fn each_task_goes_to_the_worker_with_the_least() {
    let mut bench = Bench::new(&[4, 4]);
    bench.submit_many(10);
    assert_eq!((bench.has(0), bench.has(1)), (vec![1, 3, 5, 7], vec![2, 4, 6, 8]));
    assert_eq!(bench.waiting(), [9, 10]);
}

#[test]
fn who_has_room_for_many_is_given_several_in_a_row_when_nobody_is_idle() {
    let mut bench = Bench::new(&[64, 64]);
    bench.submit_many(12);
    assert_eq!(bench.has(0), [1, 3, 4, 5, 6, 7]);
    assert_eq!(bench.has(1), [2, 8, 9, 10, 11, 12]);
}

#[test]
fn quick_tasks_stay_with_as_many_workers_as_there_are_processors() {
    for (depth, idle) in [(64, 2), (8, 0)] {
        let mut bench = Bench::new(&[depth; 4]);
        bench.state.processors = 2;
        bench.submit_many(12);
        assert_eq!((0..4).filter(|unit| bench.has(*unit).is_empty()).count(), idle, "depth {depth}");
    }
}

#[test]
fn what_was_taken_for_quick_and_is_not_goes_to_the_others() {
    let mut bench = Bench::new(&[64; 4]);
    bench.state.processors = 2;
    bench.submit_many(6);
    assert_eq!((bench.has(0), bench.has(1)), (vec![1, 3, 4, 5, 6], vec![2]));
    bench.twins[..2].iter().for_each(|twin| assert_eq!(twin.start_next(), Some(1)));
    bench.pass(Duration::from_millis(1));
    bench.state.check_stall(0, bench.now, &mut bench.leftovers);
    assert_eq!(bench.has(0), [1]);
    assert_eq!(bench.waiting(), [] as [u64; 0]);
    assert!((1..4).all(|unit| !bench.has(unit).is_empty()));
}

#[test]
fn a_worker_with_nothing_to_do_gets_the_oldest_of_what_waits_elsewhere() {
    let mut bench = Bench::new(&[8, 2]);
    bench.state.units[1].stage = Stage::Starting;
    bench.submit_many(7);
    bench.twins[0].start_next();
    bench.state.units[1].stage = Stage::Ready;
    bench.dispatch();
    assert_eq!((bench.has(0), bench.has(1)), (vec![1, 4, 5, 6, 7], vec![2, 3]));
}

#[test]
fn what_waits_behind_a_long_task_comes_back_and_the_younger_ones_elsewhere_too() {
    let mut bench = Bench::new(&[4, 4]);
    bench.submit_many(8);
    bench.twins.iter().for_each(|twin| assert_eq!(twin.start_next(), Some(1)));
    bench.pass(Duration::from_millis(1));
    // The second worker answers all the time, the first does not.
    bench.finish(1);
    bench.pass(Duration::from_micros(500));
    bench.state.check_stall(0, bench.now, &mut bench.leftovers);
    assert_eq!(bench.has(0), [1]);
    assert_eq!(bench.has(1), [4, 3, 5, 6]);
    assert_eq!(bench.waiting(), [7, 8]);
    assert_eq!(bench.state.units[0].depth, 1);
}

#[test]
fn a_task_that_is_on_its_way_for_long_stays_where_it_is() {
    let mut bench = Bench::new(&[4]);
    bench.submit_many(1);
    bench.pass(Duration::from_millis(2));
    bench.submit_many(1);
    assert_eq!(bench.state.units[0].flights().front().map(|flight| flight.sequence), Some(1));
    assert_eq!(bench.waiting(), [2]);
}

#[test]
fn the_items_of_a_batch_are_one_task_to_what_waits_behind_it() {
    let mut bench = Bench::new(&[4]);
    let catch = Catch::default();
    let results = catch.map_with(MapOptions::new().chunksize(3), |n: u32| n, 0..3).expect("caught");
    let task = catch.0.lock().pop().expect("one");
    bench.state.queue.push_back(Job::new(task, None).expect("written"));
    bench.dispatch();
    bench.submit_many(1);
    bench.twins[0].start_next();
    let mut record = Vec::new();
    let error = Error::new(ErrorKind::Other, "an outcome like any other");
    batch::write_record(&mut record, |outcome| outcome::write_error(&error, outcome));
    for _ in 0..2 {
        bench.pass(Duration::from_micros(900));
        let answer = bench.state.units[0].answered(1, record.as_slice().into(), bench.now);
        assert!(matches!(answer, Some(Answer::Part)));
    }
    bench.state.check_stall(0, bench.now, &mut bench.leftovers);
    assert_eq!((bench.has(0).len(), bench.waiting().len()), (1, 1));
    drop(results);
}

#[test]
fn a_full_queue_wakes_those_who_were_left_asleep() {
    let mut bench = Bench::new(&[64; 4]);
    bench.state.processors = 2;
    bench.state.limits.queue_capacity = Some(5);
    bench.submit_many(6);
    assert!(bench.has(2).is_empty());
    bench.submit_many(4);
    assert!((2..4).all(|unit| !bench.has(unit).is_empty()));
}

#[test]
fn what_is_shared_stays_in_order_where_only_one_more_is_to_be_had() {
    let mut bench = Bench::new(&[200, 24, 24, 24]);
    bench.state.processors = 2;
    (1..4).for_each(|unit| bench.state.units[unit].stage = Stage::Starting);
    bench.submit_many(120);
    bench.twins[0].start_next();
    (1..4).for_each(|unit| bench.state.units[unit].stage = Stage::Ready);
    bench.dispatch();
    assert!(bench.has(2).is_empty(), "two processors, two workers");
    for unit in 0..2 {
        assert!(bench.has(unit).is_sorted(), "{:?}", bench.has(unit));
    }
}

#[test]
fn nothing_is_put_behind_a_task_that_is_known_to_be_long() {
    let mut bench = Bench::new(&[4]);
    bench.submit_many(1);
    bench.twins[0].start_next();
    bench.pass(Duration::from_millis(2));
    bench.submit_many(3);
    assert_eq!(bench.has(0), [1]);
    assert_eq!(bench.waiting(), [2, 3, 4]);
    bench.finish(0);
    assert_eq!(bench.has(0), [2]);
}

#[test]
fn the_more_urgent_takes_the_place_of_what_has_not_started() {
    let mut bench = Bench::new(&[3]);
    bench.submit_many(4);
    bench.twins[0].start_next();
    bench.submit(TaskOptions::new().priority(1));
    assert_eq!(bench.has(0), [1, 5, 2]);
    bench.submit(TaskOptions::new().priority(-1));
    assert_eq!((bench.has(0), bench.waiting()), (vec![1, 5, 2], vec![3, 4, 6]));
}

#[test]
fn the_depth_follows_the_length_of_tasks() {
    let mut bench = Bench::new(&[1]);
    for expected in [2, 4, 8, 16] {
        bench.state.adapt_depth(0, 10, Duration::from_micros(10), false);
        assert_eq!(bench.state.units[0].depth, expected);
    }
    for _ in 0..10 {
        bench.state.adapt_depth(0, 10, Duration::from_micros(10), false);
    }
    assert_eq!(bench.state.units[0].depth, 202);
    bench.state.adapt_depth(0, 1, Duration::from_micros(50), true);
    assert_eq!(bench.state.units[0].depth, 202);
    bench.state.adapt_depth(0, 1, Duration::from_millis(5), true);
    assert_eq!(bench.state.units[0].depth, 1);
}

#[test]
fn slots_of_withdrawn_tasks_are_waited_for_and_used_again() {
    let mut bench = Bench::new(&[4]);
    for turn in 0..SLOTS - 1 {
        bench.submit_many(1);
        assert!(bench.state.units[0].withdraw(turn + 1, true).is_some());
    }
    bench.submit_many(1);
    assert!(bench.has(0).is_empty() && bench.twins[0].0.lock().wants_room);
    assert_eq!(bench.waiting().len(), 1);
    // The worker gets past them.
    assert_eq!(bench.twins[0].start_next(), None);
    bench.dispatch();
    assert_eq!(bench.has(0), [SLOTS]);
    assert_eq!(bench.twins[0].start_next(), Some(SLOTS));
}

#[test]
fn a_limit_sets_one_timer_for_each_worker_however_many_tasks_it_has() {
    let mut bench = Bench::new(&[8]);
    for seconds in [20, 30, 25, 10, 40] {
        bench.submit(TaskOptions::new().time_limit(Duration::from_secs(seconds)));
    }
    let mut due = 0;
    let end = bench.now + Duration::from_secs(100);
    while bench.state.timers.due(end).is_some() {
        due += 1;
    }
    // The first one, the one that came earlier than that, the one for what waits, and the one for a stopped worker.
    assert_eq!(due, 4);
}

#[test]
fn a_task_that_no_worker_lives_to_start_is_given_up() {
    let mut bench = Bench::new(&[1]);
    bench.submit_many(1);
    for strike in 1..=3 {
        let lost = bench.state.units[0].vacate();
        let (flight, reached) = lost.into_iter().next().expect("the task");
        assert_eq!(reached, Reached::Begun);
        let error = Error::new(executor_core::ErrorKind::WorkerDied, "dead");
        match flight.job.next_under(true, error) {
            super::Aftermath::Again(job) => {
                assert!(strike < 3);
                bench.state.take_in_again(job);
                let twin = Twin::default();
                bench.state.units[0].occupy(Process::nobody(), Box::new(twin.clone()));
                // A worker has memory of its own, but the numbers go on.
                bench.twins[0] = twin;
                bench.state.units[0].stage = Stage::Ready;
                bench.dispatch();
            }
            super::Aftermath::Over(ending) => {
                assert_eq!(strike, 3);
                drop(ending.settle());
            }
        }
    }
    assert_eq!(bench.futures[0].result(None).unwrap_err().kind(), executor_core::ErrorKind::WorkerDied);
}

#[test]
fn timers_of_workers_that_are_gone_do_not_pile_up() {
    let mut bench = Bench::new(&[1]);
    let far = bench.now + Duration::from_secs(60);
    let generation = bench.state.units[0].generation;
    bench.state.set_timer(far, Timer::Kill { unit: 0, generation });
    for old in 0..10_000 {
        bench.state.set_timer(far, Timer::Late { unit: 0, generation: generation + 1 + old });
    }
    let mut left = Vec::new();
    while let Some(timer) = bench.state.timers.due(far) {
        left.push(timer);
    }
    assert!(left.len() < 200, "{}", left.len());
    assert!(left.contains(&Timer::Kill { unit: 0, generation }), "what means something is kept");
}

#[test]
fn an_answer_to_a_task_that_was_not_sent_as_a_whole_is_nonsense_and_hurts_nobody() {
    let mut bench = Bench::new(&[1]);
    bench.twins[0].0.lock().most = Some(10);
    bench.submit_many(1);
    let unit = &mut bench.state.units[0];
    assert!(unit.has_backlog());
    let sequence = unit.flights().front().expect("the task").sequence;
    assert!(unit.answered(sequence, vec![0].into(), bench.now).is_none());
    assert!(unit.answered(sequence + 1, vec![0].into(), bench.now).is_none(), "it was never given that one");
    // Sending goes on, as long as the worker takes it.
    while unit.pump() {}
    assert!(!unit.has_backlog());
    assert!(matches!(unit.answered(sequence, vec![0].into(), bench.now), Some(Answer::Whole(..))));
}

#[test]
fn the_memory_of_an_argument_is_given_away_once_nobody_can_be_sent_it_again() {
    let mut bench = Bench::new(&[1, 1]);
    bench.submit_many(1);
    bench.submit(TaskOptions::new().retries(1));
    let length = 8;
    let given = |bench: &mut Bench, unit: usize| {
        let sequence = bench.state.units[unit].flights().front().expect("a task").sequence;
        bench.state.units[unit].spare_memory(sequence, length).is_some()
    };
    assert!(!given(&mut bench, 0), "it has not started, and may go to another worker");
    for twin in &bench.twins {
        twin.start_next();
    }
    assert!(given(&mut bench, 0));
    assert!(!given(&mut bench, 1), "it is run again if its worker dies");

    // Whatever the worker says now, this one has started.
    let sequence = bench.state.units[0].flights().front().expect("a task").sequence;
    assert!(bench.twins[0].change(sequence, Claim::Running { item: 0 }, Claim::Offered));
    assert!(bench.state.units[0].withdraw(sequence, false).is_none());
    assert!(matches!(bench.state.units[0].vacate().as_slice(), [(_, Reached::Started)]));
}

#[test]
fn memory_that_does_not_fit_the_reply_stays_where_it_is() {
    let mut bench = Bench::new(&[1]);
    bench.submit_many(1);
    bench.twins[0].start_next();
    let sequence = bench.state.units[0].flights().front().expect("a task").sequence;
    assert!(bench.state.units[0].spare_memory(sequence, 1000).is_none(), "it is too little");
    assert!(bench.state.units[0].spare_memory(sequence, 1).is_none(), "it would be kept for one byte");
}

#[test]
fn a_low_priority_means_late_and_not_never() {
    for depth in [1, 4] {
        let mut bench = Bench::new(&[depth]);
        bench.submit(TaskOptions::new());
        bench.twins[0].start_next();
        bench.submit(TaskOptions::new().priority(-1));
        let mut before = 0;
        while bench.has(0).first() != Some(&2) {
            bench.submit(TaskOptions::new().priority(1));
            bench.finish(0);
            before += 1;
            assert!(before < 2_100, "it has not started");
        }
        assert!(before > 2_000, "only {before} of higher priority have started before");
    }
}
