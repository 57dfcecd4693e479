//! Work that a scope divides among the workers itself: two closures, or the items of a slice.

use executor_core::{Error, scoped};

use super::{
    Scope, Target,
    collect::{Filled, Places, collect},
    raise, scope,
};
use crate::{
    join::{self, half::Place},
    local,
    pool::Pool,
};

impl Scope<'_, '_> {
    /// Runs two closures, in parallel if a worker is idle, and returns both results. Both have ended when this returns.
    ///
    /// They may borrow from the caller. On a worker of a [`ThreadPoolExecutor`](crate::ThreadPoolExecutor) this needs
    /// no allocation and no task: the calling worker offers the second closure to the others, runs the first, and then
    /// runs the second if no one has taken it. So a recursion costs little more than its calls. While it waits for
    /// another worker, it runs only what that worker needs for the second closure. A caller that is not a worker sends
    /// both to the pool in one task, which blocks while a bounded queue is full, and waits. If the pool is shut down,
    /// it runs both itself.
    ///
    /// [`task::current`](executor_core::task::current) is the task of the caller in both. It is `join` of the crate
    /// `rayon`; Python has no counterpart.
    ///
    /// # Panics
    ///
    /// Panics if one of the closures does, after both have ended. If the first one panics, a second one that has not
    /// started does not run.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::{Scope, ThreadPoolExecutor};
    ///
    /// fn fibonacci(scope: &Scope<'_, '_>, n: u64) -> u64 {
    ///     if n < 2 {
    ///         return n;
    ///     }
    ///     let (one, other) = scope.join(|| fibonacci(scope, n - 1), || fibonacci(scope, n - 2));
    ///     one + other
    /// }
    /// let pool = ThreadPoolExecutor::new(2)?;
    /// assert_eq!(pool.scope(|scope| fibonacci(scope, 20)), 6765);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    #[track_caller]
    pub fn join<A, B, RA, RB>(&self, first: A, second: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send,
    {
        let (one, other) = match self.target.pool_of_this_worker() {
            Some(pool) => join::join(pool, first, |_| second()),
            None => self.target.run_inside(|target| target.join(first, |_| second())),
        };
        match other {
            Ok(other) => (one, other),
            Err(error) => raise(&error),
        }
    }

    /// Calls a function on each item of a slice, in parallel, and returns the results in the order of the items.
    ///
    /// The items, the function and the results may borrow, and nothing is encoded. The slice is divided into a few
    /// parts for each worker, and a part that an idle worker takes is divided again. So this suits short items and
    /// items of unequal length. It is `par_iter().map().collect()` of the crate `rayon`. For functions that capture
    /// nothing, on any executor, use [`Executor::map`](executor_core::Executor::map), which yields results while others
    /// are computed; for owned inputs, [`ThreadPoolExecutor::map_closure`](crate::ThreadPoolExecutor::map_closure).
    ///
    /// # Panics
    ///
    /// Panics with the text of a panic of the function, after all calls that have started have ended.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::ThreadPoolExecutor;
    ///
    /// let pool = ThreadPoolExecutor::new(2)?;
    /// let words = ["one", "three", "seven"].map(String::from);
    /// let lengths = pool.scope(|scope| scope.map(&words, |word| word.len()));
    /// assert_eq!(lengths, [3, 5, 5]);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    #[track_caller]
    pub fn map<'items, T, R, F>(&self, items: &'items [T], function: F) -> Vec<R>
    where
        T: Sync,
        R: Send,
        F: Fn(&'items T) -> R + Sync,
    {
        let results = collect(items.len(), |places| {
            self.try_divide(
                Inputs { items, places },
                &|Inputs { items, places }: Inputs<'_, 'items, T, R>| places.fill(items.iter().map(&function)),
                &Filled::followed_by,
            )
        });
        results.unwrap_or_else(|error| raise(&error))
    }

    /// Calls a function on each item of an iterator, in parallel. The items are collected first.
    ///
    /// With [`chunks_mut`](slice::chunks_mut) these are disjoint chunks of a slice; [`iter_mut`](slice::iter_mut),
    /// `enumerate` and `zip` work too. Like [`map`](Scope::map), it divides the items among the workers.
    ///
    /// # Panics
    ///
    /// Panics with the text of a panic of the function, after all calls that have started have ended, or if the
    /// iterator panics.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::ThreadPoolExecutor;
    ///
    /// let pool = ThreadPoolExecutor::new(2)?;
    /// let (width, mut pixels) = (4, vec![0; 12]);
    /// pool.scope(|scope| scope.for_each(pixels.chunks_mut(width).enumerate(), |(y, row)| row.fill(y)));
    /// assert_eq!(pixels, [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    #[track_caller]
    pub fn for_each<I, F>(&self, items: I, function: F)
    where
        I: IntoIterator,
        I::Item: Send,
        F: Fn(I::Item) + Sync,
    {
        let items: Vec<I::Item> = items.into_iter().collect();
        self.divide(items, &|items: Vec<I::Item>| items.into_iter().for_each(&function), &|(), ()| ());
    }

    /// Folds the items of a slice, in parallel: `fold` adds an item to a part's total, which begins with `identity`,
    /// and `merge` combines the totals of two neighbouring parts, in their order.
    ///
    /// The parts depend on which workers are idle. So the result is always the same only if `merge` is associative, and
    /// `identity` changes nothing; floating-point sums may differ in the last digits. It is `fold` and `reduce` of the
    /// crate `rayon`.
    ///
    /// # Panics
    ///
    /// Panics with the text of a panic of one of the functions, after all calls that have started have ended.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::ThreadPoolExecutor;
    ///
    /// let pool = ThreadPoolExecutor::new(2)?;
    /// let words = ["one", "three", "seven"];
    /// let letters = pool.scope(|scope| scope.reduce(&words, || 0, |total, word| total + word.len(), |a, b| a + b));
    /// assert_eq!(letters, 13);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce<'items, T, R>(
        &self,
        items: &'items [T],
        identity: impl Fn() -> R + Sync,
        fold: impl Fn(R, &'items T) -> R + Sync,
        merge: impl Fn(R, R) -> R + Sync,
    ) -> R
    where
        T: Sync,
        R: Send,
    {
        self.divide(items, &|items: &'items [T]| items.iter().fold(identity(), &fold), &merge)
    }

    /// Divides items, calls `leaf` on the parts, and merges the results in the order of the parts.
    #[track_caller]
    fn divide<P, R>(&self, items: P, leaf: &(impl Fn(P) -> R + Sync), merge: &(impl Fn(R, R) -> R + Sync)) -> R
    where
        P: Divide,
        R: Send,
    {
        self.try_divide(items, leaf, merge).unwrap_or_else(|error| raise(&error))
    }

    /// Divides items as [`divide`](Scope::divide) does. Returns the panic of a part.
    fn try_divide<P, R>(
        &self,
        items: P,
        leaf: &(impl Fn(P) -> R + Sync),
        merge: &(impl Fn(R, R) -> R + Sync),
    ) -> Result<R, Error>
    where
        P: Divide,
        R: Send,
    {
        let division = Division::new(self.target.max_workers());
        self.target.run_inside(|target| divide(target, items, division, leaf, merge))
    }
}

fn divide<P, R>(
    target: &Target,
    items: P,
    mut division: Division,
    leaf: &(impl Fn(P) -> R + Sync),
    merge: &(impl Fn(R, R) -> R + Sync),
) -> Result<R, Error>
where
    P: Divide,
    R: Send,
{
    if items.len() < 2 || !division.divides() {
        return scoped::catch(|| leaf(items));
    }
    let (left, right) = items.halves();
    let (left, right) = target.join(
        || divide(target, left, division, leaf, merge),
        |place| divide(target, right, division.continued(place), leaf, merge),
    );
    match (left, right.unwrap_or_else(Err)) {
        (Ok(left), Ok(right)) => scoped::catch(|| merge(left, right)),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
        (Err(error), Err(other)) => {
            // Only one can be raised.
            scoped::report_unread(&other);
            Err(error)
        }
    }
}

/// Items that can be divided into two parts.
trait Divide: Sized + Send {
    fn len(&self) -> usize;

    fn halves(self) -> (Self, Self);
}

impl<T: Sync> Divide for &[T] {
    fn len(&self) -> usize {
        <[T]>::len(self)
    }

    fn halves(self) -> (Self, Self) {
        self.split_at(self.len() / 2)
    }
}

/// Items of a map, and as many places for their results.
struct Inputs<'a, 'items, T, R> {
    items: &'items [T],
    places: Places<'a, R>,
}

impl<T: Sync, R: Send> Divide for Inputs<'_, '_, T, R> {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn halves(self) -> (Self, Self) {
        let (left, right) = self.items.halves();
        let (left_places, right_places) = self.places.split_at(left.len());
        (Inputs { items: left, places: left_places }, Inputs { items: right, places: right_places })
    }
}

impl<T: Send> Divide for Vec<T> {
    fn len(&self) -> usize {
        Vec::len(self)
    }

    fn halves(mut self) -> (Self, Self) {
        let right = self.split_off(self.len() / 2);
        (self, right)
    }
}

/// How often a part is divided further.
#[derive(Clone, Copy)]
struct Division {
    workers: usize,
    left: usize,
}

impl Division {
    /// The number of parts for each worker, if no other worker takes one. More parts make the end more even, and cost
    /// a fraction of a microsecond each.
    const PARTS: usize = 8;

    fn new(workers: usize) -> Division {
        Division { workers, left: workers * Division::PARTS }
    }

    /// Returns whether to divide once more.
    fn divides(&mut self) -> bool {
        self.left /= 2;
        self.left > 0
    }

    /// Returns the division of a part. One that another worker has taken is divided as often as the whole, because that
    /// worker was idle.
    fn continued(self, place: Place) -> Division {
        match place {
            Place::Own => self,
            Place::Other => Division::new(self.workers),
        }
    }
}

impl Target {
    /// Returns the pool, if the calling thread is a worker that has queues there.
    #[inline]
    fn pool_of_this_worker(&self) -> Option<&Pool> {
        match self {
            Target::Pool(pool) => local::is_of(pool.host()).then_some(&**pool),
            #[cfg(feature = "rayon")]
            Target::Rayon(_) => None,
        }
    }

    /// Runs code on a worker of the pool: on the calling thread if it is one, or if the pool does not accept tasks.
    #[track_caller]
    fn run_inside<R: Send>(&self, code: impl FnOnce(&Target) -> R + Send) -> R {
        if self.has_current_thread() {
            return code(self);
        }
        let (mut code, mut output) = (Some(code), None);
        let sent = scope(self, |inner| {
            let task = inner.spawn(|| output = code.take().map(|code| code(self)));
            task.result(None)
        });
        match (output, code, sent) {
            (Some(output), _, _) => output,
            (None, Some(code), _) => code(self),
            (None, None, Err(error)) => raise(&error),
            (None, None, Ok(())) => unreachable!("a task that has ended without a panic has an output"),
        }
    }

    /// Runs two closures on the calling thread, a worker or not, and lets another worker take the second one.
    fn join<A, B, RA, RB>(&self, first: A, second: B) -> (RA, Result<RB, Error>)
    where
        A: FnOnce() -> RA,
        B: FnOnce(Place) -> RB + Send,
        RB: Send,
    {
        match self {
            Target::Pool(_) => match self.pool_of_this_worker() {
                Some(pool) => join::join(pool, first, second),
                // A thread with a fresh stack has no queue, and another one is not a worker.
                None => (first(), Ok(second(Place::Own))),
            },
            #[cfg(feature = "rayon")]
            Target::Rayon(_) => self.join_by_spawning(first, second),
        }
    }

    #[cfg(feature = "rayon")]
    fn join_by_spawning<A, B, RA, RB>(&self, first: A, second: B) -> (RA, Result<RB, Error>)
    where
        A: FnOnce() -> RA,
        B: FnOnce(Place) -> RB + Send,
        RB: Send,
    {
        let (mut second, mut other) = (Some(second), None);
        let own = std::thread::current().id();
        let (one, sent) = scope(self, |inner| {
            let task = inner.spawn(|| {
                let place = if std::thread::current().id() == own { Place::Own } else { Place::Other };
                other = second.take().map(|second| second(place));
            });
            let one = first();
            (one, task.result(None))
        });
        match (other, second, sent) {
            (Some(other), _, _) => (one, Ok(other)),
            (None, Some(second), _) => (one, Ok(second(Place::Own))),
            (None, None, Err(error)) => (one, Err(error)),
            (None, None, Ok(())) => unreachable!("a task that has ended without a panic has an output"),
        }
    }
}
