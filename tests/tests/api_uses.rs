//! Uses of the public interface that must compile exactly as they are written, on every executor.

use std::{sync::Arc, thread, time::Duration};

use concurrent_futures::{
    AsCompleted, Backend, Error, ErrorKind, Executor, Function, Future, InlineExecutor, Map, MapOptions, Panic,
    Payload, ProcessPoolBuilder, ProcessPoolExecutor, Promise, ReturnWhen, SharedFuture, Shutdown, Task, TaskId,
    TaskOptions, ThreadPoolExecutor, Waited, WorkerDeath, as_completed, process_pool, promise, task, wait,
};
use test_support::block_on;

fn is_prime(n: u64) -> bool {
    n > 1 && (2..n).take_while(|d| d * d <= n).all(|d| n % d != 0)
}

fn run(executor: &dyn Backend) -> Result<bool, Error> {
    executor.submit(is_prime, 97)?.result(None)
}

fn generic<E: Executor>(executor: &E) -> Result<u64, Error> {
    executor.submit(|(a, b)| a + b, (1u64, 2u64))?.result(Duration::from_secs(1000))
}

fn sum(executor: &impl Executor) -> Result<u64, Error> {
    executor.map(|x: u64| x * x, 0..100u64)?.sum()
}

async fn awaited(executor: &dyn Backend) -> Result<bool, Error> {
    executor.submit(is_prime, 97)?.await
}

fn executors() -> Result<Vec<Box<dyn Backend>>, Error> {
    let executors: Vec<Box<dyn Backend>> = vec![
        Box::new(ThreadPoolExecutor::new(2)?),
        Box::new(ProcessPoolExecutor::new(2)?),
        Box::new(InlineExecutor::new()),
    ];
    Ok(executors)
}

#[test]
fn one_executor_is_swapped_for_another() -> Result<(), Error> {
    let executors = executors()?;
    for executor in &executors {
        executor.submit(|s: String| s.len(), "four".to_string())?.result(None)?;
        assert_eq!(sum(executor)?, 328_350);
        assert!(run(executor)?);
        assert!(run(&**executor)?);
        assert_eq!(generic(executor)?, 3);
        assert!(block_on(awaited(executor))?);
    }
    Ok(())
}

#[test]
fn every_pointer_to_a_back_end_is_an_executor() -> Result<(), Error> {
    for executor in executors()? {
        assert_eq!(generic(&executor)?, 3);
        assert_eq!(generic(&&executor)?, 3);
        let shared: Arc<dyn Backend> = Arc::from(executor);
        assert_eq!(sum(&shared)?, 328_350);
        let also = Arc::clone(&shared);
        assert!(thread::spawn(move || run(&also)).join().expect("it does not panic")?);
        shared.shutdown(Shutdown::Drain);
    }
    Ok(())
}

#[test]
#[allow(clippy::useless_vec, clippy::redundant_closure)] // It must compile as it is written.
fn threads_take_closures_that_capture_and_that_borrow() -> Result<(), Error> {
    let thread_pool = ThreadPoolExecutor::new(2)?;
    let n = vec![1, 2];
    assert_eq!(thread_pool.spawn(move || n.len())?.result(None)?, 2);
    let lent = vec![1, 2, 3];
    let borrows_from_the_caller = || lent.len();
    let length = thread_pool.scope(|scope| {
        let f = scope.spawn(|| borrows_from_the_caller());
        f.result(None)
    });
    assert_eq!(length?, lent.len());
    Ok(())
}

#[test]
fn every_option_has_its_name() -> Result<(), Error> {
    process_pool::init();
    let set = |_: u8| ();
    let threads =
        ThreadPoolExecutor::builder().max_workers(2).name_prefix("t").queue_capacity(8).initializer(set, 1).build()?;
    let processes = ProcessPoolExecutor::builder()
        .max_workers(2)
        .name_prefix("p")
        .queue_capacity(8)
        .initializer(set, 1)
        .max_tasks_per_worker(100)
        .time_limit(Duration::from_secs(1000))
        .memory_limit(1 << 32)
        .env("KEY", "value")
        .build()?;
    assert_eq!(processes.worker_pids().len(), 2);
    let executors: [&dyn Backend; 3] = [&threads, &processes, &InlineExecutor::new()];
    for executor in executors {
        let options = TaskOptions::new().name("named").time_limit(Duration::from_secs(1000)).retries(1).priority(-1);
        let about = |()| {
            let context = task::current()?;
            Some((context.name().to_string(), context.worker().to_string(), context.attempt(), context.is_cancelled()))
        };
        let (name, worker, attempt, cancelled) =
            executor.submit_with(options, about, ())?.result(None)?.expect("it runs in a task");
        assert_eq!((name.as_str(), worker.is_empty(), attempt, cancelled), ("named", false, 1, false));
        assert!(executor.try_submit(is_prime, 2)?.result(None)?);
        let options = MapOptions::new().chunksize(3).buffersize(6).timeout(Duration::from_secs(1000)).unordered();
        assert_eq!(executor.map_with(options, |x: u64| x * x, 0..100)?.sum::<Result<u64, Error>>()?, 328_350);
        for mode in [Shutdown::Drain, Shutdown::CancelPending, Shutdown::Terminate { grace: Duration::ZERO }] {
            executor.shutdown(mode);
        }
        executor.close(Shutdown::Drain);
        assert!(executor.join(Some(Duration::from_secs(1000))) && executor.max_workers() >= 1);
    }
    Ok(())
}

