//! Programs that may no longer signal their workers. They can still stop them.

use std::{
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
    time::Duration,
};

use executor_core::{ErrorKind, Executor, MapOptions, Shutdown, TaskOptions};
use process_pool::Transport;

use super::{NOBODY, command, files, succeeds};
use crate::{
    support::{Blocker, DEADLINE, SharedDir, add_line, builder, get, is_alive, never_ends, wait_for_file, wait_until},
    world::{BOTH, end_at_the_deadline, variable},
};

const LOST: &str = "the signals are refused";

const WAYS: [&str; 6] = ["limit", "limit of an item", "terminate", "terminate with a grace", "shutdown", "drop"];

#[test]
fn limits_terminate_and_shutdown_work_without_the_right_to_signal() {
    let Some(files) = files("a program that may not signal its workers") else { return };
    for way in WAYS {
        for transport in BOTH {
            let directory = files.open_directory("meeting");
            let mut program = command(&files.plain, "may_not_signal_its_workers", 0);
            program.env("WAY", way).env("TRANSPORT", format!("{transport:?}")).env("TMPDIR", &directory);
            let text = succeeds(&mut program);
            assert!(text.contains(LOST) && text.contains("no worker is left"), "{way}, {transport:?}: {text}");
        }
    }
}

fn transport() -> Transport {
    let told = variable("TRANSPORT");
    BOTH.into_iter().find(|transport| format!("{transport:?}") == told).expect("one of the two")
}

#[allow(unsafe_code)]
fn lose_rights(worker: u32) {
    // SAFETY: system calls without pointers. Signal 0 only checks the permission.
    unsafe {
        assert_eq!(libc::setresuid(NOBODY, NOBODY, NOBODY), 0);
        assert_eq!(libc::kill(worker as libc::pid_t, 0), -1);
    }
    assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::EPERM));
    println!("{LOST}");
}

/// Starts a child that the program may signal, so that a signal to the process group succeeds without reaching the
/// worker.
#[allow(clippy::zombie_processes)]
fn never_ends_and_has_a_child((pids, path): (String, String)) {
    let child = Command::new("sleep").arg("1000").uid(NOBODY).stdout(Stdio::null()).spawn().expect("starts");
    add_line(&pids, child.id());
    never_ends(path);
}

pub fn may_not_signal_its_workers() {
    end_at_the_deadline();
    let way = variable("WAY");
    let dir = SharedDir::new();
    // The limit is also for items that end, and a busy machine may stop a worker for a while.
    let limit = if way.starts_with("limit") { Duration::from_secs(1) * test_support::scale() } else { DEADLINE };
    let pool = builder(transport(), 2).time_limit(limit).build().unwrap();
    let (pids, runs) = (dir.path("pids"), dir.path("runs"));
    let patient = TaskOptions::new().time_limit(DEADLINE);
    let blockers = [(); 2].map(|()| Blocker::start_with(&pool, patient.clone()));
    blockers.into_iter().for_each(Blocker::release);
    let workers = pool.worker_pids();
    if way == "limit of an item" {
        let items = vec![String::new(), runs.clone(), String::new()];
        let one_never_ends = |path: String| if path.is_empty() { 0 } else { (never_ends(path), 1).1 };
        let ends = pool.map_with(MapOptions::new().chunksize(3), one_never_ends, items).unwrap();
        wait_for_file(&runs);
        lose_rights(workers[0]);
        let kinds: Vec<_> = ends.map(|end| end.map_err(|error| error.kind())).collect();
        assert_eq!(kinds, [Ok(0), Err(ErrorKind::TimeLimit), Ok(0)]);
        drop(pool);
    } else {
        let task = pool.submit(never_ends_and_has_a_child, (pids, runs.clone())).unwrap();
        wait_for_file(&runs);
        lose_rights(workers[0]);
        match way.as_str() {
            "limit" => drop(pool),
            "terminate" => assert!(task.terminate(Duration::ZERO)),
            "terminate with a grace" => assert!(task.terminate(Duration::from_millis(50))),
            "shutdown" => pool.shutdown(Shutdown::Terminate { grace: Duration::ZERO }),
            _ => {
                assert!(task.terminate(Duration::ZERO));
                drop(pool);
            }
        }
        let kind = if way == "limit" { ErrorKind::TimeLimit } else { ErrorKind::Terminated };
        assert_eq!(get(&task).unwrap_err().kind(), kind);
    }
    wait_until("the ends of all workers but those that serve", || {
        let idle = if matches!(way.as_str(), "terminate" | "terminate with a grace") { 1 } else { 0 };
        workers.iter().filter(|pid| is_alive(**pid)).count() <= idle
    });
    wait_until("the ends of what tasks have started", || !dir.numbers("pids").into_iter().any(is_alive));
    println!("no worker is left");
}

#[test]
fn a_pool_ends_if_the_program_loses_rights_while_workers_start() {
    let Some(files) = files("a program that loses rights while workers start") else { return };
    for transport in BOTH {
        let mut program = command(&files.plain, "loses_rights_while_workers_start", 0);
        program.env("TRANSPORT", format!("{transport:?}"));
        for _ in 0..6 {
            let text = succeeds(&mut program);
            assert!(text.contains("no worker is left"), "{transport:?}: {text}");
        }
    }
}

#[allow(unsafe_code)]
pub fn loses_rights_while_workers_start() {
    end_at_the_deadline();
    let pool = builder(transport(), 4).build().unwrap();
    let workers = pool.worker_pids();
    // SAFETY: a system call without pointers.
    assert_eq!(unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) }, 0);
    drop(pool);
    wait_until("the ends of all workers", || !workers.iter().any(|pid| is_alive(*pid)));
    println!("no worker is left");
}
