//! The function table: how another process of the same program finds functions and calls them. Back-ends that run tasks
//! remotely are built on this.
//!
//! The type of a function that captures nothing identifies the function. For each submitted function the compiler emits
//! a constant [`Entry`]: a magic number, the identity of the types, and the call. A function that is mapped has another
//! one with the same identity, whose calls on a batch are faster. The [`Address`] of an entry is its distance from one
//! static of this crate, which is the same in every process that runs the same file, even if it is loaded at another
//! base. Both sides compare their [`BuildId`] once. Before an address is used, it is checked against the program's own
//! image, the magic number and the fingerprint of its types. There is no registration, and no macro.
//!
//! ```
//! # mod concurrent_futures { pub use executor_core::*; pub mod backend { pub use executor_core::*; } }
//! use concurrent_futures::backend::{codec, function::{Address, BuildId, entry_of, outcome}};
//!
//! // The parent sends its build once, and then addresses and arguments.
//! let build = BuildId::own();
//! let address = Address::of(entry_of(|n: u64| n + 1))?;
//! let mut argument = Vec::new();
//! codec::encode(&41u64, &mut argument)?;
//!
//! // The worker trusts what it receives, so both must run the same build.
//! assert_eq!(build, BuildId::own());
//! // SAFETY: `Address::of` returned the address in this build, and the function captures nothing at all.
//! let entry = unsafe { address.resolve() }?;
//! let mut reply = Vec::new();
//! entry.call(&argument, &mut reply);
//! assert!(!outcome::is_error(&reply));
//! # Ok::<(), concurrent_futures::Error>(())
//! ```

mod address;
pub mod batch;
mod build_id;
mod entry;
mod errors;
#[doc(hidden)]
pub mod image;
mod initializer;
pub mod outcome;
mod table;

pub use address::Address;
pub use build_id::BuildId;
pub use entry::Entry;
pub use initializer::{AnyResult, Displayed, Judge, entry_of_initializer};

use crate::{Function, Payload};

/// Returns the entry of a function that a back-end calls outside any task, such as an initializer.
pub fn entry_of<F, A, R>(_: F) -> &'static Entry
where
    F: Function<A, R>,
    A: Payload,
    R: Payload,
{
    Entry::of::<F, A, R>()
}
