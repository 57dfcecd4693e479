//! The start of workers.

use std::process::Command;

use executor_core::{ErrorKind, Executor, task};
use process_pool::{ProcessPoolBuilder, ProcessPoolExecutor, Transport};

use crate::{
    programs,
    support::{builder, children, get, is_alive, kill, on, on_both, open_descriptors, pool, wait_until, warm_up},
};

#[test]
fn workers_start_in_an_integration_test_without_any_setup() {
    on_both(|transport| {
        let pool = pool(transport, 2);
        let pid = get(&pool.submit(|()| std::process::id(), ()).unwrap()).unwrap();
        assert_ne!(pid, std::process::id());
        assert!(pool.worker_pids().contains(&pid));
    });
}

#[test]
fn options_that_cannot_work_are_refused() {
    type Build = fn() -> ProcessPoolBuilder;
    let builders: [(&str, Build); 11] = [
        ("max_workers", || ProcessPoolExecutor::builder().max_workers(0)),
        ("max_workers", || ProcessPoolExecutor::builder().max_workers(usize::MAX)),
        ("queue_capacity", || ProcessPoolExecutor::builder().queue_capacity(0)),
        ("max_tasks_per_worker", || ProcessPoolExecutor::builder().max_tasks_per_worker(0)),
        ("memory_limit", || ProcessPoolExecutor::builder().memory_limit(0)),
        ("time_limit", || ProcessPoolExecutor::builder().time_limit(std::time::Duration::ZERO)),
        ("name_prefix", || ProcessPoolExecutor::builder().name_prefix("a\0b")),
        ("name_prefix", || ProcessPoolExecutor::builder().name_prefix("n".repeat(1000))),
        ("A=B", || ProcessPoolExecutor::builder().env("A=B", "c")),
        ("KEY", || ProcessPoolExecutor::builder().env("KEY", "a\0b")),
        ("CONCURRENT_FUTURES_WORKER", || ProcessPoolExecutor::builder().env("CONCURRENT_FUTURES_WORKER", "1")),
    ];
    for (word, builder) in builders {
        let error = builder().build().expect_err(word);
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert!(error.to_string().contains(word), "{word} is missing in {error}");
    }
}

#[test]
fn a_worker_has_its_name_and_its_environment() {
    on_both(|transport| {
        let pool = builder(transport, 1).name_prefix("parser").env("COLOUR", "blue").build().unwrap();
        let seen = |()| {
            let title = std::fs::read("/proc/self/cmdline").unwrap();
            let title = String::from_utf8_lossy(&title).trim_end_matches('\0').to_string();
            (task::current().unwrap().worker().to_string(), title, std::env::var("COLOUR").ok())
        };
        let (name, title, colour) = get(&pool.submit(seen, ()).unwrap()).unwrap();
        assert_eq!((name.as_str(), title.as_str(), colour.as_deref()), ("parser_0", "parser_0", Some("blue")));
    });
}

#[test]
fn a_worker_has_its_name_in_lists_of_processes() {
    on_both(|transport| {
        let comm = |()| std::fs::read_to_string("/proc/self/comm").unwrap().trim_end().to_string();
        for (prefix, name) in [("parser", "parser_0"), ("a-parser-of-hostile-files", "a-parser-of-h_0")] {
            let pool = builder(transport, 1).name_prefix(prefix).build().unwrap();
            assert_eq!(get(&pool.submit(comm, ()).unwrap()).unwrap(), name);
        }
        // Workers of pools without a name prefix have different names.
        let pool = pool(transport, 1);
        let name = get(&pool.submit(comm, ()).unwrap()).unwrap();
        let numbers = name.trim_start_matches(|character: char| character.is_ascii_alphabetic());
        assert!(name.starts_with("Process") && numbers.starts_with('-') && numbers.ends_with("_0"), "{name}");
    });
}

