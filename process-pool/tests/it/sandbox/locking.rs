//! When a worker is locked, and that nothing runs in one that is not.

use std::{
    fs::{self, File},
    io::Read as _,
    sync::{Mutex, mpsc},
    thread,
};

use executor_core::{ErrorKind, Executor};
use process_pool::{Sandbox, Transport};

use super::pool;
use crate::support::{builder, get};

/// Asks a thread that the initializer has started whether it can read a file.
static THREADS: Mutex<Vec<mpsc::Sender<mpsc::Sender<bool>>>> = Mutex::new(Vec::new());
static OPENED: Mutex<Option<File>> = Mutex::new(None);

fn start_threads(count: usize) {
    *OPENED.lock().expect("not poisoned") = File::open("/etc/passwd").ok();
    for _ in 0..count {
        let (send, receive) = mpsc::channel::<mpsc::Sender<bool>>();
        THREADS.lock().expect("not poisoned").push(send);
        thread::spawn(move || receive.iter().for_each(|reply| _ = reply.send(reads())));
    }
}

fn reads() -> bool {
    fs::read("/etc/passwd").is_ok()
}

#[test]
fn threads_of_an_initializer_are_locked_and_what_it_has_opened_stays_usable() {
    crate::support::on_both(|transport| {
        let sandbox = Sandbox::compute().read("/etc/hostname");
        let pool = builder(transport, 1).sandbox(sandbox).initializer(start_threads, 5_usize);
        let pool = pool.build().expect("this system can keep it");
        let threads_read = |()| {
            let threads = THREADS.lock().expect("not poisoned");
            let ask = |thread: &mpsc::Sender<mpsc::Sender<bool>>| {
                let (send, receive) = mpsc::channel();
                thread.send(send).expect("it lives");
                receive.recv().expect("it replies")
            };
            threads.iter().map(ask).collect::<Vec<_>>()
        };
        assert_eq!(get(&pool.submit(threads_read, ()).expect("accepted")).expect("a result"), [false; 5]);
        let from_before = |()| {
            let mut text = String::new();
            let mut opened = OPENED.lock().expect("not poisoned");
            opened.as_mut().is_some_and(|file| file.read_to_string(&mut text).is_ok() && !text.is_empty())
        };
        assert!(get(&pool.submit(from_before, ()).expect("accepted")).expect("a result"));
        // Capabilities, too, and those of the thread that watches the parent.
        for pid in pool.worker_pids() {
            for entry in fs::read_dir(format!("/proc/{pid}/task")).expect("listed").flatten() {
                let status = fs::read_to_string(entry.path().join("status")).expect("it lives");
                let value = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                assert_eq!((value("CapEff:"), value("CapBnd:")), (Some(NONE), bounding(&status)), "{status}");
                assert_eq!((value("Seccomp:"), value("NoNewPrivs:")), (Some("2"), Some("1")), "{status}");
            }
        }
    });
}

const NONE: &str = "0000000000000000";

/// A program that is not root cannot empty the set, and gains nothing by it.
fn bounding(status: &str) -> Option<&str> {
    // SAFETY: a system call without arguments.
    if unsafe { libc::geteuid() } == 0 {
        return Some(NONE);
    }
    status.lines().find_map(|line| line.strip_prefix("CapBnd:")).map(str::trim)
}

#[test]
fn an_initializer_is_locked_if_that_is_wanted() {
    let opens = |()| if reads() { Err("it can read".to_string()) } else { Ok(()) };
    let sandbox = Sandbox::compute().before_initializer();
    let pool = builder(Transport::Ring, 1).sandbox(sandbox).initializer(opens, ()).build().expect("built");
    assert!(!get(&pool.submit(|()| reads(), ()).expect("accepted")).expect("a result"));
    let pool = builder(Transport::Ring, 1).sandbox(Sandbox::compute()).initializer(opens, ()).build().expect("built");
    let error = pool.submit(|()| reads(), ()).and_then(|future| get(&future)).expect_err("it could read");
    assert!(error.to_string().contains("it can read"), "{error}");
}

#[test]
fn a_thread_that_cannot_be_locked_breaks_the_pool() {
    fn blocks_all_signals(_: ()) {
        let (send, receive) = mpsc::channel();
        let blocks = move || {
            // SAFETY: the set is initialised by the first call.
            unsafe {
                let mut all = std::mem::zeroed();
                libc::sigfillset(&mut all);
                libc::pthread_sigmask(libc::SIG_BLOCK, &all, std::ptr::null_mut());
            }
            send.send(()).expect("it is waited for");
            loop {
                thread::park();
            }
        };
        thread::Builder::new().name("stubborn".into()).spawn(blocks).expect("starts");
        receive.recv().expect("it blocks them");
    }
    let pool = builder(Transport::Ring, 1).sandbox(Sandbox::compute()).initializer(blocks_all_signals, ());
    let pool = pool.build().expect("built");
    let error = pool.submit(|()| reads(), ()).and_then(|future| get(&future)).expect_err("it is not ready");
    assert_eq!(error.kind(), ErrorKind::Broken, "{error}");
    assert!(error.to_string().contains("stubborn"), "{error}");
    assert_eq!(pool.sandbox_status(), None);
}

#[test]
fn a_worker_that_replaces_another_is_locked_too() {
    let pool = pool(Transport::Ring, Sandbox::compute());
    for _ in 0..3 {
        assert!(!get(&pool.submit(|()| reads(), ()).expect("accepted")).expect("a result"));
        let end = pool.submit(|()| -> bool { std::process::abort() }, ()).expect("accepted");
        assert!(get(&end).is_err());
    }
    assert!(!get(&pool.submit(|()| reads(), ()).expect("accepted")).expect("a result"));
}
