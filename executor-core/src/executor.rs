//! What users call.

use std::marker::PhantomData;

use crate::{
    Backend, Error, Function, Future, Map, MapOptions, Payload, Shutdown, TaskOptions, map,
    task::{Task, work::Submitted},
};

/// Runs functions, somewhere: the interface that every back-end gives.
///
/// Every [`Backend`] is an executor, a `dyn Backend` too, so code that takes `&dyn Backend` or `&impl Executor` runs on
/// threads, processes, or the caller's own thread, whichever it is handed. Python's counterpart is
/// `concurrent.futures.Executor`.
///
/// ```
/// use executor_core::{Backend, Error, Executor, InlineExecutor};
///
/// fn is_prime(n: u64) -> bool {
///     n > 1 && (2..n).take_while(|d| d * d <= n).all(|d| n % d != 0)
/// }
/// fn primes_below(executor: &dyn Backend, limit: u64) -> Result<usize, Error> {
///     let answers: Vec<bool> = executor.map(is_prime, 0..limit)?.collect::<Result<_, _>>()?;
///     Ok(answers.into_iter().filter(|prime| *prime).count())
/// }
/// assert_eq!(primes_below(&InlineExecutor::new(), 100)?, 25);
/// # Ok::<(), Error>(())
/// ```
pub trait Executor: Backend {
    /// Submits a call of `function` on `args`. Waits while a bounded executor is full, unless a worker of that very
    /// executor calls it: that one is let in over the bound, for it would wait for itself.
    ///
    /// Several arguments go as one tuple. The function captures nothing, which is checked when the program is compiled.
    ///
    /// # Errors
    ///
    /// [`Encode`](crate::ErrorKind::Encode), [`ShutDown`](crate::ErrorKind::ShutDown),
    /// [`Broken`](crate::ErrorKind::Broken); nothing runs then.
    ///
    /// ```
    /// # use executor_core::{Executor, InlineExecutor};
    /// let future = InlineExecutor::new().submit(|(a, b)| a + b, (1u64, 2u64))?;
    /// assert_eq!(future.result(None)?, 3);
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    fn submit<F, A, R>(&self, function: F, args: A) -> Result<Future<R>, Error>
    where
        F: Function<A, R>,
        A: Payload,
        R: Payload,
    {
        submit(&self, TaskOptions::new(), true, function, args)
    }

    /// As [`submit`](Executor::submit), but answers [`QueueFull`](crate::ErrorKind::QueueFull) instead of waiting.
    ///
    /// # Errors
    ///
    /// As [`submit`](Executor::submit), and `QueueFull`.
    ///
    /// ```
    /// # use executor_core::{ErrorKind, Executor, InlineExecutor};
    /// match InlineExecutor::new().try_submit(|n: u64| n + 1, 1) {
    ///     Ok(future) => assert_eq!(future.result(None)?, 2),
    ///     Err(error) if error.kind() == ErrorKind::QueueFull => println!("come again later"),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    fn try_submit<F, A, R>(&self, function: F, args: A) -> Result<Future<R>, Error>
    where
        F: Function<A, R>,
        A: Payload,
        R: Payload,
    {
        submit(&self, TaskOptions::new(), false, function, args)
    }

    /// As [`submit`](Executor::submit), with a name, a time limit, retries or a priority.
    ///
    /// # Errors
    ///
    /// As [`submit`](Executor::submit).
    ///
    /// ```
    /// # use executor_core::{Executor, InlineExecutor, TaskOptions};
    /// let options = TaskOptions::new().name("greet").priority(1);
    /// let future = InlineExecutor::new().submit_with(options, |name: String| format!("hello {name}"), "you".into())?;
    /// assert_eq!(future.result(None)?, "hello you");
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    fn submit_with<F, A, R>(&self, options: TaskOptions, function: F, args: A) -> Result<Future<R>, Error>
    where
        F: Function<A, R>,
        A: Payload,
        R: Payload,
    {
        submit(&self, options, true, function, args)
    }

    /// Calls `function` on every input, and answers the results in the order of the inputs.
    ///
    /// The input is read and submitted within this call; whether the results are read or not, the calls are made (as
    /// long as the iterator is not dropped). An input that is long or endless wants
    /// [`MapOptions::buffersize`].
    ///
    /// # Errors
    ///
    /// As [`submit`](Executor::submit). An input that cannot be encoded is an error in its place in the results.
    ///
    /// ```
    /// # use executor_core::{Executor, InlineExecutor};
    /// let squares = InlineExecutor::new().map(|x: u64| x * x, 0..5u64)?;
    /// assert_eq!(squares.collect::<Result<Vec<_>, _>>()?, [0, 1, 4, 9, 16]);
    /// # Ok::<(), executor_core::Error>(())
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

    /// As [`map`](Executor::map), with chunks, a bound on what is under way, a time-out, or in any order.
    ///
    /// # Errors
    ///
    /// As [`map`](Executor::map); [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for an option that is zero, or
    /// a `buffersize` on a back-end without a [`handle`](Backend::handle).
    ///
    /// ```
    /// # use executor_core::{Executor, InlineExecutor, MapOptions};
    /// let options = MapOptions::new().unordered();
    /// let lengths = InlineExecutor::new().map_with(options, |word: String| word.len(), ["a", "bc"].map(String::from))?;
    /// assert_eq!(lengths.sum::<Result<usize, _>>()?, 3);
    /// # Ok::<(), executor_core::Error>(())
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

    /// Closes the executor and waits until its workers are gone. Any number of times, from any thread.
    ///
    /// From one of its own workers it only closes, for that worker cannot wait for its own end.
    ///
    /// ```
    /// # use executor_core::{ErrorKind, Executor, InlineExecutor, Shutdown};
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

/// The only part of `submit` that is compiled for each function.
fn submit<F, A, R>(
    backend: &dyn Backend,
    options: TaskOptions,
    may_wait: bool,
    function: F,
    args: A,
) -> Result<Future<R>, Error>
where
    F: Function<A, R>,
    A: Payload,
    R: Payload,
{
    let (task, typed) = Task::new(Submitted { function, args, result: PhantomData }, options, may_wait);
    backend.schedule(task)?;
    Ok(Future::new::<Submitted<F, A, R>>(typed))
}
