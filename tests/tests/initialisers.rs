//! Constructors and registrations of other crates run in a worker before it serves tasks, as they run before `main`.
//!
//! The linker decides their order. This program has a constructor that runs before that of the process pool, and one
//! that runs after it.

// The crate that is named first is linked last, so its constructors run after that of the process pool.
#[allow(unused_extern_crates, reason = "it sets the order of linking")]
extern crate registrations;

use std::{
    collections::BTreeSet,
    env,
    process::{Command, Output},
    sync::{Mutex, atomic::Ordering::Relaxed},
};

use executor_core::{Error, ErrorKind, Executor};
use process_pool::{ProcessPoolExecutor, Transport};
use registrations::{ARGUMENTS, HOOK, Plugin, RUN, note};
use test_support::DEADLINE;

inventory::submit!(Plugin("of the program"));

#[ctor::ctor(unsafe)]
fn of_the_program() {
    note("of the program");
    let hook = match env::var("HOOK").as_deref() {
        Ok("builds a pool") => builds_a_pool,
        Ok("exits in a worker") => || in_worker(|| std::process::exit(5)),
        Ok("panics in a worker") => || in_worker(|| panic!("a constructor panics on purpose")),
        _ => return,
    };
    *HOOK.lock().unwrap() = Some(hook);
}

fn in_worker(end: fn()) {
    if env::var_os("CONCURRENT_FUTURES_DEPTH").is_some() {
        end();
    }
}

/// The result of the hook.
static SEEN: Mutex<Option<Result<u32, (ErrorKind, String)>>> = Mutex::new(None);

fn builds_a_pool() {
    let built = ProcessPoolExecutor::new(2).and_then(|pool| pool.submit(|n: u32| n + 1, 1)?.result(DEADLINE));
    *SEEN.lock().unwrap() = Some(built.map_err(|error| (error.kind(), error.to_string())));
}

fn pool(transport: Transport) -> ProcessPoolExecutor {
    ProcessPoolExecutor::builder().transport(transport).max_workers(1).build().expect("the pool can be built")
}

fn registered((): ()) -> BTreeSet<String> {
    let plugins: Vec<String> = inventory::iter::<Plugin>().map(|plugin| plugin.0.to_string()).collect();
    let all: BTreeSet<String> = plugins.iter().cloned().collect();
    assert_eq!(plugins.len(), all.len(), "a plug-in is registered twice: {plugins:?}");
    all
}

fn constructed((): ()) -> Vec<(String, bool)> {
    RUN.lock().unwrap().iter().map(|(name, had_marker)| (name.to_string(), *had_marker)).collect()
}

#[test]
fn a_worker_has_the_registrations_that_its_program_has() {
    let all: BTreeSet<String> = ["of the program", "of a dependency"].map(str::to_string).into();
    assert_eq!(registered(()), all);
    for transport in [Transport::Ring, Transport::Socket] {
        let pool = pool(transport);
        assert_eq!(pool.submit(registered, ()).unwrap().result(DEADLINE).unwrap(), all);
        // A worker that replaces a dead one has them too.
        let died = pool.submit(|()| -> () { std::process::abort() }, ()).unwrap().result(DEADLINE);
        assert_eq!(died.unwrap_err().kind(), ErrorKind::WorkerDied);
        assert_eq!(pool.submit(registered, ()).unwrap().result(DEADLINE).unwrap(), all);
    }
}

#[test]
fn every_constructor_runs_once_in_a_worker_before_or_after_that_of_the_pool() {
    for transport in [Transport::Ring, Transport::Socket] {
        let mut run = pool(transport).submit(constructed, ()).unwrap().result(DEADLINE).unwrap();
        run.sort();
        let expected = [("of a dependency".to_string(), false), ("of the program".to_string(), true)];
        assert_eq!(run, expected, "one must run before the constructor of the pool, and one after it");
    }
    assert!(constructed(()).iter().all(|(_, had_marker)| !had_marker), "this is not a worker");
}

#[test]
fn the_initializer_of_a_pool_finds_all_registrations() {
    fn finds((): ()) -> Result<(), String> {
        let found = registered(()).len();
        if found == 2 { Ok(()) } else { Err(format!("{found} of 2 are registered")) }
    }
    let built = ProcessPoolExecutor::builder().max_workers(1).initializer(|()| finds(()).unwrap(), ()).build().unwrap();
    assert_eq!(built.submit(|n: u32| n, 1).unwrap().result(DEADLINE).unwrap(), 1);
}

#[test]
fn a_constructor_gets_the_arguments_that_the_loader_passes() {
    let arguments = |()| (ARGUMENTS.load(Relaxed), env::args().count() as i32);
    let (passed, known) = pool(Transport::Ring).submit(arguments, ()).unwrap().result(DEADLINE).unwrap();
    if cfg!(target_env = "gnu") {
        assert_eq!((passed, known), (1, 1), "a worker has its name as the only argument");
    } else {
        assert_ne!(passed, -1, "the constructor ran, and musl passes nothing");
    }
}

/// Runs this test program again, with a hook.
fn run(hook: &str) -> Output {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "program", "--nocapture", "--test-threads=1"]).env("HOOK", hook).output().unwrap()
}

#[test]
fn program() {
    if env::var_os("HOOK").is_none() {
        return;
    }
    let outcome = |result: Result<String, Error>| match result {
        Ok(text) => text,
        Err(error) => format!("{:?}: {error}", error.kind()),
    };
    let in_task = |()| format!("{:?}", SEEN.lock().unwrap());
    println!("in the program: {}", in_task(()));
    for transport in [Transport::Ring, Transport::Socket] {
        println!(
            "in a worker: {}",
            outcome(pool(transport).submit(in_task, ()).and_then(|future| future.result(DEADLINE)))
        );
    }
}

fn text_of(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_constructor_may_build_a_pool_in_the_program_and_not_in_a_worker() {
    let output = run("builds a pool");
    let text = text_of(&output);
    assert!(output.status.success() && text.contains("in the program: Some(Ok(2))"), "{text}");
    assert_eq!(
        text.matches("in a worker: Some(Err((Broken, \"an initialiser that runs before `main`").count(),
        2,
        "{text}"
    );
}

#[test]
fn a_constructor_that_ends_its_worker_breaks_the_pool_with_the_reason() {
    for (hook, reason) in [("exits in a worker", "code 5"), ("panics in a worker", "SIGABRT")] {
        let output = run(hook);
        let text = text_of(&output);
        assert!(output.status.success(), "{hook}: {text}");
        let broken = text.lines().filter(|line| line.starts_with("in a worker: Broken: ") && line.contains(reason));
        assert_eq!(broken.count(), 2, "{hook}: {text}");
        assert!(text.contains("the code that runs before `main`"), "{hook}: {text}");
    }
}
