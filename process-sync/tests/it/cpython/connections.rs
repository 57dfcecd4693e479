//! Cases of `_TestConnection`, `_TestListener`, `_TestPoll`, `_TestPicklingConnections` and `TestWait`.

use std::{
    fs::File,
    io::{Read as _, Seek as _, Write as _},
    os::{
        fd::{AsFd, AsRawFd},
        unix::net::UnixStream,
    },
    time::{Duration, Instant},
};

use executor_core::{ErrorKind::Closed, codec::handles::Handle};
use process_sync::{Access, Connection, Listener, Receiver, Sender, pipe, pipe_simplex, wait};
use test_support::SharedDir;

use crate::support::{Line, Role, child, each_harness};

pub const ROLES: &[(&str, Role)] = &[
    ("write to a file", write_to_a_file),
    ("send and leave", send_and_leave),
    ("send some strings", send_some_strings),
    ("poll and leave it", poll_and_leave_it),
    ("use two ends", use_two_ends),
    ("send ten", send_ten),
    ("say hello with a key", say_hello_with_a_key),
    ("receive and send many", receive_and_send_many),
];

const MOMENT: Duration = Duration::from_millis(5);

#[test]
fn mp_201_a_poll_waits_for_a_message_and_leaves_it() {
    let (mine, other) = pipe::<u64, u64>().unwrap();
    for timeout in [Duration::ZERO, MOMENT] {
        let started = Instant::now();
        assert!(!mine.poll(timeout) && started.elapsed() >= timeout);
    }
    other.send(1).unwrap();
    assert!(mine.poll(Duration::MAX) && mine.poll(None) && mine.poll(Duration::ZERO));
    assert_eq!(mine.recv(None).unwrap(), 1);
    assert!(!mine.poll(Duration::ZERO));
}

fn write_to_a_file(line: &mut Line) {
    let files: Receiver<Handle> = line.receive();
    while let Ok(file) = files.recv(None) {
        let mut file = File::from(file.as_fd().try_clone_to_owned().unwrap());
        file.write_all(b"foo").unwrap();
    }
}

#[test]
fn mp_205_mp_206_a_process_writes_to_a_file_that_it_has_received() {
    each_harness(|harness| {
        let (receiver, sender) = pipe_simplex::<Handle>().unwrap();
        let partner = harness.start("write to a file", &receiver);
        drop(receiver);
        let folder = SharedDir::new();
        let mut files = Vec::new();
        // The number of one of the descriptors does not fit into a byte.
        for (name, number) in [("one", 0), ("other", 300)] {
            let options = File::options().read(true).write(true).create_new(true).to_owned();
            let file = options.open(folder.path(name)).unwrap();
            let sent = rustix::io::fcntl_dupfd_cloexec(&file, number).unwrap();
            assert!(sent.as_raw_fd() >= number);
            sender.send(Handle::new(sent)).unwrap();
            files.push(file);
        }
        drop(sender);
        partner.join();
        for mut file in files {
            let mut text = String::new();
            file.rewind().unwrap();
            file.read_to_string(&mut text).unwrap();
            assert_eq!(text, "foo");
        }
    });
}

fn say_hello_with_a_key(line: &mut Line) {
    let path: String = line.receive();
    Connection::<String>::connect(path, Access::Key(b"")).unwrap().send("hello".to_string()).unwrap();
}

#[test]
fn mp_211_an_empty_key_is_a_key() {
    each_harness(|harness| {
        let folder = SharedDir::new();
        let path = folder.path("listener");
        let listener = Listener::bind(&path, Access::Key(b"")).unwrap();
        let partner = harness.start("say hello with a key", &path);
        assert_eq!(listener.accept::<String, String>().unwrap().recv(None).unwrap(), "hello");
        partner.join();
    });
}

fn send_and_leave(line: &mut Line) {
    let sender: Sender<String> = line.receive();
    sender.send("hello".to_string()).unwrap();
}

