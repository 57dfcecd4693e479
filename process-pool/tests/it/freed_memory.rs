//! Pools free the memory of bursts and of cancelled tasks. The allocator of the GNU C library counts it.

use executor_core::{Executor, Future, Shutdown, TaskOptions};
use process_pool::Transport;

use crate::{
    programs,
    support::{Blocker, builder, get, pool, wait_until, warm_up},
};

/// Returns the number of allocated bytes.
#[allow(unsafe_code)]
fn allocated() -> usize {
    // SAFETY: it only reads counters.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}

const MEBIBYTE: usize = 1 << 20;

#[test]
fn cancelled_queued_tasks_free_their_arguments() {
    programs::succeeds("cancels_waiting_tasks", &[]);
}

pub fn cancels_waiting_tasks() {
    for transport in [Transport::Ring, Transport::Socket] {
        let pool = builder(transport, 1).queue_capacity(2).build().unwrap();
        let blocker = Blocker::start(&pool);
        let before = allocated();
        // This one is partly in the ring, or waits for the worker.
        let first = pool.submit(|bytes: Vec<u8>| bytes.len(), vec![1; 4 * MEBIBYTE]).unwrap();
        let mut cancelled = Vec::new();
        for _ in 0..300 {
            let future = pool.submit(|bytes: Vec<u8>| bytes.len(), vec![1; 4 * MEBIBYTE]).unwrap();
            assert!(future.cancel());
            cancelled.push(future);
        }
        let kept = allocated().saturating_sub(before);
        assert!(kept < 24 * MEBIBYTE, "{transport:?}: {} MiB are kept", kept / MEBIBYTE);
        blocker.release();
        assert_eq!(get(&first).unwrap(), 4 * MEBIBYTE);
        drop(cancelled);
        pool.shutdown(Shutdown::Drain);
    }
}

#[test]
fn cancelled_tasks_among_others_free_their_arguments() {
    programs::succeeds("cancels_some_waiting_tasks", &[]);
}

pub fn cancels_some_waiting_tasks() {
    let pool = pool(Transport::Ring, 1);
    let blocker = Blocker::start(&pool);
    crate::support::wait_until_tasks_are_long();
    let before = allocated();
    let (mut large, mut small) = (Vec::new(), Vec::new());
    for n in 0..1000_i32 {
        let options = TaskOptions::new().priority([0, 0, 5, -5][n as usize % 4]);
        if n % 4 == n / 4 % 4 {
            large.push(pool.submit_with(options, |bytes: Vec<u8>| bytes.len(), vec![1; MEBIBYTE]).unwrap());
        } else {
            small.push((n, pool.submit_with(options, |n: i32| n, n).unwrap()));
        }
    }
    assert!(allocated() - before > 200 * MEBIBYTE);
    assert!(large.iter().rev().all(Future::cancel));
    let kept = allocated().saturating_sub(before);
    assert!(kept < 8 * MEBIBYTE, "{} MiB are kept", kept / MEBIBYTE);
    blocker.release();
    for (n, future) in small {
        assert_eq!(get(&future).unwrap(), n);
    }
}

#[test]
fn a_pool_frees_the_memory_of_a_burst() {
    programs::succeeds("has_a_burst", &[]);
}

pub fn has_a_burst() {
    const TASKS: u32 = 30_000;
    for transport in [Transport::Ring, Transport::Socket] {
        let pool = pool(transport, 2);
        warm_up(&pool, 2);
        for priority in [0, 3] {
            let blockers = [(); 2].map(|()| Blocker::start(&pool));
            let before = allocated();
            let options = TaskOptions::new().priority(priority);
            let futures: Vec<Future<u32>> =
                (0..TASKS).map(|n| pool.submit_with(options.clone(), |n: u32| n, n).unwrap()).collect();
            let most = allocated() - before;
            blockers.into_iter().for_each(Blocker::release);
            // A third is cancelled. The rest runs while the pool frees memory.
            futures.iter().step_by(3).for_each(|future| _ = future.cancel());
            futures.iter().for_each(|future| _ = get(future));
            drop(futures);
            let mut kept = 0;
            wait_until("the memory to be given back", || {
                kept = allocated().saturating_sub(before);
                kept < 2 * MEBIBYTE
            });
            println!("{transport:?}: {} KiB in the burst, {} KiB after it", most >> 10, kept >> 10);
        }
    }
}
