//! Tasks that endlessly overwrite their link can still be stopped in every way.

use std::{
    sync::atomic::Ordering::{Acquire, Relaxed, Release},
    thread,
    time::Duration,
};

use executor_core::{Backend, ErrorKind, Executor, Future, Shutdown, TaskOptions};
use process_pool::{ProcessPoolExecutor, Transport};

use super::attacker::{self, CLAIMS, DATA, FLAGS, INDICES, NOTES, SLOTS, Target, frame, wild};
use crate::support::{DEADLINE, Random, SharedDir, add_line, builder, get, on, pool, touch, wait_for_file};

/// The name of an attack, and its function.
type Scribble = (&'static str, fn(&mut Scribbler));

/// Attacks that overwrite the memory of a ring.
const SCRIBBLES: [Scribble; 18] = [
    ("its claim: items that follow each other, with a clock in the future", |s| {
        s.start_at(u64::MAX);
        s.claim_next_item();
    }),
    ("its claim: items that follow each other, with a clock that says now", |s| {
        s.start_at(attacker::now());
        s.claim_next_item();
    }),
    ("its claim: items in any order", |s| {
        let item = s.random.next() % (1 << 20);
        s.claim(item, RUNNING);
    }),
    ("its claim: any state", |s| {
        let (item, state) = (s.random.next() % 3, s.random.next() % 16);
        s.claim(item, state);
    }),
    ("its claim: offered", |s| s.claim(0, 0)),
    ("its claim: offered, and not taken", |s| {
        s.target.word(NOTES[0]).store(0, Relaxed);
        s.claim(0, 0);
    }),
    ("its claim: offered and running in turns", |s| s.in_turns(&[0, RUNNING])),
    ("its claim: finished", |s| s.claim(0, 2)),
    ("its claim: finished and running in turns", |s| s.in_turns(&[2, RUNNING])),
    ("its claim: withdrawn and condemned in turns", |s| s.in_turns(&[3, 4])),
    ("its claim: another task's", |s| {
        let word = s.random.next();
        s.target.word(s.place()).store(word, Release);
    }),
    ("a clock that says that it has almost used up its time", |s| {
        s.start_at(attacker::now().saturating_sub(99_999_000));
    }),
    ("its notes", |s| {
        for note in NOTES {
            let value = wild(&mut s.random);
            s.target.word(note).store(value, Relaxed);
        }
    }),
    ("its flags", |s| {
        for flag in FLAGS {
            let value = s.random.next() as u32 % 3;
            s.target.half_word(flag).store(value, Relaxed);
        }
    }),
    ("the index of what it has read, within what it was sent", |s| {
        let tail = s.target.word(INDICES[0]).load(Acquire);
        let head = tail.saturating_sub(s.random.next() % 100);
        s.target.word(INDICES[1]).store(head, Release);
        s.claim(0, 0);
    }),
    ("any index", |s| {
        let (index, value) = (INDICES[s.random.index(4)], wild(&mut s.random));
        s.target.word(index).store(value, Release);
    }),
    ("every claim", |s| s.target.scribble(&mut s.random, CLAIMS, CLAIMS + 8 * SLOTS)),
    ("everything but the bytes", |s| s.target.scribble(&mut s.random, 0, DATA)),
];

/// Attacks that send frames, over either transport.
const FRAMES: [Scribble; 4] = [
    ("a reply that comes byte by byte", |s| {
        if s.rounds == 0 {
            let head = frame(3, s.own, 1 << 20, &[]);
            s.target.write_reply(&head);
        }
        s.target.write_reply(&[0]);
        thread::park_timeout(Duration::from_millis(5));
    }),
    ("the beginning of a reply", |s| {
        if s.rounds == 0 {
            s.target.write_reply(&3_u32.to_le_bytes());
        }
        thread::park_timeout(Duration::from_millis(5));
    }),
    ("that it takes tasks", |s| {
        s.target.write_reply(&frame(1, 0, 0, &[]));
        thread::park_timeout(Duration::from_millis(1));
    }),
    ("outcomes of no items", |s| {
        s.target.write_reply(&frame(4, s.own, 0, &[]));
        thread::park_timeout(Duration::from_millis(1));
    }),
];

const RUNNING: u64 = 1;

struct Scribbler {
    target: Target,
    own: u64,
    random: Random,
    rounds: u64,
}

impl Scribbler {
    fn place(&self) -> usize {
        CLAIMS + 8 * (self.own as usize % SLOTS)
    }

    fn claim(&self, item: u64, state: u64) {
        let word = self.own << 24 | (item & ((1 << 20) - 1)) << 4 | state;
        self.target.word(self.place()).store(word, Release);
    }

    fn claim_next_item(&self) {
        self.claim(self.rounds, RUNNING);
    }

    fn in_turns(&self, states: &[u64]) {
        self.claim(0, states[self.rounds as usize % states.len()]);
    }

    fn start_at(&self, time: u64) {
        self.target.word(NOTES[1]).store(time, Relaxed);
    }
}

/// Repeats one of the attacks forever.
fn scribbles((which, path): (usize, String)) {
    let target = Target::find();
    let own = if target.has_ring() { target.own_sequence() } else { 1 };
    let mut scribbler = Scribbler { target, own, random: Random::new(which as u64), rounds: 0 };
    let scribble = SCRIBBLES.iter().chain(&FRAMES).nth(which).expect("there is one").1;
    scribble(&mut scribbler);
    touch(&path);
    loop {
        scribbler.rounds += 1;
        scribble(&mut scribbler);
        if scribbler.rounds % 64 == 0 {
            // Several of these tasks must leave processor time for the pool.
            thread::yield_now();
        }
    }
}

fn name_of(which: usize) -> &'static str {
    SCRIBBLES.iter().chain(&FRAMES).nth(which).expect("there is one").0
}

