//! Reporting refused calls.
//!
//! The filter stops a refused call and sends `SIGSYS` to its thread. The handler says on the standard error which call
//! it was. Nothing depends on the handler: the call was not made, and a thread without the handler, or with the signal
//! blocked, ends its process.
#![allow(unsafe_code)]

use std::{
    ffi::{c_int, c_void},
    mem::zeroed,
    ptr::null_mut,
    sync::atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use super::{calls, verdicts::REPEATED};
use crate::sys::policy::{BLOCKED, Policy, Refused};

/// Whether a refused call ends this process.
static KILLS: AtomicBool = AtomicBool::new(false);
/// Whether calls that change paths are decided by other means than the filter.
static WRITES: AtomicBool = AtomicBool::new(false);
/// What was reported, as hashes of the call and its path. When it is full, nothing more is reported.
static REPORTED: [AtomicU64; 256] = [const { AtomicU64::new(0) }; 256];

/// The longest path that is reported. It leaves space for the rest of a line that a pipe takes as a whole.
const LONGEST_PATH: usize = 512;

/// The kernel's `siginfo_t` of a refused call, on 64 bits.
#[repr(C)]
struct Info {
    signal: c_int,
    errno: c_int,
    code: c_int,
    _padding: c_int,
    address: *mut c_void,
    number: c_int,
    architecture: u32,
}

/// Reports what the filter of this policy refuses from now on, if the policy wants that.
pub(super) fn watch(policy: &Policy) {
    if policy.refused == Refused::Error {
        return;
    }
    let kills = policy.refused == Refused::Kill;
    // ORDERING: with the loads in the handler. The handler that reads these is installed below, by this thread.
    KILLS.store(kills, Release);
    WRITES.store(policy.writes, Release);
    // SAFETY: zeroes are a valid `sigaction`. The handler only makes system calls and uses atomics.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_refused;
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        if kills {
            // The filter lets nothing change the action of this signal, so the handler could not take itself away.
            action.sa_flags |= libc::SA_RESETHAND;
        }
        libc::sigaction(libc::SIGSYS, &action, null_mut());
    }
}

extern "C" fn on_refused(_: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    const SYS_SECCOMP: c_int = 1;
    // SAFETY: the kernel passes a valid description of the signal.
    if unsafe { (*info).si_code } != SYS_SECCOMP {
        // A process has sent the signal. Its default action is the end.
        return end();
    }
    // SAFETY: this is the form of the description with that code.
    let number = unsafe { (*info.cast::<Info>()).number } as u32;
    // SAFETY: the kernel passes the registers of the interrupted thread.
    let registers = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let arguments = arguments(registers);
    if KILLS.load(Acquire) {
        report(number, None);
        return end();
    }
    let path = calls::path_argument(number);
    let result = match path.filter(|_| calls::only_looks(number) || WRITES.load(Acquire)) {
        Some(_) => repeat(number, arguments),
        None => -i64::from(libc::EPERM),
    };
    let is_refused = result == -i64::from(libc::EPERM) || result == -i64::from(libc::EACCES);
    if is_refused {
        report(number, path.map(|at| arguments[usize::from(at)] as *const u8));
    }
    set_result(registers, result);
}

/// Ends this process by the signal, once the handler returns.
fn end() {
    // SAFETY: system calls without pointers. The action of the signal is the default one: the kernel has reset it, or
    // does so for a signal that is raised while its handler runs and blocks it. The filter allows signals to this
    // process.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), libc::SIGSYS) };
}

/// Makes a call with a path again, so that other means than the filter decide. Returns the kernel's answer.
fn repeat(number: u32, arguments: [u64; 6]) -> i64 {
    let [a, b, c, d, e, _] = arguments;
    // SAFETY: it is the call that the program has made, whose last argument the kernel ignores.
    let result = unsafe { libc::syscall(number as libc::c_long, a, b, c, d, e, u64::from(REPEATED)) };
    if result != -1 {
        return result;
    }
    // SAFETY: the location is that of the calling thread.
    -i64::from(unsafe { *libc::__errno_location() })
}

