//! However a program ends, it leaves no worker and no descendant of a worker behind.

use std::{
    hint::black_box,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
    sync::Mutex,
    time::Instant,
};

use executor_core::{Executor, Future};
use process_pool::{ProcessPoolExecutor, Transport};

use crate::{
    programs,
    support::{
        SharedDir, add_line, builder, get, is_alive, is_stopped, kill, never_ends, pool, touch, wait_for_file,
        wait_until, warm_up,
    },
};

type Begin = fn(&Activity);

/// What workers do when their program ends. Each activity has a pool of its own, over each transport.
const ACTIVITIES: [(&str, Begin); 10] = [
    ("idle", |activity| activity.keep(activity.pool())),
    ("with a child", |activity| activity.keep_busy(starts_a_child)),
    ("with children in sessions of their own", |activity| activity.keep_busy(starts_a_family)),
    ("blocked in a read", |activity| activity.keep_busy(reads)),
    ("ignoring signals", |activity| activity.keep_busy(ignores_every_signal)),
    ("with a pool of its own", |activity| activity.keep_busy(has_a_pool)),
    ("in the initializer", |activity| {
        let pool = builder(activity.transport, 1).initializer(never_ends, activity.path("runs")).build().unwrap();
        wait_for_file(&activity.path("runs"));
        activity.keep(pool);
    }),
    ("in a loop without a system call", |activity| activity.keep_busy(spins)),
    // The last two only last for a moment.
    ("receiving", |activity| {
        let pool = activity.pool();
        keep_future(pool.submit(|text: String| text.len() as u32, "7".repeat(activity.mebibytes << 20)).unwrap());
        activity.keep(pool);
    }),
    ("starting", |activity| activity.keep(builder(activity.transport, 2).build().unwrap())),
];

/// The pool and the files of an activity.
struct Activity {
    transport: Transport,
    directory: String,
    business: &'static str,
    /// The size of the argument that is being received: it takes longer than the end of the program.
    mebibytes: usize,
}

/// The pools of the program. A static is not dropped, and a dropped pool would wait for its tasks.
static HELD: Mutex<Vec<ProcessPoolExecutor>> = Mutex::new(Vec::new());
static FUTURES: Mutex<Vec<Future<u32>>> = Mutex::new(Vec::new());

fn keep_future(future: Future<u32>) {
    FUTURES.lock().unwrap().push(future);
}

impl Activity {
    fn path(&self, name: &str) -> String {
        format!("{}/{:?} {} {name}", self.directory, self.transport, self.business)
    }

    /// Notes the processes that must end.
    fn keep(&self, pool: ProcessPoolExecutor) {
        pool.worker_pids().into_iter().for_each(|pid| add_line(&self.path("pids"), pid));
        HELD.lock().unwrap().push(pool);
    }

    fn pool(&self) -> ProcessPoolExecutor {
        let pool = pool(self.transport, 1);
        warm_up(&pool, 1);
        pool
    }

    /// Runs a task that notes what it has started and then that it runs.
    fn keep_busy(&self, task: fn((String, String))) {
        let pool = self.pool();
        // A worker cannot find a function that is passed as a value, so each has a call of its own.
        let arguments = (self.path("pids"), self.path("runs"));
        let tasks = [starts_a_child, spins, reads, ignores_every_signal, has_a_pool, starts_a_family];
        let number = tasks.iter().position(|other| std::ptr::fn_addr_eq(*other, task)).unwrap();
        let run = move |(number, arguments): (usize, (String, String))| {
            [starts_a_child, spins, reads, ignores_every_signal, has_a_pool, starts_a_family][number](arguments);
            0
        };
        keep_future(pool.submit(run, (number, arguments)).unwrap());
        wait_for_file(&self.path("runs"));
        self.keep(pool);
    }
}

// The worker is killed, and its child with it.
#[allow(clippy::zombie_processes)]
fn starts_a_child((pids, runs): (String, String)) {
    let child = Command::new("sleep").arg("1000").stdout(Stdio::null()).spawn().expect("starts");
    add_line(&pids, child.id());
    never_ends(runs);
}

fn starts_a_family((pids, runs): (String, String)) {
    crate::descendants::starts_a_family(&pids);
    never_ends(runs);
}

fn spins((_, runs): (String, String)) {
    touch(&runs);
    let mut number = 0_u64;
    loop {
        number = black_box(number).wrapping_add(1);
    }
}

fn reads((_, runs): (String, String)) {
    use std::io::Read as _;
    let (mut reader, _writer) = test_support::pipe();
    touch(&runs);
    let _ = reader.read(&mut [0]);
}

