//! The types that may be used after a panic was caught.
//!
//! The standard library assumes that a panic may leave a type with a lock inside half changed. That cannot happen to
//! these types: only user code panics, no lock of this crate is held while user code runs, and everything is consistent
//! before and after each call of user code.

use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::{
    CancellationToken, Map, MapPairs, MapStream, Payload,
    codec::handles::Handle,
    group::Group,
    options::NameItems,
    stream_group::StreamGroup,
    task::{Remote, cell::TaskRef},
};

impl UnwindSafe for TaskRef {}
impl RefUnwindSafe for TaskRef {}

impl UnwindSafe for Group {}
impl RefUnwindSafe for Group {}

impl UnwindSafe for StreamGroup {}
impl RefUnwindSafe for StreamGroup {}

impl UnwindSafe for CancellationToken {}
impl RefUnwindSafe for CancellationToken {}

// It is only called, and a panic unwinds to the caller of the map.
impl UnwindSafe for NameItems {}
impl RefUnwindSafe for NameItems {}

// An input that panics loses no result, and the next call goes on after it.
impl<R: Payload> UnwindSafe for Map<R> {}
impl<R: Payload> RefUnwindSafe for Map<R> {}
impl<A, R: Payload> UnwindSafe for MapPairs<A, R> {}
impl<A, R: Payload> RefUnwindSafe for MapPairs<A, R> {}
impl<R: Payload> UnwindSafe for MapStream<R> {}
impl<R: Payload> RefUnwindSafe for MapStream<R> {}

// A panic changes neither its name nor its descriptor, and its watchers are code of back-ends.
impl UnwindSafe for Handle {}
impl RefUnwindSafe for Handle {}

// It only calls code of the back-end.
impl UnwindSafe for Remote {}
impl RefUnwindSafe for Remote {}
