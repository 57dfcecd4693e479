//! A process is a worker only with a marker in its environment and a greeting in its standard input.

use std::{
    fs::File,
    io::{Read as _, Seek as _, Write as _},
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt as _, net::UnixStream, process::CommandExt as _},
    },
    process::{Command, Stdio},
};

use super::{is_root, skip, variable};
use crate::{
    programs,
    support::{SharedDir, builder, terminal, wait_for_file},
};

const MARKER: &str = "CONCURRENT_FUTURES_WORKER";

/// A token of the right form.
const TOKEN: &[u8] = b"123456789abcdef";

fn markers() -> Vec<Vec<u8>> {
    let texts = [&b""[..], b"0", b"1", TOKEN, b"zz", b"-1", b"ffffffffffffffff", b"10000000000000000", b"\xff\xfe"];
    let mut markers: Vec<Vec<u8>> = texts.iter().map(|text| text.to_vec()).collect();
    markers.push(vec![b'f'; 100_000]);
    markers
}

/// Checks that a program runs its own main function, and that its pools work.
fn assert_not_a_worker(what: &str, command: &mut Command) {
    // The other end of a socket or terminal stays open, because the program must not wait for its end.
    let output = command.output().expect("starts");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("hello from a program"), "{what}: {}\n{text}", output.status);
}

#[test]
fn a_program_that_inherits_a_marker_is_not_a_worker() {
    use std::ffi::OsStr;
    for marker in markers() {
        let what = String::from_utf8_lossy(&marker[..marker.len().min(20)]).into_owned();
        assert_not_a_worker(&what, programs::command("says_hello").env(MARKER, OsStr::from_bytes(&marker)));
        let text = programs::command("uses_pools").env(MARKER, OsStr::from_bytes(&marker)).output().unwrap();
        assert!(text.status.success(), "{what}: {}", String::from_utf8_lossy(&text.stderr));
    }
}

#[test]
#[allow(unsafe_code)]
fn a_program_with_a_marker_and_a_foreign_standard_input_is_not_a_worker() {
    use std::ffi::OsStr;
    let dir = SharedDir::new();
    let with = |what: &str, input: Stdio| {
        assert_not_a_worker(what, programs::command("says_hello").env(MARKER, OsStr::from_bytes(TOKEN)).stdin(input));
    };
    with("nothing", Stdio::null());
    let mut file = File::create_new(dir.path("file")).unwrap();
    file.write_all(&greeting(0)).unwrap();
    with("a file open for writing", file.into());
    with("a file", File::open(dir.path("file")).unwrap().into());
    with("a directory", File::open(dir.path("")).unwrap().into());
    let (reader, mut writer) = test_support::pipe();
    writer.write_all(&greeting(u64::from_str_radix("123456789abcdef", 16).unwrap())).unwrap();
    with("a pipe with a greeting", reader.into());
    drop(writer);

    for (what, sent) in [
        ("a silent socket", Vec::new()),
        ("a socket with one byte", vec![1]),
        ("a socket with noise", vec![b'c'; 1000]),
        ("a socket with the greeting of another worker", greeting(7)),
        ("a socket with the beginning of its greeting", greeting(0x0012_3456_789a_bcde_u64 << 4 | 0xf)[..59].to_vec()),
    ] {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(&sent).unwrap();
        with(what, OwnedFd::from(theirs).into());
        // The program has read nothing and sent nothing.
        ours.set_nonblocking(true).unwrap();
        let result = ours.read(&mut [0; 10]);
        assert!(!matches!(result, Ok(1..)), "{what}: {result:?}");
    }
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(ours);
    with("a socket whose other end is closed", OwnedFd::from(theirs).into());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    with("a socket that listens", OwnedFd::from(listener).into());

    let (master, slave) = terminal();
    with("a terminal", slave.into());
    drop(master);

    let mut closed = programs::command("says_hello");
    // SAFETY: a system call without pointers, on a descriptor of the child's own.
    unsafe {
        closed.pre_exec(|| {
            libc::close(0);
            Ok(())
        })
    };
    assert_not_a_worker("no standard input", closed.env(MARKER, OsStr::from_bytes(TOKEN)));
}

/// Returns a forged greeting with this token.
fn greeting(token: u64) -> Vec<u8> {
    let mut bytes = b"ccfut\0\0\x05".to_vec();
    bytes.extend_from_slice(&token.to_le_bytes());
    bytes.resize(1000, 0);
    bytes
}

/// A variable of a process that is started as a worker: the file for the greeting that it gets.
const RECORD: &str = "RECORDS_ITS_GREETING";

#[used]
#[allow(unsafe_code)]
#[unsafe(link_section = ".init_array.00250")]
static RECORDER: extern "C" fn() = record;

