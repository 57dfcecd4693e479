//! A copy of bytes between two places in memory that were touched before.

use std::{hint::black_box, time::Instant};

/// The name in reports.
pub const NAME: &str = "one copy (memcpy)";

/// The source and the destination of a copy.
#[derive(Debug)]
pub struct Copy {
    from: Vec<u8>,
    to: Vec<u8>,
}

impl Copy {
    /// Allocates `size` bytes for each.
    pub fn new(size: usize) -> Copy {
        Copy { from: vec![1; size], to: vec![2; size] }
    }

    /// Copies the bytes `count` times, and returns how many nanoseconds all of it took.
    pub fn nanoseconds(&mut self, count: u64) -> f64 {
        let start = Instant::now();
        for _ in 0..count {
            self.to.copy_from_slice(black_box(&self.from));
            black_box(&mut self.to);
        }
        let cost = start.elapsed().as_nanos() as f64;
        assert_eq!(self.to.last(), Some(&1));
        cost
    }
}
