//! The function that each worker calls before its first task.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use executor_core::{Backend, Error, ErrorKind, Executor, Future};

use crate::support::{Blocker, DEADLINE, SharedDir, add_line, builder, get, kill, on_both, wait_until};

static WORD: OnceLock<String> = OnceLock::new();

fn remembers((path, word): (String, String)) {
    add_line(&path, std::process::id());
    WORD.set(word).expect("once");
}

fn recalls(_: ()) -> Option<String> {
    WORD.get().cloned()
}

/// Returns the error of a broken pool, whether it broke before the task was submitted or after.
fn breaks(pool: &process_pool::ProcessPoolExecutor) -> Error {
    let error = match pool.submit(|n: u32| n, 1) {
        Ok(future) => get(&future).expect_err("the pool is broken"),
        Err(error) => error,
    };
    assert_eq!(error.kind(), ErrorKind::Broken, "{error}");
    wait_until("the refusal of more", || pool.submit(|n: u32| n, 1).is_err());
    assert_eq!(pool.submit(|n: u32| n, 1).unwrap_err().kind(), ErrorKind::Broken);
    error
}

#[test]
fn each_worker_is_initialized_once_before_its_first_task() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let arguments = (dir.path("workers"), "secret".to_string());
        let pool = builder(transport, 2).initializer(remembers, arguments).build().unwrap();
        let futures: Vec<Future<Option<String>>> = (0..20).map(|_| pool.submit(recalls, ()).unwrap()).collect();
        for future in &futures {
            assert_eq!(get(future).unwrap().as_deref(), Some("secret"));
        }
        // The replacement of a worker is initialized too.
        let blockers = [(); 2].map(|()| Blocker::start(&pool));
        kill(pool.worker_pids()[0], libc::SIGKILL);
        wait_until("a third worker", || dir.lines("workers").len() == 3);
        blockers.iter().for_each(Blocker::open);
        assert_eq!(get(&pool.submit(recalls, ()).unwrap()).unwrap().as_deref(), Some("secret"));
    });
}

#[test]
fn an_initializer_may_have_large_arguments() {
    static LENGTH: OnceLock<usize> = OnceLock::new();
    on_both(|transport| {
        let keep = |bytes: Vec<u8>| LENGTH.set(bytes.len()).expect("once");
        let pool = builder(transport, 2).initializer(keep, vec![7; 3_000_000]).build().unwrap();
        let length = |()| LENGTH.get().copied();
        assert_eq!(get(&pool.submit(length, ()).unwrap()).unwrap(), Some(3_000_000));
    });
}

#[test]
fn an_initializer_that_panics_breaks_the_pool_and_says_why() {
    fn panics(word: String) {
        panic!("the {word} is missing")
    }
    on_both(|transport| {
        for workers in [1, 3] {
            let pool = builder(transport, workers).initializer(panics, "licence".to_string()).build().unwrap();
            let error = breaks(&pool);
            assert!(error.to_string().contains("the licence is missing"), "{error}");
            drop(pool);
        }
    });
}

#[test]
fn an_initializer_that_returns_an_err_breaks_the_pool_and_says_why() {
    #[derive(serde::Serialize, serde::Deserialize)]
    enum Refused {
        Missing { word: String },
    }
    fn refuses(word: String) -> Result<u64, Refused> {
        if word.is_empty() { Ok(7) } else { Err(Refused::Missing { word }) }
    }
    fn shows(path: String) -> std::io::Result<()> {
        std::fs::File::open(path).map(drop)
    }
    on_both(|transport| {
        let pool = builder(transport, 2).initializer(refuses, "licence".to_string()).build().unwrap();
        let error = breaks(&pool);
        assert!(error.to_string().contains("Missing { word: licence }"), "{error}");
        let pool = builder(transport, 1).try_initializer(shows, "/no/such/file".to_string()).build().unwrap();
        let error = breaks(&pool);
        assert!(error.to_string().contains("No such file"), "{error}");
        let pool = builder(transport, 1).initializer(refuses, String::new()).build().unwrap();
        assert_eq!(get(&pool.submit(|n: u32| n, 1).unwrap()).unwrap(), 1);
        let pool = builder(transport, 1).try_initializer(shows, "/".to_string()).build().unwrap();
        assert_eq!(get(&pool.submit(|n: u32| n, 1).unwrap()).unwrap(), 1);
    });
}

#[test]
fn an_initializer_that_ends_its_process_breaks_the_pool() {
    fn aborts(path: String) {
        add_line(&path, "started");
        eprintln!("cannot go on");
        std::process::abort()
    }
    on_both(|transport| {
        for workers in [1, 2, 4] {
            let dir = SharedDir::new();
            let pool = builder(transport, workers).initializer(aborts, dir.path("starts")).build().unwrap();
            let error = breaks(&pool);
            assert!(error.to_string().contains("cannot go on"), "{error}");
            drop(pool);
            let starts = dir.lines("starts").len();
            assert!(starts <= workers + 6, "{starts} starts of {workers} workers");
        }
    });
}

#[test]
fn all_tasks_of_a_pool_that_breaks_fail() {
    fn aborts_when_told(path: String) {
        if std::path::Path::new(&path).exists() {
            std::process::abort();
        }
    }
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = builder(transport, 1).initializer(aborts_when_told, dir.path("now")).build().unwrap();
        let blocker = Blocker::start(&pool);
        let waiting: Vec<Future<u32>> = (0..20).map(|n| pool.submit(|n: u32| n, n).unwrap()).collect();
        dir.touch("now");
        kill(pool.worker_pids()[0], libc::SIGKILL);
        assert_eq!(get(&blocker.future).unwrap_err().kind(), ErrorKind::WorkerDied);
        for future in &waiting {
            assert_eq!(get(future).unwrap_err().kind(), ErrorKind::Broken);
        }
        pool.close(executor_core::Shutdown::Drain);
        assert!(pool.join(Some(DEADLINE)));
    });
}

#[test]
fn a_pool_whose_initializer_never_ends_can_be_dropped() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = builder(transport, 2).initializer(super::support::never_ends, dir.path("runs")).build().unwrap();
        wait_until("the initializer", || dir.has("runs"));
        drop(pool);
    });
}

#[test]
fn workers_that_end_without_a_task_are_replaced_slowly() {
    fn ends_when_it_is_ready(path: String) {
        add_line(&path, std::process::id());
        std::thread::spawn(|| {
            // By then the worker waits for its first task.
            std::thread::park_timeout(Duration::from_millis(5));
            std::process::exit(9)
        });
    }
    on_both(|transport| {
        let dir = SharedDir::new();
        let start = Instant::now();
        let pool = builder(transport, 1).initializer(ends_when_it_is_ready, dir.path("starts")).build().unwrap();
        wait_until("some starts", || dir.lines("starts").len() >= 7);
        let starts = dir.lines("starts").len() as u128;
        assert!(starts <= 7 + start.elapsed().as_millis() / 200, "{starts} starts in {:?}", start.elapsed());
        drop(pool);
    });
}
