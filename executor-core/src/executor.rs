//! The interface that users call.

use std::marker::PhantomData;

use crate::{
    Backend, Error, Function, Future, Map, MapOptions, MapPairs, Payload, Shutdown, Submitting, TaskOptions, map,
    task::{Task, cell::TaskRef, kinds::Submitted, rare::Rare, typed::Typed},
};

/// Submits calls of functions to a back-end, and returns their results as futures.
///
/// Every [`Backend`] implements it, including `dyn Backend`. So code that takes `&dyn Backend` or `&impl Executor` runs
/// on threads, on processes or in the caller's own thread, depending on the executor it is given. Python's counterpart
/// is `concurrent.futures.Executor`.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Backend, Error, Executor, InlineExecutor};
///
/// fn is_prime(n: u64) -> bool {
///     n > 1 && (2..n).take_while(|d| d * d <= n).all(|d| n % d != 0)
/// }
/// fn primes_below(executor: &dyn Backend, limit: u64) -> Result<usize, Error> {
///     let is_prime: Vec<bool> = executor.map(is_prime, 0..limit)?.collect::<Result<_, _>>()?;
///     Ok(is_prime.into_iter().filter(|prime| *prime).count())
/// }
/// assert_eq!(primes_below(&InlineExecutor::new(), 100)?, 25);
/// # Ok::<(), Error>(())
/// ```
pub trait Executor: Backend {
    /// Submits the call `function(args)` and returns its future.
    ///
    /// Several arguments are passed as one tuple. The function must not capture anything, which the compiler checks.
    /// Python's counterpart is `Executor.submit`.
    ///
    /// # Blocking
    ///
    /// This method does not wait for the call. It blocks only if the executor has a `queue_capacity` and is full, until
    /// there is room. Async code, whose thread must not be blocked, then uses
    /// [`submit_async`](Executor::submit_async), or [`try_submit`](Executor::try_submit). On one of the executor's own
    /// workers this never blocks: the task is accepted past the bound, because a blocked worker could deadlock.
    ///
    /// # Errors
    ///
    /// The function does not run if this returns an error. The kind is:
    ///
    /// - [`ShutDown`](crate::ErrorKind::ShutDown) if the executor was shut down;
    /// - [`Broken`](crate::ErrorKind::Broken) if the executor cannot run tasks any more;
    /// - [`Encode`](crate::ErrorKind::Encode) if the arguments cannot be encoded, and
    ///   [`Panicked`](crate::ErrorKind::Panicked) if encoding them panics. Only back-ends that encode arguments return
    ///   these.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Executor, InlineExecutor};
    /// let future = InlineExecutor::new().submit(|(a, b)| a + b, (1u64, 2u64))?;
    /// assert_eq!(future.result(None)?, 3);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    fn submit<F, A, R>(&self, function: F, args: A) -> Result<Future<R>, Error>
    where
        F: Function<A, R>,
        A: Payload,
        R: Payload,
    {
        submit(self, Rare::none(), true, function, args)
    }

    /// Submits a call as [`submit`](Executor::submit) does, but never blocks.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`submit`](Executor::submit), and [`QueueFull`](crate::ErrorKind::QueueFull) if the
    /// executor is bounded and full.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{ErrorKind, Executor, InlineExecutor};
    /// match InlineExecutor::new().try_submit(|n: u64| n + 1, 1) {
    ///     Ok(future) => assert_eq!(future.result(None)?, 2),
    ///     Err(error) if error.kind() == ErrorKind::QueueFull => println!("try again later"),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    fn try_submit<F, A, R>(&self, function: F, args: A) -> Result<Future<R>, Error>
    where
        F: Function<A, R>,
        A: Payload,
        R: Payload,
    {
        submit(self, Rare::none(), false, function, args)
    }

