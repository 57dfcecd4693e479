//! Checks that `MESSAGES.md` shows the messages of a pool.
//!
//! If the variable `WRITE_MESSAGES` is set, the file is written instead.

use std::time::Duration;

use executor_core::{Error, Executor, TaskError, TaskOptions};
use process_pool::{Process, ProcessBuilder, ProcessPoolBuilder, ProcessPoolExecutor, Refusal, Sandbox, Stdio};

use super::support::{DEADLINE, SharedDir, get, never_ends, touch, wait_for_file};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/MESSAGES.md");

const HEAD: &str = "\
The messages of a pool when something fails: which task, which worker, what happened, the likely cause, and what to do next.
The same facts are in the error as values: its `kind()`, and `worker_death()` with process, exit code, signal, task and last lines.
A test compares these messages with those of the code.

";

/// A kind of failure: its description, and how to cause it.
type Case = (&'static str, fn() -> Error);

const CASES: &[Case] = &[
    ("A task reads through a bad pointer", || {
        let pool = pool();
        error_of(&pool, "page 17", |()| raise_after_line("parsing page 17", libc::SIGSEGV))
    }),
    ("A task recurses without end", || error_of(&pool(), "page 17", |()| overflow(0))),
    ("A task wants more memory than its worker may have", || {
        let pool = builder().memory_limit(300 << 20).build().unwrap();
        error_of(&pool, "page 17", |()| vec![7_u8; 1 << 30].len() as u64)
    }),
    ("A worker is killed", || error_of(&pool(), "page 17", |()| raise(libc::SIGKILL))),
    ("A task exits", || error_of(&pool(), "page 17", |()| std::process::exit(7))),
    ("A task aborts", || error_of(&pool(), "page 17", |()| std::process::abort())),
    ("A task takes too long", || {
        let dir = SharedDir::new();
        let limited = TaskOptions::new().name("page 17").time_limit(Duration::from_millis(250));
        let pool = pool();
        get(&pool.submit_with(limited, never_ends, dir.path("runs")).unwrap()).unwrap_err()
    }),
    ("A task is terminated", || {
        let dir = SharedDir::new();
        let pool = pool();
        let named = TaskOptions::new().name("page 17");
        let future = pool.submit_with(named, never_ends, dir.path("runs")).unwrap();
        wait_for_file(&dir.path("runs"));
        assert!(future.terminate(Duration::ZERO));
        get(&future).unwrap_err()
    }),
    ("A worker is stopped by a signal before it begins", || {
        fn stops(path: String) {
            touch(&path);
            raise(libc::SIGSTOP);
        }
        let dir = SharedDir::new();
        let pool = builder().initializer(stops, dir.path("tried")).build().unwrap();
        error_of(&pool, "page 17", |()| 0)
    }),
    ("The system refuses to start a worker", || {
        // The system does not pass this much to a new process.
        builder().env("EXCESS", "x".repeat(8 << 20)).build().unwrap_err()
    }),
    ("The initializer panics", || {
        fn fails(path: String) {
            panic!("no licence at {path}");
        }
        let pool = builder().initializer(fails, "/etc/licence".to_string()).build().unwrap();
        error_of(&pool, "page 17", |()| 0)
    }),
    ("The initializer returns an error", || {
        fn fails(path: String) -> Result<(), TaskError> {
            Err(TaskError::new("no such file").context(format!("no licence at {path}")))
        }
        let pool = builder().initializer(fails, "/etc/licence".to_string()).build().unwrap();
        error_of(&pool, "page 17", |()| 0)
    }),
    ("Workers repeatedly end before they are ready", || {
        fn exits(_: ()) {
            eprintln!("libmodel.so: cannot open shared object file");
            std::process::exit(1)
        }
        let pool = builder().initializer(exits, ()).build().unwrap();
        error_of(&pool, "page 17", |()| 0)
    }),
    ("A task makes a call for which its sandbox kills", || {
        let sandbox = Sandbox::compute().on_refusal(Refusal::Kill).inherit_env("TEST_OUTPUT");
        match builder().sandbox(sandbox).build() {
            Ok(pool) if cfg!(target_arch = "x86_64") => error_of(&pool, "page 17", connects),
            // Other processors have other numbers, and some systems no sandbox.
            _ => error_of(&pool(), "page 17", |()| {
                raise_after_line("blocked by the sandbox: socket (system call 41)", libc::SIGSYS)
            }),
        }
    }),
    ("A sandbox would have a way out", || builder().sandbox(Sandbox::compute().read("/")).build().unwrap_err()),
    ("A `Process` panics", || error_of_process(read_page)),
    ("A `Process` exits", || error_of_process(read_and_exit)),
    ("A `Process` is killed from outside", || error_of_process(read_and_die)),
    ("`terminate` is called on a `Process`", || {
        let process = process().spawn(wait_for_pages, ()).unwrap();
        process.terminate();
        process.result(DEADLINE).unwrap_err()
    }),
    ("`kill` is called on a `Process`", || {
        let process = process().spawn(wait_for_pages, ()).unwrap();
        process.kill();
        process.result(DEADLINE).unwrap_err()
    }),
    ("The result of a `Process` does not come in time", || {
        let process = process().daemon(true).spawn(wait_for_pages, ()).unwrap();
        process.result(Duration::ZERO).unwrap_err()
    }),
    ("A `Process` gets an environment that no process can have", || {
        process().env("a=b", "c").spawn(|()| 0, ()).unwrap_err()
    }),
    ("The system refuses to spawn a `Process`", || {
        process().env("EXCESS", "x".repeat(8 << 20)).spawn(|()| 0, ()).unwrap_err()
    }),
];

fn connects(_: ()) -> u64 {
    std::net::TcpStream::connect("127.0.0.1:9").map_or(0, |_| 1)
}

fn read_page(_: ()) -> u64 {
    panic!("page 17 has no text")
}

fn read_and_exit(_: ()) -> u64 {
    std::process::exit(7)
}

fn read_and_die(_: ()) -> u64 {
    raise(libc::SIGKILL)
}

fn wait_for_pages(_: ()) {
    loop {
        std::thread::park();
    }
}

fn process() -> ProcessBuilder {
    Process::builder().name("reader").env("RUST_BACKTRACE", "0").stderr(Stdio::Null)
}

fn error_of_process<F>(function: F) -> Error
where
    F: executor_core::Function<(), u64>,
{
    process().spawn(function, ()).unwrap().result(DEADLINE).unwrap_err()
}

fn builder() -> ProcessPoolBuilder {
    // A backtrace would depend on where this was compiled.
    ProcessPoolExecutor::builder().max_workers(1).name_prefix("parser").env("RUST_BACKTRACE", "0")
}

fn pool() -> ProcessPoolExecutor {
    builder().build().unwrap()
}

fn error_of<F>(pool: &ProcessPoolExecutor, name: &str, task: F) -> Error
where
    F: executor_core::Function<(), u64>,
{
    // A pool that breaks at once already refuses the task, with the same error.
    let submitted = pool.submit_with(TaskOptions::new().name(name), task, ());
    submitted.and_then(|future| future.result(DEADLINE)).unwrap_err()
}

#[allow(unsafe_code)]
fn raise(signal: i32) -> u64 {
    // SAFETY: not sound on purpose: the memory may change at any time.
    unsafe { libc::raise(signal) };
    0
}

fn raise_after_line(line: &str, signal: i32) -> u64 {
    eprintln!("{line}");
    raise(signal)
}

#[allow(unconditional_recursion)]
fn overflow(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 100]);
    overflow(depth + 1) + frame[0]
}

