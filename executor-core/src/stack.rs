//! The space that is left on the stack of the running thread.
//!
//! Some code recurses as deep as its input, such as decoding a value, or running tasks inline that run other tasks
//! inline. It checks this space before it goes one level deeper, so that the program gets an error instead of a stack
//! overflow.
#![allow(unsafe_code)]

use std::{cell::Cell, ops::Range};

/// Returns the number of bytes between the caller's frame and the end of its thread's stack.
///
/// Returns `None` if that is not known: the system does not report where the stack ends, or the caller runs on another
/// stack than its thread's own, as in a signal handler or a coroutine. The caller must then count its levels.
///
/// The first call in a thread asks the system, later ones take a few instructions.
#[inline]
pub(crate) fn remaining() -> Option<usize> {
    let here = frame_address();
    let bounds = bounds();
    bounds.contains(&here).then(|| here - bounds.start)
}

/// Returns the size of the running thread's stack, or `None` where [`remaining`] does.
pub(crate) fn size() -> Option<usize> {
    let bounds = bounds();
    bounds.contains(&frame_address()).then(|| bounds.len())
}

/// Returns an address in the frame of the caller. Stacks grow downwards, so a deeper frame has a lower one.
///
/// It is the stack pointer, because the address sanitizer may move a local variable to the heap.
#[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
#[inline(always)]
pub(crate) fn frame_address() -> usize {
    let pointer: usize;
    // SAFETY: it copies a register, and touches neither memory nor flags.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        std::arch::asm!("mov {}, rsp", out(reg) pointer, options(nomem, nostack, preserves_flags));
        #[cfg(target_arch = "aarch64")]
        std::arch::asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    pointer
}

#[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
#[inline(always)]
pub(crate) fn frame_address() -> usize {
    let local = std::mem::MaybeUninit::<u8>::uninit();
    std::ptr::from_ref(&local).addr()
}

/// Returns the addresses of this thread's stack without its guard pages, or an empty range if they are not known.
#[inline]
fn bounds() -> Range<usize> {
    thread_local! {
        /// Both are zero before the first call.
        static BOUNDS: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    }
    let (lowest, end) = BOUNDS.get();
    if end != 0 {
        return lowest..end;
    }
    let found = system::bounds().filter(|found| found.start < found.end).unwrap_or(1..1);
    BOUNDS.set((found.start, found.end));
    found
}

#[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
mod system {
    use std::{mem::MaybeUninit, ops::Range, ptr};

    /// The stack of a main thread grows as it is used, up to the limit of the process. Whatever the limit was at the
    /// start of the program, the kernel keeps at least this many bytes of address space free below the stack.
    const MAIN_AT_MOST: usize = 128 << 20;

    pub(super) fn bounds() -> Option<Range<usize>> {
        let own = own_bounds()?;
        if !is_main() {
            return Some(own);
        }
        // glibc reports what the limit allows, musl what is in use at this moment.
        Some(own.end.saturating_sub(limit()?.min(MAIN_AT_MOST))..own.end)
    }

    fn own_bounds() -> Option<Range<usize>> {
        let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
        // SAFETY: the thread asks about itself, and `attributes` has space for the result.
        if unsafe { libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) } != 0 {
            return None;
        }
        let (mut lowest, mut size, mut guard) = (ptr::null_mut(), 0, 0);
        // SAFETY: the call above succeeded, so `attributes` is initialised. The others write to locals of the right
        // types, and `attributes` is not used after it is destroyed.
        let known = unsafe {
            let known = libc::pthread_attr_getstack(attributes.as_ptr(), &mut lowest, &mut size) == 0
                && libc::pthread_attr_getguardsize(attributes.as_ptr(), &mut guard) == 0;
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
            known
        };
        // Old versions of glibc count the guard as part of the stack. Leaving it out twice costs a page.
        let lowest = lowest.addr();
        known.then(|| lowest.saturating_add(guard)..lowest.saturating_add(size))
    }

    fn is_main() -> bool {
        // SAFETY: these calls only return numbers.
        unsafe { libc::syscall(libc::SYS_gettid) == libc::c_long::from(libc::getpid()) }
    }

    /// Returns how large the main thread's stack may become.
    fn limit() -> Option<usize> {
        let mut limit = MaybeUninit::<libc::rlimit>::uninit();
        // SAFETY: `limit` has space for the result, and is only read if the call succeeded.
        let limit =
            unsafe { (libc::getrlimit(libc::RLIMIT_STACK, limit.as_mut_ptr()) == 0).then(|| limit.assume_init()) }?;
        Some(usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX))
    }
}

