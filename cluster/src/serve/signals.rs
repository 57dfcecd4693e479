//! The signals that tell an agent to end.
#![allow(unsafe_code)]

use std::{
    io::{PipeWriter, Read as _},
    mem::MaybeUninit,
    os::fd::{AsRawFd as _, IntoRawFd as _},
    ptr::null_mut,
    sync::{
        OnceLock,
        atomic::{AtomicI32, Ordering::Relaxed},
        mpsc::Sender,
    },
};

use executor_core::{Error, ErrorKind};
use parking_lot::Mutex;

use super::event::Event;

const SIGNALS: [libc::c_int; 2] = [libc::SIGTERM, libc::SIGINT];

/// The end of a pipe into which the handler writes. It is never closed, because a handler may run at any moment.
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// Those who listen, and what the signals did before.
static LISTENERS: Mutex<Listeners> = Mutex::new(Listeners { next: 0, senders: Vec::new(), before: None });

struct Listeners {
    next: u64,
    senders: Vec<(u64, Sender<Event>)>,
    before: Option<[libc::sigaction; 2]>,
}

/// Sends an event for each `SIGTERM` and `SIGINT`, until it is dropped. Then they do what they did before.
pub(super) struct Signals(u64);

impl Signals {
    pub(super) fn listen(sender: Sender<Event>) -> Result<Signals, Error> {
        start_thread()?;
        let mut listeners = LISTENERS.lock();
        let number = listeners.next;
        listeners.next += 1;
        listeners.senders.push((number, sender));
        if listeners.before.is_none() {
            listeners.before = Some(SIGNALS.map(handle));
        }
        Ok(Signals(number))
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let mut listeners = LISTENERS.lock();
        listeners.senders.retain(|(number, _)| *number != self.0);
        if !listeners.senders.is_empty() {
            return;
        }
        for (signal, before) in SIGNALS.into_iter().zip(listeners.before.take().into_iter().flatten()) {
            // SAFETY: the action is what this process had for this signal before.
            unsafe { libc::sigaction(signal, &before, null_mut()) };
        }
    }
}

/// Starts the thread that passes signals on, once. It sleeps until there is one.
fn start_thread() -> Result<(), Error> {
    static STARTED: OnceLock<Result<(), Error>> = OnceLock::new();
    STARTED.get_or_init(try_start).clone()
}

fn try_start() -> Result<(), Error> {
    let refused = |error: std::io::Error| {
        Error::new(
            ErrorKind::Other,
            format!("an agent cannot listen for signals, for lack of a pipe or a thread: {error}"),
        )
    };
    let (mut reader, writer) = std::io::pipe().map_err(refused)?;
    do_not_block(&writer).map_err(refused)?;
    let run = move || {
        let mut byte = [0];
        while let Ok(1) = reader.read(&mut byte) {
            for (_, sender) in &LISTENERS.lock().senders {
                // The agent may be ending.
                let _ = sender.send(Event::Stop);
            }
        }
    };
    std::thread::Builder::new().name("cluster-signals".into()).spawn(run).map_err(refused)?;
    // ORDERING: Relaxed. The handler is installed later by the same thread, or by one that has the lock after it.
    PIPE.store(writer.into_raw_fd(), Relaxed);
    Ok(())
}

/// A handler must not wait for room in a pipe. One byte that waits says enough.
fn do_not_block(writer: &PipeWriter) -> std::io::Result<()> {
    // SAFETY: the descriptor is open, and the call changes only whether writing to it blocks.
    match unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) } {
        -1 => Err(std::io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Installs the handler, and returns what the signal did before.
fn handle(signal: libc::c_int) -> libc::sigaction {
    // SAFETY: all zeros are a valid action: the default one, without flags.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: as above.
    let mut before: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = write_byte as extern "C" fn(libc::c_int) as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler calls only functions that a handler may call, and both actions are valid.
    unsafe { libc::sigaction(signal, &action, &mut before) };
    before
}

extern "C" fn write_byte(_: libc::c_int) {
    // SAFETY: `write` may be called in a handler. The pipe is never closed, and the byte lives on the stack. The
    // interrupted code finds its `errno` unchanged.
    unsafe {
        let errno = errno();
        let before = *errno;
        // ORDERING: Relaxed. The pipe exists before the handler does.
        libc::write(PIPE.load(Relaxed), [1_u8].as_ptr().cast(), 1);
        *errno = before;
    }
}

/// Returns where the error of the last system call of this thread is.
unsafe fn errno() -> *mut libc::c_int {
    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    // SAFETY: it has no preconditions.
    return unsafe { libc::__error() };
    #[cfg(any(target_os = "netbsd", target_os = "openbsd", target_os = "android"))]
    // SAFETY: it has no preconditions.
    return unsafe { libc::__errno() };
    #[cfg(not(any(
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "android"
    )))]
    // SAFETY: it has no preconditions.
    return unsafe { libc::__errno_location() };
}
