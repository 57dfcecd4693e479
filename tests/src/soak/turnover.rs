//! Workers come and go by the thousand, and nothing of them stays.

use std::{thread, time::Duration};

use executor_core::{ErrorKind, Executor};
use process_pool::ProcessPoolExecutor;
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};

use super::{
    Run,
    census::Census,
    end,
    journal::Journal,
    tasks::{Errand, meet, run_errand},
    watch::Watch,
};

const WIDTH: usize = 2;

/// How much more memory may be in use at the end than at the start of the count. The allocator keeps some of what is
/// freed, and what it keeps goes up and down; a leak of a hundred bytes for each worker would be more than this in the
/// long form.
const RESIDENT_NOISE_KIB: usize = 1024;

/// How many mappings more there may be: the allocator's, and the stacks of threads that have ended and are kept for
/// others.
const MAPPING_NOISE: usize = 4;

/// How many bytes more may be allocated: some tables grow by doubling.
const HEAP_NOISE: usize = 16 * 1024;

/// How a task takes its worker down.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Way {
    Abort,
    Exit,
    Kill,
}

fn take_down(way: Way) -> u32 {
    match way {
        Way::Abort => std::process::abort(),
        Way::Exit => std::process::exit(77),
        Way::Kill => {
            let sent = kill_process(getpid(), Signal::KILL);
            unreachable!("it is dead: {sent:?}")
        }
    }
}

pub(super) fn crash_and_replace(run: &mut Run) {
    let journal = Journal::new(1, 1);
    let pool = run.build(run.builder(WIDTH));
    let crash = |run: &mut Run, many: u64| {
        let ways: Vec<Way> = (0..many).map(|_| run.random.choose(&[Way::Abort, Way::Exit, Way::Kill])).collect();
        let futures: Vec<_> = ways.iter().map(|way| pool.submit(take_down, *way).expect("accepted")).collect();
        for (way, future) in ways.iter().zip(&futures) {
            let error = future.result(None).expect_err("its worker is dead");
            assert_eq!(error.kind(), ErrorKind::WorkerDied, "{error}");
            let death = error.worker_death().expect("the details of a death");
            let expected = match way {
                Way::Abort => (None, Some(libc::SIGABRT)),
                Way::Exit => (Some(77), None),
                Way::Kill => (None, Some(libc::SIGKILL)),
            };
            assert_eq!((death.exit_code(), death.signal()), expected, "{way:?}: {error}");
            run.watch.sign();
        }
    };
    count_what_stays(run, &pool, &journal, crash);
    run.figure("crashes", run.amount);
    end(pool);
}

pub(super) fn one_task_per_worker(run: &mut Run) {
    let tasks = u32::try_from(run.amount).expect("some millions are enough");
    let journal = Journal::new(tasks, 1);
    let pool = run.build(run.builder(WIDTH).max_tasks_per_worker(1));
    let mut next = 0;
    // The last workers: a process id comes again after thousands of others.
    let mut pids: Vec<u32> = Vec::new();
    let one_each = |run: &mut Run, many: u64| {
        let numbers = next..next + many as u32;
        next = numbers.end;
        let errands = numbers.clone().map(|number| Errand { journal: journal.key(), number, micros: 0 });
        let futures: Vec<_> = errands.map(|errand| pool.submit(run_errand, errand).expect("accepted")).collect();
        for (number, future) in numbers.zip(&futures) {
            assert_eq!(future.result(None).expect("a result"), (number, 1));
            let pid = journal.marks(number, 1).started.expect("it ran");
            assert!(!pids.contains(&pid), "worker {pid} had two tasks");
            pids.push(pid);
            let old = pids.len().saturating_sub(100);
            pids.drain(..old);
            run.watch.sign();
        }
    };
    count_what_stays(run, &pool, &journal, one_each);
    assert_eq!((next, journal.misdeeds()), (tasks, 0));
    run.figure("tasks", tasks);
    end(pool);
}

/// Has `work` done in parts, and counts in between what this program holds.
fn count_what_stays(run: &mut Run, pool: &ProcessPoolExecutor, journal: &Journal, mut work: impl FnMut(&mut Run, u64)) {
    const PARTS: u64 = 10;
    let sizes: Vec<u64> =
        (0..PARTS).map(|part| (run.amount * (part + 1) / PARTS) - (run.amount * part / PARTS)).collect();
    // All workers are there, and buffers have the size that they need.
    let futures: Vec<_> =
        (0..WIDTH).map(|_| pool.submit(meet, (journal.key(), 0, WIDTH as u64)).expect("accepted")).collect();
    futures.iter().for_each(|future| assert!(future.result(None).is_ok()));
    let mut first: Option<Census> = None;
    for (part, size) in sizes.into_iter().enumerate() {
        work(run, size);
        let at_first = first.map_or("nothing".into(), |first| first.to_string());
        run.watch.doing(format!("part {part} was done, and rest has to come; at first there was: {at_first}"));
        let census = at_rest(&run.watch, pool, first);
        let heap_at_rest = census.heap;
        match first {
            None => {
                run.figure("at first", census);
                first = Some(census);
            }
            Some(first) => {
                assert!(heap_at_rest <= first.heap + HEAP_NOISE, "memory is lost: {first}, then {census}");
                assert!(census.mappings <= first.mappings + MAPPING_NOISE, "mappings are lost: {first}, then {census}");
                assert!(
                    census.resident_kib <= first.resident_kib + RESIDENT_NOISE_KIB,
                    "memory is lost: {first}, then {census}"
                );
            }
        }
        if part as u64 == PARTS - 1 {
            run.figure("at last", census);
        }
    }
}

/// Waits until all workers are there and nothing of others is left: where that does not come about, something stays,
/// and the watchdog says what.
fn at_rest(watch: &Watch, pool: &ProcessPoolExecutor, first: Option<Census>) -> Census {
    let mut last = Census::now();
    loop {
        // What has ended leaves the system's lists a moment later, and tells nobody.
        thread::park_timeout(Duration::from_millis(5));
        let now = Census::now();
        // A worker that is just being started has more descriptors, and some that it will have are not there yet.
        let is_ready = format!("{pool:?}").matches(": idle").count() == WIDTH;
        let is_full = is_ready && now.children == WIDTH && now.zombies == 0;
        if is_full && first.map_or(last.countable(), Census::countable) == now.countable() {
            return now;
        }
        watch.looks(format!("; and now: {now}"));
        last = now;
    }
}
