//! The executor over a rayon pool.

use std::sync::{
    Arc, Barrier, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
    mpsc::channel,
};

use executor_core::{Backend, ErrorKind, Executor, MapOptions, Shutdown, TaskOptions, task};
use thread_pool::RayonExecutor;

use crate::support::{HANGS, watched};

fn rayon_pool(threads: usize) -> Arc<rayon::ThreadPool> {
    Arc::new(rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap())
}

#[test]
fn it_submits_maps_and_leaves_the_pool_running() {
    watched(|| {
        let rayon = rayon_pool(2);
        let executor = RayonExecutor::new(rayon.clone());
        assert_eq!(executor.max_workers(), 2);
        assert_eq!(executor.submit(|n: u64| n + 1, 1).unwrap().result(HANGS).unwrap(), 2);
        let options = MapOptions::new().buffersize(3);
        let numbers = executor.map_with(options, |n: u64| n, 0..100u64).unwrap();
        assert_eq!(numbers.map(Result::unwrap).sum::<u64>(), 4950);
        let error = executor.submit(|()| -> u64 { panic!("contained") }, ()).unwrap().result(HANGS).unwrap_err();
        assert_eq!(error.panic().unwrap().message(), "contained");
        assert!(error.panic().unwrap().worker().starts_with("RayonExecutor-"));
        executor.shutdown(Shutdown::Drain);
        assert_eq!(executor.submit(|()| (), ()).unwrap_err().kind(), ErrorKind::ShutDown);
        drop(executor);
        assert_eq!(rayon.install(|| 6 * 7), 42);
    });
}

#[test]
fn the_global_pool_will_do() {
    watched(|| {
        let executor = RayonExecutor::global();
        assert_eq!(executor.submit(|n: u64| n + 1, 1).unwrap().result(HANGS).unwrap(), 2);
    });
}

#[test]
fn tasks_start_by_priority_and_then_in_order() {
    watched(|| {
        let executor = RayonExecutor::new(rayon_pool(1));
        let (running, runs) = channel();
        let (release, released) = channel::<()>();
        drop(
            executor
                .spawn(move || {
                    running.send(()).unwrap();
                    let _ = released.recv();
                })
                .unwrap(),
        );
        runs.recv().unwrap();
        let started = Arc::new(Mutex::new(Vec::new()));
        for (n, priority) in [0, -1, 5, 0, 5].into_iter().enumerate() {
            let started = started.clone();
            let options = TaskOptions::new().priority(priority);
            drop(executor.spawn_with(options, move || started.lock().unwrap().push(n)).unwrap());
        }
        drop(release);
        drop(executor);
        assert_eq!(*started.lock().unwrap(), [2, 4, 0, 3, 1]);
    });
}

#[test]
fn nested_waiting_does_not_use_up_the_threads() {
    watched(|| {
        let executor = RayonExecutor::new(rayon_pool(1));
        let handle = executor.handle().unwrap();
        let outer = executor.spawn(move || handle.submit(|n: u64| n + 1, 1).unwrap().result(None).unwrap()).unwrap();
        assert_eq!(outer.result(HANGS).unwrap(), 2);
    });
}

#[test]
fn a_cancelling_close_ends_with_what_runs() {
    watched(|| {
        let executor = Arc::new(RayonExecutor::new(rayon_pool(1)));
        let barrier = Arc::new(Barrier::new(2));
        let (polite, inner) = (barrier.clone(), executor.clone());
        let runs = executor
            .spawn(move || {
                polite.wait();
                while !task::current().unwrap().is_cancelled() {
                    std::thread::yield_now();
                }
                inner.join(None)
            })
            .unwrap();
        barrier.wait();
        let waiting = executor.submit(|n: u64| n, 1).unwrap();
        executor.close(Shutdown::Terminate { grace: HANGS });
        assert!(waiting.cancelled());
        assert!(executor.join(None));
        assert!(!runs.result(HANGS).unwrap());
    });
}

#[test]
fn what_races_with_a_drain_runs_or_is_refused() {
    watched(|| {
        let rayon = rayon_pool(2);
        for _ in 0..100 {
            let executor = Arc::new(RayonExecutor::new(rayon.clone()));
            let ran = Arc::new(AtomicUsize::new(0));
            let submitter = std::thread::spawn({
                let (executor, ran) = (executor.clone(), ran.clone());
                move || {
                    let submit = || {
                        let ran = ran.clone();
                        executor.spawn(move || ran.fetch_add(1, SeqCst))
                    };
                    std::iter::from_fn(|| submit().ok()).count()
                }
            });
            executor.shutdown(Shutdown::Drain);
            let accepted = submitter.join().unwrap();
            assert!(executor.join(None));
            assert_eq!(accepted, ran.load(SeqCst));
        }
    });
}