#[allow(unsafe_code)]
extern "C" fn record() {
    let (Some(path), Some(marker)) = (std::env::var_os(RECORD), std::env::var_os(MARKER)) else { return };
    let mut bytes = vec![0_u8; 4096];
    // SAFETY: the bytes are written to a valid place.
    let length = unsafe { libc::recv(0, bytes.as_mut_ptr().cast(), bytes.len(), libc::MSG_PEEK | libc::MSG_DONTWAIT) };
    bytes.truncate(usize::try_from(length).unwrap_or(0));
    let text = [marker.as_bytes(), b"\n", bytes.as_slice()].concat();
    // The file appears complete, because a test waits for it.
    let part = format!("{}.{}", std::path::Path::new(&path).display(), std::process::id());
    std::fs::write(&part, text).and_then(|()| std::fs::rename(part, path)).expect("written");
    // SAFETY: it ends this process immediately.
    unsafe { libc::_exit(0) }
}

/// Builds a pool with as few rights as possible for this user, so that a greeting is recorded.
#[allow(unsafe_code)]
pub fn sends_a_greeting() {
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none }).unwrap();
    // A copy of a greeting has no descriptors. Without memory the link needs none but the channel, and the rights are
    // checked before that.
    let pool = builder(process_pool::Transport::Socket, 1).env(RECORD, variable("GREETING")).build().unwrap();
    wait_for_file(&variable("GREETING"));
    drop(pool);
}

/// Runs a command with the greeting of a pool that has fewer rights than this program. Returns its exit code and
/// output.
fn greeted(command: &mut Command, dir: &SharedDir) -> (Option<i32>, String) {
    use std::ffi::OsStr;
    let path = dir.path("greeting");
    if !dir.has("greeting") {
        programs::succeeds("sends_a_greeting", &[("GREETING", &path)]);
    }
    let recorded = std::fs::read(path).unwrap();
    let line = recorded.iter().position(|byte| *byte == b'\n').unwrap();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.write_all(&recorded[line + 1..]).unwrap();
    command.env(MARKER, OsStr::from_bytes(&recorded[..line])).stdin(OwnedFd::from(theirs));
    let output = command.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("a worker could not start") && !text.contains("hello"), "{text}");
    (output.status.code(), text)
}

/// The main function of the program must not run either.
#[test]
fn a_process_with_more_rights_than_its_greeting_is_not_a_worker() {
    if !is_root() {
        return skip("a greeting with fewer rights", "it needs root");
    }
    let (code, text) = greeted(&mut programs::command("says_hello"), &SharedDir::new());
    assert_eq!(code, Some(97), "{text}");
    assert!(text.contains("rights that the program that started it lacks: permitted capabilities"), "{text}");
}

#[test]
fn a_process_with_a_greeting_from_another_than_its_parent_is_not_a_worker() {
    let program = programs::command("says_hello");
    let mut between = Command::new("sh");
    between.args(["-c", r#""$0" "$@"; exit $?"#]).arg(std::env::current_exe().unwrap()).args(program.get_args());
    between.envs(program.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let (code, text) = greeted(&mut between, &SharedDir::new());
    assert_eq!(code, Some(97), "{text}");
    assert!(text.contains("its greeting came from process"), "{text}");
}

#[test]
fn a_parent_outside_of_the_pid_namespace_is_identified_by_its_ids() {
    if !is_root() {
        return skip("a process namespace", "it needs root");
    }
    programs::succeeds("starts_in_another_namespace", &[]);
}

#[allow(unsafe_code)]
pub fn starts_in_another_namespace() {
    let dir = SharedDir::new();
    greeted(&mut programs::command("says_hello"), &dir);
    // SAFETY: a system call without pointers: the children of this process get numbers of their own.
    if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
        return skip("a process namespace", "the system refuses it");
    }
    // The parent and the sender have no process ids in the namespace, so the error is that of the next check.
    let (_, text) = greeted(&mut programs::command("says_hello"), &dir);
    assert!(text.contains("rights that the program that started it lacks"), "{text}");
}

#[test]
fn an_invalid_nesting_depth_refuses_pools() {
    for depth in ["8", "9", "4294967295", "4294967296", "99999999999999999999", "-1", "", " 1", "1 ", "one", "\u{7f}"] {
        let text = programs::succeeds("builds_a_pool", &[("CONCURRENT_FUTURES_DEPTH", depth)]);
        assert!(text.contains("kind: Broken"), "{depth:?}: {text}");
    }
    for depth in ["0", "1", "007"] {
        let text = programs::succeeds("builds_a_pool", &[("CONCURRENT_FUTURES_DEPTH", depth)]);
        assert!(text.contains("kind: none"), "{depth:?}: {text}");
    }
}

/// A program must not read its own standard input while it looks for a greeting.
#[test]
fn the_standard_input_of_a_program_is_not_read() {
    let dir = SharedDir::new();
    let mut file = File::options().create_new(true).read(true).write(true).open(dir.path("file")).unwrap();
    file.write_all(&greeting(1)).unwrap();
    file.rewind().unwrap();
    let input = file.try_clone().unwrap();
    assert_not_a_worker("a file", programs::command("says_hello").env(MARKER, "1").stdin(input));
    assert_eq!(file.stream_position().unwrap(), 0);
}