#[test]
fn the_watch_on_the_parent_exists_before_the_first_task_runs() {
    on_both(|transport| {
        let watched = |()| {
            let opened = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
            let opened = opened.filter_map(|entry| std::fs::read_link(entry.path()).ok());
            opened
                .filter(|target| target.to_str() == Some("anon_inode:[pidfd]") || target.starts_with("pidfd:"))
                .count()
        };
        let pool = builder(transport, 2).max_tasks_per_worker(1).build().unwrap();
        for _ in 0..100 {
            assert_eq!(get(&pool.submit(watched, ()).unwrap()).unwrap(), 1);
        }
    });
}

#[test]
fn a_program_that_a_task_starts_is_not_a_worker() {
    fn runs_a_program(arguments: Vec<String>) -> String {
        let output = Command::new("/proc/self/exe").args(&arguments[2..]).env(&arguments[0], &arguments[1]).output();
        let output = output.expect("it runs");
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
    on_both(|transport| {
        let pool = pool(transport, 1);
        let command = programs::command("says_hello");
        let (key, value) = command.get_envs().find_map(|(key, value)| Some((key, value?))).unwrap();
        let words = [key, value].into_iter().chain(command.get_args());
        let words: Vec<String> = words.map(|word| word.to_str().unwrap().to_string()).collect();
        let text = get(&pool.submit(runs_a_program, words).unwrap()).unwrap();
        assert!(text.contains("hello from a program"), "{text}");
    });
}

#[test]
fn a_task_reads_an_empty_standard_input() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        let read = |()| std::io::read_to_string(std::io::stdin()).unwrap();
        assert_eq!(get(&pool.submit(read, ()).unwrap()).unwrap(), "");
    });
}

#[test]
fn a_worker_may_have_a_pool_of_its_own() {
    fn sum_of_squares(numbers: Vec<u64>) -> u64 {
        let inner = ProcessPoolExecutor::new(2).expect("a pool in a worker");
        inner.map(|n: u64| n * n, numbers).unwrap().map(|square| square.unwrap()).sum()
    }
    on_both(|transport| {
        let pool = pool(transport, 1);
        assert_eq!(get(&pool.submit(sum_of_squares, vec![1, 2, 3]).unwrap()).unwrap(), 14);
    });
}

#[test]
fn pools_cannot_be_nested_without_a_limit() {
    let text = programs::succeeds("builds_a_pool", &[("CONCURRENT_FUTURES_DEPTH", "8")]);
    assert!(text.contains("kind: Broken"), "{text}");
    let text = programs::succeeds("builds_a_pool", &[("CONCURRENT_FUTURES_DEPTH", "7")]);
    assert!(text.contains("kind: none"), "{text}");
}

pub fn builds_a_pool() {
    match ProcessPoolExecutor::new(1) {
        Ok(_) => println!("kind: none"),
        Err(error) => println!("kind: {:?}", error.kind()),
    }
}

#[test]
fn a_pool_without_descriptors_is_an_error_and_leaves_nothing() {
    programs::succeeds("has_no_descriptors_at_build", &[]);
}

pub fn has_no_descriptors_at_build() {
    on_both(|transport| {
        let files = open_descriptors();
        // Each limit makes the build fail at another step.
        for spare in 0..40 {
            limit_files(files as u64 + spare);
            let built = builder(transport, 3).build();
            limit_files(1024);
            match built {
                Ok(pool) => {
                    assert!(spare > 10);
                    assert_eq!(get(&pool.submit(|n: u64| n + 1, 1).unwrap()).unwrap(), 2);
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::Other, "{error}"),
            }
            assert_eq!(open_descriptors(), files, "with {spare} descriptors");
            assert!(children().is_empty(), "with {spare} descriptors");
        }
    });
}

#[test]
fn a_worker_that_cannot_be_replaced_is_replaced_later() {
    programs::succeeds("has_no_descriptors_for_a_while", &[]);
}

