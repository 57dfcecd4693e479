//! What becomes of the items of a queue whose producer or consumer is killed, in cases that the matrix does not have.

use std::{
    io::Read,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use executor_core::{ErrorKind, Payload};

use super::line::{receive, send};
use crate::{
    JoinableQueue, Lock, Queue,
    place::{Place, tests::watch},
};

const PLACE: &str = "PROCESS_SYNC_FAULT_PLACE";
const ACTION: &str = "PROCESS_SYNC_FAULT_ACTION";
const DEADLINE: Duration = Duration::from_secs(120);

const PLACES: [(&str, Place); 5] = [
    ("before the bytes", Place::BeforeBytes),
    ("before the commit", Place::BeforeCommit),
    ("after the commit", Place::AfterCommit),
    ("before the notification", Place::BeforeNotification),
    ("before the sleep", Place::BeforeSleep),
];

/// What the process does until it stops.
type Action = fn(&mut UnixStream);

const ACTIONS: [(&str, Action); 6] = [
    ("put", |line| receive::<Queue<u64>>(line).put(100).unwrap()),
    ("get", |line| assert!(receive::<Queue<u64>>(line).get(None).is_ok())),
    ("put large", |line| receive::<Queue<Vec<u8>>>(line).put(vec![7; 200_000]).unwrap()),
    ("put lock", |line| receive::<Queue<Lock>>(line).put(Lock::new().unwrap()).unwrap()),
    ("get lock", |line| drop(receive::<Queue<Lock>>(line).get(None).unwrap())),
    ("get joinable", |line| assert!(receive::<JoinableQueue<u64>>(line).get(None).is_ok())),
];

/// Where such a process begins.
#[test]
fn entry() {
    let (Ok(place), Ok(action)) = (std::env::var(PLACE), std::env::var(ACTION)) else { return };
    let line = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    let place = PLACES.iter().find(|(name, _)| *name == place).unwrap().1;
    let action = ACTIONS.iter().find(|(name, _)| *name == action).unwrap().1;
    thread::spawn(|| {
        thread::sleep(DEADLINE);
        std::process::exit(8);
    });
    watch(move |passed| {
        if passed == place {
            // The test waits for this byte, and then kills the process.
            let _ = rustix::io::write(std::io::stdin(), b"m");
            loop {
                thread::park();
            }
        }
    });
    action(&mut UnixStream::from(line));
    panic!("the process did not pass the place");
}

/// Runs a process that does this with the value, and kills it at the place.
fn kill_at<T: Payload>(place: Place, action: &str, value: &T) {
    let (mut mine, other) = UnixStream::pair().unwrap();
    mine.set_read_timeout(Some(DEADLINE)).unwrap();
    let place = PLACES.iter().find(|(_, known)| *known == place).unwrap().0;
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["faults::items::entry", "--exact", "--nocapture", "--quiet"])
        .env(PLACE, place)
        .env(ACTION, action)
        .stdin(OwnedFd::from(other))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    send(&mine, value);
    mine.read_exact(&mut [0]).expect("the process reaches the place");
    process.kill().unwrap();
    process.wait().unwrap();
}

const BEFORE: [Place; 2] = [Place::BeforeBytes, Place::BeforeCommit];
const AFTER: [Place; 2] = [Place::AfterCommit, Place::BeforeNotification];

#[test]
fn a_killed_producer_has_put_its_item_or_nothing() {
    for (places, expected) in [(BEFORE, vec![1, 2]), (AFTER, vec![1, 100, 2])] {
        for place in places {
            let queue = Queue::<u64>::unbounded().unwrap();
            queue.put(1).unwrap();
            kill_at(place, "put", &queue);
            queue.put(2).unwrap();
            queue.close().unwrap();
            assert_eq!(queue.iter().collect::<Vec<_>>(), expected, "{place:?}");
        }
    }
}

