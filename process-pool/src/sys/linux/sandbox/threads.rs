//! Restricting every thread of this process.
//!
//! Landlock and capabilities belong to threads, and a thread can only restrict itself. So each other thread gets a
//! signal, whose handler does that. A thread that is started meanwhile has the restrictions of its creator, or is found
//! by the next search.
#![allow(unsafe_code)]

use std::{
    collections::BTreeSet,
    ffi::{c_int, c_void},
    io,
    mem::{MaybeUninit, zeroed},
    os::fd::RawFd,
    ptr::null_mut,
    sync::atomic::{
        AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicUsize,
        Ordering::{Relaxed, SeqCst},
    },
    time::{Duration, Instant},
};

use rustix::thread::futex;

use super::{capabilities, landlock};

/// What every thread does to itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Restriction {
    /// The rule set, if there is one.
    pub(super) ruleset: Option<RawFd>,
    pub(super) capabilities: bool,
}

/// The signal. The pool's own threads block all others, and the filter of system calls needs it later.
const SIGNAL: c_int = libc::SIGSYS;

/// How long all threads together may take. A thread that blocks the signal takes forever.
const LIMIT: Duration = Duration::from_secs(10);

/// How often it is checked whether a thread has ended instead of receiving the signal.
const CHECK: Duration = Duration::from_millis(50);

// ORDERING: everything here is written by the thread that locks the process, and read in handlers that run in other
// threads because of a signal that it sends afterwards. The order of all of these is that of the program, which
// `SeqCst` says most simply; it happens once in the life of a process.
static IS_ACTIVE: AtomicBool = AtomicBool::new(false);
static RULESET: AtomicI32 = AtomicI32::new(-1);
static CAPABILITIES: AtomicBool = AtomicBool::new(false);
/// The threads that have restricted themselves, in memory that is never freed, and how many there are.
static RESTRICTED: AtomicPtr<AtomicI32> = AtomicPtr::new(null_mut());
static LENGTH: AtomicUsize = AtomicUsize::new(0);
static COUNT: AtomicU32 = AtomicU32::new(0);
/// The first error, or 0.
static FAILED: AtomicI32 = AtomicI32::new(0);

impl Restriction {
    /// Restricts the calling thread. Returns an error number, or 0. It may be called in a signal handler.
    fn apply(self) -> i32 {
        let (one, zero): (libc::c_ulong, libc::c_ulong) = (1, 0);
        // SAFETY: a system call without pointers.
        if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, one, zero, zero, zero) } != 0 {
            return libc::EINVAL;
        }
        let error = self.ruleset.map_or(0, landlock::restrict);
        match error {
            0 if self.capabilities => capabilities::drop_all(),
            error => error,
        }
    }

    /// Restricts all threads of this process, the calling one last.
    pub(super) fn apply_everywhere(self) -> io::Result<()> {
        RULESET.store(self.ruleset.unwrap_or(-1), SeqCst);
        CAPABILITIES.store(self.capabilities, SeqCst);
        IS_ACTIVE.store(true, SeqCst);
        let before = handle_signal();
        let others = restrict_others();
        IS_ACTIVE.store(false, SeqCst);
        // SAFETY: this is the action that was there before.
        unsafe { libc::sigaction(SIGNAL, &before, null_mut()) };
        others?;
        match self.apply() {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

/// Installs the handler, and returns the action that it replaces.
fn handle_signal() -> libc::sigaction {
    let mut before = MaybeUninit::zeroed();
    // SAFETY: zeroes are a valid `sigaction`. The handler only makes system calls and uses atomics.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_signal;
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigaction(SIGNAL, &action, before.as_mut_ptr());
        before.assume_init()
    }
}

extern "C" fn on_signal(_: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel passes a valid description of the signal.
    if !IS_ACTIVE.load(SeqCst) || unsafe { (*info).si_code } != libc::SI_TKILL {
        return;
    }
    // SAFETY: the location is that of the calling thread.
    let errno = unsafe { *libc::__errno_location() };
    let ruleset = Some(RULESET.load(SeqCst)).filter(|ruleset| *ruleset >= 0);
    let error = Restriction { ruleset, capabilities: CAPABILITIES.load(SeqCst) }.apply();
    if error != 0 {
        let _ = FAILED.compare_exchange(0, error, SeqCst, SeqCst);
    }
    let at = COUNT.fetch_add(1, SeqCst) as usize;
    if at < LENGTH.load(SeqCst) {
        // SAFETY: the memory has this many elements and is never freed. The thread's number is asked for without
        // pointers.
        unsafe { (*RESTRICTED.load(SeqCst).add(at)).store(libc::gettid(), SeqCst) };
    }
    let _ = futex::wake(&COUNT, futex::Flags::PRIVATE, 1);
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

fn restrict_others() -> io::Result<()> {
    // SAFETY: a system call without arguments.
    let mut told = BTreeSet::from([unsafe { libc::gettid() }]);
    let end = Instant::now() + LIMIT;
    loop {
        let new: BTreeSet<i32> = threads()?.difference(&told).copied().collect();
        if new.is_empty() {
            break;
        }
        let restricted: &'static [AtomicI32] = new.iter().map(|_| AtomicI32::new(0)).collect::<Vec<_>>().leak();
        RESTRICTED.store(restricted.as_ptr().cast_mut(), SeqCst);
        COUNT.store(0, SeqCst);
        LENGTH.store(restricted.len(), SeqCst);
        for thread in &new {
            // It fails only for a thread that has ended meanwhile.
            // SAFETY: a system call without pointers. The signal has a handler.
            let _ = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), *thread, SIGNAL) };
        }
        wait_for(&new, restricted, end)?;
        told.extend(new);
    }
    match FAILED.load(SeqCst) {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Waits until each of these threads has restricted itself or has ended.
fn wait_for(threads_told: &BTreeSet<i32>, restricted: &[AtomicI32], end: Instant) -> io::Result<()> {
    let timeout = futex::Timespec { tv_sec: 0, tv_nsec: CHECK.as_nanos() as _ };
    loop {
        // ORDERING: the futex compares the count again.
        let count = COUNT.load(Relaxed);
        let done: BTreeSet<i32> = restricted.iter().map(|thread| thread.load(SeqCst)).collect();
        let mut missing = threads_told.difference(&done).copied().peekable();
        if missing.peek().is_none() {
            return Ok(());
        }
        if futex::wait(&COUNT, futex::Flags::PRIVATE, count, Some(&timeout)).is_ok() {
            continue;
        }
        let alive = threads()?;
        let Some(stuck) = missing.find(|thread| alive.contains(thread)) else { return Ok(()) };
        if Instant::now() > end {
            let name = std::fs::read_to_string(format!("/proc/self/task/{stuck}/comm")).unwrap_or_default();
            return Err(io::Error::other(format!(
                "thread {stuck} (`{}`), which the initializer or code before `main` has started, blocks the signal \
                 (SIGSYS) by which it must restrict itself: start it after the worker is ready, or do not block that \
                 signal",
                name.trim_end().escape_debug()
            )));
        }
    }
}

/// Returns the threads of this process.
fn threads() -> io::Result<BTreeSet<i32>> {
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("the threads cannot be listed, which needs /proc: {error}"))
    };
    let entries = std::fs::read_dir("/proc/self/task").map_err(named)?;
    entries
        .map(|entry| Ok(entry.map_err(named)?.file_name().to_str().and_then(|name| name.parse().ok())))
        .filter_map(Result::transpose)
        .collect()
}
