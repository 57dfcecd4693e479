//! The initializer that each worker runs before its first task.

use std::{
    cell::Cell,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use executor_core::{Backend, ErrorKind, Executor, Shutdown};
use thread_pool::ThreadPoolExecutor;

use crate::support::{HANGS, watched};

thread_local! {
    static MARK: Cell<u64> = const { Cell::new(0) };
}

#[test]
fn cf_111_every_worker_is_initialized_once() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    fn mark(mark: u64) -> usize {
        MARK.set(mark);
        RUNS.fetch_add(1, SeqCst)
    }
    let pool = ThreadPoolExecutor::builder().max_workers(3).initializer(mark, 7u64).build().unwrap();
    let barrier = Arc::new(Barrier::new(3));
    let marks: Vec<_> = (0..3)
        .map(|_| {
            let barrier = barrier.clone();
            pool.spawn(move || {
                barrier.wait();
                MARK.get()
            })
            .unwrap()
        })
        .collect();
    assert_eq!(marks.into_iter().map(|mark| mark.result(HANGS).unwrap()).collect::<Vec<_>>(), [7, 7, 7]);
    assert_eq!(RUNS.load(SeqCst), 3);
}

#[test]
fn cf_112_a_failing_initializer_breaks_the_pool_with_its_reason() {
    watched(|| {
        let pool = ThreadPoolExecutor::builder()
            .max_workers(2)
            .initializer(|()| -> u64 { panic!("no licence") }, ())
            .build()
            .unwrap();
        // Until the pool is broken it accepts tasks, which fail with the reason.
        let error = loop {
            match pool.submit(|n: u64| n, 1) {
                Ok(future) => {
                    let error = future.result(HANGS).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Broken, "{error}");
                    assert!(error.to_string().contains("no licence"), "{error}");
                }
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::Broken);
        assert!(error.to_string().contains("no licence"), "{error}");
        assert!(pool.join(None), "the workers of a broken pool end by themselves");
        pool.shutdown(Shutdown::Drain);
        assert_eq!(pool.submit(|n: u64| n, 1).unwrap_err().kind(), ErrorKind::Broken);
    });
}

#[test]
fn a_failing_initializer_lets_running_tasks_finish() {
    static ARRIVALS: AtomicUsize = AtomicUsize::new(0);
    static FAIL: std::sync::Mutex<()> = std::sync::Mutex::new(());
    watched(|| {
        let hold = FAIL.lock().unwrap();
        let pool = ThreadPoolExecutor::builder()
            .max_workers(2)
            .initializer(
                |()| {
                    if ARRIVALS.fetch_add(1, SeqCst) == 1 {
                        let _released = FAIL.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                        panic!("the second one");
                    }
                },
                (),
            )
            .build()
            .unwrap();
        let (broken, is_broken) = std::sync::mpsc::channel();
        let (running, runs) = std::sync::mpsc::channel();
        let survivor = pool
            .spawn(move || {
                running.send(()).unwrap();
                is_broken.recv().unwrap();
                5
            })
            .unwrap();
        runs.recv().unwrap();
        let waiting = pool.spawn(|| 6).unwrap();
        drop(hold);
        assert_eq!(waiting.result(HANGS).unwrap_err().kind(), ErrorKind::Broken);
        broken.send(()).unwrap();
        assert_eq!(survivor.result(HANGS).unwrap(), 5);
        assert!(pool.join(None));
    });
}

#[test]
fn an_initializer_that_returns_an_err_breaks_the_pool_with_it() {
    fn refuses(word: String) -> Result<u64, Vec<String>> {
        if word.is_empty() { Ok(7) } else { Err(vec!["no".to_string(), word]) }
    }
    fn shows(path: String) -> std::io::Result<()> {
        std::fs::File::open(path).map(drop)
    }
    watched(|| {
        let builder = || ThreadPoolExecutor::builder().max_workers(2);
        let broken = |builder: thread_pool::ThreadPoolBuilder| {
            let pool = builder.build().unwrap();
            // Until the pool is broken it accepts tasks, which fail with the reason.
            let error = loop {
                match pool.submit(|n: u64| n, 1) {
                    Ok(future) => assert_eq!(future.result(HANGS).unwrap_err().kind(), ErrorKind::Broken),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), ErrorKind::Broken);
            error.to_string()
        };
        let message = broken(builder().initializer(refuses, "licence".to_string()));
        assert!(message.contains("the initializer returned an error: [no, licence]; fix the initializer"), "{message}");
        let message = broken(builder().try_initializer(shows, "/no/such/file".to_string()));
        assert!(message.contains("the initializer returned an error: "), "{message}");
        let program = std::env::current_exe().unwrap().to_str().unwrap().to_string();
        for fine in [builder().initializer(refuses, String::new()), builder().try_initializer(shows, program)] {
            assert_eq!(fine.build().unwrap().submit(|n: u64| n, 1).unwrap().result(HANGS).unwrap(), 1);
        }
    });
}
