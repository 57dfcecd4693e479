//! Uses of the public interface as programs write them. They must keep compiling.

use std::time::Duration;

use executor_core::{
    AsCompleted, Awaited, AwaitedShared, Backend, CancellationToken, CompletedStream, Error, ErrorKind, Executor,
    Function, Future, InlineExecutor, Map, MapOptions, MapPairs, MapStream, Panic, Payload, Promise, ReturnWhen,
    SharedFuture, Shutdown, StopOnDrop, Submitting, Task, TaskError, TaskId, TaskOptions, Waited, WorkerDeath,
    as_completed, codec::handles::Handle, promise, task, wait,
};

fn is_prime(n: u64) -> bool {
    n > 1 && (2..n).take_while(|d| d * d <= n).all(|d| n % d != 0)
}

fn run(executor: &dyn Backend) -> Result<bool, Error> {
    executor.submit(is_prime, 97)?.result(None)
}

fn generic<E: Executor>(executor: &E) -> Result<u64, Error> {
    executor.submit(|(a, b)| a + b, (1u64, 2u64))?.result(Duration::from_secs(1))
}

fn sum(executor: &impl Executor) -> Result<u64, Error> {
    executor.map(|x: u64| x * x, 0..100u64)?.sum()
}

async fn awaited(executor: &dyn Backend) -> Result<bool, Error> {
    executor.submit(is_prime, 97)?.await
}

#[test]
fn an_executor_can_be_a_trait_object_a_generic_or_an_impl() {
    let executor = InlineExecutor::new();
    assert!(run(&executor).expect("a value"));
    assert_eq!(generic(&executor).expect("a value"), 3);
    assert_eq!(sum(&executor).expect("a value"), 328_350);
    drop(awaited(&executor));
}

#[test]
fn one_list_can_hold_executors_of_several_kinds() {
    let executors: Vec<Box<dyn Backend>> = vec![Box::new(InlineExecutor::new()), Box::new(Forwarding)];
    for executor in &executors {
        assert_eq!(
            executor.submit(|s: String| s.len(), "four".to_string()).expect("accepted").result(None).ok(),
            Some(4)
        );
        assert_eq!(sum(executor).expect("a value"), 328_350);
    }
}

static INLINE: std::sync::LazyLock<InlineExecutor> = std::sync::LazyLock::new(InlineExecutor::new);

impl Backend for Forwarding {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        INLINE.schedule(task)
    }
    fn close(&self, mode: Shutdown) {
        INLINE.close(mode);
    }
    fn join(&self, timeout: Option<Duration>) -> bool {
        INLINE.join(timeout)
    }
    fn max_workers(&self) -> usize {
        INLINE.max_workers()
    }
}

struct Forwarding;

#[test]
fn every_pointer_to_an_executor_is_an_executor() {
    fn runs(executor: impl Executor) -> bool {
        executor.submit(is_prime, 7).and_then(|future| future.result(None)).expect("a value")
    }
    let dynamic: &dyn Backend = &Forwarding;
    let boxed: Box<dyn Backend> = Box::new(Forwarding);
    let shared: std::sync::Arc<dyn Backend> = std::sync::Arc::new(Forwarding);
    assert!(runs(Forwarding) && runs(&Forwarding) && runs(dynamic));
    assert!(runs(&boxed) && runs(boxed) && runs(&shared) && runs(shared));
}

#[test]
fn items_closures_methods_constructors_and_generics_are_functions() {
    fn double<N: std::ops::Add<Output = N> + Copy>(n: N) -> N {
        n + n
    }
    let executor = InlineExecutor::new();
    let value = |future: Result<Future<u64>, Error>| future.expect("accepted").result(None).expect("a value");
    assert_eq!(value(executor.submit(double::<u64>, 2)), 4);
    assert_eq!(value(executor.submit(double, 2u64)), 4);
    assert_eq!(value(executor.submit(u64::count_ones, 7).map(|future| future.shared()).map(widened)), 3);
    assert_eq!(value(executor.submit(|n| n, 5)), 5);
    assert_eq!(executor.submit(Some, 1u8).expect("accepted").result(None).expect("a value"), Some(1));
    assert_eq!(executor.submit(|()| (), ()).expect("accepted").result(None).ok(), Some(()));
    assert_eq!(executor.submit(str_length, "x".to_string()).expect("accepted").result(None).ok(), Some(1));
}

fn str_length(text: String) -> usize {
    text.len()
}

fn widened(shared: SharedFuture<u32>) -> Future<u64> {
    let (promise, future) = promise();
    promise.set_result(shared.result(None).expect("a value").into()).expect("pending");
    future
}

#[test]
fn all_options_can_be_chained() {
    let options = TaskOptions::new().name("n").time_limit(Duration::from_secs(1)).retries(1).priority(-1);
    let executor = InlineExecutor::new();
    let future = executor.submit_with(options, |()| task::current().map(|context| context.name().to_string()), ());
    assert_eq!(future.expect("accepted").result(None).expect("a value").as_deref(), Some("n"));
    assert!(executor.try_submit(is_prime, 4).is_ok());
    let options = MapOptions::new().chunksize(2).buffersize(4).timeout(Duration::from_secs(60)).unordered();
    let map: Map<u64> = executor.map_with(options, |n: u64| n, vec![1, 2, 3]).expect("accepted");
    assert_eq!(map.map(|item| item.expect("a value")).sum::<u64>(), 6);
    executor.shutdown(Shutdown::Terminate { grace: Duration::ZERO });
    executor.shutdown(Shutdown::CancelPending);
}