#[test]
fn mp_215_a_poll_sees_a_message_whose_sender_is_gone() {
    each_harness(|harness| {
        let (receiver, sender) = pipe_simplex::<String>().unwrap();
        let partner = harness.start("send and leave", &sender);
        drop(sender);
        assert!(receiver.poll(None));
        partner.join();
        assert!(receiver.poll(Duration::ZERO));
        assert_eq!(receiver.recv(None).unwrap(), "hello");
        // A program that another test starts has a copy of the descriptor for a moment, so the end may be late.
        assert!(receiver.poll(None), "the end is an event");
        assert_eq!(receiver.recv(None).unwrap_err().kind(), Closed);
    });
}

#[test]
fn mp_216_an_empty_message_is_seen_by_every_poll() {
    let (mine, other) = pipe::<(), ()>().unwrap();
    assert!(!mine.poll(Duration::ZERO));
    other.send(()).unwrap();
    assert!(mine.poll(Duration::ZERO) && mine.poll(Duration::ZERO) && mine.poll(None));
    mine.recv(None).unwrap();
    assert!(!mine.poll(Duration::ZERO));
}

const STRINGS: [&str; 8] = ["hello", "", "a", "b", "", "bye", "", "lop"];

fn send_some_strings(line: &mut Line) {
    let sender: Sender<String> = line.receive();
    STRINGS.iter().for_each(|string| sender.send(string.to_string()).unwrap());
}

#[test]
fn mp_217_mp_219_messages_arrive_one_by_one_as_they_were_sent() {
    each_harness(|harness| {
        let (receiver, sender) = pipe_simplex::<String>().unwrap();
        let partner = harness.start("send some strings", &sender);
        drop(sender);
        for expected in STRINGS {
            assert!(receiver.poll(None));
            assert_eq!(receiver.recv(None).unwrap(), expected);
        }
        partner.join();
        assert_eq!(receiver.recv(None).unwrap_err().kind(), Closed);
    });
}

fn poll_and_leave_it(line: &mut Line) {
    let receiver: Receiver<Vec<u8>> = line.receive();
    line.send(&(receiver.poll(None), receiver.poll(MOMENT)));
    line.send(&receiver.recv(None).unwrap());
}

#[test]
fn mp_218_a_poll_in_another_process_takes_no_part_of_a_message() {
    each_harness(|harness| {
        let (receiver, sender) = pipe_simplex::<Vec<u8>>().unwrap();
        let mut partner = harness.start("poll and leave it", &receiver);
        drop(receiver);
        sender.send(b"hello".to_vec()).unwrap();
        assert_eq!(partner.line.receive::<(bool, bool)>(), (true, true));
        assert_eq!(partner.line.receive::<Vec<u8>>(), b"hello");
        partner.join();
    });
}

fn use_two_ends(line: &mut Line) {
    let ends: Connection<(), (Receiver<u64>, Sender<u64>)> = line.receive();
    let (receiver, sender) = ends.recv(None).unwrap();
    sender.send(receiver.recv(None).unwrap() * 2).unwrap();
}

#[test]
fn mp_220_mp_221_the_ends_of_pipes_go_through_a_pipe() {
    each_harness(|harness| {
        let (to_partner, its_end) = pipe::<(Receiver<u64>, Sender<u64>), ()>().unwrap();
        let partner = harness.start("use two ends", &its_end);
        drop(its_end);
        let (receiver, questions) = pipe_simplex().unwrap();
        let (answers, sender) = pipe_simplex().unwrap();
        to_partner.send((receiver, sender)).unwrap();
        questions.send(21_u64).unwrap();
        assert_eq!(answers.recv(None).unwrap(), 42_u64);
        partner.join();
        assert_eq!(answers.recv(None).unwrap_err().kind(), Closed);
    });
}

fn send_ten(line: &mut Line) {
    let (sender, name): (Sender<(u32, u32)>, u32) = line.receive();
    (0..10).for_each(|number| sender.send((name, number)).unwrap());
}

