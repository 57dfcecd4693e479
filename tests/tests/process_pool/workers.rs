//! How many workers there are, and what they have.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use conformance::{Gate, Ticket};
use executor_core::Executor;
use process_pool::Transport;
use test_support::{DEADLINE, wait_gone};
use thread_pool::ThreadPoolExecutor;

use super::{builder, pid, pool, value, works};

pub(super) fn cf_048_pools_come_and_go_beside_a_busy_thread_pool(transport: Transport) {
    let threads = ThreadPoolExecutor::new(2).expect("a pool of this size can be built");
    let stopped = AtomicBool::new(false);
    thread::scope(|scope| {
        let busy = scope.spawn(|| {
            loop {
                let last = threads.submit(|n: u32| n, 1).expect("it is open");
                if stopped.load(Ordering::SeqCst) {
                    return value(&last);
                }
                thread::yield_now();
            }
        });
        for _ in 0..20 {
            works(&pool(transport, 1));
        }
        stopped.store(true, Ordering::SeqCst);
        assert_eq!(busy.join().expect("it does not panic"), 1);
    });
}

pub(super) fn cf_059_one_worker_runs_tasks_one_after_the_other(transport: Transport) {
    let pool = pool(transport, 1);
    let pids: BTreeSet<_> = (0..3).map(|_| value(&pool.submit(pid, ()).expect("it is open"))).collect();
    assert_eq!(pids.len(), 1);
    assert_eq!(pool.worker_pids(), pids.into_iter().collect::<Vec<_>>());
}

pub(super) fn cf_060_no_more_processes_than_workers(transport: Transport) {
    let pool = pool(transport, 3);
    let mut pids = BTreeSet::new();
    for round in 1..=3 {
        let futures: Vec<_> = (0..round).map(|_| pool.submit(pid, ()).expect("it is open")).collect();
        pids.extend(futures.iter().map(value));
    }
    assert!(pids.len() <= 3, "{pids:?}");
    let workers: BTreeSet<_> = pool.worker_pids().into_iter().collect();
    assert_eq!(workers.len(), 3);
    assert!(pids.is_subset(&workers));
}

pub(super) fn cf_061_a_worker_leaves_after_its_number_of_tasks(transport: Transport) {
    let pool = builder(transport, 1).max_tasks_per_worker(3).build().expect("it can be built");
    let pids: Vec<_> = (0..7).map(|_| value(&pool.submit(pid, ()).expect("it is open"))).collect();
    assert!(pids[0] == pids[1] && pids[1] == pids[2], "{pids:?}");
    assert!(pids[3] != pids[2] && pids[3] == pids[4] && pids[4] == pids[5], "{pids:?}");
    assert!(pids[6] != pids[5], "{pids:?}");
    assert!(pool.worker_pids().len() <= 1);
    wait_gone(&pids[..6], DEADLINE);
}

pub(super) fn cf_063_a_backlog_outlives_the_workers(transport: Transport) {
    for (workers, limit, tasks) in [(1, 2, 6), (2, 2, 8)] {
        let pool = builder(transport, workers).max_tasks_per_worker(limit).build().expect("it can be built");
        let futures: Vec<_> = (0..tasks).map(|n| pool.submit(|n: u32| n, n).expect("it is open")).collect();
        for (n, future) in (0..).zip(&futures) {
            assert_eq!(value(future), n);
        }
    }
}

pub(super) fn cf_134_a_static_of_a_worker_is_not_the_parents(transport: Transport) {
    static MINE: AtomicUsize = AtomicUsize::new(1);
    let pool = pool(transport, 1);
    let future = pool.submit(|n: usize| MINE.swap(n, Ordering::SeqCst), 2).expect("it is open");
    assert_eq!(value(&future), 1);
    assert_eq!(value(&pool.submit(|()| MINE.load(Ordering::SeqCst), ()).expect("it is open")), 2);
    assert_eq!(MINE.load(Ordering::SeqCst), 1);
}

pub(super) fn cf_147_cf_148_tasks_that_wait_to_be_told_all_end_when_they_are_told(transport: Transport) {
    for workers in [10, 4] {
        let pool = pool(transport, workers);
        let gate = Gate::new("released", DEADLINE);
        let futures: Vec<_> =
            (0..10).map(|label| pool.submit(Ticket::pass, gate.ticket(label)).expect("it is open")).collect();
        for released in 0..5 {
            let label = gate.wait_arrivals(released + 1)[released].label;
            gate.release(label);
        }
        gate.open();
        for (label, future) in (0..).zip(&futures) {
            assert_eq!(value(future), label);
        }
    }
}

pub(super) fn a_worker_may_use_its_standard_streams(transport: Transport) {
    let pool = pool(transport, 1);
    let prints = |n: usize| {
        // A protocol on the standard streams would break on this output.
        print!("{}", "\r".repeat(n));
        eprint!("{}", "\r".repeat(n));
        std::io::stdin().read_line(&mut String::new()).map_err(|error| error.to_string())
    };
    assert_eq!(
        value(&pool.submit(prints, 100).expect("it is open")),
        Ok(0),
        "it read something from its standard input"
    );
    works(&pool);
}
