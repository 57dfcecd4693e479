//! The standard error of workers goes to that of the host. A reader that stops does not block the pool.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    os::{
        fd::OwnedFd,
        unix::{fs::PermissionsExt as _, process::CommandExt as _},
    },
    process::Stdio,
    sync::mpsc::{Sender, channel},
    thread,
    time::Duration,
};

use executor_core::{ErrorKind, Executor, Future, Shutdown, TaskOptions};
use process_pool::{ProcessPoolExecutor, Transport};
use test_support::pipe;

use crate::{
    programs,
    support::{
        DEADLINE, SharedDir, builder, get, kill, never_ends, pool, terminal, threads, wait_for_file, wait_until,
    },
    world::end_at_the_deadline,
};

pub fn find(program: &str) -> Option<fn()> {
    Some(match program {
        "has_a_reader_that_stops" => has_a_reader_that_stops,
        "has_workers_that_write_at_the_same_time" => has_workers_that_write_at_the_same_time,
        "has_workers_that_write" => has_workers_that_write,
        "has_a_worker_that_prompts" => has_a_worker_that_prompts,
        "has_a_limit_on_the_size_of_files" => has_a_limit_on_the_size_of_files,
        _ => return None,
    })
}

const BOTH: [Transport; 2] = [Transport::Ring, Transport::Socket];

/// In a task: writes many lines of different lengths, each with an end mark. Returns the number of bytes.
fn writes_lines(count: usize) -> usize {
    let line = |number: usize| format!("<{}:{}>\n", number, "x".repeat(number % 150));
    let lines = (0..count).map(line);
    lines.map(|line| if write_all(line.as_bytes()) { line.len() } else { 0 }).sum()
}

/// Writes with one system call, as C does.
#[allow(unsafe_code)]
fn write_all(bytes: &[u8]) -> bool {
    // SAFETY: the bytes are there.
    unsafe { libc::write(2, bytes.as_ptr().cast(), bytes.len()) == bytes.len() as isize }
}

fn is_intact(line: &str) -> bool {
    let text = line.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).and_then(|rest| rest.split_once(':'));
    text.is_some_and(|(number, x)| number.parse().is_ok_and(|number: usize| x == "x".repeat(number % 150)))
}

/// Returns the number of bytes that a line reports as dropped.
fn left_out(line: &str) -> Option<usize> {
    let number = line.strip_prefix("… ")?.strip_suffix(" bytes of worker stderr were left out …")?;
    number.replace(',', "").parse().ok()
}

#[allow(unsafe_code)]
fn replace_fd_of_standard_error(file: &impl std::os::fd::AsRawFd) {
    // SAFETY: nothing in this process owns the descriptor that is replaced.
    assert_eq!(unsafe { libc::dup2(file.as_raw_fd(), 2) }, 2);
}

#[test]
fn an_unread_terminal_does_not_block_the_pool() {
    programs::succeeds("has_a_reader_that_stops", &[("KIND", "terminal")]);
}

#[test]
fn an_unread_pipe_does_not_block_the_pool() {
    programs::succeeds("has_a_reader_that_stops", &[("KIND", "pipe")]);
}

#[test]
fn an_unread_socket_does_not_block_the_pool() {
    programs::succeeds("has_a_reader_that_stops", &[("KIND", "socket")]);
}

#[test]
fn an_unread_pipe_that_cannot_be_opened_again_does_not_block_the_pool() {
    programs::succeeds("has_a_reader_that_stops", &[("KIND", "foreign terminal")]);
    programs::succeeds("has_a_reader_that_stops", &[("KIND", "foreign pipe")]);
}

#[test]
fn a_full_or_closed_standard_error_does_not_block_the_pool() {
    programs::succeeds("has_a_reader_that_stops", &[("KIND", "full")]);
    programs::succeeds("has_a_reader_that_stops", &[("KIND", "closed")]);
}

/// Uses a pool while its workers write more than is read.
fn has_a_reader_that_stops() {
    end_at_the_deadline();
    let kind = std::env::var("KIND").expect("it is set");
    for transport in BOTH {
        let reader = replace_standard_error(&kind);
        let pool = builder(transport, 2).build().unwrap();
        let written = uses_every_function(&pool);
        match reader {
            // The lines that are not dropped arrive, with a report of those that are.
            Some(reader) if transport == Transport::Ring && !kind.starts_with("foreign") => {
                let (begins, begun) = channel();
                let shown = thread::spawn(move || read_lines(reader, &begins));
                begun.recv_timeout(DEADLINE).unwrap();
                drop(pool);
                close_standard_error();
                is_complete(&shown.join().unwrap(), written);
            }
            // The pool ends even if nothing is read.
            reader => {
                drop(pool);
                drop(reader);
            }
        }
    }
}