#[cfg(target_arch = "x86_64")]
fn arguments(registers: &libc::ucontext_t) -> [u64; 6] {
    let all = &registers.uc_mcontext.gregs;
    [libc::REG_RDI, libc::REG_RSI, libc::REG_RDX, libc::REG_R10, libc::REG_R8, libc::REG_R9]
        .map(|register| all[register as usize] as u64)
}

#[cfg(target_arch = "aarch64")]
fn arguments(registers: &libc::ucontext_t) -> [u64; 6] {
    [0, 1, 2, 3, 4, 5].map(|register: usize| registers.uc_mcontext.regs[register])
}

#[cfg(target_arch = "x86_64")]
fn set_result(registers: &mut libc::ucontext_t, result: i64) {
    registers.uc_mcontext.gregs[libc::REG_RAX as usize] = result;
}

#[cfg(target_arch = "aarch64")]
fn set_result(registers: &mut libc::ucontext_t, result: i64) {
    registers.uc_mcontext.regs[0] = result as u64;
}

/// A line that is written without an allocation.
struct Line {
    bytes: [u8; 4096],
    length: usize,
}

impl Line {
    fn push(&mut self, bytes: &[u8]) {
        let space = &mut self.bytes[self.length..];
        let count = bytes.len().min(space.len());
        space[..count].copy_from_slice(&bytes[..count]);
        self.length += count;
    }

    fn push_number(&mut self, number: u32) {
        let (mut digits, mut at, mut rest) = ([0; 10], 10, number);
        while at == 10 || rest > 0 {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        self.push(&digits[at..]);
    }

    /// Appends a byte of a path. Those that could end the path or the line, or control a terminal, are escaped.
    fn push_escaped(&mut self, byte: u8) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        if byte < b' ' || matches!(byte, b'"' | b'\\' | 0x7f) {
            let (high, low) = (DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]);
            self.push(&[b'\\', b'x', high, low]);
        } else {
            self.push(&[byte]);
        }
    }

    /// Appends a path of this program, as far as it can be read.
    fn push_path(&mut self, path: *const u8) {
        const PAGE: usize = 4096;
        for at in 0..LONGEST_PATH {
            let byte = path.wrapping_add(at);
            if (at == 0 || byte.addr() % PAGE == 0) && !is_mapped(byte) {
                return;
            }
            // SAFETY: the byte is mapped, and the program has passed it to the kernel to be read. If another thread
            // unmaps it meanwhile, the program has a fault of its own.
            match unsafe { byte.read_volatile() } {
                0 => return,
                byte => self.push_escaped(byte),
            }
        }
        self.push("…".as_bytes());
    }
}

fn is_mapped(byte: *const u8) -> bool {
    const PAGE: usize = 4096;
    let page = byte.map_addr(|address| address & !(PAGE - 1));
    let mut present = 0_u8;
    // SAFETY: the kernel writes one byte for one page, and only looks up the address. Where pages are larger it fails.
    unsafe { libc::syscall(libc::SYS_mincore, page, 1_usize, &raw mut present) == 0 }
}

/// Says which call was refused, unless that was said before.
fn report(number: u32, path: Option<*const u8>) {
    let mut line = Line { bytes: [0; 4096], length: 0 };
    line.push(BLOCKED.as_bytes());
    line.push(calls::name(number).unwrap_or("a system call").as_bytes());
    if let Some(path) = path {
        line.push(b" \"");
        line.push_path(path);
        line.push(b"\"");
    }
    line.push(b" (system call ");
    line.push_number(number);
    line.push(b")\n");
    if is_new(&line.bytes[..line.length]) {
        // SAFETY: the bytes are there.
        unsafe { libc::write(2, line.bytes.as_ptr().cast(), line.length) };
    }
}

/// Returns `true` if this line was not written before, and notes that it is now.
fn is_new(line: &[u8]) -> bool {
    // FNV-1a. Zero stands for an unused entry.
    let hash = line
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let hash = hash.max(1);
    for entry in &REPORTED {
        // ORDERING: the entry itself is all that is published.
        match entry.compare_exchange(0, hash, Relaxed, Relaxed) {
            Ok(_) => return true,
            Err(other) if other == hash => return false,
            Err(_) => {}
        }
    }
    false
}