#[test]
fn every_method_of_a_future_works() -> Result<(), Error> {
    for executor in executors()? {
        let future: Future<u64> = executor.submit(|n: u64| n + 1, 1)?;
        let id: TaskId = future.id();
        assert!(!format!("{id} {id:?} {future:?}").is_empty());
        assert!(future.exception(Duration::from_secs(1000))?.is_none());
        assert_eq!((future.done(), future.running(), future.cancelled()), (true, false, false));
        assert!(!future.cancel() && !future.terminate(Duration::ZERO));
        future.add_done_callback(|future: &Future<u64>| assert!(future.done()));
        let shared: SharedFuture<u64> = future.shared();
        assert_eq!(shared.clone().result(None)? + shared.result(Duration::ZERO)?, 4);
        let futures = (0..4u64).map(|n| executor.submit(|n: u64| n, n)).collect::<Result<Vec<_>, _>>()?;
        let Waited { done, not_done } = wait(futures, None, ReturnWhen::AllCompleted);
        assert!(not_done.is_empty());
        let completed: AsCompleted<u64> = as_completed(done, Duration::from_secs(1000));
        let mut total = 0;
        for future in completed {
            total += future?.result(None)?;
        }
        assert_eq!(total, 6);
        let map: Map<u64> = executor.map(|n: u64| n, vec![1, 2])?;
        drop(map);
    }
    Ok(())
}

#[test]
fn every_method_of_a_promise_works() -> Result<(), Error> {
    let (promise, future): (Promise<String>, Future<String>) = promise();
    assert!(promise.set_running_or_notify_cancel());
    promise.set_result("kept".to_string())?;
    assert_eq!(
        promise.set_exception(Error::new(ErrorKind::Other, "late")).unwrap_err().kind(),
        ErrorKind::InvalidState
    );
    assert_eq!(future.result(None)?, "kept");
    Ok(())
}

#[test]
fn every_method_of_an_error_works() -> Result<(), Error> {
    for executor in executors()? {
        let error = executor.submit(|n: u64| 1 / n, 0)?.result(None).unwrap_err();
        let panic: &Panic = error.panic().expect("it panicked");
        assert!(panic.message().contains("divide by zero") && panic.location().is_some());
        let _: Option<&str> = panic.backtrace();
        let _: Option<&WorkerDeath> = error.worker_death();
        let _: Box<dyn std::error::Error + Send + Sync> = Box::new(error.clone());
    }
    let error = ProcessPoolExecutor::new(1)?
        .submit(|code: i32| -> () { std::process::exit(code) }, 5)?
        .result(None)
        .unwrap_err();
    let death = error.worker_death().expect("it died");
    assert_eq!((death.exit_code(), death.signal()), (Some(5), None));
    assert!(death.pid() > 0 && death.stderr_tail().is_empty() && !death.task().is_empty());
    Ok(())
}

/// A back-end outside of this library.
#[allow(dead_code)]
struct Own;

impl Backend for Own {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        task.run();
        Ok(())
    }
    fn close(&self, _: Shutdown) {}
    fn join(&self, _: Option<Duration>) -> bool {
        true
    }
    fn max_workers(&self) -> usize {
        1
    }
}

/// Generic code can name the traits of functions and payloads.
fn submits<F: Function<A, R>, A: Payload, R: Payload>(f: F, a: A) -> Result<R, Error> {
    Own.submit(f, a)?.result(None)
}

#[test]
fn a_foreign_back_end_is_an_executor() -> Result<(), Error> {
    assert!(submits(is_prime, 7)?);
    assert_eq!(sum(&Own)?, 328_350);
    Ok(())
}

/// Executors and futures may be used after a caught panic.
#[test]
fn executors_and_futures_are_unwind_safe() {
    use std::panic::{RefUnwindSafe, UnwindSafe};
    fn unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}
    unwind_safe::<InlineExecutor>();
    unwind_safe::<ThreadPoolExecutor>();
    unwind_safe::<ProcessPoolExecutor>();
    unwind_safe::<ProcessPoolBuilder>();
    unwind_safe::<Future<u64>>();
    unwind_safe::<SharedFuture<u64>>();
    unwind_safe::<Promise<u64>>();
    unwind_safe::<Map<u64>>();
    unwind_safe::<AsCompleted<u64>>();
    unwind_safe::<Error>();
}

/// A shared future is awaited on every executor, by value and by reference, more than once.
#[test]
fn a_shared_future_is_awaited() -> Result<(), Error> {
    for executor in executors()? {
        let shared = executor.submit(|n: u64| n + 1, 1)?.shared();
        let sum = block_on(async { Ok::<u64, Error>((&shared).await? + shared.clone().await? + shared.await?) });
        assert_eq!(sum?, 6);
    }
    Ok(())
}
