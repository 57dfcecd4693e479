//! Options of the builder.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use conformance::{Gate, Ticket};
use executor_core::{Error, ErrorKind, Executor, Shutdown};
use process_pool::Transport;
use test_support::DEADLINE;

use super::{builder, failure, value};

pub(super) fn cf_041_zero_workers_are_refused(transport: Transport) {
    let builders =
        [builder(transport, 0), builder(transport, 1).queue_capacity(0), builder(transport, 1).max_tasks_per_worker(0)];
    for builder in builders {
        let error = builder.build().expect_err("no task could run");
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
}

static SEED: AtomicUsize = AtomicUsize::new(0);

pub(super) fn cf_111_cf_133_the_initializer_runs_on_every_worker_before_its_first_task(transport: Transport) {
    let set = |seed: usize| SEED.store(seed, Ordering::SeqCst);
    let pool = builder(transport, 2).max_tasks_per_worker(2).initializer(set, 7).build().expect("it can be built");
    let futures: Vec<_> =
        (0..10).map(|_| pool.submit(|()| SEED.load(Ordering::SeqCst), ()).expect("it is open")).collect();
    for future in &futures {
        assert_eq!(value(future), 7);
    }
    assert_eq!(SEED.load(Ordering::SeqCst), 0, "it ran in the parent");
}

pub(super) fn cf_112_cf_138_an_initializer_that_fails_breaks_the_pool_and_says_why(transport: Transport) {
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
            assert!(pool.worker_pids().is_empty());
        }
    }
}

pub(super) fn a_memory_limit_costs_the_task_that_exceeds_it(transport: Transport) {
    let pool = builder(transport, 1).memory_limit(256 << 20).build().expect("it can be built");
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

pub(super) fn a_time_limit_of_the_pool_applies_to_every_task(transport: Transport) {
    let pool = builder(transport, 1).time_limit(Duration::from_millis(100)).build().expect("it can be built");
    let gate = Gate::new("limited", DEADLINE);
    let futures: Vec<_> =
        (0..2).map(|label| pool.submit(Ticket::pass, gate.ticket(label)).expect("it is open")).collect();
    for future in &futures {
        assert_eq!(failure(future).kind(), ErrorKind::TimeLimit);
    }
}

pub(super) fn workers_see_the_environment_they_were_given(transport: Transport) {
    let pool = builder(transport, 1).env("CONFORMANCE_OF", "processes").build().expect("it can be built");
    let future =
        pool.submit(|name: String| std::env::var(name).ok(), "CONFORMANCE_OF".to_string()).expect("it is open");
    assert_eq!(value(&future), Some("processes".to_string()));
    assert_eq!(std::env::var("CONFORMANCE_OF").ok(), None);
}