/// Returns the numbers of the attacks that this transport allows. In the long form these are all, and otherwise the
/// share of this way to stop a task, because each attack takes a processor until it is stopped. Each way has another
/// share on the other transport.
fn kinds(transport: Transport, way: usize) -> Vec<usize> {
    const WAYS: usize = 5;
    let from = if transport == Transport::Ring { 0 } else { SCRIBBLES.len() };
    let turn = |which: &usize| (which + usize::from(from > 0)) % WAYS;
    (from..SCRIBBLES.len() + FRAMES.len()).filter(|which| super::is_long() || turn(which) == way).collect()
}

/// Runs the attacks, in pools of a few workers, and stops them in one of five ways, which are numbered.
fn with_scribblers(
    transport: Transport,
    way: usize,
    limit: Option<Duration>,
    stop: impl Fn(&ProcessPoolExecutor, &[Future<()>]) + Sync,
) {
    let (kinds, stop) = (kinds(transport, way), &stop);
    thread::scope(|scope| {
        kinds.chunks(6).for_each(|few| drop(scope.spawn(move || with_few_scribblers(transport, few, limit, stop))));
    });
}

fn with_few_scribblers(
    transport: Transport,
    few: &[usize],
    limit: Option<Duration>,
    stop: impl Fn(&ProcessPoolExecutor, &[Future<()>]),
) {
    let dir = SharedDir::new();
    let pool = pool(transport, few.len());
    let options = limit.map_or(TaskOptions::new(), |limit| TaskOptions::new().time_limit(limit));
    let tasks: Vec<Future<()>> = few
        .iter()
        .map(|which| {
            let path = dir.path(&which.to_string());
            pool.submit_with(options.clone(), scribbles, (*which, path.clone())).expect("accepted")
        })
        .collect();
    for (which, task) in few.iter().zip(&tasks) {
        // A task may have been stopped early because the pool noticed the attack.
        let path = dir.path(&which.to_string());
        crate::support::wait_until(name_of(*which), || task.done() || std::path::Path::new(&path).exists());
    }
    stop(&pool, &tasks);
    for (which, task) in few.iter().zip(&tasks) {
        let error = get(task).expect_err("it does not end by itself");
        assert_ne!(error.kind(), ErrorKind::Timeout, "{transport:?}, {}: it does not end", name_of(*which));
        println!("{transport:?}, {}: {error}", name_of(*which));
    }
}

