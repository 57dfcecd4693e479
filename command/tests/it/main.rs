//! Tests of programs as tasks, called directly and on pools.

mod messages;

use std::{sync::Arc, time::Duration};

use command::{Command, Output, run, status};
use executor_core::{Backend, Error, ErrorKind, Executor, Future, InlineExecutor};
use process_pool::ProcessPoolExecutor;
use test_support::{DEADLINE, SharedDir, is_alive, kill, wait_for_file, wait_until};
use thread_pool::ThreadPoolExecutor;

fn shell(script: &str) -> Command {
    Command::new("sh").args(["-c", script])
}

fn text(output: Result<Output, Error>) -> String {
    let output = output.expect("it ends by itself");
    assert_eq!(output.exit_code, 0, "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Returns the process that has written its number into a file.
fn pid(dir: &SharedDir, name: &str) -> u32 {
    wait_for_file(&dir.path(name));
    wait_until("the number", || !dir.lines(name).is_empty());
    dir.numbers(name)[0]
}

/// Counts the children of a process.
#[cfg(target_os = "linux")]
fn children_of(process: u32) -> usize {
    let numbers = std::fs::read_dir("/proc").expect("it is there").flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(|number| test_support::parent(*number) == Some(process)).count()
}

fn on_pools(test: impl Fn(&dyn Backend)) {
    test(&ThreadPoolExecutor::new(1).expect("a pool"));
    test(&ProcessPoolExecutor::new(1).expect("a pool"));
}

#[test]
fn a_program_has_its_arguments_input_environment_and_directory_on_every_executor() {
    let dir = SharedDir::new();
    let command = shell(r#"read line; echo "$line $1 $WORD"; pwd; echo problem >&2; exit 3"#)
        .args(["name", "an argument"])
        .env("WORD", "word")
        .current_dir(dir.path("."))
        .input("a line\n");
    let executors: [Box<dyn Backend>; 3] = [
        Box::new(InlineExecutor::new()),
        Box::new(ThreadPoolExecutor::new(1).expect("a pool")),
        Box::new(ProcessPoolExecutor::new(1).expect("a pool")),
    ];
    let here = std::fs::canonicalize(dir.path(".")).expect("it exists");
    for executor in executors {
        let output = executor.submit(run, command.clone()).unwrap().result(DEADLINE).unwrap().unwrap();
        assert_eq!(output.exit_code, 3);
        let expected = format!("a line an argument word\n{}\n", here.display());
        assert_eq!(
            (String::from_utf8(output.stdout).unwrap(), output.stderr.as_slice()),
            (expected, &b"problem\n"[..])
        );
    }
}

#[test]
fn an_exit_code_is_a_number_and_a_signal_a_negative_one() {
    for (script, expected) in [("true", 0), ("exit 7", 7), ("kill -9 $$", -9), ("kill -TERM $$", -15)] {
        assert_eq!(status(shell(script)).unwrap(), expected, "{script}");
    }
}

#[test]
fn a_program_that_is_not_there_is_an_error_that_names_it() {
    for command in [Command::new("no-such-program-anywhere"), Command::new("sh").current_dir("/no/such/directory")] {
        let error = run(command.clone()).expect_err("it cannot start");
        assert_eq!(error.kind(), ErrorKind::Other);
        assert!(error.to_string().contains("no-such-program-anywhere") || error.to_string().contains("/no/such"));
    }
}

#[test]
fn much_input_and_much_output_at_the_same_time_block_nothing() {
    let bytes: Vec<u8> = (0..10 << 20).map(|n: u32| (n % 251) as u8).collect();
    assert!(run(Command::new("cat").input(bytes.clone())).unwrap().stdout == bytes);
    let both = run(shell("cat | tee /dev/stderr").input(bytes.clone())).unwrap();
    assert!(both.stdout == bytes && both.stderr == bytes);
    assert_eq!(text(run(shell("echo unread").input(bytes))), "unread\n");
}

#[test]
fn without_input_a_program_reads_nothing_and_without_capture_nothing_is_returned() {
    assert_eq!(text(run(shell("cat; echo end"))), "end\n");
    assert_eq!(run(shell("echo to the output of the test").capture(false)).unwrap(), Output::default());
}

#[test]
fn a_time_limit_ends_a_program_and_its_children() {
    let dir = SharedDir::new();
    let script = format!("sleep 1000 & echo $! > {}; wait", dir.path("child"));
    let error = run(shell(&script).timeout(Duration::from_millis(300))).expect_err("it does not end by itself");
    assert_eq!(error.kind(), ErrorKind::TimeLimit);
    assert!(error.to_string().contains("the program `sh` ran longer than its time limit of 300ms"), "{error}");
    let child = pid(&dir, "child");
    wait_until("the end of the child", || !is_alive(child));
}

#[test]
fn a_program_that_ignores_the_request_to_end_is_killed() {
    let script = "trap '' TERM; while :; do sleep 0.1; done";
    let command = shell(script).timeout(Duration::from_millis(100)).grace(Duration::from_millis(100));
    assert_eq!(run(command).expect_err("it does not end by itself").kind(), ErrorKind::TimeLimit);
}

#[test]
fn output_that_a_child_holds_open_is_left_after_the_grace_period_and_the_child_goes_on() {
    let dir = SharedDir::new();
    let script = format!("sleep 1000 & echo $! > {}; echo done", dir.path("child"));
    assert_eq!(text(run(shell(&script).grace(Duration::from_millis(100)))), "done\n");
    let child = pid(&dir, "child");
    assert!(is_alive(child), "a program that ends by itself leaves its group alone");
    kill(child, 9);
}

#[test]
fn a_task_that_is_terminated_ends_its_program_and_the_children() {
    on_pools(|pool| {
        let dir = SharedDir::new();
        let script = format!("echo $$ > {}; sleep 1000 & echo $! > {}; wait", dir.path("own"), dir.path("child"));
        let future: Future<Result<Output, Error>> = pool.submit(run, shell(&script)).unwrap();
        let pids = [pid(&dir, "own"), pid(&dir, "child")];
        future.terminate(DEADLINE);
        let error = match future.result(DEADLINE) {
            Ok(output) => output.expect_err("it was stopped"),
            Err(error) => error,
        };
        assert_eq!(error.kind(), ErrorKind::Terminated, "{error}");
        wait_until("the end of both", || !pids.into_iter().any(is_alive));
    });
}

#[test]
fn a_program_that_ignores_the_request_to_end_is_killed_for_its_terminated_task() {
    on_pools(|pool| {
        let dir = SharedDir::new();
        let script = format!("trap '' TERM; echo $$ > {}; while :; do sleep 0.1; done", dir.path("own"));
        let future = pool.submit(run, shell(&script).grace(Duration::from_millis(100))).unwrap();
        let own = pid(&dir, "own");
        future.terminate(DEADLINE);
        let error = future.result(DEADLINE).and_then(|output| output).expect_err("it was stopped");
        assert_eq!(error.kind(), ErrorKind::Terminated, "{error}");
        wait_until("the end of the program", || !is_alive(own));
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_program_and_its_group_end_with_the_worker_that_runs_it_whatever_ends_the_worker() {
    for (signal, child) in [(9, "sleep 1000 &"), (11, "(trap '' TERM; sleep 1000) &")] {
        let pool = ProcessPoolExecutor::new(1).unwrap();
        let dir = SharedDir::new();
        let (own, grandchild) = (dir.path("own"), dir.path("child"));
        let script = format!("trap '' TERM; {child} echo $! > {grandchild}; echo $$ > {own}; wait");
        let future = pool.submit(run, shell(&script)).unwrap();
        let pids = [pid(&dir, "own"), pid(&dir, "child")];
        kill(pool.worker_pids()[0], signal);
        assert_eq!(future.result(DEADLINE).expect_err("it was killed").kind(), ErrorKind::WorkerDied);
        wait_until("the end of the program and of its child", || !pids.into_iter().any(is_alive));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_program_in_a_worker_has_no_children_but_its_own_and_leaves_none_behind() {
    let pool = ProcessPoolExecutor::new(1).unwrap();
    let run = |command: Command| pool.submit(run, command).unwrap().result(DEADLINE).unwrap();
    // It would wait forever for a child that it does not know.
    assert_eq!(text(run(shell("sleep 0.01 & wait; echo done"))), "done\n");
    let worker = pool.worker_pids()[0];
    for _ in 0..20 {
        assert_eq!(text(run(shell("echo fine"))), "fine\n");
        assert_eq!(
            run(Command::new("no-such-program-anywhere")).expect_err("it is not there").kind(),
            ErrorKind::Other
        );
    }
    assert_eq!(pool.worker_pids(), [worker]);
    wait_until("the end of all that was started", || children_of(worker) == 0);
}

#[test]
fn a_process_in_another_session_that_holds_the_output_is_left_after_the_grace_period() {
    on_pools(|pool| {
        let dir = SharedDir::new();
        let script = format!("setsid sh -c 'echo $$ > {}; exec sleep 1000' & echo done", dir.path("child"));
        let future = pool.submit(run, shell(&script).grace(Duration::from_millis(100))).unwrap();
        assert_eq!(text(future.result(DEADLINE).unwrap()), "done\n");
        let child = pid(&dir, "child");
        assert!(is_alive(child), "a program that ends by itself leaves what it has started alone");
        kill(child, 9);
    });
}

#[test]
fn much_input_and_output_pass_through_a_pool() {
    let bytes: Vec<u8> = (0..10 << 20).map(|n: u32| (n % 251) as u8).collect();
    on_pools(|pool| {
        let future = pool.submit(run, Command::new("cat").input(bytes.clone())).unwrap();
        assert!(future.result(DEADLINE).unwrap().unwrap().stdout == bytes);
    });
}

#[test]
fn many_programs_at_the_same_time_do_not_disturb_each_other() {
    let pool = Arc::new(ThreadPoolExecutor::new(8).unwrap());
    let futures: Vec<(u32, Future<Result<Output, Error>>)> =
        (0..60).map(|n| (n, pool.submit(run, Command::new("cat").input(n.to_string())).unwrap())).collect();
    for (n, future) in futures {
        assert_eq!(text(future.result(DEADLINE).unwrap()), n.to_string());
    }
}

#[test]
fn times_that_the_clock_cannot_represent_are_no_limit() {
    let command = shell("echo fine").timeout(Duration::MAX).grace(Duration::MAX);
    assert_eq!(text(run(command)), "fine\n");
}
