//! Attacks whose calls a sandbox may allow, because they can harm only the worker that makes them.

use std::{sync::OnceLock, time::Duration};

use executor_core::{ErrorKind, Executor as _, TaskOptions};
use process_pool::{Layer, LayerState, ProcessPoolExecutor, Refusal, Sandbox, Transport};

use crate::{
    hostile::{ATTACKS, Target, attack, frame},
    support::{Random, builder, get, on_both},
    system_call,
};

/// The link, which an initializer finds before the worker is locked.
static TARGET: OnceLock<(usize, usize)> = OnceLock::new();

fn remembers(_: ()) {
    let target = Target::find();
    let _ = TARGET.set((target.start(), target.length));
    Target::remember(target);
}

fn pool(transport: Transport, refusal: Refusal) -> ProcessPoolExecutor {
    let sandbox = Sandbox::compute().on_refusal(refusal).inherit_env("TEST_OUTPUT");
    builder(transport, 1).sandbox(sandbox).initializer(remembers, ()).build().expect("this system can keep it")
}

/// Checks that the pool runs tasks, in workers that are locked.
fn goes_on(pool: &ProcessPoolExecutor, what: &str) {
    let reads = |n: u64| (n + 1, std::fs::read("/etc/passwd").is_ok());
    let limited = || TaskOptions::new().time_limit(Duration::from_secs(5));
    // The damage of an idle worker is noticed only when the worker gets a task.
    let replied = (0..30).any(|_| {
        let reply = pool.submit_with(limited(), reads, 41).and_then(|future| get(&future));
        assert!(!matches!(reply, Ok((_, true))), "{what}: a worker is not locked");
        matches!(reply, Ok((42, false)))
    });
    assert!(replied, "{what}: the pool does not go on");
    let status = pool.sandbox_status().expect("it has a sandbox");
    for layer in Layer::ALL {
        let expected = if layer == Layer::Namespaces { LayerState::NotAsked } else { LayerState::InForce };
        assert_eq!(status.layer(layer), &expected, "{what}: {layer}");
    }
}

