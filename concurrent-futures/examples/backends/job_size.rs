//! The size of the job.

/// The number of files and bytes that can be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct JobSize {
    pub files: u64,
    pub bytes: u64,
}
