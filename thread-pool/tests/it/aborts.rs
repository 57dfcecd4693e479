//! Messages of a task that aborts the program. Each case runs in its own process, which starts this test binary again.
#![allow(unsafe_code)]

use std::{
    env,
    process::{Command, Output},
    sync::Arc,
};

use executor_core::{Backend, Executor, InlineExecutor};
use thread_pool::ThreadPoolExecutor;

/// The environment variable that tells the child its case.
const CASE: &str = "THREAD_POOL_ABORT_CASE";

struct Second;

impl Drop for Second {
    fn drop(&mut self) {
        panic!("the second panic");
    }
}

fn double_panic((): ()) {
    let _second = Second;
    panic!("the first panic");
}

extern "C" fn callback_of_a_c_library() {
    panic!("a panic in a callback");
}

fn panic_in_extern_c((): ()) {
    callback_of_a_c_library();
}

fn failed_check((): ()) {
    // SAFETY: there is none. The check must find this undefined behaviour.
    unsafe { std::hint::unreachable_unchecked() }
}

fn caught_and_then_failed_check((): ()) {
    let caught = std::panic::catch_unwind(|| panic!("a panic that the task has caught"));
    assert!(caught.is_err());
    failed_check(());
}

/// While the first panic unwinds, another task on the same thread aborts the program.
fn aborts_in_a_task_of_a_drop((): ()) {
    struct Nested;
    impl Drop for Nested {
        fn drop(&mut self) {
            let _ = InlineExecutor::new().submit(double_panic, ());
        }
    }
    let _nested = Nested;
    panic!("the outer panic");
}

fn executor(name: &str) -> Arc<dyn Backend> {
    match name {
        "threads" => Arc::new(ThreadPoolExecutor::new(2).unwrap()),
        "inline" => Arc::new(InlineExecutor::new()),
        #[cfg(feature = "rayon")]
        "rayon" => Arc::new(thread_pool::RayonExecutor::global()),
        other => panic!("no executor is called {other}"),
    }
}

/// The program that aborts. It does nothing unless the tests below have started it.
#[test]
fn child() {
    let Ok(case) = env::var(CASE) else { return };
    let (backend, case) = case.split_once(' ').unwrap();
    let executor = executor(backend);
    let future = match case {
        "double" => executor.submit(double_panic, ()),
        "extern" => executor.submit(panic_in_extern_c, ()),
        "check" => executor.submit(failed_check, ()),
        "caught" => executor.submit(caught_and_then_failed_check, ()),
        "nested" => executor.submit(aborts_in_a_task_of_a_drop, ()),
        other => panic!("no case is called {other}"),
    };
    let _ = future.unwrap().result(None);
    panic!("the task did not abort the program");
}

fn start(case: &str) -> Output {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "aborts::child", "--nocapture", "--test-threads=1"]).env(CASE, case);
    child.env_remove("RUST_BACKTRACE").output().unwrap()
}

/// Returns the place of the first occurrence of a text in this file, as the message of a panic states it.
fn place_of(text: &str) -> String {
    let mut lines = include_str!("aborts.rs").lines().zip(1..);
    let (column, line) = lines.find_map(|(content, line)| Some((content.find(text)? + 1, line))).unwrap();
    format!("aborts.rs:{line}:{column}")
}

fn assert_aborts_with(case: &str, parts: &[&str]) {
    let backends: &[&str] =
        if cfg!(feature = "rayon") { &["threads", "inline", "rayon"] } else { &["threads", "inline"] };
    for backend in backends {
        let output = start(&format!("{backend} {case}"));
        let stderr = String::from_utf8_lossy(&output.stderr);
        #[cfg(unix)]
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(libc::SIGABRT), "{stderr}");
        for part in parts {
            assert!(stderr.contains(part), "{backend} {case}: {part:?} is missing in\n{stderr}");
        }
    }
}

#[test]
fn a_double_panic_in_a_task_shows_both_messages_and_both_places() {
    let (first, second) = (place_of("panic!(\"the first panic\")"), place_of("panic!(\"the second panic\")"));
    assert_aborts_with("double", &["the first panic", &first, "the second panic", &second]);
}

#[test]
fn a_panic_in_an_extern_c_function_shows_its_message_and_its_place() {
    let place = place_of("panic!(\"a panic in a callback\")");
    assert_aborts_with("extern", &["a panic in a callback", &place, "cannot unwind"]);
}

#[test]
fn a_failed_check_of_undefined_behaviour_shows_its_message() {
    if !cfg!(debug_assertions) {
        eprintln!("skipped: only builds with debug assertions have these checks");
        return;
    }
    assert_aborts_with("check", &["unsafe precondition(s) violated"]);
    assert_aborts_with("caught", &["unsafe precondition(s) violated", "a panic that the task has caught"]);
}

#[test]
fn an_abort_in_a_nested_task_shows_the_panics_of_both_tasks() {
    assert_aborts_with("nested", &["the outer panic", "the first panic", "the second panic"]);
}
