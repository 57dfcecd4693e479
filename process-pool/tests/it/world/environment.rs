//! Hosts with unusual variables, directories and file systems.

use std::{
    ffi::CString,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use executor_core::{ErrorKind, Executor};

use super::{BOTH, end_at_the_deadline, is_root, skip, use_a_pool};
use crate::{
    programs,
    support::{SharedDir, get, kill, pool, wait_until},
};

fn assert_works(what: &str, command: &mut Command) {
    let Output { status, stdout, stderr } = command.output().expect("starts");
    let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success() && text.contains("the pools work"), "{what}: {status}\n{text}");
}

#[test]
fn a_pool_needs_no_directory_for_temporary_files() {
    let dir = SharedDir::new();
    let long = dir.path(&"long/".repeat(60));
    fs::create_dir_all(&long).unwrap();
    assert!(long.len() > 300);
    let read_only = dir.path("read_only");
    fs::create_dir(&read_only).unwrap();
    fs::set_permissions(&read_only, fs::Permissions::from_mode(0o500)).unwrap();
    dir.touch("file");
    for directory in [&long, &dir.path("missing"), &read_only, &dir.path("file"), "", "\u{7}\n", "relative"] {
        assert_works(directory, programs::command("uses_pools").env("TMPDIR", directory));
    }
    assert_works("no TMPDIR", programs::command("uses_pools").env_remove("TMPDIR"));
}

#[test]
fn a_pool_needs_no_home_and_no_path() {
    assert_works("no HOME, no PATH", programs::command("uses_pools").env_remove("HOME").env_remove("PATH"));
    assert_works("odd ones", programs::command("uses_pools").env("HOME", "/proc").env("PATH", "/missing:."));
}

#[test]
fn a_pool_needs_no_environment() {
    programs::succeeds("has_no_environment", &[]);
}

#[allow(unsafe_code)]
pub fn has_no_environment() {
    end_at_the_deadline();
    for (key, _) in std::env::vars_os() {
        // SAFETY: the only other thread of this program waits for this one, and reads no variables.
        unsafe { std::env::remove_var(key) };
    }
    for transport in BOTH {
        use_a_pool(transport).expect("a pool that works");
        let pool = pool(transport, 1);
        let left = |()| std::env::vars().map(|(key, _)| key).filter(|key| key != "TEST_OUTPUT").collect::<Vec<_>>();
        // `quiet_workers` sets the other one before `main` where it is not there.
        assert_eq!(get(&pool.submit(left, ()).unwrap()).unwrap(), ["CONCURRENT_FUTURES_DEPTH"]);
    }
}

#[test]
fn an_environment_that_is_too_large_is_an_error() {
    programs::succeeds("has_too_much_environment", &[]);
}

#[allow(unsafe_code)]
pub fn has_too_much_environment() {
    end_at_the_deadline();
    let living: Vec<_> = BOTH.into_iter().map(|transport| pool(transport, 1)).collect();
    for number in 0..80 {
        // SAFETY: as above; the pools' threads read no variables but when they start a worker, and none ends yet.
        unsafe { std::env::set_var(format!("LARGE_{number}"), "x".repeat(100_000)) };
    }
    for transport in BOTH {
        let error = use_a_pool(transport).expect_err("so much cannot be passed on");
        assert_eq!(error.kind(), ErrorKind::Other, "{error}");
    }
    for pool in living {
        assert!(get(&pool.submit(|n: u32| n, 1).unwrap()).is_ok());
        kill(pool.worker_pids()[0], libc::SIGKILL);
        wait_until("the end of the only worker", || pool.worker_pids().is_empty());
        let error = pool.submit(|n: u32| n, 1).and_then(|future| get(&future)).expect_err("it cannot be replaced");
        assert_eq!(error.kind(), ErrorKind::Broken, "{error}");
    }
}

#[test]
fn a_pool_needs_no_current_directory() {
    let dir = SharedDir::new();
    let directory = dir.path("gone");
    fs::create_dir(&directory).unwrap();
    programs::succeeds("lost_its_directory", &[("DIRECTORY", &directory)]);
}

pub fn lost_its_directory() {
    end_at_the_deadline();
    let directory = super::variable("DIRECTORY");
    std::env::set_current_dir(&directory).unwrap();
    fs::remove_dir(&directory).unwrap();
    assert!(std::env::current_dir().is_err());
    super::uses_pools();
}

#[test]
fn read_only_full_or_missing_file_systems_are_not_needed_or_an_error() {
    if !is_root() {
        return skip("file systems that are read-only, full or missing", "only root can mount");
    }
    let text = programs::succeeds("has_odd_file_systems", &[]);
    if let Some(why) = text.lines().find_map(|line| line.strip_prefix("not allowed: ")) {
        skip("file systems that are read-only, full or missing", why);
    }
}