/// Returns the reading end, if there is one.
fn replace_standard_error(kind: &str) -> Option<File> {
    let (reader, writer): (OwnedFd, OwnedFd) = match kind.trim_start_matches("foreign ") {
        "terminal" => {
            let (reader, writer) = terminal();
            (reader.into(), writer)
        }
        "pipe" => {
            let (reader, writer) = pipe();
            (reader.into(), writer.into())
        }
        "socket" => {
            let (reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
            (reader.into(), writer.into())
        }
        "full" => {
            replace_fd_of_standard_error(&File::options().write(true).open("/dev/full").unwrap());
            return None;
        }
        _ => {
            close_standard_error();
            return None;
        }
    };
    if kind.starts_with("foreign") {
        let no_access = fs::Permissions::from_mode(0o0);
        File::from(writer.try_clone().unwrap()).set_permissions(no_access).unwrap();
        is_no_root();
    }
    replace_fd_of_standard_error(&writer);
    Some(reader.into())
}

/// Gives up root, so that access to files is checked.
#[allow(unsafe_code)]
fn is_no_root() {
    // SAFETY: system calls without pointers. The second one also gives this program access to its files in `/proc`
    // again.
    unsafe {
        libc::setresgid(65534, 65534, 65534);
        libc::setresuid(65534, 65534, 65534);
        libc::prctl(libc::PR_SET_DUMPABLE, 1);
    }
}

#[allow(unsafe_code)]
fn close_standard_error() {
    // SAFETY: nothing in this process owns the descriptor.
    unsafe { libc::close(2) };
}

/// Causes deaths, limits, terminations and results. Returns the number of bytes that workers have written.
fn uses_every_function(pool: &ProcessPoolExecutor) -> usize {
    let floods = |count| pool.submit(writes_lines, count).unwrap();
    let written: usize = [floods(40_000), floods(40_000)].iter().map(|future| get(future).unwrap()).sum();
    assert_eq!(get(&pool.submit(|n: u32| n + 1, 1).unwrap()).unwrap(), 2);
    let error = get(&pool.submit(|()| -> u32 { std::process::exit(3) }, ()).unwrap()).unwrap_err();
    assert_eq!(error.worker_death().unwrap().exit_code(), Some(3));
    let limited = TaskOptions::new().time_limit(Duration::from_millis(50));
    let dir = SharedDir::new();
    let long = pool.submit_with(limited, never_ends, dir.path("limited")).unwrap();
    assert_eq!(get(&long).unwrap_err().kind(), ErrorKind::TimeLimit);
    let long = pool.submit(never_ends, dir.path("runs")).unwrap();
    wait_for_file(&dir.path("runs"));
    assert!(long.terminate(Duration::ZERO));
    assert_eq!(get(&long).unwrap_err().kind(), ErrorKind::Terminated);
    written + get(&floods(10)).unwrap()
}

/// Returns all lines, and signals when the first one has arrived.
fn read_lines(reader: File, begins: &Sender<()>) -> Vec<String> {
    let mut lines = Vec::new();
    for line in BufReader::new(reader).lines() {
        // A terminal without a writer cannot be read.
        let Ok(line) = line else { break };
        lines.push(line.trim_end_matches('\r').to_string());
        if lines.len() == 1 {
            let _ = begins.send(());
        }
    }
    lines
}

/// Checks that every line is complete or reports dropped bytes, and that nothing else is missing.
fn is_complete(lines: &[String], written: usize) {
    let (mut shown, mut missing) = (0, 0);
    for line in lines {
        match left_out(line) {
            Some(count) => missing += count,
            None => {
                assert!(is_intact(line), "{line:?}");
                shown += line.len() + 1;
            }
        }
    }
    assert!(missing > 0, "lines were dropped while nothing was read");
    assert_eq!(shown + missing, written);
}

#[test]
fn lines_of_workers_that_write_at_the_same_time_arrive_complete() {
    for kind in ["pipe", "terminal"] {
        let mut command = programs::command("has_workers_that_write_at_the_same_time");
        command.stdout(Stdio::null());
        let (reader, mut child): (File, _) = if kind == "pipe" {
            let (reader, writer) = pipe();
            (reader, command.stderr(writer).spawn().unwrap())
        } else {
            let (reader, writer) = terminal();
            (reader, command.stderr(writer).spawn().unwrap())
        };
        drop(command);
        let mut counts: BTreeMap<bool, usize> = BTreeMap::new();
        for line in read_lines(reader, &channel().0) {
            assert_eq!(left_out(&line), None, "the reader is fast enough");
            *counts.entry(is_intact(&line)).or_default() += 1;
        }
        assert!(child.wait().unwrap().success());
        assert_eq!(counts, BTreeMap::from([(true, 2 * 8 * 5000)]), "{kind}");
    }
}

fn has_workers_that_write_at_the_same_time() {
    end_at_the_deadline();
    for transport in BOTH {
        let pool = pool(transport, 8);
        let futures: Vec<Future<usize>> = (0..8).map(|_| pool.submit(writes_lines, 5000).unwrap()).collect();
        futures.iter().for_each(|future| assert!(get(future).unwrap() > 0));
    }
}

#[test]
fn the_output_of_a_worker_arrives_before_the_pool_has_ended() {
    let text = programs::succeeds("has_workers_that_write", &[]);
    for what in ["before a result", "before a death", "an unfinished line"] {
        assert_eq!(text.matches(what).count(), 2, "{what:?} in {text}");
    }
    assert!(text.lines().any(|line| line == "an unfinished line"), "{text}");
}

fn has_workers_that_write() {
    end_at_the_deadline();
    let before = threads();
    for transport in BOTH {
        let pool = pool(transport, 2);
        get(&pool.submit(|()| eprintln!("before a result"), ()).unwrap()).unwrap();
        let dies = |()| {
            eprintln!("before a death");
            std::process::abort()
        };
        get::<()>(&pool.submit(dies, ()).unwrap()).unwrap_err();
        get(&pool.submit(|()| eprint!("an unfinished line"), ()).unwrap()).unwrap();
        pool.shutdown(Shutdown::Drain);
        // It ends the line, which has arrived.
        eprintln!();
        // A thread is in the list for a moment after it was joined, and no event tells when it is removed.
        wait_until("the threads of the pool to be gone", || threads() == before);
    }
}

#[test]
fn a_prompt_without_a_line_end_arrives() {
    let dir = SharedDir::new();
    let mut command = programs::command("has_a_worker_that_prompts");
    command.env("ANSWER", dir.path("answer")).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut reader = child.stderr.take().unwrap();
    let (mut text, mut byte) = (Vec::new(), [0]);
    // The task goes on only when the prompt has been read.
    while !text.ends_with(b"Really? ") {
        assert_eq!(reader.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&text));
        text.push(byte[0]);
    }
    dir.touch("answer");
    assert!(child.wait().unwrap().success());
}

