//! What a task says that takes the program down. Each case runs in a program of its own: this test binary, started
//! again.
#![allow(unsafe_code)]

use std::{
    env,
    process::{Command, Output},
    sync::Arc,
};

use executor_core::{Backend, Executor, InlineExecutor};
use thread_pool::ThreadPoolExecutor;

/// Names the case to the child.
const CASE: &str = "THREAD_POOL_ABORT_CASE";

struct Second;

impl Drop for Second {
    fn drop(&mut self) {
        panic!("the second panic in line {}", line!());
    }
}

fn double_panic((): ()) {
    let _second = Second;
    panic!("the first panic in line {}", line!());
}

extern "C" fn callback_of_a_c_library() {
    panic!("a panic in a callback in line {}", line!());
}

fn panic_in_extern_c((): ()) {
    callback_of_a_c_library();
}

fn failed_check((): ()) {
    // SAFETY: none; this is the undefined behaviour that the check is there to find.
    unsafe { std::hint::unreachable_unchecked() }
}

fn caught_and_then_failed_check((): ()) {
    let caught = std::panic::catch_unwind(|| panic!("a panic that the task has caught"));
    assert!(caught.is_err());
    failed_check(());
}

/// The first panic is under way while another task, on the same thread, takes the program down.
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

/// The program that dies; does nothing unless it is started by the tests below.
#[test]
fn child() {
    let Ok(case) = env::var(CASE) else { return };
    let (backend, case) = case.split_once(' ').unwrap();
    let executor = executor(backend);
    let function = match case {
        "double" => executor.submit(double_panic, ()),
        "extern" => executor.submit(panic_in_extern_c, ()),
        "check" => executor.submit(failed_check, ()),
        "caught" => executor.submit(caught_and_then_failed_check, ()),
        "nested" => executor.submit(aborts_in_a_task_of_a_drop, ()),
        other => panic!("no case is called {other}"),
    };
    let _ = function.unwrap().result(None);
    panic!("the task did not take the program down");
}

fn start(case: &str) -> Output {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "aborts::child", "--nocapture", "--test-threads=1"]).env(CASE, case);
    child.env_remove("RUST_BACKTRACE").output().unwrap()
}

/// Returns what the program said, once for each back-end.
fn dies_saying(case: &str, words: &[&str]) -> Vec<String> {
    let backends: &[&str] =
        if cfg!(feature = "rayon") { &["threads", "inline", "rayon"] } else { &["threads", "inline"] };
    let dies = |backend: &&str| {
        let output = start(&format!("{backend} {case}"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        #[cfg(unix)]
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(libc::SIGABRT), "{said}");
        for word in words {
            assert!(said.contains(word), "{backend} {case}: {word:?} is missing in\n{said}");
        }
        said
    };
    backends.iter().map(dies).collect()
}

/// Each of these panics names the line that it is in. What was said must have that place, too.
fn dies_showing_the_places(case: &str, panics: &[&str]) {
    for said in dies_saying(case, panics) {
        for panic in panics {
            let (_, after) = said.split_once(&format!("{panic} in line ")).expect("its own line");
            let line = after.split(|char: char| !char.is_ascii_digit()).next().expect("a number");
            assert!(
                said.contains(&format!("aborts.rs:{line}:")),
                "{case}: the place of {panic:?} is missing in\n{said}"
            );
        }
    }
}

#[test]
fn a_double_panic_in_a_task_shows_both_messages_and_both_places() {
    dies_showing_the_places("double", &["the first panic", "the second panic"]);
}

#[test]
fn a_panic_that_meets_a_c_function_shows_its_message_and_its_place() {
    dies_showing_the_places("extern", &["a panic in a callback"]);
    dies_saying("extern", &["cannot unwind"]);
}

#[test]
fn a_failed_check_of_undefined_behaviour_shows_its_message() {
    if !cfg!(debug_assertions) {
        eprintln!("skipped: these checks are only in builds with debug assertions");
        return;
    }
    dies_saying("check", &["unsafe precondition(s) violated"]);
    dies_saying("caught", &["unsafe precondition(s) violated", "a panic that the task has caught"]);
}

#[test]
fn an_abort_in_a_task_of_a_task_shows_the_panics_of_both() {
    dies_saying("nested", &["the outer panic", "the first panic", "the second panic"]);
}
