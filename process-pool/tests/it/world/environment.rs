//! Variables, directories and file systems.

use std::{
    ffi::CString,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use executor_core::{ErrorKind, Executor};

use super::{BOTH, end_if_it_hangs, is_root, skip, use_a_pool};
use crate::{
    programs,
    support::{SharedDir, get, kill, pool, wait_until},
};

fn assert_works(what: &str, command: &mut Command) {
    let Output { status, stdout, stderr } = command.output().expect("starts");
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success() && said.contains("the pools work"), "{what}: {status}\n{said}");
}

#[test]
fn a_directory_for_temporary_files_is_not_needed() {
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
fn a_home_and_a_path_are_not_needed() {
    assert_works("no HOME, no PATH", programs::command("uses_pools").env_remove("HOME").env_remove("PATH"));
    assert_works("odd ones", programs::command("uses_pools").env("HOME", "/proc").env("PATH", "/missing:."));
}

#[test]
fn an_environment_is_not_needed() {
    programs::succeeds("has_no_environment", &[]);
}

#[allow(unsafe_code)]
pub fn has_no_environment() {
    end_if_it_hangs();
    for (key, _) in std::env::vars_os() {
        // SAFETY: the only other thread of this program waits for this one, and reads no variables.
        unsafe { std::env::remove_var(key) };
    }
    for transport in BOTH {
        use_a_pool(transport).expect("a pool that works");
        let pool = pool(transport, 1);
        let left =
            get(&pool.submit(|()| std::env::vars().map(|(key, _)| key).collect::<Vec<_>>(), ()).unwrap()).unwrap();
        assert_eq!(left, ["CONCURRENT_FUTURES_DEPTH"]);
    }
}

#[test]
fn an_environment_that_no_program_can_be_started_with_is_an_error() {
    programs::succeeds("has_too_much_environment", &[]);
}

#[allow(unsafe_code)]
pub fn has_too_much_environment() {
    end_if_it_hangs();
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
fn a_current_directory_that_is_gone_is_not_missed() {
    let dir = SharedDir::new();
    let directory = dir.path("gone");
    fs::create_dir(&directory).unwrap();
    programs::succeeds("lost_its_directory", &[("DIRECTORY", &directory)]);
}

pub fn lost_its_directory() {
    end_if_it_hangs();
    let directory = super::told("DIRECTORY");
    std::env::set_current_dir(&directory).unwrap();
    fs::remove_dir(&directory).unwrap();
    assert!(std::env::current_dir().is_err());
    super::uses_pools();
}

#[test]
fn file_systems_that_are_read_only_full_or_missing_are_not_missed_or_an_error() {
    if !is_root() {
        return skip("file systems that are read-only, full or missing", "only root can mount");
    }
    let said = programs::succeeds("has_odd_file_systems", &[]);
    if let Some(why) = said.lines().find_map(|line| line.strip_prefix("not allowed: ")) {
        skip("file systems that are read-only, full or missing", why);
    }
}

pub fn has_odd_file_systems() {
    end_if_it_hangs();
    let dir = SharedDir::new();
    if let Err(why) = mounts::of_my_own() {
        return println!("not allowed: {why}");
    }
    for options in ["size=4k,mode=1777", "size=4k,mode=1777,ro"] {
        let flags = if options.ends_with("ro") { libc::MS_RDONLY } else { 0 };
        for place in ["/dev/shm", &dir.path("")] {
            if Path::new(place).exists() {
                mounts::touch("tmpfs", place, flags, options.trim_end_matches(",ro")).expect("mounted");
            }
        }
        for transport in BOTH {
            use_a_pool(transport).expect("neither is needed");
        }
    }
    // From here on nothing can be asked of `/proc`, so neither can what is left behind.
    let living: Vec<_> = BOTH.into_iter().map(|transport| pool(transport, 2)).collect();
    living.iter().for_each(|pool| assert_eq!(get(&pool.submit(|n: u32| n, 7).unwrap()).unwrap(), 7));
    mounts::take_away("/proc").expect("unmounted");
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

/// Mounts that only this thread, and what it starts, can see.
#[allow(unsafe_code)]
mod mounts {
    use std::{io, ptr::null};

    use super::CString;

    fn check(answer: i32) -> io::Result<()> {
        if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    pub fn of_my_own() -> io::Result<()> {
        // SAFETY: a system call without pointers.
        check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
        // SAFETY: the path ends with a zero byte, and what is null is not read for these flags.
        check(unsafe { libc::mount(null(), c"/".as_ptr(), null(), libc::MS_REC | libc::MS_PRIVATE, null()) })
    }

    pub fn touch(kind: &str, place: &str, flags: libc::c_ulong, options: &str) -> io::Result<()> {
        let text = |text: &str| CString::new(text).expect("no zero byte");
        let (kind, place, options) = (text(kind), text(place), text(options));
        // SAFETY: all texts end with a zero byte, and outlive the call.
        check(unsafe { libc::mount(kind.as_ptr(), place.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast()) })
    }

    pub fn take_away(place: &str) -> io::Result<()> {
        let place = CString::new(place).expect("no zero byte");
        // SAFETY: as above.
        check(unsafe { libc::umount2(place.as_ptr(), libc::MNT_DETACH) })
    }
}

#[test]
fn limits_of_core_files_and_of_stacks_change_nothing_that_matters() {
    // What the shell sets holds for the program and for its workers. None is so small that no program can start at all.
    let dir = SharedDir::new();
    for limit in ["-c unlimited", "-c 0", "-s unlimited", "-s 1024", "-s 256", "-s 128"] {
        let program = programs::command("uses_pools_or_is_told");
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit {limit} || exit 77; exec \"$0\" \"$@\"")]);
        shell.arg(fs::read_link("/proc/self/exe").unwrap()).args(program.get_args()).current_dir(dir.path(""));
        shell.envs(program.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let output = shell.output().unwrap();
        if output.status.code() == Some(77) {
            skip(&format!("ulimit {limit}"), "not allowed here");
            continue;
        }
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{limit}: {}\n{said}", output.status);
        println!("ulimit {limit}: {}", said.lines().find(|line| line.contains("pools: ")).expect("an outcome"));
    }
}
