//! The file that a program runs, and its workers with it.

use std::{
    fs::{self, Permissions},
    io::Write as _,
    os::{
        fd::AsRawFd as _,
        unix::{fs::PermissionsExt as _, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::Command,
};

use executor_core::{ErrorKind, Executor};
use process_pool::ProcessPoolExecutor;
use tempfile::TempDir;

use super::{BOTH, end_if_it_hangs, is_root, skip, told, use_a_pool};
use crate::{
    programs,
    support::{SharedDir, get, kill, pool},
};

#[test]
fn workers_run_the_file_of_their_program_also_when_it_was_replaced_deleted_or_moved() {
    let dir = SharedDir::new();
    let directory = dir.path("bin");
    fs::create_dir(&directory).unwrap();
    let file = PathBuf::from(&directory).join("program");
    copy_this_program(&file);
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

/// By another process: a file that this one has open for writing, a child of another test may have too for a moment,
/// and then it cannot be run.
fn copy_this_program(file: &Path) {
    let copied = Command::new("cp").arg(fs::read_link("/proc/self/exe").unwrap()).arg(file).status().unwrap();
    assert!(copied.success());
}

/// A directory with a copy of this program, and a place for a sign.
struct Place {
    directory: TempDir,
    file: PathBuf,
}

impl Place {
    fn new(name: &str) -> Place {
        let directory = TempDir::new().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        let file = directory.path().join(name);
        copy_this_program(&file);
        Place { directory, file }
    }

    /// What a file writes that is planted there and run.
    fn sign(&self) -> PathBuf {
        self.directory.path().join("sign")
    }

    /// Has the copy run, by `starter`, as the program that changes its own file by these steps and then uses pools.
    fn says_after(&self, starter: &[&str], steps: &str) -> String {
        self.says(Command::new(starter.first().map_or(self.file.as_os_str(), |first| first.as_ref())), starter, steps)
    }

    fn says(&self, mut command: Command, starter: &[&str], steps: &str) -> String {
        let told = programs::command("changes_its_file");
        if !starter.is_empty() {
            command.args(&starter[1..]).arg(&self.file);
        }
        command.args(told.get_args()).envs(told.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command.env("FILE", &self.file).env("SIGN", self.sign()).env("STEPS", steps);
        let output = command.output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{starter:?} {:?} {steps}: {}\n{said}", self.file, output.status);
        assert!(!self.sign().exists(), "{starter:?} {:?} {steps}: a planted file was run\n{said}", self.file);
        said
    }
}

/// What is run in the place of a program by whoever runs a file for its name.
fn plant(file: &Path) {
    let script = format!("#!/bin/sh\necho planted > '{}'\n", told("SIGN"));
    let prepared = file.with_file_name("prepared");
    fs::File::create(&prepared).unwrap().write_all(script.as_bytes()).unwrap();
    fs::set_permissions(&prepared, Permissions::from_mode(0o755)).unwrap();
    fs::rename(&prepared, file).unwrap();
}

pub fn changes_its_file() {
    end_if_it_hangs();
    let file = PathBuf::from(told("FILE"));
    let deleted = PathBuf::from(format!("{} (deleted)", file.display()));
    for step in told("STEPS").split_whitespace() {
        match step {
            "delete" => fs::remove_file(&file).unwrap(),
            "replace" => plant(&file),
            "plant" => plant(&deleted),
            "link" => fs::hard_link(&file, &deleted).unwrap(),
            _ => panic!("there is no step {step}"),
        }
    }
    for transport in BOTH {
        match use_a_pool(transport) {
            Ok(()) => println!("the pools work"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Other, "{error}");
                println!("refused: {error}");
            }
        }
    }
}

const STEPS: [&str; 8] =
    ["", "plant", "delete", "delete plant", "replace", "replace plant", "delete replace plant", "link delete"];
const NAMES: [&str; 5] = ["program", "program (deleted)", "line\nfeed", "back\\012slash", " spaces  (deleted) "];

#[test]
fn no_file_is_run_for_the_name_of_a_program_that_was_deleted_or_replaced() {
    for name in NAMES {
        for steps in STEPS {
            let said = Place::new(name).says_after(&[], steps);
            assert_eq!(said.matches("the pools work").count(), 2, "{name:?} after {steps:?}: {said}");
        }
    }
}

/// The loader of this program, as the system has it. None: it is static.
fn loader() -> Option<String> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut paths = maps.lines().filter_map(|line| line.splitn(6, ' ').nth(5));
    let is_loader = |path: &str| path.rsplit('/').next().is_some_and(|name| name.starts_with("ld-"));
    paths.find(|path| is_loader(path.trim())).map(|path| path.trim().to_string())
}

/// Where something else has loaded the program, workers run the program, or the build says why they cannot.
fn workers_run_the_program_that_was_loaded_by(starter: &[&str]) {
    for name in NAMES {
        for steps in ["", "plant", "link delete"] {
            let said = Place::new(name).says_after(starter, steps);
            assert_eq!(said.matches("the pools work").count(), 2, "{name:?} after {steps:?}: {said}");
        }
        for steps in ["delete", "delete plant", "replace", "replace plant"] {
            let said = Place::new(name).says_after(starter, steps);
            assert_eq!(said.matches("refused: ").count(), 2, "{name:?} after {steps:?}: {said}");
            assert!(said.contains("was deleted, replaced or cannot be read"), "{name:?} after {steps:?}: {said}");
        }
    }
}

#[test]
fn workers_run_the_program_also_where_the_loader_was_started_by_hand() {
    let Some(loader) = loader() else {
        return skip("a loader that was started by hand", "this program is static");
    };
    workers_run_the_program_that_was_loaded_by(&[&loader]);
    let place = Place::new("program");
    fs::set_permissions(&place.file, Permissions::from_mode(0o644)).unwrap();
    let said = place.says_after(&[&loader], "");
    assert!(said.contains("let this user execute it"), "{said}");
}

#[test]
fn workers_run_the_program_also_under_an_emulator() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return skip("an emulator", "valgrind is not installed");
    }
    for steps in ["", "plant", "delete plant", "replace plant"] {
        let said = Place::new("program").says_after(&["valgrind", "-q", "--tool=none"], steps);
        // Some versions lead to a program that was deleted, and some do not.
        let is_refused = steps.len() > 5 && said.contains("refused: ");
        assert_eq!(
            said.matches(if is_refused { "refused: " } else { "the pools work" }).count(),
            2,
            "{steps:?}: {said}"
        );
    }
}

