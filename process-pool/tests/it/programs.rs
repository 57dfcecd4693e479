//! Programs that tests run as processes of their own, because they die, fork, or change the state of a whole process.
//!
//! Each is this test program again. An environment variable names the function that it runs.

use std::process::{Child, Command, Stdio};

const WHICH: &str = "PROCESS_POOL_TEST_PROGRAM";

/// The table of programs.
fn find(name: &str) -> Option<fn()> {
    Some(match name {
        "says_hello" => || println!("hello from a program"),
        "holds_pools" => super::orphans::holds_pools,
        "forks" => super::fork::forks,
        "ignores_the_ends_of_children" => super::deaths::ignores_the_ends_of_children,
        "has_no_descriptors_at_build" => super::start::has_no_descriptors_at_build,
        "has_no_descriptors_for_a_while" => super::start::has_no_descriptors_for_a_while,
        "has_no_descriptors_ever_again" => super::start::has_no_descriptors_ever_again,
        "has_no_threads" => super::start::has_no_threads,
        "builds_a_pool" => super::start::builds_a_pool,
        #[cfg(target_env = "gnu")]
        "cancels_waiting_tasks" => super::freed_memory::cancels_waiting_tasks,
        #[cfg(target_env = "gnu")]
        "cancels_some_waiting_tasks" => super::freed_memory::cancels_some_waiting_tasks,
        #[cfg(target_env = "gnu")]
        "has_a_burst" => super::freed_memory::has_a_burst,
        "crashes_in_control_groups" => super::descendants::crashes_in_control_groups,
        "holds_a_pool_in_control_groups" => super::descendants::holds_a_pool_in_control_groups,
        "has_no_right_to_a_control_group" => super::descendants::has_no_right_to_a_control_group,
        "leaves_nothing" => super::shutdown::leaves_nothing,
        "has_no_thread_for_callbacks" => super::user_code::has_no_thread_for_callbacks,
        "is_frozen" => super::stopped::is_frozen,
        "has_no_standard_error" => super::deaths::has_no_standard_error,
        "leads_a_session" => super::terminal::leads_a_session,
        "has_tasks_that_want_the_terminal" => super::terminal::has_tasks_that_want_the_terminal,
        "runs_until_released" => super::terminal::runs_until_released,
        "crashes_with_core_dumps" => super::limits::crashes_with_core_dumps,
        _ => {
            return super::world::find(name)
                .or_else(|| super::rights::find(name))
                .or_else(|| super::process::find(name))
                .or_else(|| super::forwarding::find(name))
                .or_else(|| sandbox(name));
        }
    })
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
use super::sandbox::find as sandbox;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn sandbox(_: &str) -> Option<fn()> {
    None
}

#[test]
fn program() {
    if let Ok(name) = std::env::var(WHICH) {
        find(&name).expect("a program of this name")();
    }
}

/// Returns the command that runs a program.
pub fn command(name: &str) -> Command {
    assert!(find(name).is_some(), "{name} is in the table");
    let mut command = Command::new("/proc/self/exe");
    command.args(["--exact", "programs::program", "--nocapture", "--test-threads=1"]).env(WHICH, name);
    command
}

/// Runs a program to its end, and returns its output.
pub fn succeeds(name: &str, variables: &[(&str, &str)]) -> String {
    let child = command(name).envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    has_succeeded(name, child.expect("starts"))
}

/// Waits for the end of a program whose output is piped, and returns that.
pub fn has_succeeded(name: &str, child: Child) -> String {
    let output = child.wait_with_output().expect("ends");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name} failed: {}\n{text}", output.status);
    text
}

/// Starts a program and discards its output.
pub fn start(name: &str, variables: &[(&str, &str)]) -> Child {
    let mut command = command(name);
    command.envs(variables.iter().copied()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("starts")
}
