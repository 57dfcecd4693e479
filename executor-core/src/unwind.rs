//! What may be used after a panic that was caught.
//!
//! The standard library takes a type with a lock inside for one that a panic may have left half changed. These are not:
//! no lock of this crate is held while user code runs, which is the only code that panics, and what a caught panic has
//! interrupted is a call of user code, before and after which everything is in order.

use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::{
    Map, Payload,
    group::Group,
    task::{Remote, cell::TaskRef},
};

impl UnwindSafe for TaskRef {}
impl RefUnwindSafe for TaskRef {}

impl UnwindSafe for Group {}
impl RefUnwindSafe for Group {}

// An input that panics has taken no result with it, and the next call goes on behind it.
impl<R: Payload> UnwindSafe for Map<R> {}
impl<R: Payload> RefUnwindSafe for Map<R> {}

// What it calls is the back-end's own code.
impl UnwindSafe for Remote {}
impl RefUnwindSafe for Remote {}
