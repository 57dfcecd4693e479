//! Each rule fails on a back-end that breaks it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use conformance::{Limits, Outcome, RULES, Rule, run};

use crate::faulty::{
    Fault::{self, *},
    Faulty,
};

/// The rules that must fail for each fault. A rule is given as its group and the beginning of its name.
const DETECTED: &[(Fault, &[(&str, &str)])] = &[
    (
        DropsEveryTask,
        &[("submit", "cf_023"), ("stress", "a_thousand"), ("as_completed", "cf_088"), ("awaited", "cf_153")],
    ),
    (
        DropsEveryTenthTask,
        &[("submit", "every_task_runs"), ("shutdown", "cf_094"), ("drop", "cf_099"), ("map", "cf_025")],
    ),
    (
        NeverRunsATask,
        &[("result", "an_error_is_returned"), ("submit", "cf_023"), ("result", "cf_016"), ("wait", "cf_077")],
    ),
    (StartsTheNewestFirst, &[("submit", "tasks_start_in_the_order")]),
    (IgnoresPriorities, &[("submit", "a_higher_priority")]),
    (HasOneWorkerTooMany, &[("submit", "cf_046"), ("shutdown", "cf_095")]),
    (HasOneWorkerTooFew, &[("submit", "as_many"), ("submit", "no_worker_is_idle")]),
    (GivesTasksToWorkersInTurn, &[("submit", "no_worker_is_idle")]),
    (HasNoBound, &[("submit", "try_submit"), ("submit", "submit_waits"), ("submit", "a_submit_that_waits")]),
    (NeverBlocksSubmit, &[("submit", "submit_waits")]),
    (BlocksTrySubmit, &[("submit", "try_submit")]),
    (CountsCancelledTasksAsQueued, &[("submit", "try_submit")]),
    (LeavesBlockedSubmitters, &[("submit", "a_submit_that_waits")]),
    (BlocksItsOwnWorkersWhenFull, &[("nested", "a_full_queue")]),
    (NeverAdmitsAsyncSubmitters, &[("room", "submit_async_waits")]),
    (LetsAsyncSubmittersOvertake, &[("room", "submitters_get_room")]),
    (LetsBlockedSubmittersOvertake, &[("room", "a_blocked_submit")]),
    (KeepsTheRoomOfDroppedSubmitters, &[("room", "a_dropped_submit_async")]),
    (LeavesAsyncSubmitters, &[("room", "a_submit_async_that_waits")]),
    (AcceptsTasksAfterClose, &[("shutdown", "cf_091"), ("map", "a_map_after"), ("callback", "a_callback_may_shut")]),
    (RefusesWithTheWrongKind, &[("shutdown", "cf_091"), ("stress", "submitting_during"), ("map", "a_buffered_map")]),
    (CancelsWhenItShouldDrain, &[("shutdown", "cf_094"), ("drop", "cf_099"), ("map", "cf_044")]),
    (DrainsWhenItShouldCancel, &[("shutdown", "cf_095"), ("awaited", "await_ends")]),
    (AppliesTheLastClose, &[("shutdown", "a_second_close_is_never")]),
    (AppliesTheFirstClose, &[("shutdown", "a_second_close_may")]),
    (WaitsInClose, &[("shutdown", "cf_101")]),
    (JoinsEarly, &[("shutdown", "cf_101"), ("drop", "dropping_an_executor_waits")]),
    (JoinsBeforeThreadsEnd, &[("shutdown", "every_worker_has_ended")]),
    (JoinsWithoutClose, &[("shutdown", "join_without")]),
    (JoinsItself, &[("shutdown", "shutdown_from_inside"), ("callback", "a_callback_may_shut")]),
    (JoinsOnlyOnce, &[("shutdown", "cf_074"), ("drop", "an_executor_that_was_shut")]),
    (IgnoresACloseBeforeTheFirstTask, &[("shutdown", "cf_075")]),
    (DropsWithoutWaiting, &[("drop", "cf_099"), ("drop", "dropping_an_executor_waits")]),
    (DiscardsTasksWhenDropped, &[("drop", "cf_099")]),
    (NotifiesOnAnotherThread, &[("callback", "a_callback_runs_in_the_thread")]),
    (
        NeverNotifies,
        &[
            ("callback", "cf_001"),
            ("awaited", "await_of_a_running"),
            ("callback", "a_callback_may_add"),
            ("stress", "callbacks"),
        ],
    ),
    (HoldsItsLockWhileATaskRuns, &[("submit", "tasks_start_in"), ("nested", "a_task_may_submit")]),
    (StartsAThreadForEachTask, &[("panic", "a_worker_survives"), ("submit", "cf_046")]),
    (DoesNotHelpWaiters, &[("nested", "tasks_that_wait"), ("nested", "waits_may_be"), ("nested", "a_task_may_map")]),
    (HasNoHandle, &[("map", "cf_032"), ("map", "cf_038"), ("map", "a_back_end_without")]),
    (KeepsRunningForItsHandle, &[("map", "a_buffered_map"), ("drop", "a_buffered_map")]),
    (KeepsRefusedTasks, &[("drop", "a_refused")]),
    (ForgetsEveryTenthTask, &[("stress", "no_value_of_many"), ("stress", "a_thousand")]),
    (
        ClaimsToEncode,
        &[
            ("submit", "cf_115"),
            ("submit", "cf_117"),
            ("room", "a_submit_async_that_cannot"),
            ("result", "cf_124"),
            ("result", "cf_125"),
            ("map", "an_item_that_cannot"),
        ],
    ),
    (
        ClaimsToStopTasks,
        &[
            ("cancel", "cf_073"),
            ("cancel", "terminate_of_one"),
            ("result", "a_time_limit"),
            ("shutdown", "cf_066"),
            ("stopping", "a_dropped_guard_terminates"),
        ],
    ),
];

