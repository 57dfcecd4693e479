//! However a program ends, it leaves no worker behind, and nothing that a worker has started.

use std::process::{Command, Stdio};

use executor_core::Executor;
use process_pool::Transport;

use crate::{
    programs,
    support::{Meeting, add_line, is_alive, never_ends, pool, put, wait_for, wait_until, warm_up},
};

// The worker is killed, and its child with it.
#[allow(clippy::zombie_processes)]
fn starts_a_child((pids, path): (String, String)) {
    let child = Command::new("sleep").arg("1000").stdout(Stdio::null()).spawn().expect("starts");
    add_line(&pids, child.id());
    never_ends(path);
}

/// Builds pools, notes all processes, and ends in the way it is told to.
pub fn holds_a_pool() {
    let directory = std::env::var("DIRECTORY").unwrap();
    let way = std::env::var("WAY").unwrap();
    let path = |name: &str| format!("{directory}/{name}");
    let mut pools = Vec::new();
    for transport in [Transport::Ring, Transport::Socket] {
        let pool = pool(transport, 2);
        warm_up(&pool, 2);
        if way.contains("busy") {
            for number in 0..2 {
                let runs = path(&format!("{transport:?}{number}"));
                drop(pool.submit(starts_a_child, (path("pids"), runs.clone())).unwrap());
                wait_for(&runs);
            }
        }
        pool.worker_pids().into_iter().for_each(|pid| add_line(&path("pids"), pid));
        pools.push(pool);
    }
    if way.contains("fork") {
        fork_and_stay(&path("pids"), &path("forked"));
    }
    put(&path("built"));
    if way.contains("leak") {
        std::mem::forget(pools);
        return;
    }
    if way.contains("exit") {
        std::process::exit(0);
    }
    if way.contains("abort") {
        std::process::abort();
    }
    loop {
        std::thread::park();
    }
}

/// A copy of this process, which has all its files, and lives on for a while.
#[allow(unsafe_code)]
fn fork_and_stay(pids: &str, forked: &str) {
    // SAFETY: the child only waits, and leaves without going through anything of the parent's.
    match unsafe { libc::fork() } {
        0 => {
            wait_until("the end of the test", || std::path::Path::new(&format!("{forked}.end")).exists());
            // SAFETY: it ends this process at once.
            unsafe { libc::_exit(0) }
        }
        child => {
            assert!(child > 0);
            add_line(forked, child);
            let _ = pids;
        }
    }
}

fn nobody_is_left(way: &str) {
    let meeting = Meeting::new();
    let directory = meeting.path("");
    let mut program = programs::start("holds_a_pool", &[("DIRECTORY", &directory), ("WAY", way)]);
    wait_until("the pools", || meeting.has("built"));
    if way.contains("kill") {
        program.kill().unwrap();
    }
    program.wait().unwrap();
    let pids = meeting.numbers("pids");
    assert_eq!(pids.len(), if way.contains("busy") { 8 } else { 4 });
    for pid in pids {
        wait_until(&format!("the end of {pid} after {way}"), || !is_alive(pid));
    }
    meeting.put("forked.end");
    for pid in meeting.numbers("forked") {
        wait_until("the end of the fork", || !is_alive(pid));
    }
}

#[test]
fn a_program_that_is_killed_leaves_no_busy_worker_and_no_grandchild() {
    nobody_is_left("kill busy");
}

#[test]
fn a_program_that_is_killed_leaves_no_idle_worker() {
    nobody_is_left("kill idle");
}

#[test]
fn a_program_that_aborts_leaves_nobody() {
    nobody_is_left("abort busy");
}

#[test]
fn a_program_that_exits_with_a_pool_leaves_nobody() {
    nobody_is_left("exit busy");
}

#[test]
fn a_program_that_leaks_its_pool_leaves_nobody() {
    nobody_is_left("leak busy");
}

#[test]
fn a_copy_of_the_program_does_not_keep_its_workers_alive() {
    nobody_is_left("kill busy fork");
}
