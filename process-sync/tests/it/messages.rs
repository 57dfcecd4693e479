//! Checks that `MESSAGES.md` shows the messages of shared objects.
//!
//! If the variable `WRITE_MESSAGES` is set, the file is written instead.

use std::{path::PathBuf, thread, time::Duration};

use executor_core::{
    Error, Payload,
    codec::{self, handles},
};
use process_sync::{
    Access, Array, Barrier, Condition, Connection, JoinableQueue, Listener, Lock, Queue, RLock, RwLock, Semaphore,
    Shared, SharedChunk, SharedMut, SharedSlice, pipe,
};

use crate::support::dead;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/MESSAGES.md");

const HEAD: &str = "\
# Messages

The messages of shared objects when something fails, with the kind of the error.
A test compares them with those of the code.

| what happens | `ErrorKind` | message |
|---|---|---|
";

const BRIEF: Duration = Duration::from_millis(1);

/// A kind of failure: its description, and how to cause it.
type Case = (&'static str, fn() -> Error);

const CASES: &[Case] = &[
    ("an object is given to another format", || {
        let mut bytes = Vec::new();
        codec::encode(&Lock::new().unwrap(), &mut bytes).unwrap_err()
    }),
    ("a handle of another type arrives", || decode_as::<_, RLock>(&Lock::new().unwrap())),
    ("a slice of other elements arrives", || decode_as::<_, SharedSlice<i64>>(&SharedSlice::from(&[1_u64]).unwrap())),
    ("the end of a pipe for other values arrives", || decode_as::<_, Connection<i64>>(&pipe::<u64, u64>().unwrap().0)),
    ("a lock is held longer than the time-out", || {
        let lock = Lock::new().unwrap();
        let _guard = lock.lock().unwrap();
        thread::scope(|scope| scope.spawn(|| lock.lock_timeout(BRIEF).map(drop).unwrap_err()).join()).unwrap()
    }),
    ("a thread locks what it holds", || {
        let lock = Lock::new().unwrap();
        let _guard = lock.lock().unwrap();
        lock.lock().map(drop).unwrap_err()
    }),
    ("a process dies with a lock", || {
        let lock = Lock::new().unwrap();
        dead("lock and die", &lock);
        lock.lock().map(drop).unwrap_err()
    }),
    ("a thread writes what it reads", || {
        let lock = RwLock::new().unwrap();
        let _reading = lock.read().unwrap();
        lock.write().map(drop).unwrap_err()
    }),
    ("no permit comes back in time", || Semaphore::new(0).unwrap().acquire(BRIEF).map(drop).unwrap_err()),
    ("a condition gets the guard of another lock", || {
        let (lock, other) = (Lock::new().unwrap(), Lock::new().unwrap());
        let condition = Condition::new(&lock).unwrap();
        condition.wait(other.lock().unwrap(), BRIEF).map(drop).unwrap_err()
    }),
    ("a barrier without parties", || Barrier::new(0).unwrap_err()),
    ("a barrier is broken", || {
        let barrier = Barrier::new(2).unwrap();
        barrier.abort();
        barrier.wait(None).unwrap_err()
    }),
    ("a queue without room", || Queue::<u64>::bounded(0).unwrap_err()),
    ("a queue is full for too long", || {
        let queue = Queue::bounded(1).unwrap();
        queue.put(1).unwrap();
        queue.put_timeout(2, BRIEF).unwrap_err()
    }),
    ("a queue is empty for too long", || Queue::<u64>::unbounded().unwrap().get(BRIEF).unwrap_err()),
    ("a queue is closed", || {
        let queue = Queue::<u64>::unbounded().unwrap();
        queue.close().unwrap();
        queue.get(None).unwrap_err()
    }),
    ("`task_done` without an item", || JoinableQueue::<u64>::unbounded().unwrap().task_done().unwrap_err()),
    ("the other end of a pipe is gone", || {
        let (mine, other) = pipe::<u64, u64>().unwrap();
        drop(other);
        mine.send(1_u64).unwrap_err()
    }),
    ("no message comes in time", || {
        let (mine, _other) = pipe::<u64, u64>().unwrap();
        mine.recv(BRIEF).unwrap_err()
    }),
    ("no process listens", || Connection::<u64>::connect(path(), Access::SameUser).unwrap_err()),
    ("another listener has the path", || {
        let _listener = Listener::bind(path(), Access::SameUser).unwrap();
        Listener::bind(path(), Access::SameUser).unwrap_err()
    }),
    ("an index out of range", || Array::<u64>::new(2).unwrap().get(2).unwrap_err()),
    ("a slice is split into no chunks", || SharedMut::<u64>::new(2).unwrap().split(0).unwrap_err()),
    ("a slice is read while chunks are out", || {
        let numbers = SharedMut::<u64>::new(2).unwrap();
        let _chunks = numbers.split(2).unwrap();
        numbers.read().map(drop).unwrap_err()
    }),
    ("a slice is split while it is read", || {
        let numbers = SharedMut::<u64>::new(2).unwrap();
        let _reading = numbers.read().unwrap();
        numbers.split(2).map(drop).unwrap_err()
    }),
    ("a chunk is sent a second time", || {
        let chunk = SharedMut::<u64>::new(2).unwrap().split(1).unwrap().remove(0);
        let queue = Queue::<SharedChunk<u64>>::unbounded().unwrap();
        queue.put(&chunk).unwrap();
        queue.put(&chunk).unwrap_err()
    }),
    ("a message with a chunk arrives after the slice was split again", || {
        let numbers = SharedMut::<u64>::new(2).unwrap();
        let mut bytes = Vec::new();
        let (encoded, attached) = handles::collect(|| codec::encode(&numbers.split(1).unwrap().remove(0), &mut bytes));
        encoded.unwrap();
        drop(codec::decode::<SharedChunk<u64>>(&bytes).unwrap());
        let _again = numbers.split(1).unwrap();
        let error = codec::decode::<SharedChunk<u64>>(&bytes).unwrap_err();
        drop(attached);
        error
    }),
    ("a shared value cannot be decoded", || {
        let value = Shared::new(Zero).unwrap();
        let mut bytes = Vec::new();
        let (encoded, attached) = handles::collect(|| codec::encode(&value, &mut bytes));
        encoded.unwrap();
        // Only a process that does not have the value decodes it.
        drop(value);
        let error = codec::decode::<Shared<Zero>>(&bytes).unwrap_err();
        drop(attached);
        error
    }),
];

/// Is written as zero, and read from other numbers only.
#[derive(Debug)]
struct Zero;

impl serde::Serialize for Zero {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(0)
    }
}

