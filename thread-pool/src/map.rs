//! A map over inputs that no serde can write.

use std::{collections::VecDeque, fmt, sync::Arc, vec};

use executor_core::{Error, Future, scoped};

use crate::ThreadPoolExecutor;

/// An iterator over the results of [`ThreadPoolExecutor::map_closure`], in the order of the inputs.
///
/// [`next`](Iterator::next) blocks until the next result is available. The error of one input is one item, and does not
/// end the iterator. Dropping the iterator cancels the calls that have not started.
#[must_use = "iterators do nothing unless they are used; dropping this one cancels what has not started"]
pub struct ClosureMap<R: Send + 'static> {
    /// The chunks whose results were not read.
    pending: VecDeque<Chunk<R>>,
    /// The results of the chunk that is being read.
    ready: vec::IntoIter<Result<R, Error>>,
}

/// Inputs that are one task.
struct Chunk<R: Send + 'static> {
    items: usize,
    results: Future<Vec<Result<R, Error>>>,
}

/// The number of chunks for each worker. The more there are, the more evenly the workers end.
const CHUNKS: usize = 16;

impl ThreadPoolExecutor {
    /// Calls a closure on every input, and returns an iterator over the results in the order of the inputs.
    ///
    /// The closure may capture, and inputs and results need neither serde nor `Clone`, because they never leave the
    /// process. For functions that capture nothing, [`Executor::map`](executor_core::Executor::map) runs on any
    /// executor; for borrowed inputs, use [`Scope::map`](crate::Scope::map). The inputs are read, and submitted in
    /// chunks that the pool chooses, before this returns. It blocks while a bounded queue is full.
    ///
    /// Its counterpart in Python is `Executor.map`.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`spawn`](Self::spawn); the inputs that were submitted before are cancelled. A panic of
    /// the closure is an error at the place of its input.
    ///
    /// # Panics
    ///
    /// Panics if the input iterator does.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use std::time::Instant;
    /// use concurrent_futures::ThreadPoolExecutor;
    ///
    /// let pool = ThreadPoolExecutor::new(2)?;
    /// let (start, times) = (Instant::now(), [Instant::now(), Instant::now()]);
    /// let since = pool.map_closure(move |time: Instant| time.duration_since(start), times)?;
    /// assert_eq!(since.collect::<Result<Vec<_>, _>>()?.len(), 2);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn map_closure<I, R, F>(&self, closure: F, inputs: I) -> Result<ClosureMap<R>, Error>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        R: Send + 'static,
        F: Fn(I::Item) -> R + Send + Sync + 'static,
    {
        let mut inputs: VecDeque<I::Item> = inputs.into_iter().collect();
        let size = (inputs.len() / (CHUNKS * executor_core::Backend::max_workers(self)).max(1)).max(1);
        let closure = Arc::new(closure);
        let mut pending = VecDeque::with_capacity(inputs.len().div_ceil(size));
        while !inputs.is_empty() {
            let chunk: Vec<I::Item> = inputs.drain(..size.min(inputs.len())).collect();
            let (items, closure) = (chunk.len(), closure.clone());
            let call = move || chunk.into_iter().map(|input| scoped::catch(|| closure(input))).collect();
            match self.spawn_with(executor_core::TaskOptions::new().name(std::any::type_name::<F>()), call) {
                Ok(results) => pending.push_back(Chunk { items, results }),
                Err(error) => {
                    cancel(&pending);
                    return Err(error);
                }
            }
        }
        Ok(ClosureMap { pending, ready: Vec::new().into_iter() })
    }
}

fn cancel<R: Send + 'static>(pending: &VecDeque<Chunk<R>>) {
    for chunk in pending {
        let _ = chunk.results.cancel();
    }
}

impl<R: Send + 'static> Iterator for ClosureMap<R> {
    type Item = Result<R, Error>;

    fn next(&mut self) -> Option<Result<R, Error>> {
        loop {
            if let Some(result) = self.ready.next() {
                return Some(result);
            }
            let Chunk { items, results } = self.pending.pop_front()?;
            self.ready = match results.result(None) {
                Ok(results) => results.into_iter(),
                // The pool was closed or broken before the chunk started.
                Err(error) => (0..items).map(|_| Err(error.clone())).collect::<Vec<_>>().into_iter(),
            };
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.ready.len() + self.pending.iter().map(|chunk| chunk.items).sum::<usize>();
        (left, Some(left))
    }
}

impl<R: Send + 'static> ExactSizeIterator for ClosureMap<R> {}

impl<R: Send + 'static> Drop for ClosureMap<R> {
    fn drop(&mut self) {
        cancel(&self.pending);
        // Panics that no one has read.
        for error in self.ready.by_ref().filter_map(Result::err) {
            scoped::report_unread(&error);
        }
    }
}

impl<R: Send + 'static> fmt::Debug for ClosureMap<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClosureMap").field("left", &self.size_hint().0).finish_non_exhaustive()
    }
}
