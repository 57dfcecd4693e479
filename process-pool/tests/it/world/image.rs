//! The file that a program and its workers execute.

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

use super::{BOTH, end_at_the_deadline, is_root, skip, use_a_pool, variable};
use crate::{
    programs,
    support::{SharedDir, get, kill, pool},
};

#[test]
fn workers_run_the_file_of_their_program_even_if_it_was_replaced_deleted_or_moved() {
    let dir = SharedDir::new();
    let directory = dir.path("bin");
    fs::create_dir(&directory).unwrap();
    let file = PathBuf::from(&directory).join("program");
    copy_this_program(&file);
    let told = programs::command("outlives_its_file");
    let mut program = Command::new(&file);
    program.args(told.get_args()).envs(told.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let output = program.env("DIRECTORY", &directory).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{text}", output.status);
    assert!(!Path::new(&directory).exists());
}

pub fn outlives_its_file() {
    end_at_the_deadline();
    let directory = PathBuf::from(variable("DIRECTORY"));
    let file = directory.join("program");
    std::env::set_current_dir(&directory).unwrap();
    let pools: Vec<ProcessPoolExecutor> = BOTH.into_iter().map(|transport| pool(transport, 1)).collect();
    workers_are_replaced(&pools);

    // An upgrade does this.
    let other = directory.join("other");
    test_support::copy_program(Path::new("/bin/true"), &other);
    fs::rename(&other, &file).unwrap();
    workers_are_replaced(&pools);

    // A careless upgrade does this.
    fs::remove_file(&file).unwrap();
    workers_are_replaced(&pools);
    fs::write(&file, "nothing that runs").unwrap();
    workers_are_replaced(&pools);

    fs::remove_file(&file).unwrap();
    fs::remove_dir(&directory).unwrap();
    workers_are_replaced(&pools);
}

/// Checks that dead workers of these pools are replaced, and that new pools work.
fn workers_are_replaced(pools: &[ProcessPoolExecutor]) {
    for pool in pools {
        let worker = get(&pool.submit(|()| std::process::id(), ()).unwrap()).unwrap();
        kill(worker, libc::SIGKILL);
        let next = get(&pool.submit(|()| std::process::id(), ()).unwrap());
        // The task may have been sent to the worker that died.
        let next = next.or_else(|_| get(&pool.submit(|()| std::process::id(), ()).unwrap())).unwrap();
        assert_ne!(worker, next);
    }
    // Processes and descriptors of the other pools change meanwhile, so this does not count them.
    for transport in BOTH {
        let pool = pool(transport, 1);
        assert_eq!(get(&pool.submit(|n: u32| n + 1, 1).unwrap()).unwrap(), 2);
    }
}

/// Copies this program with another process. If this process wrote the file, a child of another test could briefly
/// inherit the descriptor, and a file that is open for writing cannot be executed.
fn copy_this_program(file: &Path) {
    test_support::copy_program(&fs::read_link("/proc/self/exe").unwrap(), file);
}

/// A directory with a copy of this program.
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

    /// Returns the path of the file that a planted script creates.
    fn sign(&self) -> PathBuf {
        self.directory.path().join("sign")
    }

    /// Runs the copy with `starter`. It changes its own file by these steps, uses pools, and prints the outcome.
    fn output_after(&self, starter: &[&str], steps: &str) -> String {
        self.output_of(
            Command::new(starter.first().map_or(self.file.as_os_str(), |first| first.as_ref())),
            starter,
            steps,
        )
    }

    fn output_of(&self, mut command: Command, starter: &[&str], steps: &str) -> String {
        let told = programs::command("changes_its_file");
        if !starter.is_empty() {
            command.args(&starter[1..]).arg(&self.file);
        }
        command.args(told.get_args()).envs(told.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command.env("FILE", &self.file).env("SIGN", self.sign()).env("STEPS", steps);
        let output = command.output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{starter:?} {:?} {steps}: {}\n{text}", self.file, output.status);
        assert!(!self.sign().exists(), "{starter:?} {:?} {steps}: a planted file was run\n{text}", self.file);
        text
    }
}

/// Replaces a file with a script that runs if the file is executed by its name.
fn plant(file: &Path) {
    let script = format!("#!/bin/sh\necho planted > '{}'\n", variable("SIGN"));
    let prepared = file.with_file_name("prepared");
    fs::File::create(&prepared).unwrap().write_all(script.as_bytes()).unwrap();
    fs::set_permissions(&prepared, Permissions::from_mode(0o755)).unwrap();
    fs::rename(&prepared, file).unwrap();
}

pub fn changes_its_file() {
    end_at_the_deadline();
    let file = PathBuf::from(variable("FILE"));
    let deleted = PathBuf::from(format!("{} (deleted)", file.display()));
    for step in variable("STEPS").split_whitespace() {
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
fn no_other_file_runs_in_place_of_a_deleted_or_replaced_program() {
    for name in NAMES {
        for steps in STEPS {
            let text = Place::new(name).output_after(&[], steps);
            assert_eq!(text.matches("the pools work").count(), 2, "{name:?} after {steps:?}: {text}");
        }
    }
}

/// Returns the dynamic loader of this program, and `None` if the program is static.
fn loader() -> Option<String> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut paths = maps.lines().filter_map(|line| line.splitn(6, ' ').nth(5));
    let is_loader = |path: &str| path.rsplit('/').next().is_some_and(|name| name.starts_with("ld-"));
    paths.find(|path| is_loader(path.trim())).map(|path| path.trim().to_string())
}

/// Checks that workers run a program that something else has loaded, or that the build fails with the reason.
fn workers_run_the_program_that_was_loaded_by(starter: &[&str]) {
    for name in NAMES {
        for steps in ["", "plant", "link delete"] {
            let text = Place::new(name).output_after(starter, steps);
            assert_eq!(text.matches("the pools work").count(), 2, "{name:?} after {steps:?}: {text}");
        }
        for steps in ["delete", "delete plant", "replace", "replace plant"] {
            let text = Place::new(name).output_after(starter, steps);
            assert_eq!(text.matches("refused: ").count(), 2, "{name:?} after {steps:?}: {text}");
            assert!(text.contains("was deleted, replaced or cannot be read"), "{name:?} after {steps:?}: {text}");
        }
    }
}

#[test]
fn workers_run_the_program_even_if_the_loader_was_started_explicitly() {
    let Some(loader) = loader() else {
        return skip("a loader that was started by hand", "this program is static");
    };
    workers_run_the_program_that_was_loaded_by(&[&loader]);
    let place = Place::new("program");
    fs::set_permissions(&place.file, Permissions::from_mode(0o644)).unwrap();
    let text = place.output_after(&[&loader], "");
    assert!(text.contains("let this user execute it"), "{text}");
}

#[test]
fn workers_run_the_program_under_an_emulator() {
    // It has one tool for each processor and word size.
    let program = std::env::current_exe().unwrap();
    match Command::new("valgrind").args(["-q", "--tool=none"]).arg(program).arg("--list").output() {
        Err(_) => return skip("an emulator", "valgrind is not installed"),
        Ok(output) if String::from_utf8_lossy(&output.stderr).contains("failed to start tool") => {
            return skip("an emulator", "valgrind cannot run programs of this processor");
        }
        Ok(_) => {}
    }
    for steps in ["", "plant", "delete plant", "replace plant"] {
        let text = Place::new("program").output_after(&["valgrind", "-q", "--tool=none"], steps);
        // Some versions of the emulator find a deleted program, and some do not.
        let is_refused = steps.len() > 5 && text.contains("refused: ");
        assert_eq!(
            text.matches(if is_refused { "refused: " } else { "the pools work" }).count(),
            2,
            "{steps:?}: {text}"
        );
    }
}

#[test]
fn a_program_that_has_no_file_in_any_directory_starts_workers() {
    let memory = rustix::fs::memfd_create("a program", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    std::io::copy(&mut fs::File::open("/proc/self/exe").unwrap(), &mut fs::File::from(memory.try_clone().unwrap()))
        .unwrap();
    // A file that is open for writing cannot be executed.
    let read_only = fs::File::open(format!("/proc/self/fd/{}", memory.as_raw_fd())).unwrap();
    drop(memory);
    let place = Place::new("program");
    let text = place.output_of(Command::new(format!("/proc/self/fd/{}", read_only.as_raw_fd())), &[], "plant");
    assert_eq!(text.matches("the pools work").count(), 2, "{text}");
}

#[test]
fn a_program_that_is_executable_and_not_readable_starts_workers() {
    if !is_root() {
        return skip("a file that may be run and not read", "only root can change its user");
    }
    for mode in [0o111, 0o711, 0o755] {
        let place = Place::new("program");
        fs::set_permissions(&place.file, Permissions::from_mode(mode)).unwrap();
        let mut command = Command::new(&place.file);
        command.uid(65534).gid(65534).current_dir("/");
        let text = place.output_of(command, &[], "");
        assert_eq!(text.matches("the pools work").count(), 2, "mode {mode:o}: {text}");
    }
}
