//! What makes a process a worker: a marker in its environment together with a greeting in its standard input.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, Write as _},
    ops::Range,
    os::{
        fd::{FromRawFd as _, OwnedFd},
        unix::{ffi::OsStrExt as _, net::UnixStream, process::CommandExt as _},
    },
    process::{Command, Stdio},
    ptr::null_mut,
    sync::OnceLock,
};

use executor_core::{ErrorKind, Executor};
use process_pool::Transport;
use rustix::net::RecvFlags;

use super::{is_root, skip};
use crate::{
    programs,
    support::{Meeting, builder},
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
    let meeting = Meeting::new();
    let with = |what: &str, input: Stdio| {
        assert_no_worker(what, programs::command("says_hello").env(MARKER, OsStr::from_bytes(TOKEN)).stdin(input));
    };
    with("nothing", Stdio::null());
    let mut file = File::create_new(meeting.path("file")).unwrap();
    file.write_all(&greeting(0)).unwrap();
    with("a file open for writing", file.into());
    with("a file", File::open(meeting.path("file")).unwrap().into());
    with("a directory", File::open(meeting.path("")).unwrap().into());
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

    let (mut master, mut slave) = (0, 0);
    // SAFETY: both results are written to valid places, and nothing else is asked for.
    assert_eq!(unsafe { libc::openpty(&mut master, &mut slave, null_mut(), null_mut(), null_mut()) }, 0);
    // SAFETY: both were just opened, and are nobody else's.
    let (master, slave) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
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

/// Where a greeting names the copy of the library that it is for.
const COPY: Range<usize> = 52..60;

/// In the environment of a worker: the file into which it is to write its greeting, instead of serving.
const TELL_GREETING: &str = "TELL_GREETING_IN";

#[used]
#[allow(unsafe_code)]
#[unsafe(link_section = ".init_array.00201")]
static BEFORE_THE_LIBRARY: extern "C" fn() = tell_greeting;

extern "C" fn tell_greeting() {
    let Some(file) = std::env::var_os(TELL_GREETING).filter(|_| std::env::var_os(MARKER).is_some()) else { return };
    let mut bytes = [0; 4096];
    let (count, _) = rustix::net::recv(rustix::stdio::stdin(), &mut bytes, RecvFlags::PEEK).expect("a greeting");
    fs::write(file, &bytes[..count]).expect("written");
    std::process::exit(0);
}

/// The copy of the library that this program has, as a greeting names it.
fn own_copy() -> &'static [u8] {
    static GREETING: OnceLock<Vec<u8>> = OnceLock::new();
    &GREETING.get_or_init(genuine_greeting)[COPY]
}

/// What a pool of this program sends to a worker first.
fn genuine_greeting() -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("greeting");
    let pool = builder(Transport::Socket, 1).env(TELL_GREETING, &file).build().unwrap();
    let lost = pool.submit(|()| (), ()).unwrap().result(None).expect_err("no worker serves");
    assert_eq!(lost.kind(), ErrorKind::Broken);
    fs::read(file).unwrap()
}

/// Runs a program, or what starts it, with a greeting that has the right token and is for this library, and returns its exit code and what it said.
fn greeted(command: &mut Command) -> (Option<i32>, String) {
    use std::ffi::OsStr;
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut greeting = greeting(u64::from_str_radix("123456789abcdef", 16).unwrap());
    greeting[COPY].copy_from_slice(own_copy());
    ours.write_all(&greeting).unwrap();
    let output = command.env(MARKER, OsStr::from_bytes(TOKEN)).stdin(OwnedFd::from(theirs)).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("a worker could not start") && !said.contains("hello"), "{said}");
    (output.status.code(), said)
}

/// The program's own code must not run in the place of a worker's, whatever is wrong with the greeting.
#[test]
fn a_greeting_that_names_no_rights_makes_no_worker() {
    let (code, said) = greeted(&mut programs::command("says_hello"));
    assert_eq!(code, Some(97), "{said}");
    assert!(said.contains("that the program that started it lacks"), "{said}");
}

#[test]
fn a_greeting_that_is_not_from_the_parent_makes_no_worker() {
    let program = programs::command("says_hello");
    let mut between = Command::new("sh");
    between.args(["-c", r#""$0" "$@"; exit $?"#]).arg(std::env::current_exe().unwrap()).args(program.get_args());
    between.envs(program.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let (code, said) = greeted(&mut between);
    assert_eq!(code, Some(97), "{said}");
    assert!(said.contains("its greeting came from process"), "{said}");
}

#[test]
fn a_parent_outside_of_the_process_namespace_is_known_by_its_ids() {
    if is_root() {
        programs::succeeds("starts_in_another_namespace", &[]);
    } else {
        skip("a process namespace", "it needs root");
    }
}

#[allow(unsafe_code)]
pub fn starts_in_another_namespace() {
    // Threads cannot be started any more behind the system call, and a pool needs some.
    own_copy();
    // SAFETY: a system call without pointers: the children of this process get numbers of their own.
    if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
        return skip("a process namespace", "the system refuses it");
    }
    // Its parent and the sender are both nobody that it could name. What it refuses is what comes after that.
    let (_, said) = greeted(&mut programs::command("says_hello"));
    assert!(said.contains("that the program that started it lacks"), "{said}");
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
    let meeting = Meeting::new();
    let mut file = File::options().create_new(true).read(true).write(true).open(meeting.path("file")).unwrap();
    file.write_all(&greeting(1)).unwrap();
    file.rewind().unwrap();
    let input = file.try_clone().unwrap();
    assert_no_worker("a file", programs::command("says_hello").env(MARKER, "1").stdin(input));
    assert_eq!(file.stream_position().unwrap(), 0);
}