fn on_each_transport(test: fn(Transport)) {
    on(Transport::Ring, test);
    on(Transport::Socket, test);
}

#[test]
fn a_time_limit_ends_a_task_that_overwrites_its_link() {
    on_each_transport(|transport| with_scribblers(transport, 0, Some(Duration::from_millis(100)), |_, _| {}));
}

#[test]
fn terminate_ends_a_task_that_overwrites_its_link() {
    on_each_transport(|transport| {
        for (way, grace) in [(1, Duration::ZERO), (2, Duration::from_millis(20))] {
            with_scribblers(transport, way, None, |_, tasks| {
                tasks.iter().for_each(|task| _ = task.terminate(grace));
            });
        }
    });
}

#[test]
fn terminating_a_pool_ends_tasks_that_overwrite_their_links() {
    on_each_transport(|transport| {
        for (way, grace) in [(3, Duration::ZERO), (4, Duration::from_millis(20))] {
            with_scribblers(transport, way, None, |pool, _| {
                pool.close(Shutdown::Terminate { grace });
                assert!(pool.join(Some(DEADLINE)), "{transport:?}: a worker does not end");
            });
        }
    });
}

#[test]
fn a_task_that_was_seen_running_cannot_be_cancelled_by_its_claim() {
    fn claims_to_be_offered((runs, go): (String, String)) {
        let target = Target::find();
        let own = target.own_sequence();
        touch(&runs);
        wait_for_file(&go);
        target.word(CLAIMS + 8 * (own as usize % SLOTS)).store(own << 24, Release);
        touch(&format!("{go} done"));
        attacker::wait_for_the_end()
    }
    on(Transport::Ring, |transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        let [runs, go] = ["runs", "go"].map(|name| dir.path(name));
        let task = pool.submit(claims_to_be_offered, (runs.clone(), go.clone())).unwrap();
        wait_for_file(&runs);
        assert!(task.running());
        touch(&go);
        wait_for_file(&format!("{go} done"));
        assert!(!task.cancel() && task.running());
        task.terminate(Duration::ZERO);
        assert_eq!(get(&task).expect_err("it was stopped").kind(), ErrorKind::Terminated);
    });
}

#[test]
fn a_task_behind_one_that_overwrites_its_claim_runs_once_or_is_cancelled() {
    fn adds_its_number((path, number): (String, u32)) -> u32 {
        add_line(&path, number);
        number
    }
    on(Transport::Ring, |transport| {
        for which in 0..12 {
            let dir = SharedDir::new();
            let pool = builder(transport, 1).build().unwrap();
            // Short tasks make the pool send several tasks together.
            for _ in 0..3 {
                let many: Vec<Future<u32>> = (0..300).map(|n| pool.submit(|n: u32| n, n).unwrap()).collect();
                many.iter().for_each(|future| assert!(get(future).is_ok()));
            }
            let path = dir.path("runs");
            let hostile = pool.submit(scribbles, (which, path.clone())).unwrap();
            let behind: Vec<Future<u32>> =
                (0..40).map(|n| pool.submit(adds_its_number, (dir.path("ran"), n)).unwrap()).collect();
            wait_for_file(&path);
            let cancelled: Vec<bool> = behind.iter().step_by(2).map(Future::cancel).collect();
            hostile.terminate(Duration::ZERO);
            let _ = get(&hostile);
            assert!(hostile.done(), "{}: it does not end", name_of(which));
            let mut ran = dir.numbers("ran");
            for (n, future) in behind.iter().enumerate() {
                let result = get(future);
                ran = dir.numbers("ran");
                let runs = ran.iter().filter(|number| **number == n as u32).count();
                match (n % 2 == 0 && cancelled[n / 2], &result) {
                    (true, Err(error)) => assert_eq!((error.kind(), runs), (ErrorKind::Cancelled, 0), "{which}: {n}"),
                    (false, Ok(number)) => assert_eq!((*number, runs), (n as u32, 1), "{which}: {n}"),
                    (was_cancelled, result) => panic!("{}: {n}: {was_cancelled}, {result:?}", name_of(which)),
                }
            }
            drop(ran);
        }
    });
}
