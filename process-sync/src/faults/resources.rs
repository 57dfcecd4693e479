//! What the process of the matrix has: descriptors, children, mappings of shared memory.
#![allow(unsafe_code)]

use std::fs;

/// What this process has at one moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resources {
    descriptors: usize,
    children: usize,
    /// Mappings of the files of objects.
    mappings: usize,
}

/// Makes the orphans of victims children of this process, so that it can wait for them.
pub(super) fn adopt_orphans() {
    // SAFETY: it takes one number.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) }, 0);
}

impl Resources {
    pub(super) fn now() -> Resources {
        let maps = fs::read_to_string("/proc/self/maps").expect("/proc is mounted");
        Resources {
            descriptors: test_support::open_descriptors(),
            children: test_support::children().len(),
            mappings: maps.lines().filter(|line| line.contains("/memfd:")).count(),
        }
    }

    /// Returns an error if this process does not get back to what it had. The threads of a test that end have mappings
    /// and descriptors until the last of them is gone.
    pub(super) fn check_same(&self) -> Result<(), String> {
        const ATTEMPTS: usize = 2000;
        let mut now = Resources::now();
        for _ in 0..ATTEMPTS {
            if now == *self {
                return Ok(());
            }
            std::thread::park_timeout(std::time::Duration::from_millis(1));
            now = Resources::now();
        }
        Err(format!("before it there were {self:?}, and after it {now:?}"))
    }
}
