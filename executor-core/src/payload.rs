//! What may travel to any back-end: the arguments, the results and the functions.

use serde::{Serialize, de::DeserializeOwned};

/// Arguments and results: what can be written down here and read again elsewhere.
///
/// Implemented for every type that serde can write and read and that owns its data, so nobody implements it by hand.
/// Back-ends that run in this process never encode; those that run in another one do.
///
/// Python's counterpart is "picklable".
pub trait Payload: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Payload for T {}

/// A function item, or a closure that captures nothing.
///
/// Such a function has no size, so its type says all there is to say about it, and another process of the same program
/// can find it by its type. A closure that captures is refused when the program is compiled: pass what it captures as
/// its argument, or run it with `ThreadPoolExecutor::spawn`, which keeps it in this process.
///
/// Implemented for every function that fits, so nobody implements it by hand.
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

/// Refuses a function with captures while the program is compiled.
///
/// Captured values that are themselves `Copy` pass the trait, so their size is what gives them away.
pub(crate) const fn assert_captures_nothing<F>() {
    assert!(
        size_of::<F>() == 0,
        "this closure captures values (or is a function pointer), so another process cannot find it by its type: \
         pass the captured values as its argument, or run it with ThreadPoolExecutor::spawn"
    );
}
