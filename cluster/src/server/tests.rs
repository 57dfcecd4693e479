//! Real servers.

use std::{io::Write as _, net::SocketAddr, os::unix::process::CommandExt as _, process::Command};

use test_support::{free_port, is_alive, kill, wait_until};

use super::*;

/// Returns `true`, loudly, if there is no server program, so that the test has nothing to test.
fn is_skipped() -> bool {
    let Err(error) = program::find() else { return false };
    assert!(std::env::var_os("NATS_SERVER").is_none(), "{error}");
    writeln!(std::io::stderr(), "SKIPPED, because there is no server: {error}").expect("a standard error");
    true
}

#[test]
fn a_server_starts_and_ends_with_its_value() {
    if is_skipped() {
        return;
    }
    let server = Server::start("127.0.0.1:0", "to\"ken \\ {}ä").unwrap();
    let (pid, folder) = (server.pid(), server.folder.path().to_owned());
    assert!(is_alive(pid) && folder.exists());
    assert_eq!(server.url(), format!("nats://127.0.0.1:{}", server.port()));
    let debug = format!("{server:?}");
    assert!(debug.contains(&server.url()) && !debug.contains("ken"), "{debug}");
    let deadline = Instant::now() + LONGEST_START;
    probe::check(&server.address, "to\"ken \\ {}ä", deadline).unwrap();
    let refused = probe::check(&server.address, "another", deadline).unwrap_err();
    assert!(refused.contains("Authorization Violation"), "{refused}");
    drop(server);
    assert!(!is_alive(pid) && !folder.exists());
}

#[test]
fn a_server_listens_on_the_address_that_was_asked() {
    if is_skipped() {
        return;
    }
    let free = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let server = Server::start(&format!("0.0.0.0:{}", free.port()), "token").unwrap();
    assert_eq!(server.url(), format!("nats://{free}"));
    let error = Server::start(&free.to_string(), "token").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let text = error.to_string();
    assert!(text.contains(&free.to_string()) && text.contains("another program listens there"), "{text}");
    assert!(!text.contains("token"), "{text}");
}

#[test]
fn a_server_that_cannot_start_says_why() {
    if is_skipped() {
        return;
    }
    // An address of no machine: documentation uses it, and no network routes it.
    let error = Server::start("203.0.113.1:0", "token").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("cannot assign requested address"), "{error}");
}

#[test]
fn two_servers_of_one_program_do_not_disturb_each_other() {
    if is_skipped() {
        return;
    }
    let [one, other] = [Server::local().unwrap(), Server::local().unwrap()];
    assert!(one.url() != other.url() && one.token() != other.token());
    drop(one);
    probe::check(&other.address, other.token(), Instant::now() + LONGEST_START).unwrap();
}

/// The server of a program that is killed ends, and the next server removes its folder.
#[test]
fn a_killed_program_leaves_nothing() {
    const ROLE: &str = "CONCURRENT_FUTURES_TEST_KILLED_PROGRAM";
    if is_skipped() {
        return;
    }
    if let Some(file) = std::env::var_os(ROLE) {
        let server = Server::local().unwrap();
        let text = format!("{} {}", server.pid(), server.folder.path().display());
        std::fs::write(file, text).unwrap();
        kill(std::process::id(), libc::SIGKILL);
        unreachable!("a killed process does not go on");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server");
    let test = std::thread::current().name().expect("the name of a test").to_owned();
    let status = Command::new(std::env::current_exe().unwrap())
        .args([&test, "--exact", "--nocapture"])
        .env(ROLE, &file)
        .process_group(0)
        .status()
        .unwrap();
    assert!(!status.success());
    let text = std::fs::read_to_string(file).unwrap();
    let (pid, left) = text.split_once(' ').unwrap();
    let pid = pid.parse().unwrap();
    wait_until("the server ends", || !is_alive(pid));
    wait_until("the next server removes the folder", || {
        Server::local().unwrap();
        !std::path::Path::new(left).exists()
    });
}

#[test]
fn a_server_that_is_killed_is_reaped() {
    if is_skipped() {
        return;
    }
    let server = Server::local().unwrap();
    let pid = server.pid();
    kill(pid, libc::SIGKILL);
    wait_until("the server is reaped", || !is_alive(pid));
    drop(server);
}
