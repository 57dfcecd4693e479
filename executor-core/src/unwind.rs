//! The types that may be used after a panic was caught.
//!
//! The standard library assumes that a panic may leave a type with a lock inside half changed. That cannot happen to
//! these types: only user code panics, no lock of this crate is held while user code runs, and everything is consistent
//! before and after each call of user code.

use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::{
    Map, Payload,
    codec::handles::Handle,
    group::Group,
    task::{Remote, cell::TaskRef},
};

impl UnwindSafe for TaskRef {}
impl RefUnwindSafe for TaskRef {}

impl UnwindSafe for Group {}
impl RefUnwindSafe for Group {}

// An input that panics loses no result, and the next call goes on after it.
impl<R: Payload> UnwindSafe for Map<R> {}
impl<R: Payload> RefUnwindSafe for Map<R> {}

// A panic changes neither its name nor its descriptor, and its watchers are code of back-ends.
impl UnwindSafe for Handle {}
impl RefUnwindSafe for Handle {}

// It only calls code of the back-end.
impl UnwindSafe for Remote {}
impl RefUnwindSafe for Remote {}
