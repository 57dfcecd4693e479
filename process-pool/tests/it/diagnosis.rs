//! The statistics and the `Debug` output of a pool.

use executor_core::{Backend, ErrorKind, Executor, MapOptions, Shutdown, TaskOptions};

use super::support::{Blocker, builder, get, on_both, wait_until, wait_until_tasks_are_long, warm_up};

fn aborts(_: ()) -> u32 {
    std::process::abort()
}

fn panics(_: ()) -> u32 {
    panic!("on purpose")
}

fn echo(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

#[test]
fn stats_count_what_has_happened_to_tasks_and_workers() {
    on_both(|transport| {
        let pool = builder(transport, 1).build().unwrap();
        warm_up(&pool, 1);
        let before = pool.stats();
        assert_eq!((before.done, before.failed, before.workers, before.deaths, before.restarts), (1, 0, 1, 0, 0));

        let blocker = Blocker::start(&pool);
        let cancelled = pool.submit(|n: u32| n, 1).unwrap();
        let waiting = pool.submit(|n: u32| n, 2).unwrap();
        wait_until_tasks_are_long();
        let stats = pool.stats();
        assert_eq!((stats.queued, stats.running), (2, 1), "{stats}");
        assert!(cancelled.cancel());
        assert_eq!((pool.stats().queued, pool.stats().cancelled), (1, 1));
        blocker.release();
        get(&waiting).unwrap();
        assert_eq!(get(&pool.submit(panics, ()).unwrap()).unwrap_err().kind(), ErrorKind::Panicked);
        assert_eq!(get(&pool.submit(aborts, ()).unwrap()).unwrap_err().kind(), ErrorKind::WorkerDied);
        get(&pool.submit(|n: u32| n, 1).unwrap()).unwrap();
        let stats = pool.stats();
        assert_eq!((stats.queued, stats.running, stats.done, stats.failed), (0, 0, before.done + 3, 2), "{stats}");
        assert_eq!((stats.workers, stats.deaths, stats.restarts), (1, 1, 1), "{stats}");

        pool.shutdown(Shutdown::Drain);
        let stats = pool.stats();
        assert_eq!((stats.workers, stats.deaths, stats.restarts), (0, 1, 1), "leaving is no death: {stats}");
    });
}

#[test]
fn stats_count_the_bytes_of_each_way() {
    on_both(|transport| {
        let pool = builder(transport, 1).build().unwrap();
        warm_up(&pool, 1);
        let before = pool.stats();
        let size = 3_000_000;
        assert_eq!(get(&pool.submit(echo, vec![7; size]).unwrap()).unwrap().len(), size);
        let stats = pool.stats();
        for way in [stats.bytes_sent - before.bytes_sent, stats.bytes_received - before.bytes_received] {
            assert!((size as u64..size as u64 + 1000).contains(&way), "{way} for {size}");
        }
    });
}

#[test]
fn workers_at_their_task_limit_count_as_restarts_and_not_as_deaths() {
    on_both(|transport| {
        let pool = builder(transport, 1).max_tasks_per_worker(2).build().unwrap();
        for n in 0..6 {
            get(&pool.submit(|n: u32| n, n).unwrap()).unwrap();
        }
        wait_until("the third worker's end", || pool.stats().restarts >= 2);
        assert_eq!(pool.stats().deaths, 0);
    });
}

#[test]
fn every_task_is_counted_once_however_it_ends() {
    on_both(|transport| {
        let pool = builder(transport, 2).build().unwrap();
        let map = pool.map_with(MapOptions::new().chunksize(10), |n: u32| n, 0..100).unwrap();
        assert_eq!(map.filter_map(Result::ok).count(), 100);
        assert_eq!(pool.stats().done, 10, "a chunk counts as one");
        let blockers = [Blocker::start(&pool), Blocker::start(&pool)];
        let waiting: Vec<_> = (0..20).map(|n| pool.submit(|n: u32| n, n).unwrap()).collect();
        pool.close(Shutdown::CancelPending);
        assert!(waiting.iter().all(|future| get(future).unwrap_err().kind() == ErrorKind::Cancelled));
        blockers.into_iter().for_each(Blocker::release);
        pool.shutdown(Shutdown::Drain);
        let stats = pool.stats();
        assert_eq!((stats.done, stats.failed, stats.cancelled), (12, 0, 20), "{stats}");
        assert_eq!((stats.queued, stats.running), (0, 0), "{stats}");
    });
}

#[test]
fn debug_shows_the_process_and_the_task_of_each_worker() {
    on_both(|transport| {
        let pool = builder(transport, 2).name_prefix("parser").build().unwrap();
        warm_up(&pool, 2);
        let named = TaskOptions::new().name("page 17");
        let blocker = Blocker::start_with(&pool, named);
        let text = format!("{pool:?}");
        for part in ["\"parser\"", "Open", "running: 1", "parser_0", "parser_1", "idle"] {
            assert!(text.contains(part), "{part:?} is missing in {text}");
        }
        for pid in pool.worker_pids() {
            assert!(text.contains(&format!("(process {pid})")), "{pid} is missing in {text}");
        }
        let runs = format!("runs task {} `page 17` for ", blocker.future.id().as_u64());
        assert!(text.contains(&runs), "{runs:?} is missing in {text}");
        assert_eq!(format!("{pool:#?}").lines().filter(|line| line.contains("parser_")).count(), 2, "one line each");
        blocker.release();
    });
}

#[test]
fn debug_of_a_broken_pool_says_why() {
    fn fails(_: ()) {
        panic!("no licence");
    }
    on_both(|transport| {
        let pool = builder(transport, 1).initializer(fails, ()).build().unwrap();
        get(&pool.submit(|n: u32| n, 1).unwrap()).unwrap_err();
        assert!(format!("{pool:?}").contains("no licence"), "{pool:?}");
    });
}
