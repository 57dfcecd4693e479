//! What can be waited for as a future.

use std::{rc::Rc, sync::Arc};

use crate::Future;

/// Something that has a [`Future`], so that [`wait`](crate::wait) and [`as_completed`](crate::as_completed) accept it
/// and return it: a future, a reference to one, or a type of yours that keeps a future with what belongs to it.
///
/// `as_future` must return the same future each time. Otherwise a wait may last longer than necessary, or report
/// another future.
///
/// ```
/// use executor_core::{AsFuture, Executor, Future, InlineExecutor, as_completed};
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
/// # Ok::<(), executor_core::Error>(())
/// ```
pub trait AsFuture {
    /// What the future returns.
    type Output;

    /// Returns the future.
    fn as_future(&self) -> &Future<Self::Output>;
}

impl<T> AsFuture for Future<T> {
    type Output = T;

    fn as_future(&self) -> &Future<T> {
        self
    }
}

macro_rules! pointers {
    ($($pointer:ty),+) => {$(
        impl<F: AsFuture + ?Sized> AsFuture for $pointer {
            type Output = F::Output;

            fn as_future(&self) -> &Future<F::Output> {
                (**self).as_future()
            }
        }
    )+};
}

pointers!(&F, &mut F, Box<F>, Arc<F>, Rc<F>);
