//! The short form of the load tests in `src/soak`. The program `soak` runs them for longer.
//!
//! Each runs in a new process, because leaked resources can only be counted for a whole process.

use std::{
    collections::BTreeSet,
    process::{Command, Output},
};

use tests::soak::SCENARIOS;

fn soak(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_soak"));
    command.args(arguments).env("RUST_BACKTRACE", "0").output().expect("the program was built with this test")
}

/// Runs the short form of a scenario on all of its back-ends.
fn passes(scenario: &str) {
    let hang_after = (60 * test_support::scale()).to_string();
    let output = soak(&[scenario, "--short", "--hang-after", &hang_after]);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{:?}\n{out}\n{err}", output.status);
    let on = SCENARIOS.iter().find(|known| known.name == scenario).map_or(0, |known| known.on.len());
    assert_eq!(out.matches("  PASS ").count(), on, "{out}\n{err}");
}

macro_rules! scenarios {
    ($($test:ident: $name:literal,)*) => {
        const TESTED: &[&str] = &[$($name),*];

        $(#[test]
        fn $test() {
            passes($name);
        })*
    };
}

scenarios! {
    with_retries_every_task_succeeds_although_workers_die: "kills-with-retries",
    without_retries_a_death_costs_only_the_task_that_ran: "kills-without-retries",
    workers_that_crash_leave_no_resources_in_the_program: "crash-and-replace",
    workers_of_one_task_leave_no_resources_in_the_program: "one-task-per-worker",
    processes_that_end_in_every_way_leave_no_resources_in_the_program: "processes",
    the_death_of_all_workers_costs_only_running_tasks: "all-killed",
    a_worker_may_die_while_it_receives_a_huge_argument: "killed-over-argument",
    a_worker_may_die_while_it_sends_a_huge_result: "killed-over-result",
    threads_may_use_a_pool_in_every_way_while_workers_die: "storm",
    workers_that_die_before_they_are_ready_break_the_pool: "never-ready",
    a_cancel_that_races_the_start_has_one_outcome: "cancel-races-start",
    a_stop_that_races_the_end_has_one_outcome: "terminate-races-finish",
    a_queue_loses_what_killed_consumers_had_taken: "objects-queue",
    a_queue_that_grows_loses_no_more: "objects-growing-queue",
    a_queue_of_queues_never_mixes_them_up: "objects-queue-of-queues",
    a_lock_goes_on_after_every_death: "objects-lock",
    permits_add_up_after_every_death: "objects-semaphore",
    a_barrier_goes_on_after_every_reset: "objects-barrier",
    chunks_of_dead_owners_are_back: "objects-chunks",
    processes_that_wait_for_an_item_sleep: "objects-idle",
    a_lock_goes_from_a_dead_holder_to_a_thread_that_waits: "objects-take-over",
}

#[test]
fn every_scenario_is_tested() {
    let known: BTreeSet<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
    assert_eq!(known, TESTED.iter().copied().collect());
}

#[test]
fn without_arguments_all_scenarios_are_listed() {
    let output = soak(&[]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success());
    for scenario in SCENARIOS {
        assert!(text.contains(&format!("\n{} (", scenario.name)), "{text}");
    }
}

#[test]
fn unknown_arguments_are_refused() {
    for arguments in [["no-such-scenario", "--short"], ["storm", "--loud"], ["storm", "--on=mars"]] {
        let output = soak(&arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("Usage: soak"), "{output:?}");
    }
}
