//! `pipe`, `pipe_simplex`, `wait`, `Listener`.

use std::{
    os::{
        fd::AsFd,
        unix::net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use executor_core::ErrorKind::{self, Closed, InvalidArgument, InvalidState, Timeout};
use process_sync::{Access, Connection, Listener, Lock, Queue, Receiver, Sender, pipe, pipe_simplex, wait};
use test_support::SharedDir;

use crate::support::{Line, Role, child, dead, each_harness};

pub const ROLES: &[(&str, Role)] = &[
    ("echo on a connection", echo_on_a_connection),
    ("receive and forward", receive_and_forward),
    ("hold a connection", hold_a_connection),
    ("connect and put", connect_and_put),
    ("connect with a key", connect_with_a_key),
];

type Echo = Connection<Vec<u8>>;

fn echo_on_a_connection(line: &mut Line) {
    let connection: Echo = line.receive();
    while let Ok(bytes) = connection.recv(None) {
        connection.send(bytes).unwrap();
    }
}

#[test]
fn messages_of_any_length_go_there_and_back() {
    each_harness(|harness| {
        let (mine, other) = pipe::<Vec<u8>, Vec<u8>>().unwrap();
        let partner = harness.start("echo on a connection", &other);
        drop(other);
        for length in [0, 1, 100, 32 << 10, (32 << 10) + 1, 100_000, 5 << 20] {
            mine.send(vec![length as u8; length]).unwrap();
            let back = mine.recv(None).unwrap();
            assert!(back.len() == length && back.iter().all(|byte| *byte == length as u8));
        }
        drop(mine);
        partner.join();
    });
}

#[test]
fn a_connection_without_another_end_is_closed_after_its_last_message() {
    let (mine, other) = pipe::<u8, u8>().unwrap();
    assert!(!mine.poll(Duration::from_millis(1)) && mine.try_recv().unwrap().is_none());
    let error = mine.recv(Duration::from_millis(5)).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (Timeout, "the wait for a message of a connection timed out")
    );
    mine.send(1).unwrap();
    other.send(2).unwrap();
    other.send(3).unwrap();
    drop(other);
    assert!(mine.poll(None));
    assert_eq!((mine.recv(None).unwrap(), mine.try_recv().unwrap()), (2, Some(3)));
    assert!(mine.poll(None), "the end of a connection is an event");
    let error = mine.recv(None).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Closed, "the other end of the connection is gone"));
    assert_eq!(mine.try_recv().unwrap_err().kind(), Closed);
    assert_eq!(mine.recv(Duration::ZERO).unwrap_err().kind(), Closed);
    assert_eq!(mine.send(4).unwrap_err().kind(), Closed);
}

fn hold_a_connection(line: &mut Line) {
    let (connection, receiver): (Connection<u8>, Receiver<u8>) = line.receive();
    connection.send(5).unwrap();
    line.mark();
    let _held = (connection, receiver);
    line.wait_for_death();
}

#[test]
fn the_end_of_a_dead_process_is_gone_and_its_messages_are_there() {
    let (mine, other) = pipe::<u8, u8>().unwrap();
    let (receiver, sender) = pipe_simplex::<u8>().unwrap();
    dead("hold a connection", &(other, receiver));
    assert_eq!(mine.recv(None).unwrap(), 5);
    assert_eq!(mine.recv(None).unwrap_err().kind(), Closed);
    assert_eq!(sender.send(1).unwrap_err().kind(), Closed);
}

fn receive_and_forward(line: &mut Line) {
    let (queues, sender): (Receiver<Queue<u64>>, Sender<(Lock, u64)>) = line.receive();
    while let Ok(queue) = queues.recv(None) {
        sender.send((Lock::new().unwrap(), queue.get(None).unwrap())).unwrap();
    }
}

