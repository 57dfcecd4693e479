//! The worker's end of the pipe.

use std::{
    fs::File,
    io::Write as _,
    os::fd::OwnedFd,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use executor_core::fork;
use parking_lot::Mutex;

static CHANNEL: OnceLock<Channel> = OnceLock::new();

struct Channel {
    /// `None` once the other end is gone, or a task has closed this one.
    pipe: Mutex<Option<File>>,
    /// The sequence number of the task that runs, or 0.
    sequence: AtomicU64,
    /// Identifies this process: a child that a task has forked has the pipe too, and a copy of the lock.
    generation: fork::Generation,
}

/// Makes this the pipe of this process.
pub(super) fn open(pipe: OwnedFd) {
    let pipe = Mutex::new(Some(File::from(pipe)));
    CHANNEL.get_or_init(|| Channel { pipe, sequence: AtomicU64::new(0), generation: fork::generation() });
}

/// Sets the sequence number of the task that runs, or 0. Threads that it starts, or that earlier tasks have left
/// behind, emit events in its name.
pub(super) fn set_sequence(sequence: u64) {
    if let Some(channel) = CHANNEL.get() {
        // ORDERING: the number publishes nothing. The thread that runs the task reads what it has written itself.
        channel.sequence.store(sequence, Relaxed);
    }
}

/// Returns the sequence number of the task that runs, or 0.
pub(super) fn sequence() -> u64 {
    // ORDERING: as in `set_sequence`.
    CHANNEL.get().map_or(0, |channel| channel.sequence.load(Relaxed))
}

/// Sends a frame. Whatever happens to this process afterwards, the frame arrives. This waits while the pipe is full,
/// which the program empties without waiting for its subscriber.
pub(super) fn send(frame: &[u8]) {
    let Some(channel) = CHANNEL.get() else { return };
    if channel.generation.check().is_err() {
        return;
    }
    let mut pipe = channel.pipe.lock();
    if pipe.as_mut().is_some_and(|pipe| pipe.write_all(frame).is_err()) {
        *pipe = None;
    }
}
