//! Only a process that builds a pool can make a worker, and a worker never has a right that this process lacks.
//!
//! Most of these tests need root, to make files that give rights and to give up rights. Without root they are skipped
//! with a message.

mod files;
mod given_up;
mod hostile_starts;
mod refused;
mod taken_back;

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use executor_core::Executor;
use process_pool::{ProcessPoolExecutor, Transport};

use crate::{
    programs,
    support::get,
    world::{is_root, skip},
};
use files::Files;

/// Finds a program of these tests.
pub fn find(program: &str) -> Option<fn()> {
    Some(match program {
        "tells_how_a_pool_is_built" => tells_how_a_pool_is_built,
        "attacks" => hostile_starts::attacks,
        "has_given_up_rights" => given_up::has_given_up_rights,
        "has_suspended_rights" => taken_back::has_suspended_rights,
        "suspends_rights_for_a_while" => taken_back::suspends_rights_for_a_while,
        "may_not_signal_its_workers" => refused::may_not_signal_its_workers,
        "loses_rights_while_workers_start" => refused::loses_rights_while_workers_start,
        _ => return None,
    })
}

/// A user without any rights, and its group.
const NOBODY: u32 = 65534;

/// Returns the files for a test that needs root. Prints that the test is skipped and returns `None` if there are none.
fn files(what: &str) -> Option<Files> {
    if !is_root() {
        skip(what, "it needs root");
        return None;
    }
    let files = Files::new();
    if files.is_none() {
        skip(what, "no directory here lets files give rights, and lets every user run them");
    }
    files
}

/// Returns the command that runs a program from this file as this user.
fn command(file: &Path, program: &str, user: u32) -> Command {
    let mut command = Command::new(file);
    let like = programs::command(program);
    command.args(like.get_args()).envs(like.get_envs().filter_map(|(key, value)| Some((key, value?))));
    if user != 0 {
        command.uid(user).gid(user);
    }
    command.current_dir("/").stdin(Stdio::null());
    command
}

fn text_of(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn succeeds(command: &mut Command) -> String {
    let output = command.output().expect("starts");
    let text = text_of(&output);
    assert!(output.status.success(), "{}\n{text}", output.status);
    text
}

/// Returns the rights of this process, as the kernel reports them, with a line for each kind.
fn rights(_: ()) -> Vec<String> {
    let status = fs::read_to_string("/proc/self/status").expect("a /proc");
    let kinds = ["Uid:", "Gid:", "Groups:", "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"];
    let lines = status.lines().filter(|line| kinds.iter().any(|kind| line.starts_with(kind)));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Returns the capabilities in one of these lines.
fn set(rights: &[String], kind: &str) -> u64 {
    let line = rights.iter().find_map(|line| line.strip_prefix(kind)).expect("a set of this kind");
    u64::from_str_radix(line.trim_start_matches(':').trim(), 16).expect("a number")
}

fn tells_how_a_pool_is_built() {
    for transport in [Transport::Ring, Transport::Socket] {
        match ProcessPoolExecutor::builder().max_workers(1).transport(transport).build() {
            Err(error) => println!("built: {:?}: {error}", error.kind()),
            Ok(pool) => {
                let result = get(&pool.submit(rights, ()).unwrap());
                println!("built: a pool, with {result:?}");
            }
        }
    }
}

/// This tries each way in which a file gives rights.
#[test]
fn a_program_with_more_rights_than_its_caller_has_no_pool() {
    let Some(files) = files("a program with more rights than its caller") else { return };
    for (what, file) in files.that_give_rights() {
        let text = succeeds(&mut command(&file, "tells_how_a_pool_is_built", NOBODY));
        assert_eq!(
            text.matches("built: Broken: this program cannot have worker processes").count(),
            2,
            "{what}: {text}"
        );
        assert!(text.contains("started with rights that its caller does not have"), "{what}: {text}");
    }
    let text = succeeds(&mut command(&files.plain, "tells_how_a_pool_is_built", NOBODY));
    assert_eq!(text.matches("built: a pool, with Ok").count(), 2, "{text}");
    // A file that gives only rights that the caller has changes nothing.
    let text = succeeds(&mut command(&files.set_uid, "tells_how_a_pool_is_built", 0));
    assert_eq!(text.matches("built: a pool, with Ok").count(), 2, "{text}");
}