pub fn has_odd_file_systems() {
    end_at_the_deadline();
    let dir = SharedDir::new();
    if let Err(why) = mounts::of_my_own() {
        return println!("not allowed: {why}");
    }
    for options in ["size=4k,mode=1777", "size=4k,mode=1777,ro"] {
        let flags = if options.ends_with("ro") { libc::MS_RDONLY } else { 0 };
        for place in ["/dev/shm", &dir.path("")] {
            if Path::new(place).exists() {
                mounts::mount("tmpfs", place, flags, options.trim_end_matches(",ro")).expect("mounted");
            }
        }
        for transport in BOTH {
            use_a_pool(transport).expect("neither is needed");
        }
    }
    // Without `/proc` there is no check for resources that are left behind.
    let living: Vec<_> = BOTH.into_iter().map(|transport| pool(transport, 2)).collect();
    living.iter().for_each(|pool| assert_eq!(get(&pool.submit(|n: u32| n, 7).unwrap()).unwrap(), 7));
    // The root of a user name space may not remove what the name space was created with, but may cover it.
    mounts::unmount("/proc").or_else(|_| mounts::mount("tmpfs", "/proc", 0, "size=4k")).expect("/proc is gone");
    assert!(!Path::new("/proc/self").exists());
    for transport in BOTH {
        let error = process_pool::ProcessPoolExecutor::builder().transport(transport).max_workers(1).build();
        let error = error.expect_err("its own file cannot be found");
        assert_eq!(error.kind(), ErrorKind::Other, "{error}");
        assert!(error.to_string().contains("/proc leads to: mount it"), "{error}");
        assert!(!error.to_string().contains("fewer workers"), "{error}");
    }
    for pool in living {
        let workers = pool.worker_pids();
        kill(workers[0], libc::SIGKILL);
        wait_until("the end of one", || pool.worker_pids().len() == 1);
        assert_eq!(get(&pool.submit(|n: u32| n, 7).unwrap()).unwrap(), 7);
        kill(workers[1], libc::SIGKILL);
        wait_until("the end of the other", || pool.worker_pids().is_empty());
        let error = pool.submit(|n: u32| n, 1).and_then(|future| get(&future)).expect_err("none can be started");
        assert_eq!(error.kind(), ErrorKind::Broken, "{error}");
        let text = error.to_string();
        assert!(text.contains("/proc leads to: mount it") && !text.contains("fewer workers"), "{text}");
    }
}

/// Mounts that only this thread and its children can see.
#[allow(unsafe_code)]
mod mounts {
    use std::{io, ptr::null};

    use super::CString;

    fn check(result: i32) -> io::Result<()> {
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    pub fn of_my_own() -> io::Result<()> {
        // SAFETY: a system call without pointers.
        check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
        // SAFETY: the path ends with a zero byte, and what is null is not read for these flags.
        check(unsafe { libc::mount(null(), c"/".as_ptr(), null(), libc::MS_REC | libc::MS_PRIVATE, null()) })
    }

    pub fn mount(kind: &str, place: &str, flags: libc::c_ulong, options: &str) -> io::Result<()> {
        let text = |text: &str| CString::new(text).expect("no zero byte");
        let (kind, place, options) = (text(kind), text(place), text(options));
        // SAFETY: all texts end with a zero byte, and outlive the call.
        check(unsafe { libc::mount(kind.as_ptr(), place.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast()) })
    }

    pub fn unmount(place: &str) -> io::Result<()> {
        let place = CString::new(place).expect("no zero byte");
        // SAFETY: as above.
        check(unsafe { libc::umount2(place.as_ptr(), libc::MNT_DETACH) })
    }
}

#[test]
fn limits_of_core_files_and_stacks_do_not_break_pools() {
    // The program and its workers inherit the limits of the shell. Every limit is large enough to start a program.
    let dir = SharedDir::new();
    for limit in ["-c unlimited", "-c 0", "-s unlimited", "-s 1024", "-s 256", "-s 128"] {
        let program = programs::command("uses_pools_or_fails_cleanly");
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit {limit} || exit 77; exec \"$0\" \"$@\"")]);
        shell.arg(fs::read_link("/proc/self/exe").unwrap()).args(program.get_args()).current_dir(dir.path(""));
        shell.envs(program.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let output = shell.output().unwrap();
        if output.status.code() == Some(77) {
            skip(&format!("ulimit {limit}"), "not allowed here");
            continue;
        }
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{limit}: {}\n{text}", output.status);
        println!("ulimit {limit}: {}", text.lines().find(|line| line.contains("pools: ")).expect("an outcome"));
    }
}
