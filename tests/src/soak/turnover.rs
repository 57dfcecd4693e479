//! Thousands of workers are replaced, and the program keeps none of their resources.

use std::{thread, time::Duration};

use executor_core::{ErrorKind, Executor};
use process_pool::ProcessPoolExecutor;
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};
use test_support::scale;

use super::{
    Run, end,
    journal::Journal,
    resources::Resources,
    tasks::{Job, rendezvous, run_job},
    watchdog::Watchdog,
};

const WIDTH: usize = 2;

/// How much more memory may be resident at the end than at the start, because the allocator keeps a varying amount of
/// freed memory. In the long form, a leak of a hundred bytes for each worker exceeds this. It is more where programs
/// are slower, because an emulator keeps what it has translated in the memory of the program.
pub(super) const RESIDENT_NOISE_KIB: usize = 1024;

/// How many more mappings there may be. Each thread of the program may have an arena of the allocator, a stack and a
/// stack for signals, with their guards, and may begin or keep one between two counts. In the short form, a mapping
/// that every eighth worker loses exceeds this.
pub(super) const MAPPING_NOISE: usize = 16;

/// How many more bytes may be allocated, because some tables grow by doubling.
pub(super) const HEAP_NOISE: usize = 16 * 1024;

/// How a task ends its worker.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Death {
    Abort,
    Exit,
    Kill,
}

fn end_worker(death: Death) -> u32 {
    match death {
        Death::Abort => std::process::abort(),
        Death::Exit => std::process::exit(77),
        Death::Kill => {
            let sent = kill_process(getpid(), Signal::KILL);
            unreachable!("the process is dead: {sent:?}")
        }
    }
}

pub(super) fn crash_and_replace(run: &mut Run) {
    let journal = Journal::new(1, 1);
    let pool = run.build(run.builder(WIDTH));
    let crash = |run: &mut Run, many: u64| {
        let deaths: Vec<Death> =
            (0..many).map(|_| run.random.choose(&[Death::Abort, Death::Exit, Death::Kill])).collect();
        let futures: Vec<_> = deaths.iter().map(|death| pool.submit(end_worker, *death).expect("accepted")).collect();
        for (death, future) in deaths.iter().zip(&futures) {
            let error = future.result(None).expect_err("its worker is dead");
            assert_eq!(error.kind(), ErrorKind::WorkerDied, "{error}");
            let details = error.worker_death().expect("a lost task has the details of the death");
            let expected = match death {
                Death::Abort => (None, Some(libc::SIGABRT)),
                Death::Exit => (Some(77), None),
                Death::Kill => (None, Some(libc::SIGKILL)),
            };
            assert_eq!((details.exit_code(), details.signal()), expected, "{death:?}: {error}");
            run.watch.progress();
        }
    };
    check_for_leaks(run, &pool, &journal, crash);
    run.figure("crashes", run.amount);
    end(pool);
}

pub(super) fn one_task_per_worker(run: &mut Run) {
    let tasks = u32::try_from(run.amount).expect("some millions are enough");
    let journal = Journal::new(tasks, 1);
    let pool = run.build(run.builder(WIDTH).max_tasks_per_worker(1));
    let mut next = 0;
    // The most recent workers. Older process ids may be used again.
    let mut pids: Vec<u32> = Vec::new();
    let one_each = |run: &mut Run, many: u64| {
        let numbers = next..next + many as u32;
        next = numbers.end;
        let jobs = numbers.clone().map(|number| Job { journal: journal.key(), number, micros: 0 });
        let futures: Vec<_> = jobs.map(|job| pool.submit(run_job, job).expect("accepted")).collect();
        for (number, future) in numbers.zip(&futures) {
            assert_eq!(future.result(None).expect("a result"), (number, 1));
            let pid = journal.marks(number, 1).started.expect("it ran");
            assert!(!pids.contains(&pid), "worker {pid} had two tasks");
            pids.push(pid);
            let old = pids.len().saturating_sub(100);
            pids.drain(..old);
            run.watch.progress();
        }
    };
    check_for_leaks(run, &pool, &journal, one_each);
    assert_eq!((next, journal.violations()), (tasks, 0));
    run.figure("tasks", tasks);
    end(pool);
}

/// Does `work` in parts, and compares the resources of this program after each part.
fn check_for_leaks(run: &mut Run, pool: &ProcessPoolExecutor, journal: &Journal, mut work: impl FnMut(&mut Run, u64)) {
    const PARTS: u64 = 10;
    let sizes: Vec<u64> =
        (0..PARTS).map(|part| (run.amount * (part + 1) / PARTS) - (run.amount * part / PARTS)).collect();
    // First every worker runs a task, so that all workers exist.
    let futures: Vec<_> =
        (0..WIDTH).map(|_| pool.submit(rendezvous, (journal.key(), 0, WIDTH as u64)).expect("accepted")).collect();
    futures.iter().for_each(|future| assert!(future.result(None).is_ok()));
    let mut first: Option<Resources> = None;
    for (part, size) in sizes.into_iter().enumerate() {
        work(run, size);
        let at_first = first.map_or("nothing".into(), |first| first.to_string());
        run.watch.begin(format!("waiting for rest after part {part}; at first there was: {at_first}"));
        let resources = at_rest(&run.watch, pool, first);
        let heap_at_rest = resources.heap;
        match first {
            None => {
                run.figure("at first", resources);
                first = Some(resources);
            }
            Some(first) => {
                assert!(heap_at_rest <= first.heap + HEAP_NOISE, "memory is lost: {first}, then {resources}");
                assert!(
                    resources.mappings <= first.mappings + MAPPING_NOISE,
                    "mappings are lost: {first}, then {resources}"
                );
                assert!(
                    resources.resident_kib <= first.resident_kib + RESIDENT_NOISE_KIB * scale() as usize,
                    "memory is lost: {first}, then {resources}"
                );
            }
        }
        if part as u64 == PARTS - 1 {
            run.figure("at last", resources);
        }
    }
}

/// Waits until all workers are idle and no resource of earlier workers is left. If one is left forever, the watchdog
/// reports it.
fn at_rest(watch: &Watchdog, pool: &ProcessPoolExecutor, first: Option<Resources>) -> Resources {
    let mut last = Resources::now();
    loop {
        // The kernel removes ended processes and threads from its lists some time later, without an event.
        thread::park_timeout(Duration::from_millis(5));
        let now = Resources::now();
        // A worker that is being started has other descriptors than an idle one.
        let is_ready = format!("{pool:?}").matches(": idle").count() == WIDTH;
        let is_full = is_ready && now.children == WIDTH && now.zombies == 0;
        if is_full && first.map_or(last.countable(), Resources::countable) == now.countable() {
            return now;
        }
        watch.describe(format!("; and now: {now}"));
        last = now;
    }
}