fn has_a_worker_that_prompts() {
    fn asks(path: String) {
        eprint!("Really? ");
        wait_for_file(&path);
    }
    end_at_the_deadline();
    let pool = pool(Transport::Ring, 1);
    get(&pool.submit(asks, std::env::var("ANSWER").unwrap()).unwrap()).unwrap();
}

/// Limits on the size of files. Some are smaller than the memory of a ring.
const FILE_SIZES: [u64; 5] = [0, 1, 4096, 512 << 10, 600 << 10];

#[test]
fn a_limit_on_the_size_of_files_does_not_end_the_program() {
    for limit in FILE_SIZES {
        let dir = SharedDir::new();
        let log = dir.path("log");
        let mut command = programs::command("has_a_limit_on_the_size_of_files");
        command.stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let set = move || set_file_size(limit);
        #[allow(unsafe_code)]
        // SAFETY: between fork and exec it makes one system call.
        let output = unsafe { command.pre_exec(set) }.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{limit}: {}\n{text}", output.status);
        let length = std::fs::metadata(&log).unwrap().len();
        assert!(length <= limit && (limit > 600 || length == limit), "{length} of {limit} bytes");
    }
}

#[allow(unsafe_code)]
fn set_file_size(bytes: u64) -> std::io::Result<()> {
    let limit = libc::rlimit { rlim_cur: bytes as libc::rlim_t, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the limit is read from a valid place.
    if unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) } == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}

fn has_a_limit_on_the_size_of_files() {
    end_at_the_deadline();
    for transport in BOTH {
        let pool = builder(transport, 2).build().unwrap();
        warm(&pool);
        let written = get(&pool.submit(writes_lines, 10_000).unwrap()).unwrap();
        assert!(written > 700 << 10, "it goes through a pipe");
        // A replacement has a link of its own.
        kill(pool.worker_pids()[0], libc::SIGKILL);
        warm(&pool);
        let error = get(&pool.submit(|()| -> u32 { std::process::exit(3) }, ()).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WorkerDied);
        warm(&pool);
    }
}

/// Runs short tasks until both workers have run.
fn warm(pool: &ProcessPoolExecutor) {
    wait_until("two workers", || pool.worker_pids().len() == 2);
    let futures: Vec<Future<u32>> =
        (0..20).map(|n| pool.submit_with(TaskOptions::new().retries(1), |n: u32| n + 1, n).unwrap()).collect();
    futures.iter().for_each(|future| assert!(get(future).is_ok()));
}
