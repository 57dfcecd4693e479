//! A host on a terminal: tasks that want to read it are told that there is none, and are never stopped for it.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    os::unix::process::CommandExt as _,
    process::{Child, Command},
    thread,
};

use executor_core::{Executor, Future};

use crate::{
    programs,
    support::{
        SharedDir, add_line, get, is_alive, is_stopped, kill, pool, terminal, touch, wait_for_file, wait_until, warm_up,
    },
    world::{BOTH, end_if_it_hangs, told},
};

/// A terminal, and a program whose controlling terminal it is.
struct OnTerminal {
    master: File,
    program: Child,
}

#[allow(unsafe_code)]
fn start(name: &str, dir: &SharedDir) -> OnTerminal {
    let (master, slave) = terminal();
    let mut command = programs::command("leads_a_session");
    command.env("PROGRAM", name).env("DIRECTORY", dir.path(""));
    let stdio = || slave.try_clone().expect("another");
    command.stdin(stdio()).stdout(stdio()).stderr(stdio());
    // SAFETY: system calls without pointers.
    unsafe {
        command.pre_exec(|| {
            assert!(libc::setsid() > 0);
            assert_eq!(libc::ioctl(0, libc::TIOCSCTTY, 0), 0);
            // The tests themselves may be run by `nohup`.
            libc::signal(libc::SIGHUP, libc::SIG_DFL);
            Ok(())
        })
    };
    let program = command.spawn().expect("starts");
    OnTerminal { master, program }
}

/// What a shell does: it starts a program in a process group of its own, gives it the terminal, and waits for it.
#[allow(unsafe_code)]
pub fn leads_a_session() {
    end_if_it_hangs();
    let mut program = programs::command(&told("PROGRAM")).process_group(0).spawn().expect("starts");
    // SAFETY: ignoring is no handler; a system call without pointers.
    unsafe {
        libc::signal(libc::SIGTTOU, libc::SIG_IGN);
        assert_eq!(libc::tcsetpgrp(0, program.id().cast_signed()), 0);
    }
    add_line(&format!("{}host", told("DIRECTORY")), program.id());
    assert!(program.wait().unwrap().success());
}

/// Reads what the program prints, so that it does not fill the terminal, and keeps the terminal open.
fn read_all(master: &File) {
    let mut output = master.try_clone().expect("another");
    thread::spawn(move || {
        let mut said = Vec::new();
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = output.read(&mut buffer) {
            said.extend_from_slice(&buffer[..count]);
        }
        print!("{}", String::from_utf8_lossy(&said));
    });
}

#[test]
fn a_task_that_reads_the_terminal_is_told_that_there_is_none() {
    let dir = SharedDir::new();
    let mut on = start("has_tasks_that_want_the_terminal", &dir);
    read_all(&on.master);
    let status = on.program.wait().unwrap();
    assert!(status.success() && dir.has("done"), "{status}: {:?}", dir.lines("said"));
    drop(on.master);
}

/// What a task may do with a terminal. Each returns what came of it.
const WISHES: [fn() -> String; 5] = [
    || format!("{:?}", File::open("/dev/tty").and_then(|mut terminal| terminal.read(&mut [0]))),
    || format!("{:?}", File::create("/dev/tty").and_then(|mut terminal| terminal.write(b"to the terminal\n"))),
    || child("read line < /dev/tty"),
    || child("stty -echo < /proc/self/fd/1; stty echo < /proc/self/fd/1"),
    || child("echo to the standard output"),
];

fn child(script: &str) -> String {
    format!("{}", Command::new("sh").args(["-c", script]).status().expect("starts"))
}

#[allow(unsafe_code)]
pub fn has_tasks_that_want_the_terminal() {
    end_if_it_hangs();
    let path = |name: &str| format!("{}{name}", told("DIRECTORY"));
    // Background processes that write are stopped too.
    assert!(Command::new("stty").arg("tostop").status().unwrap().success());
    for transport in BOTH {
        let pool = pool(transport, 1);
        for wish in 0..WISHES.len() {
            let task = pool.submit(|wish: usize| WISHES[wish](), wish).unwrap();
            let answer = get_unless_stopped(&task, &pool.worker_pids(), wish);
            add_line(&path("said"), format!("wish {wish}: {answer}"));
            if wish < 2 {
                assert!(answer.contains("No such device"), "wish {wish}: {answer}");
            }
        }
    }
    // It is still the terminal of this program.
    File::open("/dev/tty").unwrap();
    touch(&path("done"));
}

fn get_unless_stopped(task: &Future<String>, workers: &[u32], wish: usize) -> String {
    wait_until("an answer", || {
        let stopped = workers.iter().chain(&descendants(workers)).find(|pid| is_stopped(**pid)).copied();
        if let Some(pid) = stopped {
            workers.iter().for_each(|pid| kill(*pid, libc::SIGKILL));
            panic!("process {pid} was stopped by wish {wish}");
        }
        task.done()
    });
    get(task).unwrap()
}

fn descendants(of: &[u32]) -> Vec<u32> {
    let mut found = Vec::new();
    for pid in of {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        found.extend(children.split(' ').filter_map(|pid| pid.parse::<u32>().ok()));
    }
    found
}

#[test]
fn a_stop_from_the_terminal_stops_the_host_alone_and_it_goes_on_as_if_nothing_had_been() {
    let dir = SharedDir::new();
    let mut on = start("runs_until_it_is_let_go", &dir);
    read_all(&on.master);
    wait_until("the tasks", || dir.has("built") || on.program.try_wait().unwrap().is_some());
    let host = dir.numbers("host")[0];
    on.master.write_all(b"\x1a").unwrap();
    wait_until("the stop", || is_stopped(host));
    dir.touch("gate.open");
    // The tasks go on to their ends, for which their host is not needed.
    let workers = dir.numbers("workers");
    assert!(!workers.is_empty() && !workers.iter().any(|pid| is_stopped(*pid)));
    wait_until("the ends of the tasks", || dir.lines("ended").len() == 2);
    assert!(is_stopped(host));
    kill(host, libc::SIGCONT);
    assert!(on.program.wait().unwrap().success());
    assert!(dir.has("done"));
}

#[test]
fn the_end_of_the_terminal_ends_the_host_and_its_workers() {
    let dir = SharedDir::new();
    let mut on = start("runs_until_it_is_let_go", &dir);
    wait_until("the tasks", || dir.has("built") || on.program.try_wait().unwrap().is_some());
    let workers = dir.numbers("workers");
    let host = dir.numbers("host")[0];
    assert!(!workers.is_empty());
    drop(on.master);
    wait_until("the end of the host", || !is_alive(host));
    on.program.wait().unwrap();
    wait_until("the ends of its workers", || !workers.iter().any(|pid| is_alive(*pid)));
}

pub fn runs_until_it_is_let_go() {
    fn passes_and_says((gate, ended): (String, String)) {
        touch(&format!("{gate}.runs"));
        wait_for_file(&format!("{gate}.open"));
        add_line(&ended, "one");
    }
    end_if_it_hangs();
    let path = |name: &str| format!("{}{name}", told("DIRECTORY"));
    let pools = BOTH.map(|transport| pool(transport, 1));
    let tasks = pools.each_ref().map(|pool| {
        warm_up(pool, 1);
        pool.submit(passes_and_says, (path("gate"), path("ended"))).unwrap()
    });
    wait_for_file(&path("gate.runs"));
    pools.iter().flat_map(|pool| pool.worker_pids()).for_each(|pid| add_line(&path("workers"), pid));
    touch(&path("built"));
    tasks.iter().for_each(|task| get(task).unwrap());
    touch(&path("done"));
}