#[test]
fn a_program_that_has_no_file_in_any_directory_starts_workers() {
    let memory = rustix::fs::memfd_create("a program", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    std::io::copy(&mut fs::File::open("/proc/self/exe").unwrap(), &mut fs::File::from(memory.try_clone().unwrap()))
        .unwrap();
    // Nobody may run what somebody has open for writing.
    let read_only = fs::File::open(format!("/proc/self/fd/{}", memory.as_raw_fd())).unwrap();
    drop(memory);
    let place = Place::new("program");
    let said = place.says(Command::new(format!("/proc/self/fd/{}", read_only.as_raw_fd())), &[], "plant");
    assert_eq!(said.matches("the pools work").count(), 2, "{said}");
}

#[test]
fn a_program_that_may_be_run_and_not_read_starts_workers() {
    if !is_root() {
        return skip("a file that may be run and not read", "only root can become somebody else");
    }
    for mode in [0o111, 0o711, 0o755] {
        let place = Place::new("program");
        fs::set_permissions(&place.file, Permissions::from_mode(mode)).unwrap();
        let mut command = Command::new(&place.file);
        command.uid(65534).gid(65534).current_dir("/");
        let said = place.says(command, &[], "");
        assert_eq!(said.matches("the pools work").count(), 2, "mode {mode:o}: {said}");
    }
}
