//! A small part of the rows that take seconds on one server. `cluster-faults` plays all of all rows.

use std::process::Command;

/// Plays a row in a process of its own, whose copies are its agents and clients.
fn play(row: u32) {
    let output = Command::new(env!("CARGO_BIN_EXE_cluster-faults"))
        .args(["--short", "--row", &row.to_string()])
        .output()
        .expect("the program is built");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if text.contains("SKIPPED") {
        // Past the test harness, which hides what a test prints if it passes.
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "{text}");
    }
    assert!(output.status.success(), "{text}");
}

macro_rules! rows {
    ($($name:ident: $row:literal,)*) => {
        $(#[test]
        fn $name() {
            play($row);
        })*
    };
}

rows! {
    the_only_server_restarts: 1,
    the_process_of_a_task_is_killed: 5,
    an_agent_is_killed: 6,
    an_agent_is_stopped: 7,
    a_client_is_killed: 10,
    a_client_is_away: 11,
    confirmations_are_lost_late_doubled_and_overtaken: 12,
    questions_and_grants_are_lost_late_doubled_and_overtaken: 13,
    outcomes_are_lost_late_doubled_and_overtaken: 14,
    cancellations_race_with_starts: 15,
    terminations_race_with_ends: 16,
    tasks_die: 17,
    two_builds_share_a_pool: 18,
    queues_and_stores_are_full: 19,
    an_operator_deletes_things: 20,
    messages_vanish: 21,
    everyone_tries_what_they_may_not: 22,
    a_new_build_is_deployed: 24,
}
