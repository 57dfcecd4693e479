//! How a process ends, and what its exit code is then.

use std::{
    os::fd::AsRawFd as _,
    sync::Mutex,
    time::{Duration, Instant},
};

use executor_core::{Error, ErrorKind};
use process_pool::Process;

use crate::{
    programs,
    support::{DEADLINE, SharedDir, add_line, is_alive, kill, never_ends, wait_for_file, wait_until},
    world::{end_at_the_deadline, variable},
};

fn runs(dir: &SharedDir) -> Process<()> {
    let process = Process::builder().daemon(true).spawn(never_ends, dir.path("runs")).unwrap();
    wait_for_file(&dir.path("runs"));
    process
}

fn death(process: &Process<()>) -> (Option<i32>, Option<i32>, String) {
    let error = process.result(DEADLINE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WorkerDied, "{error}");
    let death = error.worker_death().expect("its death");
    assert_eq!(death.pid(), process.pid());
    (death.exit_code(), death.signal(), error.to_string())
}

/// (`test_terminate`)
#[test]
fn terminate_ends_a_process_by_its_signal() {
    let dir = SharedDir::new();
    let process = runs(&dir);
    assert!(process.is_alive() && !process.join(Duration::ZERO) && process.exit_code().is_none());
    process.terminate();
    let (code, signal, text) = death(&process);
    assert_eq!((code, signal), (None, Some(libc::SIGTERM)));
    assert!(text.contains("`terminate` was called on its `Process`"), "{text}");
    assert!(process.join(DEADLINE) && process.join(None) && process.join(Duration::ZERO), "any number of times");
    assert_eq!((process.exit_code(), process.is_alive()), (Some(-libc::SIGTERM), false));
    // Nothing happens to a process that has ended.
    process.terminate();
    process.kill();
    assert_eq!(process.exit_code(), Some(-libc::SIGTERM));
}

/// (`test_kill`)
#[test]
fn kill_ends_a_process_that_ignores_signals() {
    #[allow(unsafe_code)]
    fn ignores(path: String) {
        // SAFETY: no handler is installed.
        unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
        never_ends(path);
    }
    let dir = SharedDir::new();
    let process = Process::builder().daemon(true).spawn(ignores, dir.path("runs")).unwrap();
    wait_for_file(&dir.path("runs"));
    process.terminate();
    assert!(!process.join(Duration::from_millis(50)) && process.is_alive());
    process.kill();
    assert!(process.join(DEADLINE));
    assert_eq!(process.exit_code(), Some(-libc::SIGKILL));
    let (_, signal, text) = death(&process);
    assert!(signal == Some(libc::SIGKILL) && text.contains("`kill` was called on its `Process`"), "{text}");
}

#[test]
fn a_process_that_has_not_begun_its_function_can_be_ended() {
    for end in [Process::terminate, Process::kill] {
        for _ in 0..10 {
            let process = Process::spawn(|()| std::thread::park(), ()).unwrap();
            end(&process);
            assert_eq!(process.result(DEADLINE).unwrap_err().kind(), ErrorKind::WorkerDied);
            assert!(process.join(DEADLINE) && process.exit_code().is_some_and(|code| code < 0));
        }
    }
}

#[test]
fn a_panic_is_an_error_and_the_exit_code_is_one() {
    let process = Process::spawn(|()| -> u64 { panic!("on purpose") }, ()).unwrap();
    let error = process.result(DEADLINE).unwrap_err();
    assert_eq!(error.panic().expect("a panic").message(), "on purpose");
    assert!(process.join(DEADLINE));
    assert_eq!(process.exit_code(), Some(1));
}

/// (`_TestSubclassingProcess.test_sys_exit`)
#[test]
fn the_exit_code_is_the_one_that_exit_was_called_with() {
    for code in [0, 1, 8, 255] {
        let process = Process::spawn(|code: i32| -> () { std::process::exit(code) }, code).unwrap();
        let (dead, signal, _) = death(&process);
        assert_eq!((dead, signal), (Some(code), None));
        assert!(process.join(DEADLINE));
        assert_eq!(process.exit_code(), Some(code));
    }
    let process = Process::spawn(|()| -> () { std::process::abort() }, ()).unwrap();
    assert!(process.join(DEADLINE));
    assert_eq!(process.exit_code(), Some(-libc::SIGABRT));
}

#[test]
fn an_error_that_the_function_returns_is_a_value() {
    let process = Process::spawn(|()| Err::<u64, Error>(Error::new(ErrorKind::Other, "a value")), ()).unwrap();
    assert_eq!(process.result(DEADLINE).unwrap().unwrap_err().to_string(), "a value");
    assert!(process.join(DEADLINE));
    assert_eq!(process.exit_code(), Some(0));
}

