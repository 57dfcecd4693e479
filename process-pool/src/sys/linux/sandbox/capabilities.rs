//! Giving up all capabilities of a thread.
#![allow(unsafe_code)]

/// Gives up all capabilities of the calling thread, also those that a program could gain that it runs. Returns an error
/// number, or 0. It may be called in a signal handler.
pub(super) fn drop_all() -> i32 {
    /// The kernel's `struct __user_cap_header_struct`.
    #[repr(C)]
    struct Header {
        version: u32,
        thread: i32,
    }
    const VERSION_3: u32 = 0x2008_0522;
    /// No kernel has more.
    const MOST: libc::c_ulong = 64;
    let zero: libc::c_ulong = 0;
    for capability in 0..MOST {
        // It fails behind the last capability. Without CAP_SETPCAP it also fails, and then no program regains any
        // capability either, because of `no_new_privs`.
        // SAFETY: a system call without pointers.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, zero, zero, zero) } != 0 {
            break;
        }
    }
    let clear = libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong;
    let header = Header { version: VERSION_3, thread: 0 };
    let none = [[0_u32; 3]; 2];
    // SAFETY: the header and the three sets, in two parts, are read, and are there.
    unsafe {
        libc::prctl(libc::PR_CAP_AMBIENT, clear, zero, zero, zero);
        match libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) {
            0 => 0,
            _ => *libc::__errno_location(),
        }
    }
}
