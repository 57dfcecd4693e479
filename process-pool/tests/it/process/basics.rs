//! What a process is, and how it ends.

use executor_core::ErrorKind;
use process_pool::Process;

use crate::support::DEADLINE;

#[test]
fn a_function_runs_in_another_process_and_its_result_comes_back() {
    let process = Process::spawn(|n: u64| (n + 1, std::process::id()), 41).unwrap();
    assert_eq!(process.result(DEADLINE).unwrap(), (42, process.pid()));
    assert!(process.join(DEADLINE));
    assert_eq!(process.exit_code(), Some(0));
}

#[test]
fn a_panic_is_an_error_and_the_exit_code_is_one() {
    let process = Process::spawn(|()| -> u64 { panic!("on purpose") }, ()).unwrap();
    let error = process.result(DEADLINE).unwrap_err();
    assert_eq!(error.panic().expect("a panic").message(), "on purpose");
    assert!(process.join(DEADLINE));
    assert_eq!(process.exit_code(), Some(1));
}

#[test]
fn terminate_ends_a_process_by_its_signal() {
    let process = Process::spawn(|()| std::thread::park(), ()).unwrap();
    process.terminate();
    let error = process.result(DEADLINE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WorkerDied);
    assert_eq!(error.worker_death().expect("its death").signal(), Some(15));
    assert!(process.join(DEADLINE));
    assert_eq!(process.exit_code(), Some(-15));
}
