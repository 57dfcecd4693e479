//! The file that a program runs, and its workers with it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use executor_core::Executor;
use process_pool::ProcessPoolExecutor;

use super::{BOTH, end_if_it_hangs, told};
use crate::{
    programs,
    support::{Meeting, get, kill, pool},
};

#[test]
fn workers_run_the_file_of_their_program_also_when_it_was_replaced_deleted_or_moved() {
    let meeting = Meeting::new();
    let directory = meeting.path("bin");
    fs::create_dir(&directory).unwrap();
    let file = PathBuf::from(&directory).join("program");
    // By another process: a file that this one has open for writing, a child of another test may have too for a moment, and
    // then it cannot be run.
    let copied = Command::new("cp").arg(fs::read_link("/proc/self/exe").unwrap()).arg(&file).status().unwrap();
    assert!(copied.success());
    let told = programs::command("outlives_its_file");
    let mut program = Command::new(&file);
    program.args(told.get_args()).envs(told.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let output = program.env("DIRECTORY", &directory).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}", output.status);
    assert!(!Path::new(&directory).exists());
}

pub fn outlives_its_file() {
    end_if_it_hangs();
    let directory = PathBuf::from(told("DIRECTORY"));
    let file = directory.join("program");
    std::env::set_current_dir(&directory).unwrap();
    let pools: Vec<ProcessPoolExecutor> = BOTH.into_iter().map(|transport| pool(transport, 1)).collect();
    workers_are_replaced(&pools);

    // As an upgrade does it.
    let other = directory.join("other");
    fs::copy("/bin/true", &other).unwrap();
    fs::rename(&other, &file).unwrap();
    workers_are_replaced(&pools);

    // As a careless upgrade does it.
    fs::remove_file(&file).unwrap();
    workers_are_replaced(&pools);
    fs::write(&file, "nothing that runs").unwrap();
    workers_are_replaced(&pools);

    fs::remove_file(&file).unwrap();
    fs::remove_dir(&directory).unwrap();
    workers_are_replaced(&pools);
}

/// The workers of these pools die and are replaced, and new pools work too.
fn workers_are_replaced(pools: &[ProcessPoolExecutor]) {
    for pool in pools {
        let worker = get(&pool.submit(|()| std::process::id(), ()).unwrap()).unwrap();
        kill(worker, libc::SIGKILL);
        let next = get(&pool.submit(|()| std::process::id(), ()).unwrap());
        // It may have been given to the one that dies.
        let next = next.or_else(|_| get(&pool.submit(|()| std::process::id(), ()).unwrap())).unwrap();
        assert_ne!(worker, next);
    }
    // Processes and descriptors of the pools that live on come and go meanwhile, so those are not counted here.
    for transport in BOTH {
        let pool = pool(transport, 1);
        assert_eq!(get(&pool.submit(|n: u32| n + 1, 1).unwrap()).unwrap(), 2);
    }
}