#[cfg(all(target_vendor = "apple", not(miri)))]
mod system {
    use std::ops::Range;

    pub(super) fn bounds() -> Option<Range<usize>> {
        // SAFETY: the thread asks about itself; both calls only return numbers.
        let (end, size) = unsafe {
            let own = libc::pthread_self();
            (libc::pthread_get_stackaddr_np(own).addr(), libc::pthread_get_stacksize_np(own))
        };
        Some(end.saturating_sub(size)..end)
    }
}

#[cfg(all(windows, not(miri)))]
mod system {
    use std::ops::Range;

    /// The system keeps some pages at the end for whatever handles an overflow.
    const KEPT: usize = 16 << 10;

    #[link(name = "kernel32")]
    unsafe extern "system" {
        #[link_name = "GetCurrentThreadStackLimits"]
        fn stack_limits(lowest: *mut usize, end: *mut usize);
    }

    pub(super) fn bounds() -> Option<Range<usize>> {
        let (mut lowest, mut end) = (0, 0);
        // SAFETY: it writes the limits of the calling thread's stack to two locals.
        unsafe { stack_limits(&mut lowest, &mut end) };
        Some(lowest.saturating_add(KEPT)..end)
    }
}

#[cfg(any(miri, not(any(target_os = "linux", target_os = "android", target_vendor = "apple", windows))))]
mod system {
    use std::ops::Range;

    pub(super) fn bounds() -> Option<Range<usize>> {
        None
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android", target_vendor = "apple", windows), not(miri)))]
mod tests {
    use super::*;

    /// The address sanitizer moves smaller variables to other memory.
    const FRAME: usize = 80 << 10;

    /// Returns how much is left `levels` frames deeper.
    #[inline(never)]
    fn remaining_below(levels: usize) -> Option<usize> {
        let frame = std::hint::black_box([0u8; FRAME]);
        let left = if levels == 0 { remaining() } else { remaining_below(levels - 1) };
        std::hint::black_box(frame);
        left
    }

    #[test]
    fn a_new_thread_has_most_of_its_stack_left() {
        for size in [128 << 10, 256 << 10, 2 << 20, 64 << 20] {
            let thread = std::thread::Builder::new().stack_size(size).spawn(|| remaining().expect("known in a thread"));
            let left = thread.expect("a thread").join().expect("no panic");
            // The system takes some of it for variables of the thread, and may reuse a larger stack.
            assert!(left > size / 2, "{left} of {size}");
        }
    }

    #[test]
    fn each_frame_takes_from_what_is_left() {
        let thread = std::thread::Builder::new().stack_size(16 << 20).spawn(|| {
            let left = remaining().expect("known in a thread");
            left - remaining_below(8).expect("known in a frame below")
        });
        let used = thread.expect("a thread").join().expect("no panic");
        assert!((8 * FRAME..50 * FRAME).contains(&used), "{used}");
    }

    #[test]
    fn the_remaining_stack_can_be_used() {
        let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(|| {
            #[inline(never)]
            fn use_up(to: usize) -> usize {
                let frame = std::hint::black_box([1u8; 256]);
                let deeper = if remaining().is_some_and(|left| left > to) { use_up(to) } else { 0 };
                deeper + usize::from(std::hint::black_box(frame)[0])
            }
            use_up(8 << 10)
        });
        assert!(thread.expect("a thread").join().expect("no panic") > 100);
    }
}
