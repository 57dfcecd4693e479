//! What may travel to any back-end: the arguments, the results and the functions.

use serde::{Serialize, de::DeserializeOwned};

/// Arguments and results: what can be written down here and read again elsewhere.
///
/// Implemented for every type that serde can write and read and that owns its data, so nobody implements it by hand.
/// Back-ends that run in this process never encode; those that run in another one do. There a value arrives as it was,
/// or there is a typed error: fields travel by their names, so those that are left out, flattened or untagged are read
/// as they were written. How deeply a value may be nested depends on the stack of the thread that sends or reads it.
/// See [`codec`](crate::codec) for what serde itself leaves out.
///
/// Python's counterpart is "picklable".
///
/// ```
/// use executor_core::{Executor, InlineExecutor};
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
/// # Ok::<(), executor_core::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "a value of type `{Self}` cannot travel to an executor and back",
    label = "cannot be an argument or a result of `submit` or `map`",
    note = "arguments and results are written down for another process: `#[derive(serde::Serialize, serde::Deserialize)]` on the type makes that possible",
    note = "they own what they hold (`String` and not `&str`), and are `Send` (`Arc` and not `Rc`; serde has a feature `rc` for it)",
    note = "if it cannot be written down: `ThreadPoolExecutor::spawn(move || ...)` takes and returns anything that is `Send`"
)]
pub trait Payload: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Payload for T {}

/// A function item, or a closure that captures nothing.
///
/// Such a function has no size, so its type says all there is to say about it, and another process of the same program
/// can find it by its type. A closure that captures is refused when the program is compiled: pass what it captures as
/// its argument, or run it with `ThreadPoolExecutor::spawn`, which keeps it in this process.
///
/// Implemented for every function that fits, so nobody implements it by hand. Captured values that are `Copy`
/// themselves are only noticed when the program is built, not by `cargo check`.
///
/// # Captures of no size
///
/// A closure that captures only values of no size has no size itself. The compiler offers no way to tell it from one
/// that captures nothing, so it is accepted, and a worker process makes it, with what it captures, from nothing. That
/// is right for a function or a closure that another closure captures, and for markers like `PhantomData`. It is wrong
/// for a token: a value whose existence proves that something was done *in this process*, where unsafe code relies on
/// the proof. In a worker nothing of the kind was done. **Do not capture such a token in a function that is submitted
/// to processes**; make it where the function runs:
///
/// ```
/// use executor_core::{Executor, InlineExecutor};
///
/// /// Only `open` makes one, so whoever has one may call `read`.
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
///         // A program that had `unwrap_unchecked` here would have undefined behaviour in a worker.
///         TABLE.get().expect("it was opened in this process")[n]
///     }
/// }
///
/// let executor = InlineExecutor::new();
/// let token = Opened::open();
/// // Works in this process alone. A worker never called `open`:
/// assert_eq!(executor.submit(move |n: usize| token.read(n), 1)?.result(None)?, 3);
/// // Works everywhere:
/// assert_eq!(executor.submit(|n: usize| Opened::open().read(n), 1)?.result(None)?, 3);
/// # Ok::<(), executor_core::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "an executor cannot run `{Self}` on an argument of type `{A}`",
    label = "not a function of one argument that captures nothing",
    note = "`submit` and `map` take a function item, or a closure that captures nothing: its type is how another process finds it",
    note = "if it captures: pass the captured values as its argument, `submit(|(a, b)| ..., (a, b))`",
    note = "if it must capture: `ThreadPoolExecutor::spawn(move || ...)` runs any closure on threads",
    note = "if it takes several arguments: let it take one tuple"
)]
pub trait Function<A, R>: Fn(A) -> R + Copy + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<F, A, R> Function<A, R> for F where F: Fn(A) -> R + Copy + Send + 'static {}

/// Refuses a function with a size while the program is built.
///
/// Captured values that are `Copy` themselves pass the trait, so their size is what gives them away. What has no size
/// can be made from nothing in another process, and that is what the caller of this does. Captures of no size pass:
/// nothing on stable Rust tells them from none. [`Function`] says what that asks of the user.
pub(crate) const fn assert_captures_nothing<F>() {
    assert!(
        size_of::<F>() == 0,
        "this closure captures values (or is a function pointer), so another process cannot find it by its type: \
         pass the captured values as its argument, or run it with ThreadPoolExecutor::spawn"
    );
}
