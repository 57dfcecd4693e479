//! What ends a program's process group with the worker process that runs it.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
pub(crate) use linux::Guard;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::Guard;
