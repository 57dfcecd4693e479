//! CPython's cases about process pools, each on every transport.

use std::{
    collections::BTreeSet,
    process,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use conformance::{Gate, Ticket};
use executor_core::{Backend, Error, ErrorKind, Executor, Future, Shutdown};
use process_pool::{ProcessPoolBuilder, ProcessPoolExecutor, Transport};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
use test_support::{DEADLINE, SharedDir, is_alive, kill, wait_gone};
use tests::crash::{Crash, CrashesWhenRead, CrashesWhenWritten};
use thread_pool::ThreadPoolExecutor;

macro_rules! on_each_transport {
    ($($case:ident)*) => {
        mod ring {$(
            #[test]
            fn $case() {
                super::watched(stringify!($case), || super::$case(super::Transport::Ring));
            }
        )*}
        mod socket {$(
            #[test]
            fn $case() {
                super::watched(stringify!($case), || super::$case(super::Transport::Socket));
            }
        )*}
    };
}

on_each_transport! {
    cf_041_zero_workers_are_refused
    cf_048_pools_come_and_go_beside_a_busy_thread_pool
    cf_052_a_killed_worker_costs_its_task_and_is_replaced
    cf_057_an_argument_is_dropped_in_the_worker_with_its_task
    cf_059_one_worker_runs_tasks_one_after_the_other
    cf_060_no_more_processes_than_workers
    cf_061_a_worker_leaves_after_its_number_of_tasks
    cf_063_a_backlog_outlives_the_workers
    cf_064_cf_065_dropping_a_pool_whose_workers_leave_runs_everything
    cf_066_a_worker_that_leaves_during_terminate_is_not_replaced
    cf_067_workers_that_cannot_be_replaced_break_the_pool
    cf_068_shutting_down_early_with_a_limit_of_one
    cf_074_terminate_after_a_death_is_fine
    cf_076_terminate_ends_the_processes
    cf_105_cf_106_cf_107_cf_108_every_process_ends_with_the_pool
    cf_109_cf_110_a_failing_task_and_a_limit_of_one
    cf_111_cf_133_the_initializer_runs_on_every_worker_before_its_first_task
    cf_112_cf_138_an_initializer_that_fails_breaks_the_pool_and_says_why
    cf_116_cf_118_cf_119_cf_120_cf_122_cf_123_any_crash_at_any_stage_costs_one_task
    cf_127_a_crash_after_shutdown_was_called
    cf_128_a_result_that_cannot_be_encoded_after_close
    cf_129_a_crash_while_much_is_written
    cf_130_submit_does_not_wait_for_a_worker_that_does_not_read
    cf_134_a_static_of_a_worker_is_not_the_parents
    cf_147_cf_148_tasks_that_wait_to_be_told_all_end_when_they_are_told
    a_worker_may_use_its_standard_streams
    a_result_before_a_death_is_not_lost
    a_memory_limit_costs_the_task_that_exceeds_it
    a_time_limit_of_the_pool_applies_to_every_task
    workers_see_the_environment_they_were_given
}

/// Runs a case, in which several events may take the whole deadline.
fn watched(name: &str, case: impl FnOnce() + Send + 'static) {
    test_support::watched_within(name, DEADLINE * 2, case);
}

fn builder(transport: Transport, workers: usize) -> ProcessPoolBuilder {
    ProcessPoolExecutor::builder().transport(transport).max_workers(workers)
}

fn pool(transport: Transport, workers: usize) -> ProcessPoolExecutor {
    builder(transport, workers).build().expect("a pool of this size can be made")
}

fn value<T: Send + 'static>(future: &Future<T>) -> T {
    future.result(DEADLINE).unwrap_or_else(|error| panic!("a task that ought to succeed did not: {error}"))
}

fn failure<T: Send + 'static>(future: &Future<T>) -> Error {
    let Err(error) = future.result(DEADLINE) else { panic!("a task that ought to fail succeeded: {future:?}") };
    assert!(future.done(), "not in time: {error}");
    error
}

