//! Runs programs that have an executor, and checks how they end and what they leave behind.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use test_support::{DEADLINE, kill, wait_gone};

const EXECUTORS: [&str; 3] = ["threads", "ring", "socket"];
const PROCESSES: [&str; 2] = ["ring", "socket"];

fn command(scenario: &str, executor: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_program"));
    command.args([scenario, executor]);
    command
}

fn start(mut command: Command) -> Child {
    command
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built with this test")
}

/// The output of a program that has ended, and its exit code.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs a program to its end. Its workers hold its output open, so they must end too.
fn run(command: Command) -> Ended {
    let child = start(command);
    let pid = child.id();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(DEADLINE) else {
        kill(pid, libc::SIGKILL);
        panic!("the program or one of its workers has not ended after {DEADLINE:?}");
    };
    let output = output.expect("it can be waited for");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn pids(text: &str) -> Vec<u32> {
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn cf_092_returning_from_main_drains_the_executor() {
    for executor in EXECUTORS {
        let ended = run(command("returns-from-main", executor));
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{executor}");
        assert!(ended.stdout.contains("apple\n") && ended.stdout.contains("pear\n"), "{executor}: {ended:?}");
    }
}

#[test]
fn cf_093_submitting_at_the_end_of_a_thread_after_shutdown_is_refused() {
    for executor in EXECUTORS {
        let ended = run(command("submits-from-a-thread-local", executor));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "Err(ShutDown)\n"), "{executor}: {ended:?}");
    }
}

#[test]
fn cf_096_closing_and_returning_from_main_runs_accepted_tasks() {
    for executor in EXECUTORS {
        let ended = run(command("closes-and-returns-from-main", executor));
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{executor}");
        assert_eq!(ended.stdout, "apple\n", "{executor}");
    }
}

#[test]
fn cf_104_cancelling_and_returning_from_main_ends_without_an_error() {
    for executor in EXECUTORS {
        let ended = run(command("cancels-and-returns-from-main", executor));
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{executor}");
        assert!(ended.stdout.is_empty() || ended.stdout == "apple\n", "{executor}: {ended:?}");
    }
}

#[test]
fn a_panic_of_main_drains_the_executor() {
    for executor in EXECUTORS {
        let ended = run(command("panics", executor));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(101), "apple\n"), "{executor}: {ended:?}");
        assert!(ended.stderr.contains("the program panics on purpose"), "{executor}: {ended:?}");
    }
}

#[test]
fn a_program_that_never_drops_its_executor_ends() {
    for (scenario, code) in [("forgets-the-executor", 0), ("exits", 3)] {
        for executor in EXECUTORS {
            let ended = run(command(scenario, executor));
            assert_eq!(ended.code, Some(code), "{scenario} on {executor}: {ended:?}");
            let workers = pids(&ended.stdout);
            assert_eq!(workers.len(), if executor == "threads" { 0 } else { 2 }, "{ended:?}");
            wait_gone(&workers, DEADLINE);
        }
    }
}

#[test]
fn a_program_that_is_killed_leaves_no_worker_behind() {
    for signal in [libc::SIGKILL, libc::SIGTERM, libc::SIGABRT] {
        for executor in PROCESSES {
            let mut child = start(command("waits-to-be-killed", executor));
            let mut line = String::new();
            let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
            stdout.read_line(&mut line).expect("it prints its workers");
            let workers = pids(&line);
            assert_eq!(workers.len(), 2, "{line}");
            kill(child.id(), signal);
            child.wait().expect("it was killed");
            wait_gone(&workers, DEADLINE);
        }
    }
}

#[test]
fn cf_049_a_forked_child_gets_errors_and_the_parent_is_not_affected() {
    for executor in EXECUTORS {
        let ended = run(command("forks", executor));
        assert_eq!(ended.code, Some(0), "{executor}: {ended:?}");
        assert!(ended.stdout.contains("the child ended with 0"), "{executor}: {ended:?}");
        assert!(ended.stdout.contains("the parent has 2"), "{executor}: {ended:?}");
    }
}

#[test]
fn cf_069_running_out_of_descriptors_leaves_no_future_open() {
    for executor in PROCESSES {
        // The limit is low, so that it is reached soon, and high enough for the descriptors of the pool.
        let mut limited = Command::new("sh");
        limited.args(["-c", r#"ulimit -n 64 && exec "$0" runs-out-of-descriptors "$1""#]);
        limited.args([env!("CARGO_BIN_EXE_program"), executor]);
        let ended = run(limited);
        assert_eq!(ended.code, Some(0), "{executor}: {ended:?}");
        let lines: Vec<_> = ended.stdout.lines().collect();
        assert_eq!(lines.iter().filter(|line| line.starts_with("crash: Err(WorkerDied)")).count(), 2, "{lines:?}");
        // A dead worker frees its descriptors, so a new one may start.
        let ends = lines.iter().filter(|line| line.contains(": Broken: ") || **line == "value: 1").count();
        assert_eq!((ends, lines.len()), (5, 7), "{lines:?}");
    }
}
