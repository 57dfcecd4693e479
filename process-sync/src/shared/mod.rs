//! Large data that is sent once: values and slices that no process changes, and a slice whose parts have one owner
//! each.

mod chunks;
mod constant;
mod ownership;
mod received;
mod sealed;
mod slice;
#[cfg(all(test, target_os = "linux"))]
mod wild;

pub use self::{
    chunks::{Ref, SharedChunk, SharedMut},
    sealed::Shared,
    slice::SharedSlice,
};
