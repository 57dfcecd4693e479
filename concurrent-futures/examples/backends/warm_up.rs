//! Reads all files once before the clock starts. Otherwise the first executor would wait for the disk, and the others
//! would seem faster.

use std::path::{Path, PathBuf};

use crate::census::{self, Found};
use crate::interrupt::Interrupt;
use crate::job_size::JobSize;
use crate::progress::WarmUpProgress;

const BLOCK: usize = 256 * 1024;

/// Returns the size of the job, or `None` if Ctrl-C was pressed. Files that cannot be read are not counted; the census
/// reports them.
pub fn read_once(paths: &[PathBuf], interrupt: &Interrupt) -> Option<JobSize> {
    let progress = WarmUpProgress::new();
    let mut size = JobSize::default();
    let mut buffer = vec![0; BLOCK];
    for found in census::walk(paths.to_vec()) {
        if interrupt.requested() {
            return None;
        }
        if let Found::File(path) = found {
            let read = census::read_in_blocks(Path::new(&path), &mut buffer, |block| {
                size.bytes += block.len() as u64;
            });
            size.files += u64::from(matches!(read, Ok(true)));
            progress.update(&size);
        }
    }
    Some(size)
}
