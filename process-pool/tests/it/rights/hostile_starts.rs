//! Attempts to turn a program with more rights than its caller into a worker.
//!
//! The attacker is a user without rights who runs an unprivileged copy of this library. The copy builds a pool, so
//! there is a genuine greeting from a genuine parent. Before this library runs in the started worker, the worker
//! executes the privileged program, with an environment, a standard input, descriptors, limits and ids that the
//! attacker chooses.
//!
//! `HOSTILE_STARTS` sets the number of pools. `HOSTILE_SEED` repeats one of them.
#![allow(unsafe_code)]

use std::{
    env,
    ffi::{CString, OsStr, OsString},
    fs,
    io::Write as _,
    os::unix::{ffi::OsStrExt as _, process::CommandExt as _},
    path::Path,
    process::Stdio,
    ptr::null,
};

use executor_core::{Error, Executor};
use process_pool::Transport;

use super::{NOBODY, command, files, files::OTHER, text_of};
use crate::{
    support::{Random, builder, get},
    world::{end_at_the_deadline, variable},
};

/// A variable of a process that is started as a worker: the seed, and the file to execute instead.
const PLAN: &str = "HOSTILE_START_PLAN";
/// A variable of a privileged program that takes all ids of its file, as `sudo` does.
const RISE: &str = "HOSTILE_START_RISE";
const MARKER: &str = "CONCURRENT_FUTURES_WORKER";

/// A function that a privileged program must never run for the attacker.
fn leaves_a_mark(directory: String) -> (u32, u32) {
    // SAFETY: system calls without pointers.
    let ids = unsafe { (libc::geteuid(), libc::getegid()) };
    let _ = fs::write(format!("{directory}/{}-{}-{}", ids.0, ids.1, std::process::id()), "");
    ids
}

#[used]
#[unsafe(link_section = ".init_array.00200")]
static BEFORE_THE_LIBRARY: extern "C" fn() = before_the_library;

extern "C" fn before_the_library() {
    if let Some(path) = env::var_os(RISE) {
        rise(&path);
    }
    if let (Some(_), Some(plan)) = (env::var_os(MARKER), env::var_os(PLAN)) {
        let plan = plan.to_str().expect("text");
        let (seed, path) = plan.split_once(' ').expect("a seed and a path");
        start_in_another_way(seed.parse().expect("a number"), Path::new(path));
    }
}

/// Executes the file in this process, with random changes. A seed of 0 changes nothing.
fn start_in_another_way(seed: u64, path: &Path) -> ! {
    let mut environment: Vec<OsString> = Vec::new();
    let mut random = Random::new(seed);
    for (key, value) in env::vars_os().filter(|(key, _)| key != PLAN) {
        environment.push(assignment(&key, &value));
    }
    if path.ends_with("rises") {
        // The first program does not see the marker, and the second one does.
        // SAFETY: a system call without pointers.
        unsafe { libc::dup2(0, 9) };
        environment.retain(|text| !text.as_bytes().starts_with(MARKER.as_bytes()));
        environment.push(format!("{RISE}={}", env::var(MARKER).unwrap_or_default()).into());
    }
    if seed != 0 {
        change_environment(&mut random, &mut environment);
        change_input(&mut random);
        change_limits(&mut random);
        change_parent(&mut random);
    }
    run(path, &environment)
}

fn assignment(key: &OsStr, value: &OsStr) -> OsString {
    let mut text = key.to_os_string();
    text.push("=");
    text.push(value);
    text
}

fn run(path: &Path, environment: &[OsString]) -> ! {
    let text = |text: &OsStr| CString::new(text.as_bytes()).expect("no zero");
    let path = text(path.as_os_str());
    let arguments = [text("hostile".as_ref()), text("--list".as_ref())];
    let environment: Vec<CString> = environment.iter().map(|variable| text(variable)).collect();
    let pointers = |texts: &[CString]| texts.iter().map(|text| text.as_ptr()).chain([null()]).collect::<Vec<_>>();
    // SAFETY: all texts end with a zero, both lists with a null, and all live through the call. It returns where the
    // program cannot be run, and then this process ends immediately.
    unsafe {
        libc::execve(path.as_ptr(), pointers(&arguments).as_ptr(), pointers(&environment).as_ptr());
        libc::_exit(3)
    }
}