fn pid((): ()) -> u32 {
    process::id()
}

fn works(pool: &ProcessPoolExecutor) {
    assert_eq!(value(&pool.submit(|n: u32| n + 1, 1).expect("it is open")), 2);
}

fn cf_041_zero_workers_are_refused(transport: Transport) {
    let builders =
        [builder(transport, 0), builder(transport, 1).queue_capacity(0), builder(transport, 1).max_tasks_per_worker(0)];
    for builder in builders {
        let error = builder.build().expect_err("nothing could ever run");
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
}

fn cf_048_pools_come_and_go_beside_a_busy_thread_pool(transport: Transport) {
    let threads = ThreadPoolExecutor::new(2).expect("a pool of this size can be made");
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

fn cf_052_a_killed_worker_costs_its_task_and_is_replaced(transport: Transport) {
    let pool = pool(transport, 1);
    let gate = Gate::new("killed", DEADLINE);
    let running = pool.submit(Ticket::pass, gate.ticket(0)).expect("it is open");
    let pending = pool.submit(Ticket::report, gate.ticket(1)).expect("it is open");
    let (worker, _) = gate.wait_arrivals(1)[0].worker;
    assert_eq!(pool.worker_pids(), [worker]);
    kill(worker, libc::SIGKILL);
    let error = failure(&running);
    let death = error.worker_death().expect("the error has the details of the death");
    assert_eq!((error.kind(), death.pid(), death.signal()), (ErrorKind::WorkerDied, worker, Some(9)));
    assert_eq!(value(&pending), 1);
    works(&pool);
    assert!(!pool.worker_pids().contains(&worker));
    wait_gone(&[worker], DEADLINE);
}

static LIVING: AtomicUsize = AtomicUsize::new(0);

/// A value whose copies in each process are counted.
#[derive(Serialize)]
struct Counted(Vec<u8>);

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Counted, D::Error> {
        LIVING.fetch_add(1, Ordering::SeqCst);
        Vec::deserialize(deserializer).map(Counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        LIVING.fetch_sub(1, Ordering::SeqCst);
    }
}

fn cf_057_an_argument_is_dropped_in_the_worker_with_its_task(transport: Transport) {
    let pool = pool(transport, 1);
    for _ in 0..3 {
        let argument = Counted(vec![1; 1000]);
        LIVING.fetch_add(1, Ordering::SeqCst);
        let during = |counted: Counted| (counted.0.len(), LIVING.load(Ordering::SeqCst));
        assert_eq!(value(&pool.submit(during, argument).expect("it is open")), (1000, 1));
        let after = |()| LIVING.load(Ordering::SeqCst);
        assert_eq!(value(&pool.submit(after, ()).expect("it is open")), 0);
    }
}

fn cf_059_one_worker_runs_tasks_one_after_the_other(transport: Transport) {
    let pool = pool(transport, 1);
    let pids: BTreeSet<_> = (0..3).map(|_| value(&pool.submit(pid, ()).expect("it is open"))).collect();
    assert_eq!(pids.len(), 1);
    assert_eq!(pool.worker_pids(), pids.into_iter().collect::<Vec<_>>());
}

fn cf_060_no_more_processes_than_workers(transport: Transport) {
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

fn cf_061_a_worker_leaves_after_its_number_of_tasks(transport: Transport) {
    let pool = builder(transport, 1).max_tasks_per_worker(3).build().expect("it can be made");
    let pids: Vec<_> = (0..7).map(|_| value(&pool.submit(pid, ()).expect("it is open"))).collect();
    assert!(pids[0] == pids[1] && pids[1] == pids[2], "{pids:?}");
    assert!(pids[3] != pids[2] && pids[3] == pids[4] && pids[4] == pids[5], "{pids:?}");
    assert!(pids[6] != pids[5], "{pids:?}");
    assert!(pool.worker_pids().len() <= 1);
    wait_gone(&pids[..6], DEADLINE);
}

fn cf_063_a_backlog_outlives_the_workers(transport: Transport) {
    for (workers, limit, tasks) in [(1, 2, 6), (2, 2, 8)] {
        let pool = builder(transport, workers).max_tasks_per_worker(limit).build().expect("it can be made");
        let futures: Vec<_> = (0..tasks).map(|n| pool.submit(|n: u32| n, n).expect("it is open")).collect();
        for (n, future) in (0..).zip(&futures) {
            assert_eq!(value(future), n);
        }
    }
}

fn cf_064_cf_065_dropping_a_pool_whose_workers_leave_runs_everything(transport: Transport) {
    let pool = builder(transport, 1).max_tasks_per_worker(1).build().expect("it can be made");
    let futures: Vec<_> = (0..3).map(|n| pool.submit(|n: u32| n, n).expect("it is open")).collect();
    pool.close(Shutdown::Drain);
    drop(pool);
    for (n, future) in (0..).zip(&futures) {
        assert_eq!(future.result(Duration::ZERO).expect("it ran before the drop returned"), n);
    }
}

fn cf_066_a_worker_that_leaves_during_terminate_is_not_replaced(transport: Transport) {
    for _ in 0..5 {
        let pool = builder(transport, 2).max_tasks_per_worker(1).build().expect("it can be made");
        let futures: Vec<_> = (0..10).map(|n| pool.submit(|n: u32| n, n).expect("it is open")).collect();
        let _ = value(&futures[0]);
        pool.close(Shutdown::Terminate { grace: Duration::ZERO });
        assert!(pool.join(Some(DEADLINE)));
        assert_eq!(pool.worker_pids(), []);
        for future in &futures[1..] {
            assert!(future.done());
            if let Err(error) = future.result(None) {
                assert!(matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Terminated), "{error}");
            }
        }
    }
}

fn cf_067_workers_that_cannot_be_replaced_break_the_pool(transport: Transport) {
    let directory = SharedDir::new();
    let only_once = |path: String| {
        if std::fs::create_dir(path).is_err() {
            Crash::Exit.now();
        }
    };
    let pool = builder(transport, 1).initializer(only_once, directory.path("mark")).build().expect("it can be made");
    works(&pool);
    let crash = pool.submit(|crash: Crash| -> () { crash.now() }, Crash::Abort).expect("it is open");
    let waiting: Vec<_> = (0..3).map(|n| pool.submit(|n: u8| n, n)).collect();
    assert_eq!(failure(&crash).kind(), ErrorKind::WorkerDied);
    for answer in waiting {
        let error = match answer {
            Ok(future) => failure(&future),
            Err(error) => error,
        };
        assert_eq!(error.kind(), ErrorKind::Broken, "{error}");
        assert!(error.to_string().contains("77"), "the reason is missing: {error}");
    }
    assert_eq!(pool.submit(|n: u8| n, 1).expect_err("it is broken").kind(), ErrorKind::Broken);
    pool.shutdown(Shutdown::Drain);
    assert_eq!(pool.worker_pids(), []);
}

fn cf_068_shutting_down_early_with_a_limit_of_one(transport: Transport) {
    let pool = builder(transport, 3).max_tasks_per_worker(1).build().expect("it can be made");
    let futures: Vec<_> = (0..6).map(|n| pool.submit(|n: u32| n * n, n).expect("it is open")).collect();
    pool.shutdown(Shutdown::Drain);
    for (n, future) in (0..).zip(&futures) {
        assert_eq!(future.result(Duration::ZERO).expect("it ran"), n * n);
    }
}

fn cf_074_terminate_after_a_death_is_fine(transport: Transport) {
    for grace in [Duration::ZERO, DEADLINE] {
        let pool = pool(transport, 2);
        assert_eq!(
            failure(&pool.submit(|crash: Crash| -> () { crash.now() }, Crash::Abort).expect("it is open")).kind(),
            ErrorKind::WorkerDied
        );
        let pids = pool.worker_pids();
        pool.shutdown(Shutdown::Terminate { grace });
        wait_gone(&pids, DEADLINE);
    }
}

fn cf_076_terminate_ends_the_processes(transport: Transport) {
    for grace in [Duration::ZERO, DEADLINE] {
        let pool = pool(transport, 2);
        let gate = Gate::new("blocked", DEADLINE);
        let futures: Vec<_> =
            (0..2).map(|label| pool.submit(Ticket::pass, gate.ticket(label)).expect("it is open")).collect();
        gate.wait_arrivals(2);
        let pids = pool.worker_pids();
        pool.shutdown(Shutdown::Terminate { grace });
        wait_gone(&pids, DEADLINE);
        for future in &futures {
            assert_eq!(failure(future).kind(), ErrorKind::Terminated);
        }
        assert_eq!(pool.submit(pid, ()).expect_err("it was shut down").kind(), ErrorKind::ShutDown);
    }
}

fn cf_105_cf_106_cf_107_cf_108_every_process_ends_with_the_pool(transport: Transport) {
    let ends: [fn(ProcessPoolExecutor); 3] = [
        |pool| pool.shutdown(Shutdown::Drain),
        drop,
        |pool| {
            pool.close(Shutdown::Drain);
            assert!(pool.join(Some(DEADLINE)));
        },
    ];
    for end in ends {
        let pool = pool(transport, 3);
        let map = pool.map(|n: i64| n.abs(), -5..5).expect("it is open");
        let pids = pool.worker_pids();
        assert_eq!(pids.len(), 3);
        assert!(pids.iter().all(|pid| is_alive(*pid)));
        end(pool);
        assert!(!pids.iter().any(|pid| is_alive(*pid)), "a worker outlived its pool");
        assert_eq!(map.map(|item| item.expect("it ran")).collect::<Vec<_>>(), [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]);
    }
}

fn cf_109_cf_110_a_failing_task_and_a_limit_of_one(transport: Transport) {
    for workers in [2, 4] {
        let pool = builder(transport, workers).max_tasks_per_worker(1).build().expect("it can be made");
        let future = pool.submit(|n: u32| 100 / n, 0).expect("it is open");
        pool.close(Shutdown::Drain);
        assert!(pool.join(Some(DEADLINE)));
        assert_eq!(failure(&future).kind(), ErrorKind::Panicked);
    }
}

static SEED: AtomicUsize = AtomicUsize::new(0);

fn cf_111_cf_133_the_initializer_runs_on_every_worker_before_its_first_task(transport: Transport) {
    let set = |seed: usize| SEED.store(seed, Ordering::SeqCst);
    let pool = builder(transport, 2).max_tasks_per_worker(2).initializer(set, 7).build().expect("it can be made");
    let futures: Vec<_> =
        (0..10).map(|_| pool.submit(|()| SEED.load(Ordering::SeqCst), ()).expect("it is open")).collect();
    for future in &futures {
        assert_eq!(value(future), 7);
    }
    assert_eq!(SEED.load(Ordering::SeqCst), 0, "it ran in the parent");
}

fn cf_112_cf_138_an_initializer_that_fails_breaks_the_pool_and_says_why(transport: Transport) {
    let pool = builder(transport, 2).initializer(|_: u8| -> () { panic!("no licence found") }, 0).build();
    let broken = |error: Error| {
        assert_eq!(error.kind(), ErrorKind::Broken, "{error}");
        assert!(error.to_string().contains("no licence found"), "{error}");
    };
    match pool {
        Err(error) => broken(error),
        Ok(pool) => {
            for _ in 0..5 {
                match pool.submit(|n: u8| n, 1) {
                    Err(error) => broken(error),
                    Ok(future) => broken(failure(&future)),
                }
            }
            pool.shutdown(Shutdown::Drain);
            assert_eq!(pool.worker_pids(), []);
        }
    }
}

fn cf_116_cf_118_cf_119_cf_120_cf_122_cf_123_any_crash_at_any_stage_costs_one_task(transport: Transport) {
    let pool = pool(transport, 2);
    let gate = Gate::new("beside", DEADLINE);
    let beside = pool.submit(Ticket::pass, gate.ticket(5)).expect("it is open");
    gate.wait_arrivals(1);
    for crash in Crash::ALL {
        let stages: [fn(&ProcessPoolExecutor, Crash) -> Error; 3] = [
            |pool, crash| failure(&pool.submit(|_: CrashesWhenRead| (), CrashesWhenRead(crash)).expect("it is open")),
            |pool, crash| failure(&pool.submit(|crash: Crash| -> () { crash.now() }, crash).expect("it is open")),
            |pool, crash| failure(&pool.submit(CrashesWhenWritten, crash).expect("it is open")),
        ];
        for (stage, fails) in stages.iter().enumerate() {
            let error = fails(&pool, crash);
            assert_eq!(error.kind(), ErrorKind::WorkerDied, "{crash:?} at stage {stage}: {error}");
            let death = error.worker_death().expect("the error has the details of the death");
            assert_eq!(death.exit_code(), crash.exit_code(), "{crash:?} at stage {stage}: {error}");
            assert_eq!(death.signal().is_some(), crash.exit_code().is_none(), "{crash:?} at stage {stage}: {error}");
            works(&pool);
        }
    }
    assert!(beside.running());
    gate.open();
    assert_eq!(value(&beside), 5);
}

fn cf_127_a_crash_after_shutdown_was_called(transport: Transport) {
    let pool = pool(transport, 2);
    let gate = Gate::new("late crash", DEADLINE);
    let crash = |(ticket, crash): (Ticket, Crash)| -> u32 {
        ticket.pass();
        crash.now()
    };
    let future = pool.submit(crash, (gate.ticket(0), Crash::Segfault)).expect("it is open");
    gate.wait_arrivals(1);
    pool.close(Shutdown::Drain);
    gate.open();
    assert!(pool.join(Some(DEADLINE)));
    assert_eq!(failure(&future).kind(), ErrorKind::WorkerDied);
}

#[derive(Deserialize)]
struct NotWritten;

impl Serialize for NotWritten {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(ser::Error::custom("does not want to be written"))
    }
}

fn cf_128_a_result_that_cannot_be_encoded_after_close(transport: Transport) {
    let pool = pool(transport, 2);
    let gate = Gate::new("late", DEADLINE);
    let late = |ticket: Ticket| {
        ticket.pass();
        NotWritten
    };
    let future = pool.submit(late, gate.ticket(0)).expect("it is open");
    gate.wait_arrivals(1);
    pool.close(Shutdown::Drain);
    gate.open();
    assert!(pool.join(Some(DEADLINE)));
    let error = failure(&future);
    assert_eq!(error.kind(), ErrorKind::Encode);
    assert!(error.to_string().contains("does not want to be written"), "{error}");
}

fn cf_129_a_crash_while_much_is_written(transport: Transport) {
    let pool = pool(transport, 2);
    let much = vec![7u8; 3 << 20];
    let futures: Vec<_> = (0..4)
        .map(|_| {
            let future = pool.submit(|_: (CrashesWhenRead, Vec<u8>)| (), (CrashesWhenRead(Crash::Abort), much.clone()));
            future.expect("it is open")
        })
        .collect();
    for future in &futures {
        assert_eq!(failure(future).kind(), ErrorKind::WorkerDied);
    }
    assert_eq!(value(&pool.submit(|bytes: Vec<u8>| bytes.len(), much).expect("it is open")), 3 << 20);
}

fn cf_130_submit_does_not_wait_for_a_worker_that_does_not_read(transport: Transport) {
    let pool = pool(transport, 1);
    let gate = Gate::new("busy", DEADLINE);
    let busy = pool.submit(Ticket::pass, gate.ticket(0)).expect("it is open");
    gate.wait_arrivals(1);
    let much = vec![7u8; 100_000];
    let futures: Vec<_> =
        (0..100).map(|_| pool.submit(|bytes: Vec<u8>| bytes.len(), much.clone()).expect("it is open")).collect();
    assert!(busy.running());
    gate.open();
    for future in &futures {
        assert_eq!(value(future), 100_000);
    }
}

fn cf_134_a_static_of_a_worker_is_not_the_parents(transport: Transport) {
    static MINE: AtomicUsize = AtomicUsize::new(1);
    let pool = pool(transport, 1);
    let future = pool.submit(|n: usize| MINE.swap(n, Ordering::SeqCst), 2).expect("it is open");
    assert_eq!(value(&future), 1);
    assert_eq!(value(&pool.submit(|()| MINE.load(Ordering::SeqCst), ()).expect("it is open")), 2);
    assert_eq!(MINE.load(Ordering::SeqCst), 1);
}

fn cf_147_cf_148_tasks_that_wait_to_be_told_all_end_when_they_are_told(transport: Transport) {
    for workers in [10, 4] {
        let pool = pool(transport, workers);
        let gate = Gate::new("told", DEADLINE);
        let futures: Vec<_> =
            (0..10).map(|label| pool.submit(Ticket::pass, gate.ticket(label)).expect("it is open")).collect();
        for told in 0..5 {
            let label = gate.wait_arrivals(told + 1)[told].label;
            gate.release(label);
        }
        gate.open();
        for (label, future) in (0..).zip(&futures) {
            assert_eq!(value(future), label);
        }
    }
}

fn a_worker_may_use_its_standard_streams(transport: Transport) {
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

fn a_result_before_a_death_is_not_lost(transport: Transport) {
    for _ in 0..20 {
        let pool = pool(transport, 1);
        let futures: Vec<_> = (0..5).map(|n| pool.submit(|n: u32| n, n).expect("it is open")).collect();
        let crash = pool.submit(|crash: Crash| -> () { crash.now() }, Crash::Exit).expect("it is open");
        assert_eq!(failure(&crash).kind(), ErrorKind::WorkerDied);
        for (n, future) in (0..).zip(&futures) {
            assert_eq!(value(future), n);
        }
    }
}

fn a_memory_limit_costs_the_task_that_exceeds_it(transport: Transport) {
    let pool = builder(transport, 1).memory_limit(256 << 20).build().expect("it can be made");
    let takes = |bytes: usize| {
        let mut taken = Vec::new();
        while taken.len() * (1 << 20) < bytes {
            taken.push(vec![1u8; 1 << 20]);
        }
        taken.len()
    };
    assert_eq!(value(&pool.submit(takes, 16 << 20).expect("it is open")), 16);
    let error = failure(&pool.submit(takes, 1 << 30).expect("it is open"));
    assert_eq!(error.kind(), ErrorKind::WorkerDied, "{error}");
    assert_eq!(value(&pool.submit(takes, 16 << 20).expect("it is open")), 16);
}

fn a_time_limit_of_the_pool_applies_to_every_task(transport: Transport) {
    let pool = builder(transport, 1).time_limit(Duration::from_millis(100)).build().expect("it can be made");
    let gate = Gate::new("limited", DEADLINE);
    let futures: Vec<_> =
        (0..2).map(|label| pool.submit(Ticket::pass, gate.ticket(label)).expect("it is open")).collect();
    for future in &futures {
        assert_eq!(failure(future).kind(), ErrorKind::TimeLimit);
    }
}

fn workers_see_the_environment_they_were_given(transport: Transport) {
    let pool = builder(transport, 1).env("CONFORMANCE_OF", "processes").build().expect("it can be made");
    let future =
        pool.submit(|name: String| std::env::var(name).ok(), "CONFORMANCE_OF".to_string()).expect("it is open");
    assert_eq!(value(&future), Some("processes".to_string()));
    assert_eq!(std::env::var("CONFORMANCE_OF").ok(), None);
}
