//! The other options of a sandbox.

use std::{io::Write as _, time::Duration};

use executor_core::{Error, ErrorKind, Executor, WorkerDeath, codec};
use process_pool::{Layer, LayerState, Output, Refusal, Sandbox, Transport};

use super::pool;
use crate::support::{builder, get, wait_until};

fn death_of(error: &Error) -> (Option<i32>, String) {
    (error.worker_death().and_then(WorkerDeath::signal), error.to_string())
}

#[test]
fn refused_calls_are_explained_with_their_paths() {
    crate::support::on_both(|transport| {
        let pool = pool(transport, Sandbox::compute().read("/etc/hostname").on_refusal(Refusal::Explain));
        let probe = |()| {
            let read = std::fs::read("/etc/hostname").is_ok();
            let refused = std::fs::read("/etc/pass\twd\"").map_err(|error| error.raw_os_error()).err();
            let other = std::fs::read("/etc/passwd").map_err(|error| error.raw_os_error()).err();
            let missing = std::fs::read("/there/is/none").map_err(|error| error.raw_os_error()).err();
            let bound = std::net::TcpListener::bind("127.0.0.1:0").map_err(|error| error.raw_os_error()).err();
            (read, [refused, other, missing, bound].map(Option::flatten))
        };
        for _ in 0..2 {
            let (read, errors) = get(&pool.submit(probe, ()).expect("accepted")).expect("a result");
            assert!(read, "a granted file is read through the handler");
            // Which of two errors a path gets that does not exist is up to Landlock.
            assert_eq!([errors[1], errors[3]], [Some(libc::EACCES), Some(libc::EPERM)], "{errors:?}");
        }
        wait_until("the reports", || pool.refusals().iter().any(|refused| refused.call() == "socket"));
        let found = pool.refusals();
        let paths: Vec<_> = found.iter().filter_map(|refused| refused.path()).collect();
        assert!(paths.contains(&"/etc/passwd"), "{found:?}");
        assert!(!paths.contains(&"/etc/hostname"), "{found:?}");
        let all = found.len();
        assert_eq!(found.iter().filter(|refused| refused.path() == Some("/etc/passwd")).count(), 1, "{all} in all");
    });
}

#[test]
fn nothing_is_collected_unless_it_is_explained() {
    let pool = pool(Transport::Ring, Sandbox::compute());
    let writes = |()| {
        let _ = std::io::stderr().write_all(b"blocked by the sandbox: ptrace (system call 101)\n");
    };
    get(&pool.submit(writes, ()).expect("accepted")).expect("a result");
    assert_eq!(pool.refusals(), []);
}

#[test]
fn a_task_that_handles_or_blocks_the_signal_dies_all_the_same() {
    crate::support::on_both(|transport| {
        let pool = pool(transport, Sandbox::compute().on_refusal(Refusal::Kill));
        let blocks = |()| {
            // SAFETY: the set is initialised by the first call, and the last one is refused.
            unsafe {
                let mut set = std::mem::zeroed();
                libc::sigemptyset(&mut set);
                libc::sigaddset(&mut set, libc::SIGSYS);
                libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
                libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) >= 0
            }
        };
        let error = get(&pool.submit(blocks, ()).expect("accepted")).expect_err("it dies");
        assert_eq!(death_of(&error).0, Some(libc::SIGSYS), "{error}");
        let ignores = |()| {
            // SAFETY: ignoring a signal is no handler, and the last call is refused.
            unsafe {
                libc::signal(libc::SIGSYS, libc::SIG_IGN);
                libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) >= 0
            }
        };
        let error = get(&pool.submit(ignores, ()).expect("accepted")).expect_err("it dies");
        assert_eq!(death_of(&error).0, Some(libc::SIGSYS), "{error}");
    });
}

#[test]
fn limits_hold() {
    let sandbox = Sandbox::compute().tmpdir().file_size(1 << 20).open_files(32).cpu_time(Duration::from_secs(1));
    let pool = pool(Transport::Ring, sandbox);
    let opens = |()| {
        let pairs = (0..100).map_while(|_| std::os::unix::net::UnixStream::pair().ok());
        pairs.collect::<Vec<_>>().len() * 2
    };
    let opened = get(&pool.submit(opens, ()).expect("accepted")).expect("a result");
    assert!((4..32).contains(&opened), "{opened}");
    let writes = |()| std::fs::write(std::env::temp_dir().join("large"), vec![1; 2 << 20]).is_ok();
    let error = get(&pool.submit(writes, ()).expect("accepted")).expect_err("it is too large");
    assert_eq!(death_of(&error).0, Some(libc::SIGXFSZ), "{error}");
    let spins = |()| -> u64 {
        let mut number = 1_u64;
        loop {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
    };
    let error = get(&pool.submit(spins, ()).expect("accepted")).expect_err("it takes too long");
    assert!(error.to_string().contains("processor time"), "{error}");
}

#[test]
fn memory_becomes_executable_unless_that_is_forbidden() {
    let maps = |()| {
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let code = libc::PROT_READ | libc::PROT_EXEC;
        // SAFETY: no address is asked for, and nothing uses the memory.
        unsafe {
            let direct = libc::mmap(std::ptr::null_mut(), 4096, code, flags, -1, 0) != libc::MAP_FAILED;
            let later = libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0);
            (direct, libc::mprotect(later, 4096, code) == 0)
        }
    };
    let (open, closed) = (Sandbox::compute(), Sandbox::compute().no_new_code());
    for (sandbox, expected) in [(open, (true, true)), (closed, (false, false))] {
        let pool = pool(Transport::Ring, sandbox);
        assert_eq!(get(&pool.submit(maps, ()).expect("accepted")).expect("a result"), expected);
        // Threads and panics need none.
        let panics = |()| -> u64 { std::thread::spawn(|| panic!("on purpose")).join().map_or(7, |()| 8) };
        assert_eq!(get(&pool.submit(panics, ()).expect("accepted")).expect("a result"), 7);
    }
}

