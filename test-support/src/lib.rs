//! Code that the tests of several crates of this workspace share.
//!
//! It uses the gate and the watchdog of the published crate [`conformance`].

mod block_on;
mod blocker;
#[cfg(unix)]
mod pipe;
mod poll;
mod port;
#[cfg(unix)]
mod process;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod quiet;
mod quiet_workers;
mod random;
mod resources;
mod shared_dir;
#[cfg(unix)]
mod terminal;
mod watchdog;

pub use block_on::block_on;
pub use blocker::Blocker;
#[cfg(unix)]
pub use pipe::pipe;
pub use poll::wait_until;
pub use port::free_port;
#[cfg(unix)]
pub use process::{children, children_of, copy_program, is_alive, is_stopped, kill, parent, state, wait_gone};
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[doc(hidden)]
pub use quiet::keep_standard_error;
pub use random::Random;
pub use resources::{open_descriptors, threads};
pub use shared_dir::{SharedDir, add_line, touch, wait_for_file};
#[cfg(unix)]
pub use terminal::terminal;
pub use watchdog::{DEADLINE, scale, watched, watched_within};
