//! A program that has given up rights: its workers do not have them either, although their file is run anew.

use std::process::Command;

use executor_core::{Error, ErrorKind, Executor};
use process_pool::{ProcessPoolExecutor, Transport};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use super::{NOBODY, command, files, files::OTHER, rights, set, succeeds};
use crate::{
    support::{builder, get, wait_until},
    world::{BOTH, end_if_it_hangs, told},
};

/// The ways to give up rights, and the files from which nothing may come back.
const WAYS: [&str; 6] = [
    "the user",
    "the user and the groups",
    "all capabilities of the main thread",
    "some capabilities",
    "effective capabilities",
    "the user, but for ambient capabilities that are not effective",
];

#[test]
fn workers_of_a_program_that_has_given_up_rights_do_not_have_them() {
    let Some(files) = files("a program that has given up rights") else { return };
    for way in WAYS {
        for file in [&files.plain, &files.set_uid, &files.set_gid, &files.set_uid_other] {
            let mut program = command(file, "has_given_up_rights", 0);
            if file == &files.set_uid_other {
                // Its ids differ otherwise, which is another case.
                become_other(&mut program);
                if way != "the user" {
                    continue;
                }
            }
            let said = succeeds(program.env("WAY", way));
            assert!(said.contains("no worker has more"), "{way}, {}: {said}", file.display());
        }
    }
}

fn become_other(program: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    program.uid(OTHER).gid(OTHER);
}

/// The capabilities of a file come back to a user that has given them up, and no setting keeps the system from telling
/// the worker that it has more than its caller: so there is none, and it is said why.
#[test]
fn a_program_whose_file_has_capabilities_that_it_has_given_up_is_told_to_take_them_from_the_file() {
    let Some(files) = files("a program that has given up the capabilities of its file") else { return };
    let said = succeeds(command(&files.with_capabilities, "has_given_up_rights", 0).env("WAY", "the user"));
    assert!(said.contains("no pool") && said.contains("take them from the file"), "{said}");
    // User 0 has them anyway.
    let said = succeeds(command(&files.with_capabilities, "has_given_up_rights", 0).env("WAY", "nothing"));
    assert!(said.contains("no worker has more"), "{said}");
}

pub fn has_given_up_rights() {
    end_if_it_hangs();
    let way = told("WAY");
    // Their workers have the rights of now; those that take their places later must not.
    let before = BOTH.map(|transport| builder(transport, 2).build().unwrap());
    for pool in &before {
        get(&pool.submit(|n: u32| n, 1).unwrap()).unwrap();
    }
    give_up(&way);
    let own = rights(());
    println!("after giving up {way}: {own:?}");
    for pool in &before {
        let old = pool.worker_pids();
        wait_until("the ends of the old workers", || {
            // This program may not be allowed to kill them.
            let _ = pool.submit(|()| -> () { std::process::exit(0) }, ()).map(|future| get(&future));
            pool.worker_pids().iter().all(|pid| !old.contains(pid))
        });
        if let Err(error) = check(pool, &own) {
            assert_eq!(error.kind(), ErrorKind::Broken);
            println!("no pool: {error}");
        }
    }
    for transport in [Transport::Ring, Transport::Socket] {
        match ProcessPoolExecutor::builder().max_workers(2).transport(transport).build() {
            Ok(pool) => {
                check(&pool, &own).unwrap();
                println!("no worker has more");
            }
            Err(error) => println!("no pool: {error}"),
        }
    }
}

fn check(pool: &ProcessPoolExecutor, own: &[String]) -> Result<(), Error> {
    for _ in 0..10 {
        let worker = get(&pool.submit(rights, ())?)?;
        for kind in ["Uid", "Gid", "Groups", "CapBnd"] {
            let of = |rights: &[String]| rights.iter().find(|line| line.starts_with(kind)).cloned();
            assert_eq!(of(&worker), of(own), "a worker has another {kind}");
        }
        for kind in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            let more = set(&worker, kind) & !set(own, kind);
            assert_eq!(more, 0, "a worker has more {kind}: {worker:?} and not {own:?}");
        }
    }
    Ok(())
}

#[allow(unsafe_code)]
fn give_up(way: &str) {
    let keep = |permitted: u64, effective: u64, inheritable: u64| {
        let [permitted, effective, inheritable] =
            [permitted, effective, inheritable].map(CapabilitySet::from_bits_retain);
        set_capabilities(None, CapabilitySets { effective, permitted, inheritable }).unwrap();
    };
    let all = set(&rights(()), "CapPrm");
    // The calling thread is one of the test harness's, whose main thread waits for it.
    match way {
        "nothing" => {}
        "the user" => become_nobody(false),
        "the user and the groups" => become_nobody(true),
        "all capabilities of the main thread" => keep(0, 0, 0),
        "some capabilities" => keep(all & 0xff0f, all & 0xff0f, 0),
        "effective capabilities" => keep(all, all & 0xff, 0),
        "the user, but for ambient capabilities that are not effective" => {
            /// Reading every file.
            const ONE: u64 = 1 << 2;
            // SAFETY: a system call without pointers: what is permitted to this thread survives the change of the user.
            assert_eq!(unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) }, 0);
            become_nobody(true);
            keep(ONE, ONE, ONE);
            // SAFETY: a system call without pointers.
            let raised = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, 2, 0, 0) };
            assert_eq!(raised, 0);
            keep(ONE, 0, ONE);
        }
        other => panic!("there is no way `{other}`"),
    }
}

/// For good, in all threads.
#[allow(unsafe_code)]
fn become_nobody(groups_too: bool) {
    // SAFETY: system calls without pointers that are followed.
    unsafe {
        if groups_too {
            assert_eq!(libc::setgroups(0, std::ptr::null()), 0);
            assert_eq!(libc::setresgid(NOBODY, NOBODY, NOBODY), 0);
        }
        let user = if libc::getuid() == 0 { NOBODY } else { OTHER };
        assert_eq!(libc::setresuid(user, user, user), 0);
    }
}