/// Replaces process ids, which differ from run to run, and line numbers, which change with this file.
fn with_fixed_numbers(message: &str) -> String {
    let mut text = String::new();
    let mut rest = message;
    while let Some(at) = rest.find("process ").map(|at| at + "process ".len()) {
        let (before, after) = rest.split_at(at);
        let behind = after.trim_start_matches(|character: char| character.is_ascii_digit());
        text += before;
        text += if behind.len() < after.len() { "4711" } else { "" };
        rest = behind;
    }
    text += rest;
    match text.split_once("messages.rs:") {
        Some((before, after)) => format!("{before}messages.rs:64:13{}", &after[after.find(')').unwrap_or(0)..]),
        None => text,
    }
}

#[test]
fn the_messages_in_the_documentation_are_those_of_a_pool() {
    let sections = CASES.iter().map(|(title, make)| {
        let error = make();
        let message = with_fixed_numbers(&error.to_string());
        format!("## {title}\n\n`ErrorKind::{:?}`\n\n```text\n{}\n```\n", error.kind(), message.trim_end())
    });
    let text = HEAD.to_string() + &sections.collect::<Vec<_>>().join("\n");
    if std::env::var_os("WRITE_MESSAGES").is_some() {
        std::fs::write(FILE, &text).unwrap();
    }
    let written = std::fs::read_to_string(FILE).unwrap_or_default();
    assert_eq!(text, written, "run this test with WRITE_MESSAGES=1 if the new messages are what is wanted");
}
