//! The load tests in short; `src/soak` has them, and the program `soak` runs them for longer.
//!
//! Each is run in a process of its own, for what is left behind can only be counted where nothing else runs.

use std::{
    collections::BTreeSet,
    process::{Command, Output},
};

use tests::soak::SCENARIOS;

fn soak(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_soak"));
    command.args(arguments).env("RUST_BACKTRACE", "0").output().expect("the program was built with this test")
}

/// Runs the short form of a scenario, on everything that it is about.
fn passes(scenario: &str) {
    let output = soak(&[scenario, "--short", "--patience", "60"]);
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
    with_retries_every_task_survives_the_deaths_of_its_workers: "kills-with-retries",
    without_retries_a_death_costs_the_task_that_ran_and_no_other: "kills-without-retries",
    workers_that_crash_leave_nothing_in_the_program: "crash-and-replace",
    workers_of_one_task_leave_nothing_in_the_program: "one-task-per-worker",
    the_death_of_all_workers_at_once_costs_what_ran: "all-killed",
    a_huge_argument_may_lose_its_worker_on_the_way: "killed-over-argument",
    a_huge_result_may_lose_its_worker_on_the_way: "killed-over-result",
    threads_may_do_everything_at_once_while_workers_die: "storm",
    workers_that_never_get_ready_break_the_pool_after_few_starts: "stillborn",
    a_cancel_that_races_the_start_has_one_outcome: "cancel-races-start",
    a_stop_that_races_the_end_has_one_outcome: "terminate-races-finish",
}

#[test]
fn every_scenario_has_a_short_form_here() {
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
fn what_is_unknown_is_refused() {
    for arguments in [["no-such-scenario", "--short"], ["storm", "--loud"], ["storm", "--on=mars"]] {
        let output = soak(&arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("Usage: soak"), "{output:?}");
    }
}
