//! Reads everything once before the clock starts.
//!
//! Otherwise the first executor would wait for the disk, and the others would seem faster.

use std::path::{Path, PathBuf};

use crate::census::{self, Found};
use crate::interrupt::Interrupt;
use crate::progress::WarmUpProgress;

const BLOCK: usize = 256 * 1024;

/// The size of the job.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected {
    pub files: u64,
    pub bytes: u64,
}

/// Returns `None` if it was interrupted. It ignores files that cannot be read, because the census reports those.
pub fn read_once(paths: &[PathBuf], interrupt: &Interrupt) -> Option<Expected> {
    let progress = WarmUpProgress::new();
    let mut expected = Expected::default();
    let mut buffer = vec![0; BLOCK];
    for found in census::walk(paths.to_vec()) {
        if interrupt.requested() {
            return None;
        }
        if let Found::File(path) = found {
            let read = census::read_in_blocks(Path::new(&path), &mut buffer, |block| {
                expected.bytes += block.len() as u64;
            });
            expected.files += u64::from(matches!(read, Ok(true)));
            progress.update(&expected);
        }
    }
    Some(expected)
}