impl<'de> serde::Deserialize<'de> for Zero {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Zero, D::Error> {
        std::num::NonZeroU8::deserialize(deserializer).map(|_| Zero)
    }
}

fn decode_as<T: Payload, R: Payload + std::fmt::Debug>(value: &T) -> Error {
    let mut bytes = Vec::new();
    let (encoded, _attached) = handles::collect(|| codec::encode(value, &mut bytes));
    encoded.unwrap();
    codec::decode::<R>(&bytes).unwrap_err()
}

fn path() -> PathBuf {
    std::env::temp_dir().join(format!("messages-{}", std::process::id()))
}

#[test]
fn the_messages_in_the_document_are_those_of_the_objects() {
    let rows = CASES.iter().map(|(what, make)| {
        let error = make();
        let message = error.to_string().replace(&path().display().to_string(), "/run/parser");
        format!("| {what} | `{:?}` | {} |\n", error.kind(), message.replace('|', "\\|"))
    });
    let text = HEAD.to_string() + &rows.collect::<String>();
    if std::env::var_os("WRITE_MESSAGES").is_some() {
        std::fs::write(FILE, &text).unwrap();
    }
    let written = std::fs::read_to_string(FILE).unwrap_or_default();
    assert_eq!(text, written, "run this test with WRITE_MESSAGES=1 if the new messages are what is wanted");
}