#[allow(unsafe_code)]
fn is_ready(process: &Process<()>, timeout: i32) -> bool {
    let mut poll = libc::pollfd { fd: process.sentinel().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one descriptor is in a valid place.
    unsafe { libc::poll(&mut poll, 1, timeout) == 1 }
}

/// (`test_sentinel`)
#[test]
fn the_sentinel_is_ready_once_the_process_has_ended() {
    let dir = SharedDir::new();
    let process = runs(&dir);
    assert!(!is_ready(&process, 0));
    process.terminate();
    assert!(is_ready(&process, 60_000));
    // From then on everything else agrees.
    assert!(!process.is_alive() && process.join(Duration::ZERO));
    assert_eq!(process.exit_code(), Some(-libc::SIGTERM));
    assert!(is_ready(&process, 0), "it stays ready");
}

#[test]
fn dropping_a_process_waits_for_it() {
    let dir = SharedDir::new();
    let process = Process::spawn(
        |path: String| {
            let end = Instant::now() + Duration::from_millis(100);
            while Instant::now() < end {
                std::thread::park_timeout(Duration::from_millis(10));
            }
            add_line(&path, "ended");
        },
        dir.path("end"),
    );
    drop(process.unwrap());
    assert_eq!(dir.lines("end"), ["ended"]);
}

#[test]
fn dropping_a_daemon_kills_it() {
    let dir = SharedDir::new();
    let process = runs(&dir);
    let pid = process.pid();
    drop(process);
    assert!(!is_alive(pid));
}

/// What a process has started ends with it.
#[test]
fn descendants_end_with_their_process() {
    #[allow(clippy::zombie_processes, reason = "it ends with its parent")]
    fn starts_a_child(path: String) {
        let child = std::process::Command::new("sleep").arg("1000").spawn().expect("starts");
        add_line(&path, child.id());
        loop {
            std::thread::park();
        }
    }
    type End = fn(Process<()>);
    let ends: [End; 3] =
        [|process| process.terminate(), |process| process.kill(), |process| kill(process.pid(), libc::SIGKILL)];
    for end in ends {
        let dir = SharedDir::new();
        let process = Process::builder().daemon(true).spawn(starts_a_child, dir.path("child")).unwrap();
        wait_until("the child", || !dir.numbers("child").is_empty());
        end(process);
        let child = dir.numbers("child")[0];
        wait_until("the end of the child", || !is_alive(child));
    }
}

static HELD: Mutex<Vec<Process<()>>> = Mutex::new(Vec::new());

#[test]
fn processes_end_with_the_program_whether_they_are_daemons_or_not() {
    for end in ["exit", "abort", "kill"] {
        let dir = SharedDir::new();
        let mut program = programs::start("holds_processes", &[("TESTED", &dir.path("")), ("END", end)]);
        wait_until("the processes", || dir.numbers("pids").len() == 3);
        if end == "kill" {
            program.kill().expect("it runs");
        }
        program.wait().expect("it ends");
        for pid in dir.numbers("pids") {
            wait_until("the end of a process", || !is_alive(pid));
        }
    }
}

pub fn holds_processes() {
    end_at_the_deadline();
    let directory = variable("TESTED");
    for (number, is_daemon) in [false, true].into_iter().enumerate() {
        let path = format!("{directory}/{number}");
        let process = Process::builder().daemon(is_daemon).spawn(never_ends, path.clone()).unwrap();
        wait_for_file(&path);
        add_line(&format!("{directory}/pids"), process.pid());
        HELD.lock().unwrap().push(process);
    }
    let path = format!("{directory}/future");
    let process = Process::spawn(never_ends, path.clone()).unwrap();
    wait_for_file(&path);
    let pid = process.pid();
    let _future = process.into_future();
    add_line(&format!("{directory}/pids"), pid);
    match variable("END").as_str() {
        "exit" => std::process::exit(0),
        "abort" => std::process::abort(),
        _ => never_ends(format!("{directory}/waits")),
    }
}

#[test]
fn a_program_that_ignores_the_ends_of_children_loses_no_process() {
    programs::succeeds("ignores_the_end_of_a_process", &[]);
}

#[allow(unsafe_code)]
pub fn ignores_the_end_of_a_process() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    let process = Process::spawn(|n: u64| n + 1, 41).unwrap();
    assert_eq!(process.result(DEADLINE).unwrap(), 42);
    assert!(process.join(DEADLINE));
    // New systems still tell the exit code.
    assert!(matches!(process.exit_code(), None | Some(0)), "{:?}", process.exit_code());
    let process = Process::spawn(|()| -> () { std::process::exit(7) }, ()).unwrap();
    assert_eq!(process.result(DEADLINE).unwrap_err().kind(), ErrorKind::WorkerDied);
    assert!(process.join(DEADLINE) && !process.is_alive());
    assert!(matches!(process.exit_code(), None | Some(7)), "{:?}", process.exit_code());
}

/// (`TestIgnoreEINTR`, and the default action of Ctrl-C)
#[test]
fn an_interrupt_ends_a_process_even_if_its_program_ignores_it() {
    programs::succeeds("is_interrupted", &[]);
}

#[allow(unsafe_code)]
pub fn is_interrupted() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    let dir = SharedDir::new();
    let process = runs(&dir);
    kill(process.pid(), libc::SIGINT);
    assert!(process.join(DEADLINE));
    assert_eq!(process.exit_code(), Some(-libc::SIGINT));
}
