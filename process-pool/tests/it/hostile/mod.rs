//! Tasks that attack the link of their own worker. They can falsify the replies of this worker and lose its tasks. All
//! other tasks must succeed.
//!
//! ```sh
//! HOSTILE_ROUNDS=2000 cargo test --release -p concurrent-futures-processes --test it hostile -- --nocapture
//! ```
//!
//! `HOSTILE_SEED` repeats the same attacks.

mod attacker;
mod stops;

use std::{env, time::Duration};

use executor_core::{ErrorKind, Executor, Future, TaskOptions};
use process_pool::{ProcessPoolExecutor, Transport};

use crate::support::{Blocker, Random, SharedDir, add_line, get, on, on_both, pool, wait_for_file, warm_up};
use attacker::wait_for_the_end;
pub use attacker::{ATTACKS, Target, attack, frame};

/// How a task goes on after its attack.
const RETURNS: u32 = 0;
const STAYS: u32 = 1;
/// It returns, and a thread of it repeats the attack while the worker runs other tasks.
const GOES_ON: u32 = 2;

fn attacks((which, ending, seed): (u32, u32, u64)) -> u32 {
    let mut random = Random::new(seed);
    attack(which, &mut random);
    match ending {
        RETURNS => 7,
        STAYS => wait_for_the_end(),
        _ => {
            std::thread::spawn(move || {
                loop {
                    attack(which, &mut random);
                    std::thread::park_timeout(Duration::from_micros(100));
                }
            });
            7
        }
    }
}

fn doubles(n: u32) -> u32 {
    n * 2
}

fn limited(limit: u64) -> TaskOptions {
    TaskOptions::new().time_limit(Duration::from_millis(limit))
}

/// Checks that every worker runs tasks correctly again.
fn recovers(pool: &ProcessPoolExecutor, what: &str) {
    // The damage of an idle worker is noticed only when the worker gets a task.
    const ROUNDS: usize = 30;
    for _ in 0..ROUNDS {
        let futures: Vec<(u32, Future<u32>)> =
            (0..40).map(|n| (n, pool.submit_with(limited(1000), doubles, n).expect("accepted"))).collect();
        // All results are awaited before they are checked.
        let right = futures.iter().filter(|(n, future)| get(future).is_ok_and(|double| double == n * 2)).count();
        if right == futures.len() {
            return;
        }
    }
    panic!("the pool does not recover from {what}");
}

fn rounds_of_attacks(transport: Transport, rounds: u32, seed: u64) {
    println!("HOSTILE_SEED={seed} HOSTILE_ROUNDS={rounds}, {transport:?}");
    let mut random = Random::new(seed);
    let pool = pool(transport, 2);
    warm_up(&pool, 2);
    for round in 0..rounds {
        let (which, ending) = (round % ATTACKS, [RETURNS, STAYS, GOES_ON][random.index(3)]);
        let what = format!("round {round}, attack {which}, ending {ending}");
        // One worker is busy, so the other one gets the attack and the tasks behind it.
        let blocker = Blocker::start(&pool);
        let attack = pool.submit_with(limited(200), attacks, (which, ending, random.next())).expect("accepted");
        let behind: Vec<Future<u32>> =
            (0..10).map(|n| pool.submit_with(limited(1000), doubles, n).expect("accepted")).collect();
        for future in [&attack].into_iter().chain(&behind) {
            // The value or the error may be false, but the future must complete.
            let _ = get(future);
            assert!(future.done(), "{what}: a task hangs");
        }
        blocker.open();
        let others = get(&blocker.future).unwrap_or_else(|error| panic!("{what}: it has hit another worker: {error}"));
        assert!(pool.worker_pids().contains(&others), "{what}: the other worker is gone");
        recovers(&pool, &what);
    }
}

fn rounds() -> u32 {
    env::var("HOSTILE_ROUNDS").map_or(ATTACKS, |text| text.parse().expect("a number"))
}

/// Returns `true` if a number of rounds is given, which takes longer than tests may.
fn is_long() -> bool {
    env::var_os("HOSTILE_ROUNDS").is_some()
}

fn seed() -> u64 {
    env::var("HOSTILE_SEED").map_or(0x5eed, |text| text.parse().expect("a number"))
}

#[test]
fn a_task_that_overwrites_its_ring_damages_only_its_own_worker() {
    on(Transport::Ring, |transport| rounds_of_attacks(transport, rounds(), seed()));
}

#[test]
fn a_task_that_writes_to_its_socket_damages_only_its_own_worker() {
    on(Transport::Socket, |transport| rounds_of_attacks(transport, rounds(), seed()));
}