#[test]
fn waiting_accepts_any_collection_and_any_form_of_time_out() {
    let executor = InlineExecutor::new();
    let futures = || (0..3u64).map(|n| executor.submit(|n: u64| n, n).expect("accepted"));
    let waited: Waited<u64> = wait(futures(), None, ReturnWhen::AllCompleted);
    let Waited { done, not_done } = wait(waited.done, Duration::ZERO, ReturnWhen::FirstException);
    assert_eq!((done.len(), not_done.len()), (3, 0));
    let completed: AsCompleted<u64> = as_completed(done, Some(Duration::from_secs(60)));
    assert_eq!(
        completed.map(|future| future.and_then(|future| future.result(None))).sum::<Result<u64, _>>().ok(),
        Some(3)
    );
}

#[test]
fn a_promise_and_an_error_behave_as_documented() {
    let (promise, future): (Promise<u64>, Future<u64>) = promise();
    let id: TaskId = future.id();
    assert!(format!("{id} {id:?}").len() > 3 && id == future.id());
    assert!(!future.done() && !future.running() && !future.cancelled());
    assert!(promise.set_running_or_notify_cancel());
    assert!(!future.cancel() && !future.terminate(Duration::ZERO));
    let error = Error::new(ErrorKind::Other, "a reason");
    promise.set_exception(error.clone()).expect("running");
    let failure: Option<Error> = future.exception(None).expect("done");
    let failure = failure.expect("it failed");
    assert_eq!((failure.kind(), failure.to_string()), (ErrorKind::Other, "a reason".to_string()));
    let (panic, death): (Option<&Panic>, Option<&WorkerDeath>) = (failure.panic(), failure.worker_death());
    assert!(panic.is_none() && death.is_none());
    let _: &dyn std::error::Error = &failure;
}

#[test]
fn a_task_may_return_a_result_of_its_own_with_this_error() {
    fn half(n: u64) -> Result<u64, Error> {
        if n % 2 == 0 { Ok(n / 2) } else { Err(Error::new(ErrorKind::InvalidArgument, "odd")) }
    }
    let executor = InlineExecutor::new();
    assert_eq!(executor.submit(half, 4).expect("accepted").result(None).unwrap_or_else(Err).ok(), Some(2));
    let odd = executor.submit(half, 3).expect("accepted").result(None).unwrap_or_else(Err);
    assert_eq!(odd.expect_err("odd").kind(), ErrorKind::InvalidArgument);
}

#[test]
fn a_users_function_may_be_generic_over_function_and_payload() {
    fn twice<F: Function<A, A>, A: Payload>(executor: &dyn Backend, function: F, argument: A) -> Result<A, Error> {
        let once = executor.submit(function, argument)?.result(None)?;
        executor.submit(function, once)?.result(None)
    }
    assert_eq!(twice(&InlineExecutor::new(), |n: u64| n * 3, 2).expect("a value"), 18);
}

/// Which types are `Send` and `Sync` is part of the interface.
#[test]
fn handles_can_be_sent_to_and_shared_by_threads() {
    fn send_and_sync<T: Send + Sync + 'static>() {}
    fn send<T: Send + 'static>() {}
    send_and_sync::<Error>();
    send_and_sync::<InlineExecutor>();
    send_and_sync::<Task>();
    // `result` moves the value out, so the value is not shared even if the future is.
    send_and_sync::<Future<std::cell::Cell<u64>>>();
    send_and_sync::<Promise<std::cell::Cell<u64>>>();
    send_and_sync::<SharedFuture<u64>>();
    send_and_sync::<Awaited<u64>>();
    send_and_sync::<AwaitedShared<u64>>();
    send_and_sync::<task::Context>();
    send::<Map<u64>>();
    send::<AsCompleted<u64>>();
    send::<MapPairs<u64, u64>>();
    send::<MapStream<u64>>();
    send::<CompletedStream<u64>>();
    send_and_sync::<StopOnDrop<u64>>();
    send_and_sync::<CancellationToken>();
    send_and_sync::<TaskError>();
    send::<Submitting<'static, dyn Backend, u64>>();
    assert_eq!(size_of::<Error>(), size_of::<usize>());
}

/// A panic that unwinds past a handle leaves it intact, because no lock of the library is held while user code runs.
#[test]
fn handles_may_be_used_across_a_panic_that_was_caught() {
    use std::{
        cell::Cell,
        panic::{RefUnwindSafe, UnwindSafe},
    };
    fn unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}
    unwind_safe::<Error>();
    unwind_safe::<InlineExecutor>();
    unwind_safe::<Task>();
    unwind_safe::<Future<u64>>();
    unwind_safe::<Promise<u64>>();
    unwind_safe::<SharedFuture<u64>>();
    unwind_safe::<Awaited<u64>>();
    unwind_safe::<AwaitedShared<u64>>();
    unwind_safe::<task::Context>();
    unwind_safe::<Map<u64>>();
    unwind_safe::<AsCompleted<u64>>();
    unwind_safe::<MapPairs<u64, u64>>();
    unwind_safe::<MapStream<u64>>();
    unwind_safe::<CompletedStream<u64>>();
    unwind_safe::<StopOnDrop<u64>>();
    unwind_safe::<CancellationToken>();
    unwind_safe::<TaskError>();
    unwind_safe::<Waited<u64>>();
    unwind_safe::<TaskOptions>();
    unwind_safe::<MapOptions>();
    unwind_safe::<Handle>();
    // This holds for every value, because a value is only moved out, or cloned by its own `Clone`.
    unwind_safe::<Future<Cell<u64>>>();
    unwind_safe::<Promise<Cell<u64>>>();
    unwind_safe::<Awaited<Cell<u64>>>();
}
