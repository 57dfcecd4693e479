//! Whether a process can be limited in its memory.
#![allow(unsafe_code)]

use std::{ptr, sync::OnceLock};

const LIMIT: libc::rlim_t = 512 << 20;
const MORE: usize = 1 << 30;

/// Returns `true` unless a process gets more memory than its limit. An emulator ignores limits, because it uses memory
/// of its own beside that of the program.
pub(super) fn is_limited() -> bool {
    static IS_LIMITED: OnceLock<bool> = OnceLock::new();
    *IS_LIMITED.get_or_init(|| {
        // SAFETY: the child makes only system calls, and does not return.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let limit = libc::rlimit { rlim_cur: LIMIT, rlim_max: LIMIT };
            // SAFETY: the limit is read from a valid place, and the mapping is new, and is gone with the process.
            unsafe {
                let is_set = libc::setrlimit(libc::RLIMIT_AS, &limit) == 0;
                let mapped = libc::mmap(
                    ptr::null_mut(),
                    MORE,
                    libc::PROT_READ | libc::PROT_WRITE,
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                    -1,
                    0,
                );
                libc::_exit(i32::from(is_set && mapped != libc::MAP_FAILED))
            }
        }
        let mut status = 0;
        // SAFETY: the status is written to a valid place.
        child < 0 || unsafe { libc::waitpid(child, &mut status, 0) } != child || status == 0
    })
}
