//! The function table: how a function is named so that another process of the same program finds it, and how that
//! process calls it. Back-ends that run elsewhere are built on this.
//!
//! A function that captures nothing is its type. For each function that is ever submitted the compiler emits one
//! constant [`Entry`]: a magic number, the identity of the types, and the monomorphised call. An entry is named by its
//! distance from one static of this crate, which is the same in every process that runs the same file, wherever it is
//! loaded. Both sides compare their [`BuildId`] once; then an address is checked against the program's own image, the
//! magic number and the fingerprint of its types before it is used. There is no registration, and no macro.
//!
//! ```
//! use executor_core::{codec, function::{Address, BuildId, entry_of, outcome}};
//!
//! // Here: what travels is the build, once, and then addresses and arguments.
//! let build = BuildId::own();
//! let address = Address::of(entry_of(|n: u64| n + 1))?;
//! let mut argument = Vec::new();
//! codec::encode(&41u64, &mut argument)?;
//!
//! // There: what the other side says is believed, so both must run the same build.
//! assert_eq!(build, BuildId::own());
//! // SAFETY: `Address::of` returned the address in this build, and the function captures nothing at all.
//! let entry = unsafe { address.resolve() }?;
//! let mut reply = Vec::new();
//! entry.call(&argument, &mut reply);
//! assert!(!outcome::is_error(&reply));
//! # Ok::<(), executor_core::Error>(())
//! ```

mod address;
pub mod batch;
mod build_id;
mod entry;
mod errors;
#[doc(hidden)]
pub mod image;
pub mod outcome;
mod table;

pub use address::Address;
pub use build_id::BuildId;
pub use entry::Entry;

use crate::{Function, Payload};

/// The entry of a function, for a back-end that has one called beside the tasks: an initializer.
pub fn entry_of<F, A, R>(_: F) -> &'static Entry
where
    F: Function<A, R>,
    A: Payload,
    R: Payload,
{
    Entry::of::<F, A, R>()
}
