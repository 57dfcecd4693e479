//! What makes a process a worker: a marker in its environment together with a greeting in its standard input.

use std::{
    fs::File,
    io::{Read as _, Seek as _, Write as _},
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt as _, net::UnixStream, process::CommandExt as _},
    },
    process::{Command, Stdio},
};

use super::{is_root, skip, told};
use crate::{
    programs,
    support::{SharedDir, builder, terminal, wait_for_file},
};

const MARKER: &str = "CONCURRENT_FUTURES_WORKER";

/// A token that could be one.
const TOKEN: &[u8] = b"123456789abcdef";

fn markers() -> Vec<Vec<u8>> {
    let texts = [&b""[..], b"0", b"1", TOKEN, b"zz", b"-1", b"ffffffffffffffff", b"10000000000000000", b"\xff\xfe"];
    let mut markers: Vec<Vec<u8>> = texts.iter().map(|text| text.to_vec()).collect();
    markers.push(vec![b'f'; 100_000]);
    markers
}

/// It runs its own main function, and its pools work: the marker does not go on to its workers, either.
fn assert_no_worker(what: &str, command: &mut Command) {
    // An end of a socket, or of a terminal, that stays open must not keep anybody waiting, so nothing is closed before.
    let output = command.output().expect("starts");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("hello from a program"), "{what}: {}\n{said}", output.status);
}

#[test]
fn a_program_that_inherits_a_marker_is_no_worker() {
    use std::ffi::OsStr;
    for marker in markers() {
        let what = String::from_utf8_lossy(&marker[..marker.len().min(20)]).into_owned();
        assert_no_worker(&what, programs::command("says_hello").env(MARKER, OsStr::from_bytes(&marker)));
        let said = programs::command("uses_pools").env(MARKER, OsStr::from_bytes(&marker)).output().unwrap();
        assert!(said.status.success(), "{what}: {}", String::from_utf8_lossy(&said.stderr));
    }
}

#[test]
#[allow(unsafe_code)]
fn a_program_with_a_marker_and_a_foreign_standard_input_is_no_worker() {
    use std::ffi::OsStr;
    let dir = SharedDir::new();
    let with = |what: &str, input: Stdio| {
        assert_no_worker(what, programs::command("says_hello").env(MARKER, OsStr::from_bytes(TOKEN)).stdin(input));
    };
    with("nothing", Stdio::null());
    let mut file = File::create_new(dir.path("file")).unwrap();
    file.write_all(&greeting(0)).unwrap();
    with("a file open for writing", file.into());
    with("a file", File::open(dir.path("file")).unwrap().into());
    with("a directory", File::open(dir.path("")).unwrap().into());
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&greeting(u64::from_str_radix("123456789abcdef", 16).unwrap())).unwrap();
    with("a pipe, with what a worker is told", reader.into());
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
        // Nobody has taken or answered anything.
        ours.set_nonblocking(true).unwrap();
        let answer = ours.read(&mut [0; 10]);
        assert!(!matches!(answer, Ok(1..)), "{what}: {answer:?}");
    }
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(ours);
    with("a socket that nobody has the other end of", OwnedFd::from(theirs).into());
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
    assert_no_worker("no standard input", closed.env(MARKER, OsStr::from_bytes(TOKEN)));
}

/// The first bytes that a pool sends to a worker with this token, made up by a stranger.
fn greeting(token: u64) -> Vec<u8> {
    let mut bytes = b"ccfut\0\0\x02".to_vec();
    bytes.extend_from_slice(&token.to_le_bytes());
    bytes.resize(1000, 0);
    bytes
}

/// In the environment of a process that is started as a worker: where it writes the greeting that it was sent.
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
    // Whole or not at all, because somebody waits for it.
    let part = format!("{}.{}", path.display(), std::process::id());
    std::fs::write(&part, text).and_then(|()| std::fs::rename(part, path)).expect("written");
    // SAFETY: it ends this process immediately.
    unsafe { libc::_exit(0) }
}

/// Builds a pool, so that a greeting is recorded, with as few rights as it can have without being another user.
#[allow(unsafe_code)]
pub fn sends_a_greeting() {
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none }).unwrap();
    // With the link through the socket nothing comes along with it.
    let pool = builder(process_pool::Transport::Socket, 1).env(RECORD, told("GREETING")).build().unwrap();
    wait_for_file(&told("GREETING"));
    drop(pool);
}

/// Runs a program, or what starts it, with the greeting of a pool that has fewer rights than this program, and returns
/// its exit code and what it said.
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
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("a worker could not start") && !said.contains("hello"), "{said}");
    (output.status.code(), said)
}

/// The program's own code must not run in the place of a worker's, whatever is wrong with the greeting.
#[test]
fn a_process_with_a_right_that_is_not_in_its_greeting_is_no_worker() {
    if !is_root() {
        return skip("a greeting with fewer rights", "it needs root");
    }
    let (code, said) = greeted(&mut programs::command("says_hello"), &SharedDir::new());
    assert_eq!(code, Some(97), "{said}");
    assert!(said.contains("rights that the program that started it lacks: permitted capabilities"), "{said}");
}

#[test]
fn a_process_whose_greeting_is_not_from_its_parent_is_no_worker() {
    let program = programs::command("says_hello");
    let mut between = Command::new("sh");
    between.args(["-c", r#""$0" "$@"; exit $?"#]).arg(std::env::current_exe().unwrap()).args(program.get_args());
    between.envs(program.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let (code, said) = greeted(&mut between, &SharedDir::new());
    assert_eq!(code, Some(97), "{said}");
    assert!(said.contains("its greeting came from process"), "{said}");
}

#[test]
fn a_parent_outside_of_the_process_namespace_is_known_by_its_ids() {
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
    // Neither its parent nor the sender has a number there. What it refuses is what is looked at after that.
    let (_, said) = greeted(&mut programs::command("says_hello"), &dir);
    assert!(said.contains("rights that the program that started it lacks"), "{said}");
}

#[test]
fn a_depth_that_makes_no_sense_keeps_pools_from_being_built() {
    for depth in ["8", "9", "4294967295", "4294967296", "99999999999999999999", "-1", "", " 1", "1 ", "one", "\u{7f}"] {
        let said = programs::succeeds("builds_a_pool", &[("CONCURRENT_FUTURES_DEPTH", depth)]);
        assert!(said.contains("kind: Broken"), "{depth:?}: {said}");
    }
    for depth in ["0", "1", "007"] {
        let said = programs::succeeds("builds_a_pool", &[("CONCURRENT_FUTURES_DEPTH", depth)]);
        assert!(said.contains("kind: none"), "{depth:?}: {said}");
    }
}

/// Both ends of a file that was rewound say the same: the program has read nothing of it.
#[test]
fn what_waits_in_the_standard_input_is_left_to_the_program() {
    let dir = SharedDir::new();
    let mut file = File::options().create_new(true).read(true).write(true).open(dir.path("file")).unwrap();
    file.write_all(&greeting(1)).unwrap();
    file.rewind().unwrap();
    let input = file.try_clone().unwrap();
    assert_no_worker("a file", programs::command("says_hello").env(MARKER, "1").stdin(input));
    assert_eq!(file.stream_position().unwrap(), 0);
}
