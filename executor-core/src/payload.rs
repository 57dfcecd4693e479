//! The values that can be sent to every back-end: arguments, results and functions.

use serde::{Serialize, de::DeserializeOwned};

/// An argument or result: a value that can be encoded in one process and decoded in another.
///
/// It is implemented for every type that serde can serialize and deserialize, that owns its data and is `Send`.
/// Back-ends that run tasks in this process never encode. With the others, a value arrives unchanged or the caller gets
/// a typed error. Fields are matched by name, so omitted, flattened and untagged fields are read as they were written.
/// The stack of the encoding or decoding thread limits how deeply a value may be nested. See [`codec`](crate::codec)
/// for values that serde itself does not preserve.
///
/// A `Result` is a payload if its error is one, which `std::io::Error` is not: use [`TaskError`](crate::TaskError).
/// Python's counterpart is a picklable object.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Executor, InlineExecutor};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Order {
///     items: Vec<String>,
/// }
/// fn count(order: Order) -> usize {
///     order.items.len()
/// }
/// let order = Order { items: vec!["apple".to_string()] };
/// assert_eq!(InlineExecutor::new().submit(count, order)?.result(None)?, 1);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "a value of type `{Self}` cannot be sent to an executor",
    label = "cannot be an argument or a result of `submit` or `map`",
    note = "arguments and results are encoded for another process: add `#[derive(serde::Serialize, \
            serde::Deserialize)]` to the type",
    note = "they must own their data (`String`, not `&str`) and be `Send` (`Arc`, not `Rc`; `Arc` needs serde's \
            feature `rc`)",
    note = "of a `Result`, the error must fulfil this too: `std::io::Error` and `anyhow::Error` do not, so return \
            `Result<_, TaskError>`, to which `?` converts every error",
    note = "if it cannot be encoded, use `ThreadPoolExecutor::spawn(move || ...)`, which takes and returns any \
            `Send` value"
)]
pub trait Payload: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Payload for T {}

/// A function item, or a closure that captures nothing.
///
/// Such a function has no size, so its type identifies it completely, and another process of the same program finds it
/// by its type. A closure that captures values does not compile: pass the values as its argument, or run the closure
/// with `ThreadPoolExecutor::spawn`, which keeps it in this process. Python's counterpart is a function that can be
/// pickled by its name.
///
/// It is implemented for every such function. If all captured values are `Copy`, only `cargo build` reports the error
/// and `cargo check` does not.
///
/// # Captures of no size
///
/// A closure that captures only values of no size has no size itself. The compiler cannot distinguish it from a closure
/// without captures, so it is accepted, and a worker process creates the closure and its captured values from nothing.
/// That is correct for captured functions and closures, and for markers such as `PhantomData`. It is wrong for a token:
/// a value whose existence proves that something was done *in this process*, if unsafe code relies on that proof. In a
/// worker process it was not done. **Do not capture such a token in a function that is submitted to processes**; create
/// it where the function runs:
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Executor, InlineExecutor};
///
/// /// Only `open` returns one, so `read` can rely on `TABLE` being set.
/// #[derive(Clone, Copy)]
/// struct Opened(());
/// static TABLE: std::sync::OnceLock<Vec<u64>> = std::sync::OnceLock::new();
///
/// impl Opened {
///     fn open() -> Opened {
///         TABLE.get_or_init(|| vec![2, 3, 5]);
///         Opened(())
///     }
///     fn read(self, n: usize) -> u64 {
///         // With `unwrap_unchecked` this would be undefined behaviour in a worker.
///         TABLE.get().expect("it was opened in this process")[n]
///     }
/// }
///
/// let executor = InlineExecutor::new();
/// let token = Opened::open();
/// // This works only in this process, because a worker never called `open`:
/// assert_eq!(executor.submit(move |n: usize| token.read(n), 1)?.result(None)?, 3);
/// // This works in every process:
/// assert_eq!(executor.submit(|n: usize| Opened::open().read(n), 1)?.result(None)?, 3);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "an executor cannot run `{Self}` on an argument of type `{A}`",
    label = "not a function of one argument that captures nothing",
    note = "`submit` and `map` take a function item, or a closure that captures nothing: another process finds it by \
            its type",
    note = "instead of capturing values, pass them as the argument: `submit(|(a, b)| ..., (a, b))`",
    note = "a closure that must capture can run on threads: `ThreadPoolExecutor::spawn(move || ...)`",
    note = "a function of several arguments must take them as one tuple"
)]
pub trait Function<A, R>: Fn(A) -> R + Copy + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<F, A, R> Function<A, R> for F where F: Fn(A) -> R + Copy + Send + 'static {}

/// Fails to compile for a function that has a size.
///
/// A closure whose captured values are all `Copy` implements the trait, so only its size shows that it captures. A
/// value of no size can be created from nothing in another process, and the callers of this function rely on that.
/// Captured values of no size are accepted, because stable Rust cannot detect them; [`Function`] documents the
/// consequence.
pub(crate) const fn assert_captures_nothing<F>() {
    assert!(
        size_of::<F>() == 0,
        "this closure captures values (or is a function pointer), so another process cannot find it by its type: \
         pass the captured values as its argument, or run it with ThreadPoolExecutor::spawn"
    );
}
