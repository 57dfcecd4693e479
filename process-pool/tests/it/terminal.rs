//! Hosts on a terminal. Tasks that access the terminal get an error and are never stopped.

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
    world::{BOTH, end_at_the_deadline, variable},
};

/// A terminal, and a program that has it as its controlling terminal.
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

/// Does what a shell does: starts a program in a process group of its own, gives it the terminal, and waits for it.
#[allow(unsafe_code)]
pub fn leads_a_session() {
    end_at_the_deadline();
    let mut program = programs::command(&variable("PROGRAM")).process_group(0).spawn().expect("starts");
    // SAFETY: no handler is installed, and the other system call has no pointers.
    unsafe {
        libc::signal(libc::SIGTTOU, libc::SIG_IGN);
        assert_eq!(libc::tcsetpgrp(0, program.id() as libc::pid_t), 0);
    }
    add_line(&format!("{}host", variable("DIRECTORY")), program.id());
    assert!(program.wait().unwrap().success());
}

/// Reads what the program prints, so that it does not fill the terminal, and keeps the terminal open.
fn read_all(master: &File) {
    let mut output = master.try_clone().expect("another");
    thread::spawn(move || {
        let mut text = Vec::new();
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = output.read(&mut buffer) {
            text.extend_from_slice(&buffer[..count]);
        }
        print!("{}", String::from_utf8_lossy(&text));
    });
}

#[test]
fn a_task_that_reads_the_terminal_gets_an_error() {
    let dir = SharedDir::new();
    let mut on = start("has_tasks_that_want_the_terminal", &dir);
    read_all(&on.master);
    let status = on.program.wait().unwrap();
    assert!(status.success() && dir.has("done"), "{status}: {:?}", dir.lines("outcomes"));
    drop(on.master);
}

/// What a task may try with a terminal. Each returns the outcome.
const ACCESSES: [fn() -> String; 5] = [
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
    end_at_the_deadline();
    let path = |name: &str| format!("{}{name}", variable("DIRECTORY"));
    // This setting stops background processes that write, too.
    assert!(Command::new("stty").arg("tostop").status().unwrap().success());
    for transport in BOTH {
        let pool = pool(transport, 1);
        for access in 0..ACCESSES.len() {
            let task = pool.submit(|access: usize| ACCESSES[access](), access).unwrap();
            let outcome = get_unless_stopped(&task, &pool.worker_pids(), access);
            add_line(&path("outcomes"), format!("access {access}: {outcome}"));
            if access < 2 {
                assert!(outcome.contains("No such device"), "access {access}: {outcome}");
            }
        }
    }
    // This program still has its terminal.
    File::open("/dev/tty").unwrap();
    touch(&path("done"));
}

fn get_unless_stopped(task: &Future<String>, workers: &[u32], access: usize) -> String {
    wait_until("the outcome", || {
        let stopped = workers.iter().chain(&descendants(workers)).find(|pid| is_stopped(**pid)).copied();
        if let Some(pid) = stopped {
            workers.iter().for_each(|pid| kill(*pid, libc::SIGKILL));
            panic!("process {pid} was stopped by access {access}");
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
fn a_stop_from_the_terminal_stops_the_host_and_not_its_workers() {
    let dir = SharedDir::new();
    let mut on = start("runs_until_released", &dir);
    read_all(&on.master);
    wait_until("the tasks", || dir.has("built") || on.program.try_wait().unwrap().is_some());
    let host = dir.numbers("host")[0];
    on.master.write_all(b"\x1a").unwrap();
    wait_until("the stop", || is_stopped(host));
    dir.touch("gate.open");
    // The tasks end, although their host is stopped.
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
    let mut on = start("runs_until_released", &dir);
    wait_until("the tasks", || dir.has("built") || on.program.try_wait().unwrap().is_some());
    let workers = dir.numbers("workers");
    let host = dir.numbers("host")[0];
    assert!(!workers.is_empty());
    drop(on.master);
    wait_until("the end of the host", || !is_alive(host));
    on.program.wait().unwrap();
    wait_until("the ends of its workers", || !workers.iter().any(|pid| is_alive(*pid)));
}

pub fn runs_until_released() {
    fn passes_and_notes((gate, ended): (String, String)) {
        touch(&format!("{gate}.runs"));
        wait_for_file(&format!("{gate}.open"));
        add_line(&ended, "one");
    }
    end_at_the_deadline();
    let path = |name: &str| format!("{}{name}", variable("DIRECTORY"));
    let pools = BOTH.map(|transport| pool(transport, 1));
    let tasks = pools.each_ref().map(|pool| {
        warm_up(pool, 1);
        pool.submit(passes_and_notes, (path("gate"), path("ended"))).unwrap()
    });
    wait_for_file(&path("gate.runs"));
    pools.iter().flat_map(|pool| pool.worker_pids()).for_each(|pid| add_line(&path("workers"), pid));
    touch(&path("built"));
    tasks.iter().for_each(|task| get(task).unwrap());
    touch(&path("done"));
}
