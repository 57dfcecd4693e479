//! Servers that go away and come back.

use std::{collections::BTreeSet, thread, time::Duration};

use cluster::{Client, Lock, Map, Queue};
use executor_core::ErrorKind;
use test_support::watched;

use super::{
    LONG, SHORT,
    daemon::{Daemon, TOKEN},
    raw::Raw,
    start,
};

fn connect(daemon: &Daemon, unavailable_after: Duration) -> Client {
    let builder = Client::builder().server(daemon.url()).token(TOKEN).lease(Duration::from_secs(60));
    builder.unavailable_after(unavailable_after).build().unwrap()
}

#[test]
fn what_is_stored_outlives_the_server_and_callers_wait_for_it() {
    watched(|| {
        let Some(mut daemon) = Daemon::start() else { return };
        let client = connect(&daemon, LONG);
        let queue: Queue<u64> = client.queue("q").unwrap();
        let map: Map<u64> = client.map("m").unwrap();
        let lock: Lock = client.lock("l").unwrap();
        queue.put(1).unwrap();
        queue.put(2).unwrap();
        map.insert("k", 3).unwrap();
        let guard = lock.lock(None).unwrap();
        let item = queue.take(None).unwrap();
        daemon.stop();
        // These begin while there is no server.
        let waiting = thread::scope(|scope| {
            let put = scope.spawn(|| queue.put(5).unwrap());
            let got = scope.spawn(|| map.get("k").unwrap());
            let update = scope.spawn(|| map.update("n", |n| Some(n.unwrap_or(0) + 1)).unwrap());
            daemon.restart();
            put.join().unwrap();
            (got.join().unwrap(), update.join().unwrap())
        });
        assert_eq!(waiting, (Some(3), Some(1)));
        assert_eq!(map.get("n").unwrap(), Some(1));
        // The leases are longer than the outage.
        assert!(item.is_held() && guard.is_held());
        assert_eq!(*item, 1);
        item.done().unwrap();
        assert!(lock.try_lock().unwrap().is_none());
        guard.unlock().unwrap();
        assert!(lock.try_lock().unwrap().is_some());
        assert_eq!((queue.get(None).unwrap(), queue.get(None).unwrap()), (2, 5));
        assert!(queue.is_empty().unwrap());
    });
}

/// A server that is killed may forget what it has given to whom. Then the item comes again, and its first holder is
/// told that it may not be the only one.
#[test]
fn nothing_is_lost_with_a_server_that_is_killed() {
    watched(|| {
        let Some(mut daemon) = Daemon::start() else { return };
        let builder = Client::builder().server(daemon.url()).token(TOKEN).unavailable_after(LONG);
        let queue: Queue<u64> = builder.lease(SHORT * 3).build().unwrap().queue("q").unwrap();
        let mut open: BTreeSet<u64> = (0..60).collect();
        open.iter().for_each(|item| queue.put(item).unwrap());
        let mut taken = 0;
        while !open.is_empty() {
            let item = queue.take(None).unwrap();
            taken += 1;
            if taken % 20 == 0 {
                daemon.kill();
                daemon.restart();
            }
            let number = *item;
            if item.done().is_ok() {
                open.remove(&number);
            }
        }
        // What was done may come again, too.
        while let Some(item) = queue.try_take().unwrap() {
            assert!(item.attempt() > 0);
            let _ = item.done();
        }
    });
}

#[test]
fn one_who_waits_gets_what_is_put_after_the_outage() {
    watched(|| {
        let Some(mut daemon) = Daemon::start() else { return };
        let [taker, putter] = [connect(&daemon, LONG), connect(&daemon, LONG)];
        let queue: Queue<u64> = taker.queue("q").unwrap();
        let lock = taker.lock("l").unwrap();
        let guard = putter.lock("l").unwrap().lock(None).unwrap();
        thread::scope(|scope| {
            let item = scope.spawn(|| queue.get(None).unwrap());
            let next = scope.spawn(|| lock.lock(None).unwrap().token());
            daemon.kill();
            daemon.restart();
            putter.queue::<u64>("q").unwrap().put(7).unwrap();
            let first = guard.token();
            guard.unlock().unwrap();
            assert_eq!(item.join().unwrap(), 7);
            assert!(next.join().unwrap() > first);
        });
    });
}

#[test]
fn a_server_that_stays_away_is_an_error_and_no_hang() {
    watched(|| {
        let Some(mut daemon) = Daemon::start() else { return };
        let client = connect(&daemon, Duration::from_millis(300));
        let queue: Queue<u64> = client.queue("q").unwrap();
        let map: Map<u64> = client.map("m").unwrap();
        let lock = client.lock("l").unwrap();
        queue.put(1).unwrap();
        let item = queue.take(None).unwrap();
        let guard = lock.lock(None).unwrap();
        daemon.kill();
        let errors = [
            queue.put(2).unwrap_err(),
            queue.get(None).unwrap_err(),
            queue.take(LONG).unwrap_err(),
            queue.len().unwrap_err(),
            map.get("k").unwrap_err(),
            map.insert("k", 1).unwrap_err(),
            map.update("k", |_| Some(1)).unwrap_err(),
            map.keys().unwrap_err(),
            lock.lock(None).unwrap_err(),
            client.lock("other").unwrap_err(),
            guard.unlock().unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Unavailable);
        }
        // Neither waits for the server.
        drop(item);
        drop(client);
        // A caller who has less time than that is told that.
        let error = connect_and_wait(&mut daemon);
        assert_eq!(error, ErrorKind::Timeout);
    });
}

/// Returns the error of a caller whose time runs out while the server is away.
fn connect_and_wait(daemon: &mut Daemon) -> ErrorKind {
    daemon.restart();
    let queue: Queue<u64> = connect(daemon, LONG).queue("q").unwrap();
    daemon.kill();
    queue.get(Duration::from_millis(100)).err().map_or(ErrorKind::Other, |error| error.kind())
}

#[test]
fn what_an_operator_has_deleted_is_made_again() {
    watched(|| {
        let Some((server, client)) = start(LONG) else { return };
        let (queue, map) = (client.queue::<u64>("q").unwrap(), client.map::<u64>("m").unwrap());
        let lock = client.lock("l").unwrap();
        map.insert("k", 1).unwrap();
        let mut raw = Raw::connect(&server);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| [queue.get(None).unwrap(), queue.get(None).unwrap()]);
            raw.manage("STREAM.DELETE.EXW_q");
            raw.manage("STREAM.DELETE.KV_EXM_m");
            raw.manage("STREAM.DELETE.KV_EXL_locks");
            (1..=2).for_each(|item| queue.put(item).unwrap());
            assert_eq!(waiting.join().unwrap(), [1, 2]);
        });
        assert_eq!(map.get("k").unwrap(), None);
        map.insert("k", 2).unwrap();
        assert_eq!(map.get("k").unwrap(), Some(2));
        lock.lock(None).unwrap().unlock().unwrap();
        raw.manage("CONSUMER.DELETE.EXW_q.items");
        queue.put(3).unwrap();
        assert_eq!(queue.get(None).unwrap(), 3);
    });
}
