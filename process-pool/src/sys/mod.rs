//! The interface to the operating system: system calls that need `unsafe`, and everything that differs between systems.
//!
//! The files in `linux` and `other` have the same names and the same items. `other` is for every Unix system that has
//! no folder of its own, and uses only what every such system has. A port adds a folder of the same shape, and changes
//! nothing outside this module. The files beside this one are the same for all systems.
//!
//! Nothing in this module uses the rest of the crate.

pub(crate) mod clock;
pub(crate) mod exit;
pub(crate) mod initialisers;
pub(crate) mod pipe;
pub(crate) mod rights;
pub(crate) mod signals;
pub(crate) mod socket;
pub(crate) mod stack;
pub(crate) mod standard;
pub(crate) mod terminal;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
use other as system;

pub(crate) use system::{control_group, credentials, descriptors, executable, memory, process, process_tree};