#[test]
fn a_killed_consumer_costs_nothing_or_its_item() {
    for (place, expected) in [
        (Place::BeforeCommit, vec![1, 2, 3]),
        (Place::AfterCommit, vec![2, 3]),
        (Place::BeforeNotification, vec![2, 3]),
    ] {
        let queue = Queue::<u64>::bounded(2).unwrap();
        (1..=2).for_each(|item| queue.put(item).unwrap());
        let putter = thread::spawn({
            let queue = queue.clone();
            move || queue.put(3).unwrap()
        });
        kill_at(place, "get", &queue);
        let mut items: Vec<u64> = (1..expected.len()).map(|_| queue.get(None).unwrap()).collect();
        putter.join().unwrap();
        items.push(queue.get(None).unwrap());
        assert_eq!((items, queue.len()), (expected, 0), "{place:?}");
    }
}

#[test]
fn a_process_that_is_killed_while_the_ring_grows_leaves_one_of_the_rings() {
    for (places, is_put) in [(BEFORE, false), (AFTER, true)] {
        for place in places {
            let queue = Queue::<Vec<u8>>::unbounded().unwrap();
            (0..5_u8).for_each(|item| queue.put(vec![item; 10_000]).unwrap());
            kill_at(place, "put large", &queue);
            queue.put(vec![9; 400_000]).unwrap();
            for item in 0..5_u8 {
                assert!(queue.get(None).unwrap() == vec![item; 10_000], "{place:?}");
            }
            if is_put {
                assert!(queue.get(None).unwrap() == vec![7; 200_000], "{place:?}");
            }
            assert!(queue.get(None).unwrap() == vec![9; 400_000] && queue.is_empty(), "{place:?}");
        }
    }
}

#[test]
fn descriptors_of_the_dead_go_to_nobody() {
    for place in BEFORE.into_iter().chain(AFTER) {
        let queue = Queue::<Lock>::unbounded().unwrap();
        kill_at(place, "put lock", &queue);
        let mine = Lock::new().unwrap();
        queue.put(&mine).unwrap();
        if AFTER.contains(&place) {
            drop(queue.get(None).unwrap().lock().unwrap());
        }
        let guard = mine.lock().unwrap();
        let received = queue.get(None).unwrap();
        assert!(received.is_locked(), "it is the same lock: {place:?}");
        drop(guard);
    }
    for place in [Place::BeforeCommit, Place::AfterCommit, Place::BeforeNotification] {
        let queue = Queue::<Lock>::unbounded().unwrap();
        let locks = [Lock::new().unwrap(), Lock::new().unwrap()];
        locks.iter().for_each(|lock| queue.put(lock).unwrap());
        kill_at(place, "get lock", &queue);
        let left = if place == Place::BeforeCommit { &locks[..] } else { &locks[1..] };
        for lock in left {
            let guard = lock.lock().unwrap();
            assert!(queue.get(None).unwrap().is_locked(), "{place:?}");
            drop(guard);
        }
        assert!(queue.is_empty());
    }
}

#[test]
fn what_a_killed_consumer_of_a_joinable_queue_had_taken_is_lost() {
    for (place, lost) in [(Place::BeforeCommit, false), (Place::AfterCommit, true), (Place::BeforeNotification, true)] {
        let queue = JoinableQueue::<u64>::unbounded().unwrap();
        (1..=2).for_each(|item| queue.put(item).unwrap());
        kill_at(place, "get joinable", &queue);
        while queue.try_get().unwrap().is_some() {
            queue.task_done().unwrap();
        }
        let outcome = queue.join(DEADLINE).map_err(|error| error.kind());
        assert_eq!(outcome, if lost { Err(ErrorKind::Abandoned) } else { Ok(()) }, "{place:?}");
    }
}

#[test]
fn a_process_that_is_killed_before_it_sleeps_takes_no_item() {
    let queue = Queue::<u64>::unbounded().unwrap();
    kill_at(Place::BeforeSleep, "get", &queue);
    let getter = thread::spawn({
        let queue = queue.clone();
        move || queue.get(None).unwrap()
    });
    queue.put(1).unwrap();
    assert_eq!(getter.join().unwrap(), 1);
}