#[test]
fn a_pipe_carries_objects() {
    each_harness(|harness| {
        let (queues, to_partner) = pipe_simplex::<Queue<u64>>().unwrap();
        let (from_partner, sender) = pipe_simplex::<(Lock, u64)>().unwrap();
        let partner = harness.start("receive and forward", &(queues, sender));
        for number in 0..50 {
            let queue = Queue::bounded(1).unwrap();
            queue.put(number).unwrap();
            to_partner.send(&queue).unwrap();
            let (lock, found) = from_partner.recv(None).unwrap();
            assert_eq!(found, number);
            drop(lock.lock().unwrap());
        }
        drop(to_partner);
        partner.join();
        assert_eq!(from_partner.recv(None).map(|(_, number)| number).unwrap_err().kind(), Closed);
    });
}

#[test]
fn a_pipe_carries_a_limited_number_of_descriptors() {
    let (receiver, sender) = pipe_simplex::<Vec<Lock>>().unwrap();
    let locks: Vec<Lock> = (0..252).map(|_| Lock::new().unwrap()).collect();
    let error = sender.send(&locks).unwrap_err();
    assert_eq!(error.kind(), InvalidArgument);
    assert_eq!(error.to_string(), "a message with 253 descriptors: at most 252 go with one");
    sender.send(locks[1..].to_vec()).unwrap();
    assert_eq!(receiver.recv(None).unwrap().len(), 251);
}

#[test]
fn many_connections_are_waited_for_together() {
    let pipes: Vec<_> = (0..5).map(|_| pipe::<u8, u8>().unwrap()).collect();
    let mine: Vec<&dyn AsFd> = pipes.iter().map(|(mine, _)| mine as &dyn AsFd).collect();
    assert!(wait(&mine, Duration::ZERO).is_empty() && wait(&mine, Duration::from_millis(5)).is_empty());
    thread::scope(|scope| {
        scope.spawn(|| pipes[3].1.send(1).unwrap());
        assert_eq!(wait(&mine, None), [3]);
        pipes[1].1.send(1).unwrap();
        assert_eq!(wait(&mine, Duration::MAX), [1, 3]);
    });
    assert!(wait(&[], Duration::ZERO).is_empty());
}

fn connect_and_put(line: &mut Line) {
    let path: String = line.receive();
    let connection = Connection::<String, Queue<u64>>::connect(path, Access::SameUser).unwrap();
    connection.send("hello".to_string()).unwrap();
    connection.recv(None).unwrap().put(7).unwrap();
}

#[test]
fn a_process_that_knows_only_the_path_gets_objects() {
    let folder = SharedDir::new();
    let path = PathBuf::from(folder.path("listener"));
    let listener = Listener::bind(&path, Access::SameUser).unwrap();
    let partner = child("connect and put", &path.to_str().unwrap().to_string());
    let connection = listener.accept::<Queue<u64>, String>().unwrap();
    assert_eq!(connection.recv(None).unwrap(), "hello");
    let queue = Queue::unbounded().unwrap();
    connection.send(&queue).unwrap();
    assert_eq!(queue.get(None).unwrap(), 7);
    partner.join();
    assert_eq!(connection.recv(None).unwrap_err().kind(), Closed);
    drop(listener);
    assert!(!path.exists());
}

#[test]
fn a_process_of_the_same_user_connects_and_sends_without_an_accept() {
    let folder = SharedDir::new();
    let path = PathBuf::from(folder.path("listener"));
    let listener = Listener::bind(&path, Access::SameUser).unwrap();
    let theirs = Connection::<u8, ()>::connect(&path, Access::SameUser).unwrap();
    theirs.send(3).unwrap();
    drop(theirs);
    assert_eq!(listener.accept::<(), u8>().unwrap().recv(None).unwrap(), 3);
}

#[test]
fn other_types_are_an_error() {
    let folder = SharedDir::new();
    let path = PathBuf::from(folder.path("listener"));
    let listener = Listener::bind(&path, Access::SameUser).unwrap();
    let theirs = Connection::<u8, ()>::connect(&path, Access::SameUser).unwrap();
    let error = listener.accept::<(), u16>().unwrap_err();
    assert_eq!(error.kind(), InvalidArgument);
    assert_eq!(error.to_string(), "a process connected with other types than the listener accepts");
    assert_eq!(theirs.recv(None).unwrap_err().kind(), Closed);
}

