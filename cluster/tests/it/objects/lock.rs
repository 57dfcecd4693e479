//! Locks.

use std::time::Duration;

use cluster::Lock;
use executor_core::ErrorKind;
use process_pool::Process;
use test_support::{DEADLINE, SharedDir, add_line, is_stopped, kill, touch, wait_for_file, wait_until, watched};

use super::{LONG, SHORT, access, connect, raw::Raw, start};

/// Adds lines to a file under a lock, as no two processes may at the same time: each line is the number of those before
/// it, and the token.
fn write((url, token, file, times): (String, String, String, usize)) {
    let lock = connect(url, &token, LONG).lock("the file").unwrap();
    for _ in 0..times {
        let guard = lock.lock(None).unwrap();
        let lines = std::fs::read_to_string(&file).unwrap_or_default().lines().count();
        add_line(&file, format!("{lines} {}", guard.token()));
        assert!(guard.is_held());
    }
}

#[test]
fn one_of_eight_processes_holds_a_lock_and_tokens_grow() {
    const TIMES: usize = 20;
    watched(|| {
        let Some((server, _client)) = start(LONG) else { return };
        let (url, token) = access(&server);
        let dir = SharedDir::new();
        let spawn = |_| Process::spawn(write, (url.clone(), token.clone(), dir.path("file"), TIMES)).unwrap();
        let workers: Vec<_> = (0..8).map(spawn).collect();
        workers.iter().for_each(|worker| worker.result(None).unwrap());
        let lines = dir.lines("file");
        let parsed: Vec<(usize, u64)> = lines
            .iter()
            .map(|line| line.split_once(' ').map(|(n, token)| (n.parse().unwrap(), token.parse().unwrap())).unwrap())
            .collect();
        assert!(parsed.iter().map(|(number, _)| *number).eq(0..8 * TIMES), "{lines:?}");
        assert!(parsed.windows(2).all(|pair| pair[0].1 < pair[1].1), "{lines:?}");
    });
}

/// Locks, tells that in a file, and waits for another file. Returns the token, whether the lock was held then, and
/// whether it could be unlocked.
fn hold((url, token, dir): (String, String, String)) -> (u64, bool, Option<ErrorKind>) {
    let guard = connect(url, &token, SHORT).lock("held").unwrap().lock(None).unwrap();
    touch(&format!("{dir}/locked"));
    wait_for_file(&format!("{dir}/go on"));
    let (token, is_held) = (guard.token(), guard.is_held());
    (token, is_held, guard.unlock().err().map(|error| error.kind()))
}

fn holder(server: &cluster::Server, dir: &SharedDir) -> Process<(u64, bool, Option<ErrorKind>)> {
    let (url, token) = access(server);
    let holder = Process::spawn(hold, (url, token, dir.path(""))).unwrap();
    wait_for_file(&dir.path("locked"));
    holder
}

#[test]
fn a_lock_of_a_killed_process_passes_on() {
    watched(|| {
        let Some((server, client)) = start(LONG) else { return };
        let lock = client.lock("held").unwrap();
        let dir = SharedDir::new();
        let holder = holder(&server, &dir);
        assert!(lock.try_lock().unwrap().is_none());
        let error = lock.lock(Duration::from_millis(10)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.to_string().contains(&format!("process {} on `", holder.pid())), "{error}");
        kill(holder.pid(), libc::SIGKILL);
        // The lease of this client is long, so only the server's news tells it.
        let guard = lock.lock(DEADLINE).unwrap();
        assert!(guard.is_held());
        guard.unlock().unwrap();
    });
}

#[test]
fn a_lock_is_renewed_while_its_holder_lives_and_lost_if_that_is_stopped() {
    watched(|| {
        let Some((server, client)) = start(SHORT) else { return };
        let lock = client.lock("held").unwrap();
        let dir = SharedDir::new();
        let first = holder(&server, &dir);
        let waited = lock.lock(SHORT * 4);
        if waited.is_err() {
            kill(first.pid(), libc::SIGSTOP);
            wait_until("the holder is stopped", || is_stopped(first.pid()));
        }
        // On a machine that stops the holder for the whole lease by itself, it is lost already.
        let guard = waited.or_else(|_| lock.lock(DEADLINE)).unwrap();
        dir.touch("go on");
        kill(first.pid(), libc::SIGCONT);
        let (token, was_held, unlocked) = first.result(None).unwrap();
        assert_eq!((was_held, unlocked), (false, Some(ErrorKind::InvalidState)));
        assert!(guard.token() > token, "so what the lock protects can refuse the first holder");
        assert!(guard.is_held(), "the error of the first holder took nothing from the second");
        guard.unlock().unwrap();
    });
}

#[test]
fn those_who_wait_are_woken_by_the_release() {
    watched(|| {
        let Some((server, client)) = start(LONG) else { return };
        let lock = client.lock("busy").unwrap();
        let guard = lock.lock(None).unwrap();
        let (url, token) = access(&server);
        let waiters: Vec<_> =
            (0..3).map(|_| Process::spawn(lock_once, (url.clone(), token.clone())).unwrap()).collect();
        let first = guard.token();
        drop(guard);
        let mut tokens: Vec<u64> = waiters.iter().map(|waiter| waiter.result(None).unwrap()).collect();
        tokens.sort_unstable();
        tokens.dedup();
        assert!(tokens.len() == 3 && tokens[0] > first);
    });
}

fn lock_once((url, token): (String, String)) -> u64 {
    connect(url, &token, LONG).lock("busy").unwrap().lock(None).unwrap().token()
}

/// Those who wait need no look at the record, because the server tells them that a lease is over.
#[test]
fn the_server_tells_the_end_of_a_lease() {
    watched(|| {
        let Some((server, _client)) = start(SHORT) else { return };
        let mut raw = Raw::connect(&server);
        raw.subscribe("ex.k.EXL_locks.>");
        let dir = SharedDir::new();
        let holder = holder(&server, &dir);
        kill(holder.pid(), libc::SIGKILL);
        while !raw.headers().contains("Nats-Marker-Reason") {}
    });
}

#[test]
fn locks_of_different_names_are_different_and_tokens_grow_over_all() {
    watched(|| {
        let Some((_server, client)) = start(LONG) else { return };
        let locks: Vec<Lock> = ["", "a", "a.b", "ü *>"].map(|name| client.lock(name).unwrap()).into();
        let guards: Vec<_> = locks.iter().map(|lock| lock.try_lock().unwrap().unwrap()).collect();
        assert!(guards.windows(2).all(|pair| pair[0].token() < pair[1].token()));
        assert!(locks.iter().all(|lock| lock.try_lock().unwrap().is_none()));
        drop(guards);
        assert!(locks.iter().all(|lock| lock.try_lock().unwrap().is_some()));
    });
}
