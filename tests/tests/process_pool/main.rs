//! CPython's cases about process pools, each on every transport.

mod deaths;
mod options;
mod shutdown;
mod values;
mod workers;

use std::process;

use executor_core::{Error, Executor, Future};
use process_pool::{ProcessPoolBuilder, ProcessPoolExecutor, Transport};
use test_support::DEADLINE;

/// Generates two tests for each case of a module, `ring::case` and `socket::case`.
macro_rules! on_each_transport {
    ($($topic:ident: $($case:ident)*;)*) => {
        mod ring {$($(
            #[test]
            fn $case() {
                super::watched(stringify!($case), || super::$topic::$case(super::Transport::Ring));
            }
        )*)*}
        mod socket {$($(
            #[test]
            fn $case() {
                super::watched(stringify!($case), || super::$topic::$case(super::Transport::Socket));
            }
        )*)*}
    };
}

on_each_transport! {
    options:
        cf_041_zero_workers_are_refused
        cf_111_cf_133_the_initializer_runs_on_every_worker_before_its_first_task
        cf_112_cf_138_an_initializer_that_fails_breaks_the_pool_and_says_why
        a_memory_limit_costs_the_task_that_exceeds_it
        a_time_limit_of_the_pool_applies_to_every_task
        workers_see_the_environment_they_were_given;
    workers:
        cf_048_pools_come_and_go_beside_a_busy_thread_pool
        cf_059_one_worker_runs_tasks_one_after_the_other
        cf_060_no_more_processes_than_workers
        cf_061_a_worker_leaves_after_its_number_of_tasks
        cf_063_a_backlog_outlives_the_workers
        cf_134_a_static_of_a_worker_is_not_the_parents
        cf_147_cf_148_tasks_that_wait_to_be_told_all_end_when_they_are_told
        a_worker_may_use_its_standard_streams;
    values:
        cf_057_an_argument_is_dropped_in_the_worker_with_its_task
        cf_128_a_result_that_cannot_be_encoded_after_close
        cf_129_a_crash_while_much_is_written
        cf_130_submit_does_not_wait_for_a_worker_that_does_not_read;
    deaths:
        cf_052_a_killed_worker_costs_its_task_and_is_replaced
        cf_067_workers_that_cannot_be_replaced_break_the_pool
        cf_074_terminate_after_a_death_is_fine
        cf_116_cf_118_cf_119_cf_120_cf_122_cf_123_any_crash_at_any_stage_costs_one_task
        cf_127_a_crash_after_shutdown_was_called
        a_result_before_a_death_is_not_lost;
    shutdown:
        cf_064_cf_065_dropping_a_pool_whose_workers_leave_runs_everything
        cf_066_a_worker_that_leaves_during_terminate_is_not_replaced
        cf_068_shutting_down_early_with_a_limit_of_one
        cf_076_terminate_ends_the_processes
        cf_105_cf_106_cf_107_cf_108_every_process_ends_with_the_pool
        cf_109_cf_110_a_failing_task_and_a_limit_of_one;
}

/// Runs a case, in which several events may take the whole deadline.
fn watched(name: &str, case: impl FnOnce() + Send + 'static) {
    test_support::watched_within(name, DEADLINE * 2, case);
}

fn builder(transport: Transport, workers: usize) -> ProcessPoolBuilder {
    ProcessPoolExecutor::builder().transport(transport).max_workers(workers)
}

fn pool(transport: Transport, workers: usize) -> ProcessPoolExecutor {
    builder(transport, workers).build().expect("a pool of this size can be built")
}

fn value<T: Send + 'static>(future: &Future<T>) -> T {
    future.result(DEADLINE).unwrap_or_else(|error| panic!("a task that should succeed did not: {error}"))
}

fn failure<T: Send + 'static>(future: &Future<T>) -> Error {
    let Err(error) = future.result(DEADLINE) else { panic!("a task that should fail succeeded: {future:?}") };
    assert!(future.done(), "not in time: {error}");
    error
}

fn pid((): ()) -> u32 {
    process::id()
}

fn works(pool: &ProcessPoolExecutor) {
    assert_eq!(value(&pool.submit(|n: u32| n + 1, 1).expect("it is open")), 2);
}

// What the workers of these tests write looks as if the tests crashed.
test_support::quiet_workers!();
