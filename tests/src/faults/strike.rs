//! Makes a fault happen.
#![allow(unsafe_code)]

use std::{
    fs::File,
    hint::black_box,
    io::{self, Write as _},
    net::{Ipv4Addr, TcpStream},
    os::fd::AsRawFd as _,
    process, thread,
    time::Duration,
};

use test_support::kill;

use super::Fault;
use crate::crash::Crash;

/// The message of the panics.
pub const PANIC: &str = "the matrix panics here on purpose";

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
        Fault::Abort => Crash::Abort.now(),
        Fault::Segfault => Crash::Segfault.now(),
        Fault::BusError => bus_error(),
        Fault::IllegalInstruction => illegal_instruction(),
        Fault::Killed => signal_oneself(libc::SIGKILL),
        Fault::Terminated => unreachable!("a worker survives it"),
        Fault::StackOverflow => Crash::StackOverflow.now(),
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
        Fault::OpensAFile | Fault::Connects | Fault::KillsItsParent | Fault::ForksWithoutEnd => {
            unreachable!("a worker may survive it")
        }
    }
}

/// Tries what a sandbox forbids. Returns if it was refused with an error.
///
/// # Panics
///
/// Panics if it was not refused.
pub fn attempt(fault: Fault) {
    let done = match fault {
        Fault::OpensAFile => File::open("/etc/passwd").map(|_| ()),
        // Where nobody listens the connection is refused as well, but with another error.
        Fault::Connects => TcpStream::connect((Ipv4Addr::LOCALHOST, 1)).map(|_| ()),
        // SAFETY: a signal that is ignored unless the program has a handler for it.
        Fault::KillsItsParent => done(unsafe { libc::kill(libc::getppid(), libc::SIGURG) }),
        Fault::ForksWithoutEnd => fork_without_end(),
        other => unreachable!("no sandbox forbids {other:?}"),
    };
    let refusal = done.as_ref().err().and_then(io::Error::raw_os_error);
    let is_refused = matches!(refusal, Some(libc::EPERM | libc::EACCES));
    assert!(is_refused, "the sandbox has let a worker do this: {}: {done:?}", fault.name());
}

fn done(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Forks until the system refuses, or often enough to show that it does not.
fn fork_without_end() -> io::Result<()> {
    for _ in 0..64 {
        // SAFETY: the child makes one system call, which ends it.
        match unsafe { libc::fork() } {
            // SAFETY: it ends the process immediately.
            0 => unsafe { libc::_exit(0) },
            result => done(result)?,
        }
    }
    Ok(())
}

/// Sends this process the signal of a fault that a worker survives.
pub fn survive(fault: Fault) {
    assert_eq!(fault, Fault::Terminated);
    kill(process::id(), libc::SIGTERM);
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("{PANIC}, a second time");
    }
}

fn bus_error() -> ! {
    let mut file = tempfile::tempfile().expect("a file can be created");
    file.write_all(b"short").expect("the file can be written");
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
    assert_eq!(refused, 0, "the exit handler is accepted");
}