#[test]
fn output_goes_to_the_standard_error_unless_it_is_kept() {
    for keeps in [false, true] {
        let sandbox = Sandbox::compute().inherit_env("TEST_OUTPUT");
        let sandbox = if keeps { sandbox.keep_stdout() } else { sandbox };
        let pool = builder(Transport::Ring, 1).sandbox(sandbox).build().expect("built");
        let same_file = |()| {
            let files = [1, 2].map(|number| {
                // SAFETY: the descriptor is a standard one, and the structure is filled.
                unsafe {
                    let mut status: libc::stat = std::mem::zeroed();
                    assert_eq!(libc::fstat(number, &mut status), 0);
                    (status.st_dev, status.st_ino)
                }
            });
            files[0] == files[1]
        };
        let same = pool.submit(same_file, ()).and_then(|future| get(&future));
        // Some C libraries ask for the status of a descriptor with a path, which is refused.
        if let Ok(same) = same {
            assert_eq!(same, !keeps);
        }
    }
    // A function that gets the lines gets them in either case.
    let (send, lines) = std::sync::mpsc::channel();
    let output = Output::lines(move |line| _ = send.send(line.text().to_string()));
    let sandbox = Sandbox::compute().inherit_env("TEST_OUTPUT");
    let pool = builder(Transport::Ring, 1).stdout(output).sandbox(sandbox).build().expect("built");
    get(&pool.submit(|()| println!("a line"), ()).expect("accepted")).expect("a result");
    drop(pool);
    assert!(lines.iter().any(|line| line.trim_end() == "a line"));
}

#[test]
fn namespaces_are_made_where_the_system_lets_workers_do_so() {
    let sandbox = Sandbox::compute().namespaces();
    let Ok(_) = sandbox.check() else { return println!("SKIPPED: this system has none") };
    let pool = pool(Transport::Ring, sandbox);
    let Some(status) = pool.sandbox_status() else { return println!("SKIPPED: this system refuses them") };
    assert_eq!(status.layer(Layer::Namespaces), &LayerState::InForce);
    // SAFETY: system calls without arguments.
    let own = unsafe { libc::geteuid() };
    // SAFETY: as above.
    let ask = |()| unsafe { libc::geteuid() };
    assert_eq!(get(&pool.submit(ask, ()).expect("accepted")).expect("a result"), own, "it keeps its user");
    let pid = pool.worker_pids()[0];
    let space = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    assert_ne!(space(pid), space(std::process::id()));
}

#[test]
fn backtraces_have_names_if_symbols_are_read() {
    let pool = pool(Transport::Ring, Sandbox::compute().symbols());
    let trace = |()| std::backtrace::Backtrace::force_capture().to_string();
    let text = get(&pool.submit(trace, ()).expect("accepted")).expect("a result");
    assert!(text.contains("backtraces_have_names"), "{text}");
}

#[test]
fn sandboxes_are_values_and_wrong_ones_are_refused() {
    let sandbox = Sandbox::parse().read("/usr").tmpdir().on_refusal(Refusal::Kill);
    let mut bytes = Vec::new();
    codec::encode(&sandbox, &mut bytes).expect("written");
    assert_eq!(codec::decode::<Sandbox>(&bytes).expect("read"), sandbox);
    for wrong in [
        Sandbox::compute().read("/"),
        Sandbox::compute().read("/no/such/file"),
        Sandbox::compute().open_files(1),
        Sandbox::compute().cpu_time(Duration::ZERO),
        Sandbox::compute().inherit_env("a=b"),
    ] {
        assert_eq!(wrong.check().expect_err("wrong").kind(), ErrorKind::InvalidArgument);
        let built = builder(Transport::Ring, 1).sandbox(wrong).build();
        assert_eq!(built.expect_err("wrong").kind(), ErrorKind::InvalidArgument);
    }
}