#[test]
fn an_idle_worker_with_overwritten_counters_still_gets_tasks() {
    on(Transport::Ring, |transport| {
        let pool = pool(transport, 1);
        // More tasks than a ring has slots.
        let many: Vec<Future<u32>> = (0..600).map(|n| pool.submit(doubles, n).unwrap()).collect();
        many.iter().for_each(|future| assert!(get(future).is_ok()));
        assert_eq!(get(&pool.submit(attacks, (6, RETURNS, 0)).unwrap()).unwrap(), 7);
        assert_eq!(get(&pool.submit(doubles, 4).unwrap()).unwrap(), 8);
    });
}

#[test]
fn a_time_limit_ends_a_task_that_overwrites_its_claim() {
    fn claims_to_be(state: u64) {
        let target = Target::find();
        let own = target.own_sequence();
        let claim = target.word(attacker::CLAIMS + 8 * (own as usize % attacker::SLOTS));
        claim.store(own << 24 | state, std::sync::atomic::Ordering::Release);
        wait_for_the_end()
    }
    on(Transport::Ring, |transport| {
        let pool = pool(transport, 6);
        let tasks: Vec<Future<()>> =
            (0..6).map(|state| pool.submit_with(limited(300), claims_to_be, state).unwrap()).collect();
        for (state, task) in tasks.iter().enumerate() {
            let error = get(task).expect_err("it does not end by itself");
            assert_ne!(error.kind(), ErrorKind::Timeout, "state {state}: the limit does not end it");
        }
        recovers(&pool, "claims to be what they are not");
    });
}

#[test]
fn a_pool_can_be_dropped_while_a_running_task_claims_to_be_finished() {
    fn claims_to_be_finished(path: String) {
        let target = Target::find();
        let own = target.own_sequence();
        let claim = target.word(attacker::CLAIMS + 8 * (own as usize % attacker::SLOTS));
        claim.store(own << 24 | 2, std::sync::atomic::Ordering::Release);
        super::support::touch(&path);
        wait_for_the_end()
    }
    on(Transport::Ring, |transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        let task = pool.submit(claims_to_be_finished, dir.path("runs")).unwrap();
        wait_for_file(&dir.path("runs"));
        pool.shutdown(executor_core::Shutdown::Terminate { grace: Duration::ZERO });
        assert_ne!(get(&task).expect_err("it does not end by itself").kind(), ErrorKind::Timeout);
    });
}

#[test]
fn a_reply_with_an_impossible_length_is_refused_before_it_is_read() {
    /// Notes how much of it was read.
    fn sends_an_endless_reply(path: String) {
        let target = Target::find();
        let own = if target.has_ring() { target.own_sequence() } else { 1 };
        target.write_reply(&frame(3, own, 1 << 60, &[]));
        for megabyte in 1..100_000 {
            if target.has_ring() {
                target.write_to_ring(std::iter::repeat_n(0, 1 << 20));
            } else if !target.send(&[0; 1 << 20]) {
                wait_for_the_end();
            }
            add_line(&path, megabyte);
        }
    }
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        warm_up(&pool, 1);
        let task = pool.submit(sends_an_endless_reply, dir.path("taken")).unwrap();
        assert_eq!(get(&task).expect_err("it never ends").kind(), ErrorKind::WorkerDied);
        assert!(dir.numbers("taken").len() < 20, "{} MiB were taken", dir.numbers("taken").len());
        assert_eq!(get(&pool.submit(doubles, 4).unwrap()).unwrap(), 8);
    });
}

#[test]
fn a_worker_that_rings_its_doorbell_endlessly_blocks_no_other_worker() {
    fn rings_without_end(path: String) {
        let target = Target::find();
        super::support::touch(&path);
        while target.send(&[1; 65536]) {}
        wait_for_the_end()
    }
    on(Transport::Ring, |transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 2);
        warm_up(&pool, 2);
        let noise = pool.submit(rings_without_end, dir.path("rings")).unwrap();
        wait_for_file(&dir.path("rings"));
        for n in 0..200 {
            assert_eq!(get(&pool.submit(doubles, n).unwrap()).unwrap(), n * 2);
        }
        noise.terminate(Duration::ZERO);
        assert_eq!(get(&noise).expect_err("it was stopped").kind(), ErrorKind::Terminated);
    });
}

#[test]
fn a_task_that_forks_and_returns_twice_has_one_result() {
    #[allow(unsafe_code)]
    fn forks(n: u32) -> u32 {
        // SAFETY: not sound on purpose: the child goes on where it must not, as some programs do.
        unsafe { libc::fork() };
        n * 2
    }
    on_both(|transport| {
        let pool = pool(transport, 2);
        for n in 0..10 {
            let forked = pool.submit(forks, n).unwrap();
            let behind: Vec<Future<u32>> = (0..30).map(|n| pool.submit(doubles, n).unwrap()).collect();
            assert_eq!(get(&forked).unwrap(), n * 2);
            let results: Vec<u32> = behind.iter().map(|future| get(future).unwrap()).collect();
            assert_eq!(results, (0..30).map(doubles).collect::<Vec<u32>>());
        }
    });
}