/// The limits are short, because most rules fail on a broken back-end with a time-out.
const SHORT: Limits = Limits { deadline: Duration::from_secs(2), event_timeout: Duration::from_millis(250) };

/// Some faults have an effect only if a task has not run yet when the rule checks it, which depends on timing. So a
/// rule is run up to this many times, and detects the fault if it fails once.
const TRIES: usize = 50;

fn is_detected(fault: Fault, rule: &'static Rule) -> bool {
    (0..TRIES).any(|_| match run(rule, Arc::new(Faulty(fault)), SHORT) {
        Outcome::Passed | Outcome::Skipped(_) => false,
        Outcome::Broken(_) | Outcome::Hung(_) => true,
    })
}

/// Returns the faults that were not detected. Many rules run at the same time, because they mostly wait.
fn not_detected(work: Vec<(Fault, &'static Rule)>) -> BTreeSet<String> {
    let (work, missed) = (Mutex::new(work), Mutex::new(BTreeSet::new()));
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                while let Some((fault, rule)) = { work.lock().expect("no rule runs while it is locked").pop() } {
                    if !is_detected(fault, rule) {
                        missed
                            .lock()
                            .expect("no rule runs while it is locked")
                            .insert(format!("{rule:?} does not detect {fault:?}"));
                    }
                }
            });
        }
    });
    missed.into_inner().expect("no rule runs while it is locked")
}

#[test]
fn each_fault_is_detected() {
    let mut work = Vec::new();
    for (fault, rules) in DETECTED {
        for (group, name) in *rules {
            let found: Vec<_> =
                RULES.iter().filter(|rule| rule.group == *group && rule.name.starts_with(name)).collect();
            assert_eq!(found.len(), 1, "{group}::{name} names {found:?}");
            work.push((*fault, found[0]));
        }
    }
    assert_eq!(not_detected(work), BTreeSet::new());
}

/// The rules that no back-end in this process can break, and why.
const NOT_DETECTED: &[(&str, &str)] = &[
    ("submit::every_task_has_an_id_of_its_own", "the core assigns the ids"),
    ("map::cf_036_an_empty_input_gives_an_empty_map", "an empty input does not reach the back-end"),
    ("panic::cf_052_cf_119_cf_120_a_crash_costs_the_task_that_crashes", CRASH),
    ("panic::cf_056_a_death_has_its_cause_and_its_task", CRASH),
    ("panic::a_crash_does_not_affect_a_task_on_another_worker", CRASH),
    ("panic::a_task_is_retried_after_a_death_as_often_as_allowed", CRASH),
    ("map::an_item_that_crashes_does_not_affect_its_chunk", CRASH),
];

const CRASH: &str = "a back-end that breaks it would end the test process";

#[test]
fn each_rule_detects_a_fault() {
    let named = |rule: &Rule| format!("{}::{}", rule.group, rule.name);
    let in_table: Vec<String> =
        DETECTED.iter().flat_map(|(_, rules)| *rules).map(|(group, name)| format!("{group}::{name}")).collect();
    let rest = RULES.iter().filter(|rule| !in_table.iter().any(|entry| named(rule).starts_with(entry.as_str())));
    let (excused, rest): (Vec<_>, Vec<_>) =
        rest.partition(|rule| NOT_DETECTED.iter().any(|(name, _)| *name == named(rule)));
    assert_eq!(excused.len(), NOT_DETECTED.len(), "a rule in the list does detect a fault: {excused:?}");
    // The table has a specific fault for its rules. The other rules must fail if no task runs.
    assert_eq!(not_detected(rest.into_iter().map(|rule| (DropsEveryTask, rule)).collect()), BTreeSet::new());
}
