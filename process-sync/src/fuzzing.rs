//! What the fuzz targets run: objects whose memory another process overwrites between operations, and messages of a
//! process that sends anything. `fuzz/README.md` describes the targets.
//!
//! Whatever was written, each operation ends, with a value or an error, touches nothing outside of the object, and
//! leaves no descriptor open.

mod memory;
mod message;

pub use memory::{arrays, chunks, locks, queue};
pub use message::message;

/// The bytes of the fuzzer, from which everything is taken that happens. At their end everything is zero.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    fn take(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Returns a number of one of several sizes, or one that is near a limit.
    fn number(&mut self) -> u64 {
        let kind = self.byte();
        let mut number = [0; 8];
        let taken = self.take(1 << (kind & 3));
        number[..taken.len()].copy_from_slice(taken);
        let number = u64::from_le_bytes(number);
        match kind >> 2 & 3 {
            0 => number,
            1 => number << 32,
            2 => u64::MAX - number,
            _ => 1_u64.rotate_left((number & 63) as u32),
        }
    }
}

/// Counts the descriptors of this process before and after what runs, which must leave none.
fn leaves_no_descriptor(run: impl FnOnce()) {
    let count = || std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    // The first object makes what stays.
    drop(crate::Lock::new());
    let before = count();
    run();
    assert_eq!(count(), before, "descriptors are left");
}