#[test]
fn strangers_that_are_silent_or_speak_nonsense_block_nobody() {
    let folder = SharedDir::new();
    let path = PathBuf::from(folder.path("listener"));
    for access in [Access::SameUser, Access::Key(b"secret")] {
        let listener = Listener::bind(&path, access).unwrap();
        let _silent = raw(&path);
        let rude = raw(&path);
        rustix::io::write(&rude, b"nonsense").unwrap();
        drop(raw(&path));
        let connecting = thread::spawn({
            let path = path.clone();
            move || Connection::<u8>::connect(path, access).unwrap().send(1)
        });
        assert_eq!(listener.accept::<u8, u8>().unwrap().recv(None).unwrap(), 1);
        connecting.join().unwrap().unwrap();
    }
}

fn raw(path: &Path) -> std::os::fd::OwnedFd {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect, socket};
    let socket = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
    connect(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    socket
}

fn connect_with_a_key(line: &mut Line) {
    let (path, key): (String, String) = line.receive();
    let outcome = Connection::<u8>::connect(path, Access::Key(key.as_bytes()));
    line.send(&outcome.map(drop).map_err(|error| error.kind()));
}

#[test]
fn only_a_process_with_the_key_is_accepted() {
    let folder = SharedDir::new();
    let path = PathBuf::from(folder.path("listener"));
    let listener = Listener::bind(&path, Access::Key(b"secret")).unwrap();
    let accepting = thread::spawn(move || listener.accept::<u8, u8>().map(drop));
    let text = path.to_str().unwrap().to_string();
    for (key, expected) in [("secrets", Err(Closed)), ("secret", Ok(()))] {
        let mut partner = child("connect with a key", &(text.clone(), key.to_string()));
        let outcome: Result<(), ErrorKind> = partner.line.receive();
        assert_eq!(outcome, expected, "{key}");
        partner.join();
    }
    accepting.join().unwrap().unwrap();
}

#[test]
fn a_path_belongs_to_one_listener_and_is_free_when_that_is_gone() {
    let folder = SharedDir::new();
    let path = PathBuf::from(folder.path("listener"));
    let first = Listener::bind(&path, Access::SameUser).unwrap();
    let error = Listener::bind(&path, Access::SameUser).unwrap_err();
    assert_eq!(error.kind(), InvalidState);
    assert!(error.to_string().contains("another listener is at"), "{error}");
    assert!(path.exists());
    // As after a death, the file stays.
    std::mem::forget(first.as_fd().try_clone_to_owned().unwrap());
    drop(first);
    assert!(!path.exists());
    let error = Connection::<u8>::connect(&path, Access::SameUser).unwrap_err();
    assert_eq!(error.kind(), Closed);
    assert!(error.to_string().starts_with("nobody listens at "), "{error}");
    std::fs::write(&path, "a file").unwrap();
    assert_eq!(Listener::bind(&path, Access::SameUser).unwrap_err().kind(), InvalidArgument);
    std::fs::remove_file(&path).unwrap();
    let long = folder.path(&"x".repeat(200));
    assert_eq!(Listener::bind(&long, Access::SameUser).unwrap_err().kind(), InvalidArgument);
}

#[test]
fn a_path_whose_listener_died_is_free() {
    let folder = SharedDir::new();
    let path = PathBuf::from(folder.path("listener"));
    drop(stale_socket(&path));
    assert!(path.exists());
    let error = Connection::<u8>::connect(&path, Access::SameUser).unwrap_err();
    assert_eq!(error.kind(), Closed);
    drop(Listener::bind(&path, Access::SameUser).unwrap());
    assert!(!path.exists());
}

/// A socket whose file stays when it is closed.
fn stale_socket(path: &Path) -> std::os::fd::OwnedFd {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};
    let socket = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
    bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    listen(&socket, 1).unwrap();
    socket
}

#[test]
fn the_end_of_another_protocol_is_no_listener() {
    let folder = SharedDir::new();
    let path = PathBuf::from(folder.path("stream"));
    let _stream = UnixListener::bind(&path).unwrap();
    assert!(UnixStream::connect(&path).is_ok());
    assert!(Connection::<u8>::connect(&path, Access::SameUser).is_err());
    assert_eq!(Listener::bind(&path, Access::SameUser).unwrap_err().kind(), InvalidArgument);
}
