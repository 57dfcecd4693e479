//! Programs that suspend rights for a while. No worker starts meanwhile, because it could resume them.

use executor_core::Executor;

use super::{NOBODY, command, files, rights, succeeds, tells_how_a_pool_is_built};
use crate::{
    support::{get, is_alive, kill, pool, wait_until, warm_up},
    world::{BOTH, end_at_the_deadline, variable},
};

#[test]
fn a_program_that_has_suspended_rights_has_no_pool() {
    let Some(files) = files("a program that suspends rights") else { return };
    for way in ["effective user", "effective group", "real user", "saved user", "user for files", "group for files"] {
        let text = succeeds(command(&files.plain, "has_suspended_rights", 0).env("WAY", way));
        let (suspended, resumed) = text.split_once("and takes them back").expect("both");
        assert_eq!(suspended.matches("built: Broken").count(), 2, "{way}: {text}");
        assert!(suspended.contains("has suspended rights"), "{way}: {text}");
        if !way.contains("real") {
            assert_eq!(resumed.matches("built: a pool, with Ok").count(), 2, "{way}: {text}");
        }
    }
}

#[allow(unsafe_code)]
pub fn has_suspended_rights() {
    end_at_the_deadline();
    const KEEP: u32 = u32::MAX;
    let way = variable("WAY");
    let set = |user: u32| {
        // SAFETY: system calls without pointers.
        let result = unsafe {
            match way.as_str() {
                "effective user" => libc::setresuid(KEEP, user, KEEP),
                "effective group" => libc::setresgid(KEEP, user, KEEP),
                "real user" => libc::setresuid(user, KEEP, KEEP),
                "saved user" => libc::setresuid(KEEP, KEEP, user),
                "user for files" => {
                    libc::setfsuid(user);
                    0
                }
                "group for files" => {
                    libc::setfsgid(user);
                    0
                }
                other => panic!("there is no way `{other}`"),
            }
        };
        assert_eq!(result, 0);
    };
    set(NOBODY);
    tells_how_a_pool_is_built();
    println!("and takes them back");
    set(0);
    tells_how_a_pool_is_built();
}

#[test]
fn a_pool_replaces_no_worker_while_rights_are_suspended() {
    let Some(files) = files("a pool of a program that suspends rights") else { return };
    let text = succeeds(&mut command(&files.plain, "suspends_rights_for_a_while", 0));
    assert!(text.contains("all workers have what they had"), "{text}");
}

#[allow(unsafe_code)]
pub fn suspends_rights_for_a_while() {
    end_at_the_deadline();
    let own = rights(());
    for transport in BOTH {
        let pool = pool(transport, 2);
        warm_up(&pool, 2);
        // SAFETY: a system call without pointers.
        assert_eq!(unsafe { libc::seteuid(NOBODY) }, 0);
        let first = pool.worker_pids()[0];
        kill(first, libc::SIGKILL);
        wait_until("its end", || !is_alive(first) && pool.worker_pids().len() == 1);
        // The other worker goes on with the rights of its start.
        for _ in 0..100 {
            assert_eq!(get(&pool.submit(rights, ()).unwrap()).unwrap(), own);
        }
        // SAFETY: as above.
        assert_eq!(unsafe { libc::seteuid(0) }, 0);
        wait_until("a second worker", || pool.worker_pids().len() == 2);
        warm_up(&pool, 2);
        for _ in 0..100 {
            assert_eq!(get(&pool.submit(rights, ()).unwrap()).unwrap(), own);
        }
    }
    println!("all workers have what they had");
}