    /// Submits a call as [`submit`](Executor::submit) does, with a name, a time limit, retries or a priority.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`submit`](Executor::submit).
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Executor, InlineExecutor, TaskOptions};
    /// let options = TaskOptions::new().name("greet").priority(1);
    /// let future = InlineExecutor::new().submit_with(options, |name: String| format!("hello {name}"), "you".into())?;
    /// assert_eq!(future.result(None)?, "hello you");
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    fn submit_with<F, A, R>(&self, options: TaskOptions, function: F, args: A) -> Result<Future<R>, Error>
    where
        F: Function<A, R>,
        A: Payload,
        R: Payload,
    {
        submit(self, Rare::with_options(options), true, function, args)
    }

    /// Submits a call as [`submit`](Executor::submit) does, for async code: while the executor is bounded and full, the
    /// returned future waits, and no thread is blocked. It yields the future of the call.
    ///
    /// Submitters get room in the order in which they came, blocked threads included. If the returned future is dropped
    /// before it is ready, the call never runs. Nothing is submitted before the first poll.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`submit`](Executor::submit), and [`QueueFull`](crate::ErrorKind::QueueFull) if the
    /// back-end is bounded and does not implement [`poll_room`](Backend::poll_room). Both pools do.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// # use std::{pin::pin, task::{Context, Poll, Waker}};
    /// use concurrent_futures::{Backend, Error, Executor, InlineExecutor};
    ///
    /// async fn length(executor: &dyn Backend, page: String) -> Result<usize, Error> {
    ///     executor.submit_async(|page: String| page.len(), page).await?.await
    /// }
    /// let executor = InlineExecutor::new();
    /// let length = pin!(length(&executor, "page".to_string())).poll(&mut Context::from_waker(Waker::noop()));
    /// # assert!(matches!(length, Poll::Ready(Ok(4))));
    /// ```
    fn submit_async<F, A, R>(&self, function: F, args: A) -> Submitting<'_, Self, R>
    where
        F: Function<A, R>,
        A: Payload,
        R: Payload,
    {
        self.submit_async_with(TaskOptions::new(), function, args)
    }

    /// Submits a call as [`submit_async`](Executor::submit_async) does, with a name, a time limit, retries or a
    /// priority. The priority has no effect before there is room.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`submit_async`](Executor::submit_async).
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// # use std::{pin::pin, task::{Context, Poll, Waker}};
    /// use concurrent_futures::{Backend, Error, Executor, InlineExecutor, TaskOptions};
    ///
    /// async fn length(executor: &dyn Backend, page: String) -> Result<usize, Error> {
    ///     let options = TaskOptions::new().name("length").retries(1);
    ///     executor.submit_async_with(options, |page: String| page.len(), page).await?.await
    /// }
    /// let executor = InlineExecutor::new();
    /// let length = pin!(length(&executor, "page".to_string())).poll(&mut Context::from_waker(Waker::noop()));
    /// # assert!(matches!(length, Poll::Ready(Ok(4))));
    /// ```
    fn submit_async_with<F, A, R>(&self, options: TaskOptions, function: F, args: A) -> Submitting<'_, Self, R>
    where
        F: Function<A, R>,
        A: Payload,
        R: Payload,
    {
        let (task, typed) =
            Task::new(Submitted { function, args, result: PhantomData }, Rare::with_options(options), false);
        Submitting::new(self, task, Future::new(typed))
    }

    /// Submits a call as [`submit_with`](Executor::submit_with) does, but never blocks.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`submit`](Executor::submit), and [`QueueFull`](crate::ErrorKind::QueueFull) if the
    /// executor is bounded and full.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{ErrorKind, Executor, InlineExecutor, TaskOptions};
    /// let options = TaskOptions::new().name("parse").retries(1);
    /// match InlineExecutor::new().try_submit_with(options, |n: u64| n + 1, 1) {
    ///     Ok(future) => assert_eq!(future.result(None)?, 2),
    ///     Err(error) if error.kind() == ErrorKind::QueueFull => println!("try again later"),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    fn try_submit_with<F, A, R>(&self, options: TaskOptions, function: F, args: A) -> Result<Future<R>, Error>
    where
        F: Function<A, R>,
        A: Payload,
        R: Payload,
    {
        submit(self, Rare::with_options(options), false, function, args)
    }

    /// Calls `function` on every input, and returns an iterator over the results in the order of the inputs.
    ///
    /// All inputs are read and submitted before this method returns, so the calls run even if the results are not read.
    /// This blocks while a bounded executor is full. Dropping the iterator cancels the calls that have not started. For
    /// a long or infinite input, use [`MapOptions::buffersize`]. Python's counterpart is `Executor.map`.
    ///
    /// # Errors
    ///
    /// Returns the [`ShutDown`](crate::ErrorKind::ShutDown) and [`Broken`](crate::ErrorKind::Broken) errors of
    /// [`submit`](Executor::submit). An input that cannot be encoded is an error at its position in the results.
    ///
    /// # Panics
    ///
    /// Panics if the input iterator panics. The calls that were submitted by then are cancelled.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Executor, InlineExecutor};
    /// let squares = InlineExecutor::new().map(|x: u64| x * x, 0..5u64)?;
    /// assert_eq!(squares.collect::<Result<Vec<_>, _>>()?, [0, 1, 4, 9, 16]);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    fn map<F, I, R>(&self, function: F, inputs: I) -> Result<Map<R>, Error>
    where
        I: IntoIterator,
        I::Item: Payload,
        I::IntoIter: Send + 'static,
        F: Function<I::Item, R>,
        R: Payload,
    {
        self.map_with(MapOptions::new(), function, inputs)
    }

    /// Calls `function` on every input as [`map`](Executor::map) does, with options for chunks, a bound on pending
    /// items, a time-out and the order of the results.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`map`](Executor::map), and [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if
    /// `chunksize` or `buffersize` is zero, or if `buffersize` is set and the back-end has no
    /// [`handle`](Backend::handle).
    ///
    /// # Panics
    ///
    /// Panics if the input iterator panics while this method reads it.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Executor, InlineExecutor, MapOptions};
    /// let options = MapOptions::new().unordered();
    /// let words = ["a", "bc"].map(String::from);
    /// let lengths = InlineExecutor::new().map_with(options, |word: String| word.len(), words)?;
    /// assert_eq!(lengths.sum::<Result<usize, _>>()?, 3);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    fn map_with<F, I, R>(&self, options: MapOptions, function: F, inputs: I) -> Result<Map<R>, Error>
    where
        I: IntoIterator,
        I::Item: Payload,
        I::IntoIter: Send + 'static,
        F: Function<I::Item, R>,
        R: Payload,
    {
        map::start(&self, options, function, inputs.into_iter())
    }

    /// Calls `function` on every input as [`map`](Executor::map) does, and yields each input beside its result. A clone
    /// of the input is kept for that.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`map`](Executor::map).
    ///
    /// # Panics
    ///
    /// Panics if the input iterator panics, or cloning an input.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Executor, InlineExecutor};
    /// let urls = ["a.example", "bc.example"].map(String::from);
    /// for (url, length) in InlineExecutor::new().map_pairs(|url: String| url.len(), urls)? {
    ///     match length {
    ///         Ok(length) => assert_eq!(length, url.len()),
    ///         Err(error) => eprintln!("{url}: {error}"),
    ///     }
    /// }
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    fn map_pairs<F, I, R>(&self, function: F, inputs: I) -> Result<MapPairs<I::Item, R>, Error>
    where
        I: IntoIterator,
        I::Item: Payload + Clone,
        I::IntoIter: Send + 'static,
        F: Function<I::Item, R>,
        R: Payload,
    {
        self.map_pairs_with(MapOptions::new(), function, inputs)
    }

    /// Calls `function` on every input as [`map_pairs`](Executor::map_pairs) does, with the options of
    /// [`map_with`](Executor::map_with).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`map_with`](Executor::map_with).
    ///
    /// # Panics
    ///
    /// Panics if the input iterator panics while this method reads it, or cloning an input.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Executor, InlineExecutor, MapOptions};
    /// let options = MapOptions::new().unordered().buffersize(10);
    /// let executor = InlineExecutor::new();
    /// let mut squares = executor.map_pairs_with(options, |n: u64| n * n, 0u64..)?;
    /// assert!(squares.by_ref().take(100).all(|(n, square)| square.is_ok_and(|square| square == n * n)));
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    fn map_pairs_with<F, I, R>(
        &self,
        options: MapOptions,
        function: F,
        inputs: I,
    ) -> Result<MapPairs<I::Item, R>, Error>
    where
        I: IntoIterator,
        I::Item: Payload + Clone,
        I::IntoIter: Send + 'static,
        F: Function<I::Item, R>,
        R: Payload,
    {
        map::pairs::start(inputs.into_iter(), |inputs| map::start(&self, options, function, inputs))
    }

    /// Closes the executor and waits until its workers have ended.
    ///
    /// It may be called any number of times, from any thread. Called from one of the executor's own workers it closes
    /// the executor but does not wait, because a worker cannot wait for its own end. Python's counterpart is
    /// `Executor.shutdown`; [`Shutdown`] has the counterparts of its options.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{ErrorKind, Executor, InlineExecutor, Shutdown};
    /// let executor = InlineExecutor::new();
    /// executor.shutdown(Shutdown::Drain);
    /// assert_eq!(executor.submit(|n: u64| n, 1).unwrap_err().kind(), ErrorKind::ShutDown);
    /// ```
    fn shutdown(&self, mode: Shutdown) {
        self.close(mode);
        self.join(None);
    }
}

impl<B: Backend + ?Sized> Executor for B {}

/// Submits a call. The compiler generates this code for each function.
#[inline]
fn submit<B, F, A, R>(backend: &B, rare: Rare, may_wait: bool, function: F, args: A) -> Result<Future<R>, Error>
where
    B: Backend + ?Sized,
    F: Function<A, R>,
    A: Payload,
    R: Payload,
{
    let (task, typed) = Task::new(Submitted { function, args, result: PhantomData }, rare, may_wait);
    let offered = Offered(Some(typed));
    backend.schedule(task)?;
    Ok(Future::new(offered.accepted()))
}

/// A task that the back-end has not accepted yet. What a refusal does is not part of every function that submits.
struct Offered<R>(Option<Typed<R>>);

impl<R> Offered<R> {
    #[inline]
    fn accepted(mut self) -> Typed<R> {
        self.0.take().expect("only this takes it")
    }
}

impl<R> Drop for Offered<R> {
    #[inline]
    fn drop(&mut self) {
        if let Some(refused) = self.0.take() {
            drop_refused(refused.task);
        }
    }
}

#[cold]
#[inline(never)]
fn drop_refused(task: TaskRef) {
    drop(task);
}
