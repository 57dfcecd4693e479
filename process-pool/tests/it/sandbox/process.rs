//! Sandboxes of single processes.

use std::fs;

use executor_core::ErrorKind;
use process_pool::{Layer, LayerState, Process, Refusal, Sandbox, Stdio};

fn sandbox() -> Sandbox {
    Sandbox::compute().inherit_env("TEST_OUTPUT")
}

#[test]
fn a_process_is_locked_before_its_function_runs() {
    let process = Process::builder().sandbox(sandbox());
    let process = process.spawn(|path: String| fs::read(path).is_ok(), "/etc/passwd".into()).expect("spawned");
    let status = process.sandbox_status().expect("it has a sandbox");
    assert_eq!(status.layer(Layer::SystemCalls), &LayerState::InForce);
    assert!(!process.result(None).expect("a result"));
    process.join(None);
    assert_eq!(process.exit_code(), Some(0), "its exit needs nothing that is refused");
    let process = Process::spawn(|n: u64| n, 1).expect("spawned");
    assert_eq!(process.sandbox_status(), None);
}

#[test]
fn a_process_that_is_killed_says_so() {
    let process = Process::builder().sandbox(sandbox().on_refusal(Refusal::Kill)).stderr(Stdio::Piped);
    let process = process.spawn(|()| std::net::UdpSocket::bind("127.0.0.1:0").is_ok(), ()).expect("spawned");
    let error = process.result(None).expect_err("it dies");
    assert_eq!(error.kind(), ErrorKind::WorkerDied);
    process.join(None);
    assert_eq!(process.exit_code(), Some(-libc::SIGSYS));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut process.take_stderr().expect("asked for"), &mut text).expect("read");
    assert!(text.contains("blocked by the sandbox: socket"), "{text}");
}

#[test]
fn the_directory_of_a_process_goes_with_it() {
    let process = Process::builder().sandbox(sandbox().tmpdir());
    let write = |()| fs::write(std::env::temp_dir().join("file"), "x").map(|()| std::env::temp_dir()).ok();
    let process = process.spawn(write, ()).expect("spawned");
    let path = process.result(None).expect("a result").expect("written");
    assert!(process.join(None));
    assert!(!path.exists());
}

#[test]
fn wrong_sandboxes_are_refused() {
    let spawned = Process::builder().sandbox(Sandbox::compute().write("/proc")).spawn(|n: u64| n, 1);
    assert_eq!(spawned.err().map(|error| error.kind()), Some(ErrorKind::InvalidArgument));
}
