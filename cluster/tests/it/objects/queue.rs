//! Queues.

use std::{collections::HashMap, time::Duration};

use cluster::{Client, Queue, QueueOptions};
use executor_core::ErrorKind;
use process_pool::Process;
use serde::{Deserialize, Serialize};
use test_support::{DEADLINE, SharedDir, is_alive, is_stopped, kill, touch, wait_for_file, wait_until, watched};

use super::{LONG, SHORT, access, connect, raw::Raw, start};

#[test]
fn items_come_out_as_they_went_in() {
    watched(|| {
        let Some((_server, client)) = start(LONG) else { return };
        let queue: Queue<(String, Option<f64>)> = client.queue("any name: ü/.*> ").unwrap();
        assert!(queue.is_empty().unwrap());
        let items = [("a".to_string(), None), (String::new(), Some(0.5)), ("\0\n".to_string(), Some(f64::INFINITY))];
        for item in &items {
            queue.put(item).unwrap();
        }
        assert_eq!(queue.len().unwrap(), 3);
        // Another client has the same queue by its name.
        let other: Queue<(String, Option<f64>)> = client.clone().queue(queue.name()).unwrap();
        for item in items {
            assert_eq!(other.get(None).unwrap(), item);
        }
        assert_eq!(queue.get(Duration::from_millis(10)).unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(queue.take(Duration::ZERO).unwrap_err().kind(), ErrorKind::Timeout);
        assert!(queue.try_get().unwrap().is_none() && queue.try_take().unwrap().is_none());
    });
}

#[test]
fn an_item_counts_from_the_end_of_its_put_to_the_end_of_its_done() {
    watched(|| {
        let Some((_server, client)) = start(LONG) else { return };
        let queue: Queue<usize> = client.queue("counted").unwrap();
        for n in 0..200 {
            queue.put(n).unwrap();
            assert_eq!(queue.len().unwrap(), n + 1);
        }
        assert_eq!(queue.join(Duration::ZERO).unwrap_err().kind(), ErrorKind::Timeout);
        for n in 0..200 {
            let lease = queue.take(None).unwrap();
            assert_eq!((*lease, queue.len().unwrap()), (n, 200 - n));
            lease.done().unwrap();
            assert_eq!(queue.len().unwrap(), 199 - n);
        }
        queue.join(None).unwrap();
        queue.put(0).unwrap();
        assert_eq!(queue.join(Duration::ZERO).unwrap_err().kind(), ErrorKind::Timeout);
    });
}

#[test]
fn bytes_of_any_length_up_to_that_of_the_server() {
    watched(|| {
        let Some((_server, client)) = start(LONG) else { return };
        let queue: Queue<Vec<u8>> = client.queue("bytes").unwrap();
        for length in [0, 1, 1 << 20, 7 << 20] {
            let bytes: Vec<u8> = (0..length).map(|n: u32| (n % 251) as u8).collect();
            queue.put(&bytes).unwrap();
            assert!(queue.get(None).unwrap() == bytes, "{length}");
        }
        let error = queue.put(vec![0; 9 << 20]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Encode);
        assert!(
            error.to_string().contains("takes 9437189 bytes") && error.to_string().contains("max_payload"),
            "{error}"
        );
        assert!(queue.is_empty().unwrap());
    });
}

/// Takes items until there are none for a while, and returns their numbers.
fn work((url, token): (String, String)) -> Vec<u64> {
    let queue: Queue<u64> = connect(url, &token, LONG).queue("many").unwrap();
    let mut done = Vec::new();
    // The last item is for all, so it goes from one to the next.
    loop {
        let item = queue.take(None).unwrap();
        if *item == u64::MAX {
            return done;
        }
        done.push(*item);
        item.done().unwrap();
    }
}

#[test]
fn each_of_thousands_of_items_is_done_by_one_of_eight_processes() {
    const ITEMS: u64 = 4000;
    watched(|| {
        let Some((server, client)) = start(LONG) else { return };
        let queue: Queue<u64> = client.queue("many").unwrap();
        let workers: Vec<_> = (0..8).map(|_| Process::spawn(work, access(&server)).unwrap()).collect();
        for item in (0..ITEMS).chain([u64::MAX]) {
            queue.put(item).unwrap();
        }
        let mut all: Vec<u64> = workers.iter().flat_map(|worker| worker.result(None).unwrap()).collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..ITEMS));
        assert_eq!(queue.len().unwrap(), 1, "the last item is given back by each");
    });
}

/// Takes an item, tells that in a file, and waits for another file. Returns whether the item could be done, and the
/// kind of the error.
fn hold((url, token, dir): (String, String, String)) -> (bool, Option<ErrorKind>) {
    let queue: Queue<String> = connect(url, &token, SHORT).queue("held").unwrap();
    let item = queue.take(None).unwrap();
    touch(&format!("{dir}/taken"));
    wait_for_file(&format!("{dir}/go on"));
    let is_held = item.is_held();
    (is_held, item.done().err().map(|error| error.kind()))
}