/// Does what `sudo` does: takes all ids of the owner of the file, and executes a program that cannot see this.
fn rise(marker: &OsStr) {
    // SAFETY: system calls without pointers, before anything else in this process.
    unsafe {
        let (user, group) = (libc::geteuid(), libc::getegid());
        libc::setresgid(group, group, group);
        libc::setresuid(user, user, user);
        libc::dup2(9, 0);
        libc::close(9);
    }
    let plain = env::current_exe().expect("a path").with_file_name("plain");
    let mut environment: Vec<OsString> = Vec::new();
    for (key, value) in env::vars_os().filter(|(key, _)| key != RISE) {
        environment.push(assignment(&key, &value));
    }
    environment.push(assignment(OsStr::new(MARKER), marker));
    run(&plain, &environment)
}

fn change_environment(random: &mut Random, environment: &mut Vec<OsString>) {
    let others = [
        "LD_BIND_NOW=1",
        "LD_DEBUG=all",
        "LD_PRELOAD=/nowhere.so",
        "LD_LIBRARY_PATH=/tmp",
        "LD_AUDIT=/nowhere.so",
        "GLIBC_TUNABLES=glibc.malloc.check=3",
        "MALLOC_PERTURB_=7",
        "RUST_BACKTRACE=full",
        "RUST_MIN_STACK=1",
        "CONCURRENT_FUTURES_DEPTH=0",
        "CONCURRENT_FUTURES_DEPTH=-1",
        "PATH=",
        "TMPDIR=/nowhere",
        "LANG=\u{7f}",
    ];
    for _ in 0..random.below(4) {
        environment.push(others[random.below(others.len() as u64) as usize].into());
    }
    if random.one_in(6) {
        let at = environment.iter().position(|text| text.as_bytes().starts_with(MARKER.as_bytes()));
        match (at, random.below(4)) {
            (Some(at), 0) => drop(environment.remove(at)),
            (Some(at), 1) => environment.push(environment[at].clone()),
            (_, 2) => environment.push(format!("{MARKER}=1").into()),
            (_, _) => environment.insert(0, format!("{MARKER}=ffffffffffffffff").into()),
        }
    }
    if random.one_in(20) {
        environment.push(format!("EXCESS={}", "x".repeat(100_000)).into());
    }
}

fn change_input(random: &mut Random) {
    // SAFETY: system calls without pointers, but for the names and the pair, which live through the calls. This process
    // has no other thread, and runs another program next.
    unsafe {
        match random.below(10) {
            0 => drop(libc::close(0)),
            1 => drop(libc::dup2(libc::open(c"/dev/null".as_ptr(), libc::O_RDWR), 0)),
            2 => {
                // The greeting arrives through a socket pair of the attacker, whose other end stays open.
                let (mut bytes, mut pair) = ([0_u8; 4096], [0; 2]);
                let length = libc::recv(0, bytes.as_mut_ptr().cast(), bytes.len(), libc::MSG_PEEK | libc::MSG_DONTWAIT);
                libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr());
                libc::send(pair[0], bytes.as_ptr().cast(), length.max(0) as usize, libc::MSG_DONTWAIT);
                libc::dup2(pair[1], 0);
            }
            _ => {}
        }
        for descriptor in [1, 2] {
            if random.one_in(5) {
                libc::close(descriptor);
            }
        }
    }
}

fn change_limits(random: &mut Random) {
    let limits: [(_, [u64; 4]); 7] = [
        (libc::RLIMIT_NOFILE, [0, 3, 5, 64]),
        (libc::RLIMIT_FSIZE, [0, 1, 4096, 1 << 20]),
        (libc::RLIMIT_NPROC, [0, 1, 2, 1000]),
        (libc::RLIMIT_STACK, [64 << 10, 256 << 10, 1 << 20, 8 << 20]),
        (libc::RLIMIT_DATA, [1 << 20, 8 << 20, 64 << 20, 1 << 30]),
        (libc::RLIMIT_AS, [64 << 20, 256 << 20, 1 << 30, 8 << 30]),
        (libc::RLIMIT_CORE, [0, 1, 4096, 1 << 30]),
    ];
    for _ in 0..random.below(3) {
        let (resource, values) = limits[random.below(limits.len() as u64) as usize];
        // No limit is larger than the address space.
        let value = values[random.below(4) as usize].min(isize::MAX as u64) as libc::rlim_t;
        let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
        // SAFETY: the limit is read from a valid place.
        unsafe { libc::setrlimit(resource, &limit) };
    }
    if random.one_in(5) {
        // SAFETY: the set is initialised before it is used, and no handler is installed.
        unsafe {
            let mut all = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::sigprocmask(libc::SIG_SETMASK, &all, std::ptr::null_mut());
            libc::signal(libc::SIGCHLD, libc::SIG_IGN);
            libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        }
    }
}

