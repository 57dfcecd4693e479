//! Bringing a fault about, for real.
#![allow(unsafe_code)]

use std::{hint::black_box, io::Write as _, os::fd::AsRawFd as _, process, thread, time::Duration};
use test_support::kill;

use super::Fault;

/// What the panics of the matrix say.
pub const PANIC: &str = "the matrix panics here, as it should";

/// Brings a fault about in this process, from the thread that calls.
pub fn strike(fault: Fault) -> ! {
    match fault {
        Fault::Panic => panic!("{PANIC}"),
        Fault::DoublePanic => {
            let _again = PanicsWhenDropped;
            panic!("{PANIC}")
        }
        Fault::ExitZero => process::exit(0),
        Fault::ExitSeven => process::exit(7),
        // SAFETY: it ends the process at once.
        Fault::UnderscoreExit => unsafe { libc::_exit(9) },
        Fault::Abort => process::abort(),
        Fault::Segfault => segfault(),
        Fault::BusError => bus_error(),
        Fault::IllegalInstruction => illegal_instruction(),
        Fault::Killed => signal_oneself(libc::SIGKILL),
        Fault::Terminated => signal_oneself(libc::SIGTERM),
        Fault::StackOverflow => {
            let depth = recurse(1);
            unreachable!("the stack held {depth} calls")
        }
        Fault::OutOfMemory => loop {
            black_box(Vec::<u8>::with_capacity(32 << 20)).leak();
        },
        Fault::EndlessLoop => loop {
            std::hint::spin_loop();
        },
        Fault::Deaf => {
            ignore_sigterm();
            never_end()
        }
        Fault::Stopped => signal_oneself(libc::SIGSTOP),
    }
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("{PANIC}, a second time");
    }
}

fn segfault() -> ! {
    // SAFETY: none. The first page is never mapped, so the read ends the process and nothing else comes of it.
    let read = unsafe { std::ptr::without_provenance::<u8>(16).read_volatile() };
    unreachable!("the first page is mapped, and holds {read}")
}

fn bus_error() -> ! {
    let mut file = tempfile::tempfile().expect("a file can be made");
    file.write_all(b"short").expect("a file takes five bytes");
    // SAFETY: a new mapping, which the kernel places where nothing is.
    let at =
        unsafe { libc::mmap(std::ptr::null_mut(), 1 << 16, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0) };
    assert!(at != libc::MAP_FAILED, "a file can be mapped");
    // SAFETY: none. The page is behind the end of the file, so the read ends the process and nothing else comes of it.
    let read = unsafe { at.cast::<u8>().add((1 << 16) - 1).read_volatile() };
    unreachable!("the file has a byte behind its end, {read}")
}

fn illegal_instruction() -> ! {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: none. The instruction is defined to be illegal, and ends the process.
    unsafe {
        std::arch::asm!("ud2", options(noreturn))
    };
    #[cfg(target_arch = "aarch64")]
    // SAFETY: none. The instruction is defined to be illegal, and ends the process.
    unsafe {
        std::arch::asm!("udf #0", options(noreturn))
    };
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    signal_oneself(libc::SIGILL)
}

fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 128]);
    if depth == u64::MAX { depth } else { recurse(frame[0] + 1) + frame[127] }
}

fn signal_oneself(number: i32) -> ! {
    kill(process::id(), number);
    never_end()
}

/// Sleeps until somebody ends the process.
pub fn never_end() -> ! {
    loop {
        thread::park_timeout(Duration::from_secs(1));
    }
}

/// Has this process ignore `SIGTERM`.
pub fn ignore_sigterm() {
    // SAFETY: ignoring is no handler of ours.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
}

/// Has a function called when this process exits.
pub fn at_exit(handler: extern "C" fn()) {
    // SAFETY: the handler is a function of this program, and stays.
    let refused = unsafe { libc::atexit(handler) };
    assert_eq!(refused, 0, "there is no room for an exit handler");
}