#[test]
fn an_item_of_a_killed_process_is_given_to_another() {
    watched(|| {
        let Some((server, client)) = start(SHORT) else { return };
        let queue: Queue<String> = client.queue("held").unwrap();
        queue.put("it".to_string()).unwrap();
        let dir = SharedDir::new();
        let (url, token) = access(&server);
        let holder = Process::spawn(hold, (url, token, dir.path(""))).unwrap();
        wait_for_file(&dir.path("taken"));
        assert!(queue.try_take().unwrap().is_none());
        kill(holder.pid(), libc::SIGKILL);
        let item = queue.take(DEADLINE).unwrap();
        assert_eq!((item.as_str(), item.attempt()), ("it", 2));
        item.done().unwrap();
        assert!(queue.is_empty().unwrap());
        assert_eq!(holder.result(None).unwrap_err().kind(), ErrorKind::WorkerDied);
    });
}

#[test]
fn a_lease_is_renewed_while_its_holder_lives() {
    watched(|| {
        let Some((server, client)) = start(SHORT) else { return };
        let queue: Queue<String> = client.queue("held").unwrap();
        queue.put("it".to_string()).unwrap();
        let dir = SharedDir::new();
        let (url, token) = access(&server);
        let holder = Process::spawn(hold, (url, token, dir.path(""))).unwrap();
        wait_for_file(&dir.path("taken"));
        // On a machine that stops the holder for the whole lease, this would be as below.
        let taken = queue.take(SHORT * 4);
        dir.touch("go on");
        let done = holder.result(None).unwrap();
        match taken {
            Err(error) => assert_eq!((error.kind(), done), (ErrorKind::Timeout, (true, None))),
            Ok(_) => assert_eq!(done, (false, Some(ErrorKind::InvalidState))),
        }
    });
}

#[test]
fn a_process_that_was_stopped_for_too_long_is_told_that_its_lease_was_lost() {
    watched(|| {
        let Some((server, client)) = start(SHORT) else { return };
        let queue: Queue<String> = client.queue("held").unwrap();
        queue.put("it".to_string()).unwrap();
        let dir = SharedDir::new();
        let (url, token) = access(&server);
        let holder = Process::spawn(hold, (url, token, dir.path(""))).unwrap();
        wait_for_file(&dir.path("taken"));
        kill(holder.pid(), libc::SIGSTOP);
        wait_until("the holder is stopped", || is_stopped(holder.pid()));
        let item = queue.take(DEADLINE).unwrap();
        dir.touch("go on");
        kill(holder.pid(), libc::SIGCONT);
        assert_eq!(holder.result(None).unwrap(), (false, Some(ErrorKind::InvalidState)));
        // Its error has removed nothing.
        assert_eq!(queue.len().unwrap(), 1);
        item.done().unwrap();
        assert!(queue.is_empty().unwrap());
    });
}

#[test]
fn an_item_that_is_given_back_comes_again() {
    watched(|| {
        let Some((_server, client)) = start(LONG) else { return };
        let queue: Queue<u32> = client.queue("back").unwrap();
        queue.put(7).unwrap();
        queue.take(None).unwrap().give_back().unwrap();
        let again = queue.take(None).unwrap();
        assert_eq!((*again, again.attempt(), again.is_held()), (7, 2, true));
        drop(again);
        let last = queue.take(None).unwrap();
        assert_eq!((*last, last.attempt()), (7, 3));
        last.done().unwrap();
        assert!(queue.is_empty().unwrap());
    });
}

/// Takes an item and ends, which gives it back, although the lease is long.
fn take_and_end((url, token): (String, String)) {
    let queue: Queue<u32> = connect(url, &token, LONG).queue("end").unwrap();
    let _item = queue.take(None).unwrap();
}

#[test]
fn a_process_that_ends_gives_back_what_it_has() {
    watched(|| {
        let Some((server, client)) = start(LONG) else { return };
        let queue: Queue<u32> = client.queue("end").unwrap();
        queue.put(7).unwrap();
        Process::spawn(take_and_end, access(&server)).unwrap().result(None).unwrap();
        assert_eq!(queue.get(None).unwrap(), 7);
    });
}

