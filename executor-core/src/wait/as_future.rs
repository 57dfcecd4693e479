//! What can be waited for as a future.

use std::{rc::Rc, sync::Arc, time::Duration};

use crate::{Error, Future, SharedFuture};

/// Something that has a [`Future`], so that [`wait`](crate::wait) and [`as_completed`](crate::as_completed) accept it
/// and return it: a future, a [`SharedFuture`](crate::SharedFuture), a reference to one, or a type of yours that keeps
/// a future with what belongs to it.
///
/// `as_future` must return the same future each time. Otherwise a wait may last longer than necessary, or report
/// another future.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{AsFuture, Executor, Future, InlineExecutor, as_completed};
///
/// /// A page that is being fetched.
/// struct Fetch {
///     url: &'static str,
///     length: Future<usize>,
/// }
/// impl AsFuture for Fetch {
///     type Output = usize;
///     fn as_future(&self) -> &Future<usize> {
///         &self.length
///     }
/// }
///
/// let executor = InlineExecutor::new();
/// let fetch = |url: &'static str| Ok(Fetch { url, length: executor.submit(|url: String| url.len(), url.into())? });
/// for done in as_completed([fetch("a.example")?, fetch("bc.example")?], None) {
///     let fetch = done?;
///     assert_eq!(fetch.length.result(None)?, fetch.url.len());
/// }
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub trait AsFuture {
    /// What the future returns.
    type Output;

    /// Returns the future.
    fn as_future(&self) -> &Future<Self::Output>;

    /// Waits for the task and returns its result, as the `result` of this handle does: [`Future::result`] moves the
    /// value out, and [`SharedFuture::result`](crate::SharedFuture::result) clones it. The default is
    /// `self.as_future().result(timeout)`.
    ///
    /// # Errors
    ///
    /// The same as for [`Future::result`].
    fn outcome(&self, timeout: Option<Duration>) -> Result<Self::Output, Error>
    where
        Self::Output: Send + 'static,
    {
        self.as_future().result(timeout)
    }
}

impl<T> AsFuture for Future<T> {
    type Output = T;

    fn as_future(&self) -> &Future<T> {
        self
    }
}

/// To read the value, use the shared future or [`AsFuture::outcome`]: the [`Future`] that `as_future` returns cannot
/// move a shared value out.
impl<T: Send + Clone + 'static> AsFuture for SharedFuture<T> {
    type Output = T;

    fn as_future(&self) -> &Future<T> {
        self.future()
    }

    fn outcome(&self, timeout: Option<Duration>) -> Result<T, Error> {
        self.result(timeout)
    }
}

macro_rules! pointers {
    ($($pointer:ty),+) => {$(
        impl<F: AsFuture + ?Sized> AsFuture for $pointer {
            type Output = F::Output;

            fn as_future(&self) -> &Future<F::Output> {
                (**self).as_future()
            }

            fn outcome(&self, timeout: Option<Duration>) -> Result<F::Output, Error>
            where
                F::Output: Send + 'static,
            {
                (**self).outcome(timeout)
            }
        }
    )+};
}

pointers!(&F, &mut F, Box<F>, Arc<F>, Rc<F>);