#[test]
fn mp_225_four_receivers_are_waited_for_until_all_have_ended() {
    each_harness(|harness| {
        let mut partners = Vec::new();
        let mut receivers = Vec::new();
        for name in 0..4_u32 {
            let (receiver, sender) = pipe_simplex::<(u32, u32)>().unwrap();
            partners.push(harness.start("send ten", &(sender, name)));
            receivers.push(receiver);
        }
        let mut messages = Vec::new();
        while !receivers.is_empty() {
            let many: Vec<&dyn AsFd> = receivers.iter().map(|receiver| receiver as &dyn AsFd).collect();
            // From the last to the first, so that a removed one moves no other that is ready.
            for at in wait(&many, None).into_iter().rev() {
                match receivers[at].recv(None) {
                    Ok(message) => messages.push(message),
                    Err(error) if error.kind() == Closed => drop(receivers.remove(at)),
                    Err(error) => panic!("{error}"),
                }
            }
        }
        messages.sort_unstable();
        assert_eq!(messages, (0..4).flat_map(|name| (0..10).map(move |number| (name, number))).collect::<Vec<_>>());
        partners.into_iter().for_each(|partner| partner.join());
    });
}

#[test]
fn mp_226_mp_229_sockets_and_receivers_are_waited_for_together() {
    let (socket, mut peer) = UnixStream::pair().unwrap();
    let (receiver, sender) = pipe_simplex::<u8>().unwrap();
    let both: [&dyn AsFd; 2] = [&socket, &receiver];
    // A negative time-out in Python is zero here.
    assert!(wait(&both, Duration::ZERO).is_empty());
    peer.write_all(b"x").unwrap();
    assert_eq!(wait(&both, None), [0]);
    sender.send(1).unwrap();
    assert_eq!(wait(&both, None), [0, 1]);
    (&socket).read_exact(&mut [0]).unwrap();
    assert_eq!(wait(&both, None), [1]);
    drop((peer, sender));
    // A process that another test starts at this moment has copies of both ends until it runs its program.
    test_support::wait_until("an event for each end", || wait(&both, None) == [0, 1]);
}

type Burst = Connection<u32>;

fn receive_and_send_many(line: &mut Line) {
    let (connection, path): (Burst, String) = line.receive();
    line.mark();
    let count = connection.recv(None).unwrap();
    line.mark();
    (0..count).for_each(|number| connection.send(number).unwrap());
    let listener = Listener::bind(&path, Access::SameUser).unwrap();
    line.mark();
    let accepted = listener.accept::<u32, u32>().unwrap();
    accepted.send(accepted.recv(None).unwrap() + 1).unwrap();
}

/// Stops a process and lets it go on, which ends the system call that it waits in.
fn interrupt(pid: u32) {
    for _ in 0..10 {
        test_support::kill(pid, SIGSTOP);
        test_support::wait_until("the process to stop", || test_support::is_stopped(pid));
        test_support::kill(pid, SIGCONT);
        test_support::wait_until("the process to go on", || !test_support::is_stopped(pid));
    }
}

/// The numbers of signals on Linux.
const SIGCONT: i32 = 18;
const SIGSTOP: i32 = 19;

#[test]
fn mp_230_mp_231_calls_that_a_signal_interrupts_go_on() {
    test_support::watched(|| {
        let folder = SharedDir::new();
        let (mine, other): (Burst, Burst) = pipe().unwrap();
        let mut partner = child("receive and send many", &(other, folder.path("listener")));
        partner.line.wait_mark();
        interrupt(partner.pid());
        // More than fits into the socket, so that the partner waits for room.
        mine.send(10_000).unwrap();
        partner.line.wait_mark();
        interrupt(partner.pid());
        assert!((0..10_000).all(|number| mine.recv(None).unwrap() == number));
        partner.line.wait_mark();
        interrupt(partner.pid());
        let connection = Connection::<u32>::connect(folder.path("listener"), Access::SameUser).unwrap();
        connection.send(1).unwrap();
        assert_eq!(connection.recv(None).unwrap(), 2);
        partner.join();
    });
}
