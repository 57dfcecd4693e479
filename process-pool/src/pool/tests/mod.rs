//! Tests of the pool's state. Its workers are not processes: each is a table of claims that a test changes by hand.

mod dispatching;
mod handles;
mod width;
mod workers;

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use executor_core::{Backend, Error, ErrorKind, Executor, Future, MapOptions, Task, TaskOptions};
use parking_lot::Mutex;

use super::{
    Deferred, Dying, EndedProcess, Job, Limits, SlotId, Stage, State, WorkerId, handle::WorkerHandle, state::Enqueued,
};
use crate::{
    death::Signs,
    sys::child::Process,
    transport::{Claim, Claims, Outbox},
};

/// The worker's side of a link, as in shared memory.
#[derive(Clone, Default)]
struct Twin(Arc<Mutex<Memory>>);

#[derive(Default)]
struct Memory {
    claims: Vec<(u64, Claim)>,
    taken: u64,
    wants_room: bool,
    /// The most bytes that are taken by one write, if there is a bound.
    most: Option<usize>,
    /// Whether the link is broken.
    is_broken: bool,
    /// How often its doorbell was rung.
    rings: usize,
}

const SLOTS: u64 = 256;

impl Twin {
    fn change(&self, sequence: u64, from: Claim, to: Claim) -> bool {
        let mut memory = self.0.lock();
        let found = memory.claims.iter_mut().find(|claim| **claim == (sequence, from));
        found.map(|claim| claim.1 = to).is_some()
    }

    /// Takes the next task off the worker's queue. Returns its number if the worker may start it.
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
        if self.0.lock().is_broken {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let length = first.len() + second.len();
        Ok(self.0.lock().most.map_or(length, |most| most.min(length)))
    }

    fn ring_doorbell(&mut self) {
        self.0.lock().rings += 1;
    }

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

/// Keeps the submitted tasks.
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
}

impl Bench {
    /// Makes a bench with a worker for each of these depths.
    fn new(depths: &[usize]) -> Bench {
        Bench::with(Limits::default(), depths)
    }

    fn with(limits: Limits, depths: &[usize]) -> Bench {
        let state = State::new(limits, "pool", depths.len(), Arc::default());
        let mut bench = Bench { state, twins: Vec::new(), futures: Vec::new(), now: Instant::now() };
        // Independent of this machine.
        bench.state.dispatcher.processors = depths.len();
        for (slot, depth) in depths.iter().enumerate() {
            bench.twins.push(Twin::default());
            bench.start_worker(slot);
            bench.worker(slot).set_depth(*depth);
        }
        bench
    }

    /// Starts a worker that is ready. It has memory of its own.
    fn start_worker(&mut self, slot: usize) {
        self.twins[slot] = Twin::default();
        let worker = self.state.attach(SlotId::new(slot), Process::nonexistent(), Box::new(self.twins[slot].clone()));
        worker.set_stage(Stage::Ready);
    }

    /// Lets the worker die of an error of its own.
    fn die(&mut self, slot: usize) {
        let dying = self.state.begin_death(SlotId::new(slot)).expect("a worker");
        self.end_death(slot, &dying);
    }

    /// The process of a worker that dies was reaped.
    fn end_death(&mut self, slot: usize, dying: &Dying) {
        let ended = EndedProcess {
            pid: dying.process.number(),
            status: None,
            signs: Signs::default(),
            stderr_tail: String::new(),
            out_of_memory: false,
        };
        let (_, deferred) = self.state.on_death(SlotId::new(slot), ended, self.now).expect("a worker");
        perform(deferred);
    }

    fn worker(&mut self, slot: usize) -> &mut WorkerHandle {
        self.state.worker_mut(SlotId::new(slot)).expect("a worker")
    }

    fn worker_id(&mut self, slot: usize) -> WorkerId {
        self.worker(slot).id()
    }

    fn submit(&mut self, options: TaskOptions) {
        let catch = Catch::default();
        self.futures.push(catch.submit_with(options, |n: u32| n, 0).expect("caught"));
        let task = catch.0.lock().pop().expect("one");
        let job = Job::new(task, None).expect("written");
        let now = self.now;
        if let Enqueued::Dispatched(deferred) = self.state.enqueue(job, || now) {
            perform(deferred);
        }
    }

    fn submit_many(&mut self, count: usize) {
        (0..count).for_each(|_| self.submit(TaskOptions::new()));
    }

    fn dispatch(&mut self) {
        perform(self.state.dispatch(self.now));
    }

    fn check_stall(&mut self, slot: usize) {
        let id = self.worker_id(slot);
        perform(self.state.check_stall(id, self.now));
    }

    /// Returns the tasks that a worker has, by the order of their submission, from 1 on.
    fn has(&self, slot: usize) -> Vec<u64> {
        let worker = self.state.worker(SlotId::new(slot)).expect("a worker");
        worker.in_flight().iter().map(|task| task.job.number).collect()
    }

    fn waiting(&mut self) -> Vec<u64> {
        let jobs = self.state.queue.drain();
        let numbers = jobs.iter().map(|job| job.number).collect();
        jobs.into_iter().for_each(|job| self.state.queue.put_back(job));
        numbers
    }

    /// Lets the worker finish its running task and begin the next.
    fn finish(&mut self, slot: usize) {
        self.finish_front(slot);
        self.twins[slot].start_next();
        self.dispatch();
        if self.worker(slot).in_flight().len() == 1 {
            self.twins[slot].start_next();
        }
    }

    /// Lets the worker finish its running task.
    fn finish_front(&mut self, slot: usize) {
        let running = self.worker(slot).in_flight().front().expect("something runs").sequence;
        self.twins[slot].change(running, Claim::Running { item: 0 }, Claim::Finished);
        let now = self.now;
        let ended = self.worker(slot).on_outcome(running, vec![0].into(), now);
        let Ok(Some((job, reply))) = ended else { panic!("not the last outcome") };
        drop(job.task.complete(reply));
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }
}

/// Performs deferred actions of a state transition in this thread.
fn perform(deferred: Deferred) {
    deferred.completions.into_iter().for_each(|completion| drop(completion.complete()));
}