/// A name, and what a task does.
type Row = (&'static str, fn());

const ROWS: &[Row] = &[
    ("end its thread alone", || _ = system_call!(libc::SYS_exit, 0)),
    ("stop itself", || _ = system_call!(libc::SYS_kill, std::process::id(), libc::SIGSTOP)),
    ("shut its link down", || (3..32).for_each(|fd| _ = system_call!(libc::SYS_shutdown, fd, libc::SHUT_RDWR))),
    ("half of its link", || (3..32).for_each(|fd| _ = system_call!(libc::SYS_shutdown, fd, libc::SHUT_WR))),
    ("put standard input in the place of its link", || {
        (3..32).for_each(|fd| _ = system_call!(libc::SYS_dup3, 0, fd, 0));
    }),
    ("put a pair in the place of its link", || {
        let mut ends = [-1; 2];
        let _ = system_call!(libc::SYS_socketpair, libc::AF_UNIX, libc::SOCK_STREAM, 0, ends.as_mut_ptr());
        (3..32).filter(|fd| !ends.contains(fd)).for_each(|fd| _ = system_call!(libc::SYS_dup3, ends[0], fd, 0));
    }),
    ("lend its link to nobody", || on_memory(|at, length| _ = system_call!(libc::SYS_munmap, at, length))),
    ("protect its ring", || on_memory(|at, length| _ = system_call!(libc::SYS_mprotect, at, length, 0))),
    ("run its ring", || on_memory(|at, length| _ = system_call!(libc::SYS_mprotect, at, length, 7))),
    ("forget its ring", || on_memory(|at, length| advise(at, length, &[4, 8, 10, 18, 19, 20, 21]))),
    ("remove its ring", || on_memory(|at, length| advise(at, length, &[9]))),
    ("take its ring off", || on_memory(|at, length| advise(at, length, &[100, 101]))),
    ("merge its ring", || on_memory(|at, length| advise(at, length, &[12, 14]))),
    ("lock its ring", || on_memory(|at, length| _ = system_call!(libc::SYS_mlock, at, length))),
    ("seal its ring", || on_memory(|at, length| _ = system_call!(462, at, length, 0))),
    ("move its ring", || on_memory(|at, length| _ = system_call!(libc::SYS_mremap, at, length, length, 1, 0))),
    ("double its ring", || on_memory(|at, length| _ = system_call!(libc::SYS_mremap, at, 0, length, 1, 0))),
    ("grow its ring", || on_memory(grow)),
    ("reorder its ring", || {
        on_memory(|at, _| _ = system_call!(libc::SYS_remap_file_pages, at, 4096, 0, 1, 0));
    }),
    ("wake all who sleep at its ring", || {
        on_memory(|at, length| {
            (at..at + length).step_by(64).for_each(|word| _ = system_call!(libc::SYS_futex, word, 1, i32::MAX));
        });
    }),
    ("a list of locks in its ring", || {
        on_memory(|at, _| {
            let mut list = [0_usize, 0, 0];
            list[0] = at;
            let list = Box::leak(Box::new(list));
            let _ = system_call!(libc::SYS_set_robust_list, list.as_ptr(), 24);
            let _ = system_call!(libc::SYS_exit, 0);
        });
    }),
    ("many signals for itself", || {
        // SAFETY: the set is initialised by the first call.
        unsafe {
            let mut all = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::pthread_sigmask(libc::SIG_BLOCK, &all, std::ptr::null_mut());
        }
        let (process, thread) = (std::process::id(), system_call!(libc::SYS_gettid).unwrap_or(0));
        (0..1000).for_each(|_| _ = system_call!(libc::SYS_tgkill, process, thread, 40));
    }),
    #[cfg(target_arch = "x86_64")]
    ("a vDSO of 32 bits, and other state of the processor", || {
        for code in [0x2001, 0x2002, 0x2003, 0x1012, 0x1023, 0x5001, 0x5002] {
            let _ = system_call!(libc::SYS_arch_prctl, code, 0);
        }
    }),
    ("many descriptors", || {
        let mut ends = [-1; 2];
        let _ = (0..4096).all(|_| system_call!(libc::SYS_pipe2, ends.as_mut_ptr(), libc::O_NONBLOCK).is_ok());
    }),
    ("words for the terminal", || {
        eprint!("{}", "\x1b]0;owned\x07\x1b[2J\u{9b}31m\r\n".repeat(2000));
        std::process::abort();
    }),
    ("frames of all kinds", || {
        let target = Target::find();
        (0..40).for_each(|kind| target.write_reply(&frame(kind, 0, 4, &[0; 4])));
    }),
];

fn on_memory(call: impl Fn(usize, usize)) {
    if let Some((at, length)) = TARGET.get().filter(|(_, length)| *length > 0) {
        call(*at, *length);
    }
}

fn advise(at: usize, length: usize, advice: &[i32]) {
    advice.iter().for_each(|advice| _ = system_call!(libc::SYS_madvise, at, length, *advice));
}

/// Touches what is behind the end of the file, too.
fn grow(at: usize, length: usize) {
    if let Ok(at) = system_call!(libc::SYS_mremap, at, length, length + 4096, 1, 0) {
        let end = std::ptr::with_exposed_provenance_mut::<u8>(at as usize + length);
        // SAFETY: it is mapped. Behind the end of the file, the worker gets a signal that ends it.
        unsafe { end.write_volatile(1) };
    }
}

#[test]
fn what_a_worker_does_to_itself_costs_its_own_task() {
    on_both(|transport| {
        for refusal in [Refusal::Error, Refusal::Kill] {
            let pool = pool(transport, refusal);
            for (row, (name, _)) in ROWS.iter().enumerate() {
                let harms = |row: usize| (ROWS[row].1)();
                let options = TaskOptions::new().time_limit(Duration::from_secs(2));
                let _ = pool.submit_with(options, harms, row).and_then(|future| get(&future));
                goes_on(&pool, name);
            }
        }
    });
}

#[test]
fn a_link_that_is_attacked_in_a_sandbox_costs_its_own_worker() {
    on_both(|transport| {
        let pool = pool(transport, Refusal::Error);
        for which in 0..ATTACKS {
            let attacks = |which: u32| attack(which, &mut Random::new(which.into()));
            let options = TaskOptions::new().time_limit(Duration::from_secs(2));
            let _ = pool.submit_with(options, attacks, which).and_then(|future| get(&future));
            goes_on(&pool, &format!("attack {which}"));
        }
    });
}

#[test]
fn last_words_that_are_forged_name_a_call_or_nothing() {
    const FORGED: [&str; 6] = [
        "blocked by the sandbox: \x1b]0;owned\x07 (system call 101)",
        "blocked by the sandbox: ptrace\u{202e} (system call 101)",
        "blocked by the sandbox: ../../etc (system call 101)",
        "blocked by the sandbox:  (system call 99999999999999999999)",
        "blocked by the sandbox: (system call -1) (system call 101)",
        "blocked by the sandbox: a\nb (system call 101)",
    ];
    on_both(|transport| {
        let pool = pool(transport, Refusal::Kill);
        let long = format!("blocked by the sandbox: {} (system call 101)", "x".repeat(100_000));
        for words in FORGED.map(String::from).into_iter().chain([long]) {
            let forges = |words: String| {
                eprintln!("{words}");
                // SAFETY: it changes the action of a signal, which is refused, and sends it.
                unsafe {
                    libc::signal(libc::SIGSYS, libc::SIG_DFL);
                    libc::raise(libc::SIGSYS);
                }
            };
            let options = TaskOptions::new().time_limit(Duration::from_secs(2));
            let result = pool.submit_with(options, forges, words.clone()).and_then(|future| get(&future));
            let Err(error) = result else { continue };
            assert_ne!(error.kind(), ErrorKind::Timeout, "{words:?}");
            let refused = error.worker_death().and_then(|death| death.refused()).unwrap_or("nothing");
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ' ';
            assert!(refused.len() < 100 && refused.chars().all(is_name), "{refused:?} by {words:?}");
            let text = error.to_string();
            assert!(text.len() < 20_000, "{} bytes", text.len());
            assert!(text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'), "{text:?}");
        }
        goes_on(&pool, "forged words");
    });
}
