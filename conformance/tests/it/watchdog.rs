//! A hung rule is reported with everything that it has created, and a skip has a reason.

use std::{process::Command, sync::Arc, time::Duration};

use conformance::{Capabilities, HUNG, Harness, Limits, Outcome, Rule, Setup, run};
use executor_core::{Backend, Error, Shutdown, Task};

use crate::faulty::Faulty;

/// A back-end that accepts tasks, never runs them, and never returns from `join`.
#[derive(Default)]
struct Asleep(std::sync::Mutex<Vec<Task>>);

impl Backend for Asleep {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        self.0.lock().expect("no panic while it is locked").push(task);
        Ok(())
    }
    fn close(&self, _: Shutdown) {}
    fn join(&self, _: Option<Duration>) -> bool {
        loop {
            std::thread::park();
        }
    }
    fn max_workers(&self) -> usize {
        1
    }
}

struct Sleepy;

impl Harness for Sleepy {
    fn name(&self) -> &str {
        "a sleepy back-end"
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities { concurrent: true, ..Capabilities::NONE }
    }
    fn executor(&self, _: &Setup) -> Result<Box<dyn Backend>, Error> {
        Ok(Box::new(Asleep::default()))
    }
}

const SHORT: Limits = Limits { deadline: Duration::from_millis(500), event_timeout: Duration::from_millis(50) };

#[test]
fn the_report_of_a_hung_rule_describes_tasks_gates_and_calls() {
    let rule = Rule::find("result", "cf_015_a_wait_that_times_out_does_not_affect_the_task").expect("it is a rule");
    let Outcome::Hung(report) = run(rule, Arc::new(Sleepy), SHORT) else { panic!("its `shutdown` never returns") };
    for part in [
        "result::cf_015_a_wait_that_times_out_does_not_affect_the_task on a sleepy back-end hangs",
        "join(None) was called",
        "task `running`: Future",
        "state: pending",
        "gate `running` (open): tasks [] arrived, [] are held",
    ] {
        assert!(report.contains(part), "`{part}` is missing:\n{report}");
    }
}

#[test]
fn a_skip_has_a_reason() {
    let rule =
        Rule::find("shutdown", "cf_066_cf_076_terminate_stops_what_runs_and_cancels_the_rest").expect("it is a rule");
    let outcome = run(rule, Arc::new(Sleepy), SHORT);
    assert_eq!(outcome, Outcome::Skipped("a sleepy back-end cannot stop a running task".to_string()));
}

#[test]
fn a_broken_rule_reports_what_was_observed() {
    let rule = Rule::find("submit", "cf_023_submit_gives_the_result_of_the_function").expect("it is a rule");
    let outcome = run(rule, Arc::new(Faulty(crate::faulty::Fault::DropsEveryTask)), Limits::default());
    let Outcome::Broken(what) = outcome else { panic!("{outcome:?}") };
    assert!(what.contains("rule 101 submit::cf_023") && what.contains("was dropped by its executor"), "{what}");
}

/// The next test runs this one in another process, which it ends.
#[test]
#[ignore = "ends the process that runs it"]
fn hangs() {
    conformance::check("submit", "cf_023_submit_gives_the_result_of_the_function", Sleepy);
}

#[test]
fn a_rule_that_hangs_ends_the_process_with_its_report() {
    let output = Command::new(std::env::current_exe().expect("tests are programs"))
        .args(["watchdog::hangs", "--exact", "--ignored"])
        .env("CONFORMANCE_SCALE", "0.02")
        .output()
        .expect("it can be started");
    let report = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(HUNG), "{report}");
    assert!(report.contains("submit::cf_023") && report.contains("task `pow`"), "{report}");
}
