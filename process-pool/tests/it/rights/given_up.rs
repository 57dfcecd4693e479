//! Programs that have given up rights. Their workers do not have them, although their file is executed again.

use std::process::Command;

use executor_core::{Error, ErrorKind, Executor};
use process_pool::{ProcessPoolExecutor, Transport};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use super::{NOBODY, command, files, files::OTHER, rights, set, succeeds};
use crate::{
    support::{builder, get, wait_until},
    world::{BOTH, end_at_the_deadline, variable},
};

/// The ways to give up rights.
const WAYS: [&str; 6] = [
    "the user",
    "the user and the groups",
    "all capabilities of the main thread",
    "some capabilities",
    "effective capabilities",
    "the user, but for ambient capabilities that are not effective",
];

#[test]
fn workers_do_not_have_rights_that_their_program_has_given_up() {
    let Some(files) = files("a program that has given up rights") else { return };
    for way in WAYS {
        for file in [&files.plain, &files.set_uid, &files.set_gid, &files.set_uid_other] {
            let mut program = command(file, "has_given_up_rights", 0);
            if file == &files.set_uid_other {
                // With other ids this program would have more rights than its caller, which is another test.
                become_other(&mut program);
                if way != "the user" {
                    continue;
                }
            }
            let text = succeeds(program.env("WAY", way));
            assert!(text.contains("no worker has more"), "{way}, {}: {text}", file.display());
        }
    }
}

fn become_other(program: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    program.uid(OTHER).gid(OTHER);
}

/// The kernel gives the capabilities of a file back when it is executed, and always marks such a process as privileged.
/// So the pool is refused with the reason.
#[test]
fn a_pool_is_refused_if_the_program_has_given_up_the_capabilities_of_its_file() {
    let Some(files) = files("a program that has given up the capabilities of its file") else { return };
    let text = succeeds(command(&files.with_capabilities, "has_given_up_rights", 0).env("WAY", "the user"));
    assert!(text.contains("no pool") && text.contains("take them from the file"), "{text}");
    // User 0 has these capabilities anyway.
    let text = succeeds(command(&files.with_capabilities, "has_given_up_rights", 0).env("WAY", "nothing"));
    assert!(text.contains("no worker has more"), "{text}");
}

pub fn has_given_up_rights() {
    end_at_the_deadline();
    let way = variable("WAY");
    // These workers have the current rights. Their replacements must not have them.
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
            // The workers exit by themselves, because this program may not be allowed to kill them.
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
    // The calling thread belongs to the test harness. The main thread waits for it.
    match way {
        "nothing" => {}
        "the user" => become_nobody(false),
        "the user and the groups" => become_nobody(true),
        "all capabilities of the main thread" => keep(0, 0, 0),
        "some capabilities" => keep(all & 0xff0f, all & 0xff0f, 0),
        "effective capabilities" => keep(all, all & 0xff, 0),
        "the user, but for ambient capabilities that are not effective" => {
            /// The capability to read every file.
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

/// Changes the user of all threads for good.
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
