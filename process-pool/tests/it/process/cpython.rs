//! Cases of CPython's `_test_multiprocessing.py` that no other test of processes has, with their numbers in the table
//! of `tests/README.md`.

use std::sync::OnceLock;

use process_pool::{Process, current_process};

use crate::support::{DEADLINE, SharedDir, add_line, is_stopped, kill, touch, wait_for_file, wait_until};

static AT_EXIT: OnceLock<String> = OnceLock::new();

extern "C" fn writes_at_exit() {
    touch(AT_EXIT.get().expect("it is set before the handler is registered"));
}

#[test]
fn mp_028_exit_handlers_run_when_the_function_has_returned() {
    #[allow(unsafe_code)]
    fn registers(path: String) {
        AT_EXIT.set(path).expect("the function runs once");
        // SAFETY: the handler is a function of this program, and uses only what a program may use at its end.
        assert_eq!(unsafe { libc::atexit(writes_at_exit) }, 0);
    }
    let folder = SharedDir::new();
    let process = Process::spawn(registers, folder.path("at exit")).expect("it starts");
    process.result(DEADLINE).expect("it returns");
    assert!(process.join(DEADLINE));
    assert_eq!((process.exit_code(), folder.has("at exit")), (Some(0), true));
}

/// The numbers of signals on Linux.
const SIGCONT: i32 = 18;
const SIGSTOP: i32 = 19;

#[test]
fn mp_031_a_join_goes_on_after_a_signal() {
    fn waits(path: String) {
        wait_for_file(&path);
    }
    fn joins((path, pids): (String, String)) -> Option<i32> {
        let child = Process::spawn(waits, path).expect("it starts");
        add_line(&pids, current_process().pid());
        assert!(child.join(None));
        child.exit_code()
    }
    let folder = SharedDir::new();
    let process = Process::spawn(joins, (folder.path("go"), folder.path("pids"))).expect("it starts");
    wait_until("the process to join", || folder.has("pids"));
    for _ in 0..5 {
        kill(process.pid(), SIGSTOP);
        wait_until("the process to stop", || is_stopped(process.pid()));
        kill(process.pid(), SIGCONT);
        wait_until("the process to go on", || !is_stopped(process.pid()));
    }
    touch(&folder.path("go"));
    assert_eq!(process.result(DEADLINE).expect("it returns"), Some(0));
}