#[test]
fn a_full_queue_waits_for_room() {
    watched(|| {
        let Some((server, client)) = start(LONG) else { return };
        let queue: Queue<u32> = client.queue_with("small", QueueOptions::new().capacity(2)).unwrap();
        assert!(queue.try_put(1).unwrap() && queue.try_put(2).unwrap() && !queue.try_put(3).unwrap());
        assert_eq!(queue.put_timeout(3, Duration::from_millis(50)).unwrap_err().kind(), ErrorKind::Timeout);
        // One that opens it without the option has the same queue.
        let (url, token) = access(&server);
        let putter = Process::spawn(put_one, (url, token, 3)).unwrap();
        assert_eq!(queue.get(None).unwrap(), 1);
        putter.result(None).unwrap();
        assert_eq!(queue.len().unwrap(), 2);
        // An item that is leased takes room until it is done.
        let item = queue.take(None).unwrap();
        assert!(!queue.try_put(4).unwrap());
        item.done().unwrap();
        assert!(queue.try_put(4).unwrap());
        let error = client.queue_with::<u32>("none", QueueOptions::new().capacity(0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    });
}

fn put_one((url, token, item): (String, String, u32)) {
    connect(url, &token, LONG).queue("small").unwrap().put(item).unwrap();
}

#[test]
fn join_waits_until_each_item_is_done() {
    watched(|| {
        let Some((server, client)) = start(LONG) else { return };
        let queue: Queue<u64> = client.queue("many").unwrap();
        queue.join(Duration::ZERO).unwrap();
        (0..20).for_each(|item| queue.put(item).unwrap());
        let first = queue.take(None).unwrap();
        assert_eq!(queue.join(Duration::from_millis(50)).unwrap_err().kind(), ErrorKind::Timeout);
        let worker = Process::spawn(work, access(&server)).unwrap();
        wait_until("the worker to have done all others", || queue.len().unwrap() == 1);
        let waiter = queue.clone();
        let waiter = std::thread::spawn(move || waiter.join(None));
        assert_eq!(queue.join(Duration::ZERO).unwrap_err().kind(), ErrorKind::Timeout);
        first.done().unwrap();
        waiter.join().unwrap().unwrap();
        assert!(queue.is_empty().unwrap());
        // An item that is given back is still in the queue.
        queue.put(u64::MAX).unwrap();
        assert_eq!(worker.result(None).unwrap().len(), 19);
        assert_eq!(queue.join(Duration::from_millis(50)).unwrap_err().kind(), ErrorKind::Timeout);
        queue.get(None).unwrap();
        queue.join(None).unwrap();
    });
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Task {
    Scale { factor: f32 },
}

/// The same task in a later build of the program.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum LaterTask {
    Scale {
        #[serde(default)]
        unit: Option<String>,
        factor: f64,
    },
    Rotate(u16),
}

#[test]
fn an_item_of_another_type_stops_no_one_and_is_not_lost() {
    watched(|| {
        let Some((server, client)) = start(LONG) else { return };
        let [old, new] = [client.queue::<Task>("tasks").unwrap(), client.queue::<Task>("tasks").unwrap()];
        let later: Queue<LaterTask> = client.queue("tasks").unwrap();
        later.put(LaterTask::Rotate(90)).unwrap();
        Raw::connect(&server).publish("ex.w.tasks.items", b"\xff\xff garbage");
        old.put(Task::Scale { factor: 2.0 }).unwrap();
        let error = old.take(None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        for part in ["item 1 of queue `tasks`", "Rotate", "put aside"] {
            assert!(error.to_string().contains(part), "{error}");
        }
        assert_eq!(old.get(None).unwrap_err().kind(), ErrorKind::Decode);
        assert_eq!(new.get(None).unwrap(), Task::Scale { factor: 2.0 });
        assert!(new.is_empty().unwrap());
        // The build that knows the item reads it, and what no one can read stays.
        let aside: Queue<LaterTask> = old.aside().unwrap();
        assert_eq!(aside.len().unwrap(), 2);
        assert_eq!(aside.get(None).unwrap(), LaterTask::Rotate(90));
        let error = aside.get(None).unwrap_err();
        assert!(error.kind() == ErrorKind::Decode && error.to_string().contains("stays aside"), "{error}");
        assert_eq!(aside.len().unwrap(), 1);
        // A build that knows more reads what one puts that knows less.
        old.put(Task::Scale { factor: 0.5 }).unwrap();
        assert_eq!(later.get(None).unwrap(), LaterTask::Scale { unit: None, factor: 0.5 });
    });
}

#[test]
fn threads_share_a_queue() {
    watched(|| {
        let Some((_server, client)) = start(LONG) else { return };
        let queue: Queue<u64> = client.queue("threads").unwrap();
        let counts = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let items = std::iter::from_fn(|| Some(queue.get(None).unwrap()).filter(|item| *item > 0));
                        items.collect::<Vec<u64>>()
                    })
                })
                .collect();
            let putters = (0..4_u64).map(|thread| {
                let queue = queue.clone();
                scope.spawn(move || (1..=100).for_each(|n| queue.put(thread * 1000 + n).unwrap()))
            });
            putters.collect::<Vec<_>>().into_iter().for_each(|putter| putter.join().unwrap());
            (0..4).for_each(|_| queue.put(0).unwrap());
            let items = takers.into_iter().flat_map(|taker| taker.join().unwrap());
            items.fold(HashMap::new(), |mut counts, item| {
                *counts.entry(item).or_insert(0) += 1;
                counts
            })
        });
        assert_eq!(counts.len(), 400);
        assert!(counts.values().all(|count| *count == 1));
    });
}

#[test]
fn clients_can_be_cloned_sent_and_shown_without_secrets() {
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<(Client, Queue<u32>, cluster::Map<u32>, cluster::Lock, cluster::Guard, cluster::Lease<u32>)>();
    watched(|| {
        let Some((server, client)) = start(LONG) else { return };
        let shown = format!("{client:?} {:?} {server:?}", client.queue::<u32>("q").unwrap());
        assert!(shown.contains(&server.url()) && !shown.contains(server.token()), "{shown}");
        assert!(is_alive(server.pid()));
    });
}