pub fn has_no_descriptors_for_a_while() {
    on_both(|transport| {
        let pool = pool(transport, 2);
        warm_up(&pool, 2);
        limit_files(3);
        kill(pool.worker_pids()[0], libc::SIGKILL);
        wait_until("the death of one", || pool.worker_pids().len() == 1);
        assert_eq!(get(&pool.submit(|n: u64| n + 1, 1).unwrap()).unwrap(), 2);
        limit_files(1024);
        wait_until("a second worker", || pool.worker_pids().len() == 2);
        warm_up(&pool, 2);
    });
}

#[test]
fn a_pool_that_cannot_start_any_worker_is_broken_with_the_reason() {
    programs::succeeds("has_no_descriptors_ever_again", &[]);
}

pub fn has_no_descriptors_ever_again() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        warm_up(&pool, 1);
        limit_files(3);
        kill(pool.worker_pids()[0], libc::SIGKILL);
        wait_until("the end of the last worker", || pool.worker_pids().is_empty());
        let error = match pool.submit(|n: u64| n + 1, 1) {
            Ok(future) => get(&future).expect_err("no worker is there"),
            Err(error) => error,
        };
        assert_eq!(error.kind(), ErrorKind::Broken, "{error}");
        assert!(error.to_string().contains("descriptors"), "{error}");
        limit_files(1024);
    });
}

#[allow(unsafe_code)]
fn limit_files(files: u64) {
    let limit = libc::rlimit { rlim_cur: files as libc::rlim_t, rlim_max: 1024 };
    // SAFETY: the limit is read from a valid place.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
}

#[test]
fn a_pool_without_a_supervisor_is_an_error_and_leaves_nothing() {
    // No process has so many free addresses in one piece. With more than a quarter of all addresses, musl refuses the
    // size itself, with an error that the harness of the tests does not survive. On 32 bits a quarter may be free.
    let size = ((usize::MAX / 8).max(3 << 30) & !0xffff).to_string();
    programs::succeeds("has_no_threads", &[("RUST_MIN_STACK", &size)]);
}

pub fn has_no_threads() {
    for transport in [Transport::Ring, Transport::Socket] {
        let files = open_descriptors();
        let error = builder(transport, 2).build().expect_err("no thread");
        assert_eq!(error.kind(), ErrorKind::Other, "{error}");
        assert!(error.to_string().contains("supervisor"), "{error}");
        assert!(children().is_empty());
        assert_eq!(open_descriptors(), files);
    }
}

#[test]
fn a_replacement_is_started_from_the_same_file() {
    on(Transport::Ring, |transport| {
        let pool = pool(transport, 1);
        warm_up(&pool, 1);
        let first = pool.worker_pids()[0];
        kill(first, libc::SIGKILL);
        let pid = get(&pool.submit(|()| std::process::id(), ()).unwrap()).unwrap();
        assert_ne!(pid, first);
        wait_until("the end of the first", || !is_alive(first));
    });
}

/// Returns a function that captures two functions. All are zero-sized.
fn composed<F, G>(first: F, second: G) -> impl Fn(u64) -> u64 + Copy + Send + 'static
where
    F: Fn(u64) -> u64 + Copy + Send + 'static,
    G: Fn(u64) -> u64 + Copy + Send + 'static,
{
    move |n| second(first(n))
}

#[test]
fn a_zero_sized_capture_is_created_in_a_worker() {
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    static WAS_OPENED: AtomicBool = AtomicBool::new(false);
    #[derive(Clone, Copy)]
    struct Opened;
    fn open() -> Opened {
        WAS_OPENED.store(true, SeqCst);
        Opened
    }
    on_both(|transport| {
        let pool = pool(transport, 1);
        // This is right for functions, which have no invariant.
        assert_eq!(get(&pool.submit(composed(|n| n + 1, |n| n * 2), 20).unwrap()).unwrap(), 42);
        // A token loses its invariant, as the documentation of `Function` says.
        let token = open();
        let promise = move |()| {
            let _proof: Opened = token;
            WAS_OPENED.load(SeqCst)
        };
        assert!(promise(()));
        assert!(!get(&pool.submit(promise, ()).unwrap()).unwrap());
    });
}
