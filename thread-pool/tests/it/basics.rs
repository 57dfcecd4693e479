//! Submitting, names and the end of a pool.

use std::{
    collections::HashSet,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use executor_core::{Backend, ErrorKind, Executor, MapOptions, Shutdown, task};
use thread_pool::ThreadPoolExecutor;

#[test]
fn submit_map_and_spawn_return_results() {
    let pool = ThreadPoolExecutor::new(2).unwrap();
    assert_eq!(pool.submit(|(a, b)| a + b, (1u64, 2u64)).unwrap().result(None).unwrap(), 3);
    assert_eq!(pool.map(|x: u64| x * x, 0..100u64).unwrap().sum::<Result<u64, _>>().unwrap(), 328_350);
    let options = MapOptions::new().buffersize(3).chunksize(2);
    let taken: Vec<u64> = pool.map_with(options, |x: u64| x + 1, 0u64..).unwrap().take(5).map(Result::unwrap).collect();
    assert_eq!(taken, [1, 2, 3, 4, 5]);
    let captured = String::from("four");
    assert_eq!(pool.spawn(move || captured.len()).unwrap().result(None).unwrap(), 4);
    assert_eq!(pool.max_workers(), 2);
}

#[test]
fn as_many_tasks_run_at_a_time_as_there_are_workers() {
    let pool = ThreadPoolExecutor::new(4).unwrap();
    let barrier = Arc::new(Barrier::new(4));
    let futures: Vec<_> = (0..4)
        .map(|_| {
            let barrier = barrier.clone();
            pool.spawn(move || {
                barrier.wait();
                task::current().unwrap().worker().to_string()
            })
            .unwrap()
        })
        .collect();
    let names: HashSet<String> = futures.into_iter().map(|future| future.result(None).unwrap()).collect();
    assert_eq!(names.len(), 4);
}

#[test]
fn cf_102_workers_are_named_after_the_prefix() {
    let pool = ThreadPoolExecutor::builder().max_workers(1).name_prefix("SpecialPool").build().unwrap();
    let (thread, worker) = pool
        .spawn(|| (std::thread::current().name().unwrap().to_string(), task::current().unwrap().worker().to_string()))
        .unwrap()
        .result(None)
        .unwrap();
    assert_eq!((thread.as_str(), worker.as_str()), ("SpecialPool_0", "SpecialPool_0"));
}

#[test]
fn cf_103_pools_without_a_prefix_have_different_names() {
    let name = |pool: &ThreadPoolExecutor| {
        pool.spawn(|| task::current().unwrap().worker().to_string()).unwrap().result(None).unwrap()
    };
    let (one, two) = (ThreadPoolExecutor::new(1).unwrap(), ThreadPoolExecutor::new(1).unwrap());
    assert!(name(&one).starts_with("ThreadPoolExecutor-"), "{}", name(&one));
    assert!(name(&one).ends_with("_0"));
    assert_ne!(name(&one), name(&two));
}

#[test]
fn cf_041_zero_workers_and_zero_capacity_are_invalid() {
    let error = ThreadPoolExecutor::new(0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("max_workers must be greater than 0"), "{error}");
    let error = ThreadPoolExecutor::builder().queue_capacity(0).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let error = ThreadPoolExecutor::new(1 << 20).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn cf_045_the_default_number_of_workers_is_the_number_of_processors() {
    assert_eq!(ThreadPoolExecutor::builder().build().unwrap().max_workers(), num_cpus::get());
}

#[test]
fn drop_waits_for_submitted_tasks() {
    let ran = Arc::new(AtomicUsize::new(0));
    let pool = ThreadPoolExecutor::new(2).unwrap();
    for _ in 0..1000 {
        let ran = ran.clone();
        drop(pool.spawn(move || ran.fetch_add(1, SeqCst)).unwrap());
    }
    drop(pool);
    assert_eq!(ran.load(SeqCst), 1000);
}

#[test]
fn after_a_shutdown_submit_is_refused_and_the_other_calls_may_be_repeated() {
    let pool = ThreadPoolExecutor::new(2).unwrap();
    let handle = pool.handle().unwrap();
    assert!(!pool.join(Duration::ZERO.into()));
    pool.shutdown(Shutdown::Drain);
    assert_eq!(pool.submit(|()| (), ()).unwrap_err().kind(), ErrorKind::ShutDown);
    assert_eq!(handle.submit(|()| (), ()).unwrap_err().kind(), ErrorKind::ShutDown);
    pool.shutdown(Shutdown::CancelPending);
    pool.shutdown(Shutdown::Drain);
    assert!(pool.join(None));
    drop(pool);
    assert_eq!(handle.submit(|()| (), ()).unwrap_err().kind(), ErrorKind::ShutDown);
}

#[test]
fn executors_may_be_used_after_a_caught_panic() {
    use std::panic::{RefUnwindSafe, UnwindSafe, catch_unwind};
    fn unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}
    unwind_safe::<ThreadPoolExecutor>();
    unwind_safe::<thread_pool::Scope<'_, '_>>();
    unwind_safe::<thread_pool::ScopedFuture<'_, std::cell::Cell<u64>>>();
    #[cfg(feature = "rayon")]
    unwind_safe::<thread_pool::RayonExecutor>();
    let pool = ThreadPoolExecutor::new(1).unwrap();
    let future = pool.submit(|n: u64| n, 1).unwrap();
    assert!(catch_unwind(|| assert_eq!(future.result(None).unwrap(), 2, "on purpose")).is_err());
    assert!(catch_unwind(|| pool.scope(|_| panic!("on purpose"))).is_err());
    assert_eq!(catch_unwind(|| pool.submit(|n: u64| n, 3).unwrap().result(None).unwrap()).ok(), Some(3));
}
