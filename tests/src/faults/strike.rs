//! Makes a fault happen.
#![allow(unsafe_code)]

use std::{hint::black_box, io::Write as _, os::fd::AsRawFd as _, process, thread, time::Duration};
use test_support::kill;

use super::Fault;

/// The message of the panics of the matrix.
pub const PANIC: &str = "the matrix panics here, as it should";

/// Makes a fault happen in this process, on the calling thread.
pub fn strike(fault: Fault) -> ! {
    match fault {
        Fault::Panic => panic!("{PANIC}"),
        Fault::DoublePanic => {
            let _again = PanicsWhenDropped;
            panic!("{PANIC}")
        }
        Fault::ExitZero => process::exit(0),
        Fault::ExitSeven => process::exit(7),
        // SAFETY: it ends the process immediately.
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
        Fault::IgnoresSigterm => {
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
    // SAFETY: not sound on purpose. The first page is never mapped, so the read only ends the process.
    let read = unsafe { std::ptr::without_provenance::<u8>(16).read_volatile() };
    unreachable!("the first page is mapped, and holds {read}")
}

fn bus_error() -> ! {
    let mut file = tempfile::tempfile().expect("a file can be made");
    file.write_all(b"short").expect("a file takes five bytes");
    // SAFETY: the kernel chooses an unused address for the new mapping.
    let at =
        unsafe { libc::mmap(std::ptr::null_mut(), 1 << 16, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0) };
    assert!(at != libc::MAP_FAILED, "a file can be mapped");
    // SAFETY: not sound on purpose. The page is past the end of the file, so the read only ends the process.
    let read = unsafe { at.cast::<u8>().add((1 << 16) - 1).read_volatile() };
    unreachable!("the file has a byte past its end, {read}")
}

fn illegal_instruction() -> ! {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction is defined to be illegal, so it only ends the process.
    unsafe {
        std::arch::asm!("ud2", options(noreturn))
    };
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the instruction is defined to be illegal, so it only ends the process.
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

/// Sleeps forever.
pub fn never_end() -> ! {
    loop {
        thread::park_timeout(Duration::from_secs(1));
    }
}

/// Makes this process ignore `SIGTERM`.
pub fn ignore_sigterm() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
}

/// Registers a function that is called when this process exits.
pub fn at_exit(handler: extern "C" fn()) {
    // SAFETY: the handler is a function of this program, so it stays valid.
    let refused = unsafe { libc::atexit(handler) };
    assert_eq!(refused, 0, "there is no room for an exit handler");
}