#[allow(unsafe_code)]
fn ignores_every_signal((_, runs): (String, String)) {
    for signal in (1..32).filter(|signal| ![libc::SIGKILL, libc::SIGSTOP].contains(signal)) {
        // SAFETY: no handler is installed.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    never_ends(runs);
}

fn has_a_pool((pids, runs): (String, String)) {
    let inner = pool(Transport::Ring, 1);
    let path = format!("{runs} inner");
    let busy = inner.submit(never_ends, path.clone()).unwrap();
    wait_for_file(&path);
    inner.worker_pids().into_iter().for_each(|pid| add_line(&pids, pid));
    touch(&runs);
    get(&busy).unwrap();
}

/// Builds pools, notes all processes, and ends in the given way.
pub fn holds_pools() {
    let directory = std::env::var("DIRECTORY").unwrap();
    let way = std::env::var("WAY").unwrap();
    let path = |name: &str| format!("{directory}/{name}");
    let mebibytes = if way == "is killed" { 256 } else { 32 };
    for (business, begin) in ACTIVITIES {
        for transport in [Transport::Ring, Transport::Socket] {
            begin(&Activity { transport, directory: directory.clone(), business, mebibytes });
        }
    }
    if way.contains("copy") {
        fork_and_stay(&path("forked"));
    }
    if way.contains("threads") {
        for transport in [Transport::Ring, Transport::Socket] {
            use_in_a_thread(transport, path("threads"));
        }
        wait_until("the threads", || Path::new(&path("threads")).exists());
    }
    touch(&path("built"));
    match way.as_str() {
        "returns" | "returns with threads" => {}
        "leaks" => std::mem::forget(std::mem::take(&mut *HELD.lock().unwrap())),
        "panics" => panic!("as intended"),
        "exits" => std::process::exit(0),
        "aborts" => std::process::abort(),
        "becomes another program" => {
            let error = Command::new("sh").args(["-c", "echo > \"$0\"; exec sleep 1000"]).arg(path("other")).exec();
            panic!("{error}");
        }
        _ => loop {
            std::thread::park();
        },
    }
}

fn use_in_a_thread(transport: Transport, sign: String) {
    let pool = pool(transport, 2);
    std::thread::spawn(move || {
        loop {
            let sums = pool.map(|n: u32| n + 1, 0..100).unwrap();
            assert_eq!(sums.map(Result::unwrap).sum::<u32>(), 5050);
            pool.worker_pids().into_iter().for_each(|pid| add_line(&format!("{sign} pids"), pid));
            touch(&sign);
        }
    });
}

/// Forks a copy of this process, which keeps all descriptors open for a while.
#[allow(unsafe_code)]
fn fork_and_stay(forked: &str) {
    // SAFETY: the child only waits, and exits without running destructors or exit handlers.
    match unsafe { libc::fork() } {
        0 => {
            wait_until("the end of the test", || Path::new(&format!("{forked}.end")).exists());
            // SAFETY: it ends this process immediately.
            unsafe { libc::_exit(0) }
        }
        child => {
            assert!(child > 0);
            add_line(forked, child);
        }
    }
}

/// Runs the program to its end, and waits until all processes that it has noted have ended.
fn leaves_no_process(way: &str) {
    let dir = SharedDir::new();
    let directory = dir.path("");
    let mut program = programs::start("holds_pools", &[("DIRECTORY", &directory), ("WAY", way)]);
    wait_until("the pools", || dir.has("built") || program.try_wait().unwrap().is_some());
    assert!(dir.has("built"), "the program has failed: {:?}", program.wait());
    match way {
        "is killed" | "is killed and leaves a copy" => program.kill().unwrap(),
        "is stopped and killed" => {
            kill(program.id(), libc::SIGSTOP);
            wait_until("the program to be stopped", || is_stopped(program.id()));
            program.kill().unwrap();
        }
        _ => {}
    }
    let start = match way {
        "becomes another program" => {
            wait_until("the other program", || dir.has("other"));
            Instant::now()
        }
        _ => {
            program.wait().unwrap();
            Instant::now()
        }
    };
    let mut left = Vec::new();
    for entry in std::fs::read_dir(&directory).unwrap().flatten() {
        let file = entry.file_name().into_string().unwrap();
        if file.ends_with(" pids") {
            left.extend(dir.numbers(&file).into_iter().map(|pid| (pid, file.clone())));
        }
    }
    let count = left.len();
    let mut last = String::new();
    wait_until(&format!("the ends of all in a program that {way}"), || {
        left.retain(|(pid, file)| is_alive(*pid) || (last.clone_from(file), false).1);
        left.is_empty()
    });
    let took = start.elapsed();
    // One process for each activity, a second one for three of them, and all of that on both transports.
    assert!(count >= (ACTIVITIES.len() + 3) * 2, "{count} were noted");
    println!("a program {way}: {count} processes, the last gone after {took:?} ({last})");
    if way == "becomes another program" {
        assert_eq!(program.try_wait().unwrap(), None, "the other program lives on");
        program.kill().unwrap();
        program.wait().unwrap();
    }
    dir.touch("forked.end");
    for pid in dir.numbers("forked") {
        wait_until("the end of the copy", || !is_alive(pid));
    }
}

#[test]
fn a_killed_program_leaves_no_process() {
    leaves_no_process("is killed");
}

#[test]
fn a_stopped_and_killed_program_leaves_no_process() {
    leaves_no_process("is stopped and killed");
}

#[test]
fn a_program_that_aborts_leaves_no_process() {
    leaves_no_process("aborts");
}

#[test]
fn a_program_that_exits_with_pools_leaves_no_process() {
    leaves_no_process("exits");
}

#[test]
fn a_program_that_leaks_its_pools_leaves_no_process() {
    leaves_no_process("leaks");
}

#[test]
fn a_program_whose_main_function_panics_leaves_no_process() {
    leaves_no_process("panics");
}

#[test]
fn a_program_that_returns_while_threads_use_its_pools_leaves_no_process() {
    leaves_no_process("returns with threads");
}

#[test]
fn a_program_that_execs_another_leaves_no_workers() {
    leaves_no_process("becomes another program");
}

#[test]
fn a_forked_copy_of_a_program_does_not_keep_its_workers_alive() {
    leaves_no_process("is killed and leaves a copy");
}
