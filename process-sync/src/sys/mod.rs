//! The interface to the operating system: memory that processes share, sleeping on a word of it, and the word of the
//! kernel on whether a process is alive.
//!
//! `linux` and `other` have the same items. On other systems an object is shared by the threads of its process only,
//! and its memory is ordinary memory.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(test, not(target_os = "linux")))]
#[cfg_attr(target_os = "linux", allow(dead_code))]
mod other;

#[cfg(target_os = "linux")]
pub(crate) use linux::*;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::*;