/// Lets a child of this process, or an orphan, run the program.
fn change_parent(random: &mut Random) {
    if !random.one_in(6) {
        return;
    }
    let stays = random.one_in(2);
    // SAFETY: this process has no other thread, and the parent exits without running destructors or exit handlers.
    unsafe {
        let before = libc::getpid();
        match libc::fork() {
            0 if stays => {}
            0 => while libc::getppid() == before {},
            _ => {
                if stays {
                    libc::wait(std::ptr::null_mut());
                }
                libc::_exit(0)
            }
        }
    }
}

/// Builds pools whose workers are started in other ways, and prints the outcomes of tasks.
pub fn attacks() {
    end_at_the_deadline();
    let (file, marks) = (variable("FILE"), variable("MARKS"));
    let (first, count): (u64, u64) = (variable("FIRST").parse().unwrap(), variable("COUNT").parse().unwrap());
    for seed in first..first + count {
        let transport = if seed % 2 == 0 { Transport::Ring } else { Transport::Socket };
        let outcome = (|| -> Result<(u32, u32), Error> {
            let pool = builder(transport, 1).env(PLAN, format!("{seed} {file}")).build()?;
            get(&pool.submit(leaves_a_mark, marks.clone())?)
        })();
        // The harness captures `println!`, so this writes to the descriptor.
        let _ = writeln!(std::io::stderr(), "attempt {seed}: {outcome:?}");
    }
}

/// Runs these attempts on a file as a user. Returns the output and the names of the marks.
fn attempts(file: &Path, marks: &Path, user: u32, seeds: std::ops::Range<u64>) -> (String, Vec<OsString>) {
    let plain = file.with_file_name("plain");
    let mut attacker = command(&plain, "attacks", user);
    attacker.env("FILE", file).env("MARKS", marks).env("FIRST", seeds.start.to_string());
    attacker.env("COUNT", (seeds.end - seeds.start).to_string()).stdout(Stdio::null());
    attacker.process_group(0);
    let output = attacker.output().expect("starts");
    let text = text_of(&output);
    assert!(output.status.success(), "{}: {}\n{text}", file.display(), output.status);
    let left = fs::read_dir(marks).expect("a directory").map(|entry| entry.expect("readable").file_name()).collect();
    (text, left)
}

#[test]
fn no_start_makes_a_worker_of_a_program_with_more_rights() {
    let Some(files) = files("attempts to make a worker of a program with rights") else { return };
    let marks = files.open_directory("marks");
    // The attack works on a program that has no more rights than its caller.
    let (text, left) = attempts(&files.plain, &marks, NOBODY, 0..1);
    assert!(text.contains(&format!("attempt 0: Ok(({NOBODY}, {NOBODY}))")), "{text}");
    assert_eq!(left.len(), 1);
    fs::remove_file(marks.join(&left[0])).expect("removed");

    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seeds = match number("HOSTILE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HOSTILE_STARTS").unwrap_or(60),
    };
    let mut targets: Vec<_> = files.that_give_rights().into();
    targets.push(("through one that makes the rights its own", files.rises.clone()));
    // Each process makes a few attempts, so that all users and files are attacked.
    const PER_PROCESS: u64 = 10;
    let mut refused = 0;
    for (turn, first) in seeds.clone().step_by(PER_PROCESS as usize).enumerate() {
        let (what, file) = &targets[turn % targets.len()];
        let user = [NOBODY, 1000, OTHER + 1][turn % 3];
        let (text, left) = attempts(file, &marks, user, first..(first + PER_PROCESS).min(seeds.end));
        assert!(left.is_empty(), "a function was run by a program that is {what}: {left:?}\n{text}");
        assert!(!text.contains(": Ok("), "{what}: {text}");
        refused += text.matches("a worker could not start").count();
    }
    println!("{} pools; {refused} times a process refused to be a worker with the reason", seeds.end - seeds.start);
}
