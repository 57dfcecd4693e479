//! Processes that are killed at random while they use one object.
//!
//! `STORM_SECONDS=60 cargo test --release -p concurrent-futures-sync --test it storm` takes longer.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use process_sync::{Array, Barrier, Lock, Queue, Semaphore, Value};
use test_support::Random;

use crate::support::{Line, Partner, Role, child};

pub const ROLES: &[(&str, Role)] = &[
    ("storm producer", produce),
    ("storm consumer", consume),
    ("storm locker", take_locks),
    ("storm semaphore", take_permits),
    ("storm party", pass_barriers),
    ("storm reply", send_replies),
];

/// Far longer than any standstill may be, and shorter than a test may take.
const STANDSTILL: Duration = Duration::from_secs(60);

fn seconds() -> Duration {
    let seconds = std::env::var("STORM_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(2)) * test_support::scale()
}

/// Returns the time between two kills. Processes must live long enough to use the object, and they start much later
/// under an emulator.
fn pause() -> Duration {
    Duration::from_millis(20) * test_support::scale()
}

/// Starts so many partners of each kind, and kills and replaces them at random until the time is over. Returns the
/// partners that are left and how often one of each kind was killed.
fn storm<const N: usize>(
    start: impl Fn(usize) -> Partner,
    counts: [usize; N],
    mut look: impl FnMut(),
) -> (Vec<(usize, Partner)>, [u64; N]) {
    let mut random = Random::new(1);
    let mut kills = [0; N];
    let mut partners: Vec<(usize, Partner)> =
        (0..N).flat_map(|kind| (0..counts[kind]).map(move |_| kind)).map(|kind| (kind, start(kind))).collect();
    let end = Instant::now() + seconds();
    while Instant::now() < end {
        std::thread::park_timeout(pause());
        look();
        let victim = random.below(partners.len() as u64) as usize;
        let (kind, partner) = partners.swap_remove(victim);
        partner.kill();
        kills[kind] += 1;
        partners.push((kind, start(kind)));
    }
    (partners, kills)
}

fn produce(line: &mut Line) {
    let (queue, last, number): (Queue<(u64, u64)>, Value<u64>, u64) = line.receive();
    for item in 0.. {
        queue.put((number, item)).unwrap();
        // What is put is written down afterwards, so at most one is put and not written down.
        last.set(item + 1);
    }
}

fn consume(line: &mut Line) {
    let [queue, results]: [Queue<(u64, u64)>; 2] = line.receive();
    for item in queue.iter() {
        results.put(item).unwrap();
    }
}

#[test]
fn a_queue_loses_what_killed_consumers_had_taken_and_nothing_else() {
    test_support::watched_within("a storm", 3 * STANDSTILL + seconds(), || {
        let (queue, results) = (Queue::<(u64, u64)>::bounded(64).unwrap(), Queue::<(u64, u64)>::unbounded().unwrap());
        let producers = std::cell::RefCell::new(Vec::new());
        let seen = std::cell::RefCell::new(BTreeSet::new());
        let collect = || {
            while let Some(item) = results.try_get().unwrap() {
                assert!(seen.borrow_mut().insert(item), "{item:?} came twice");
            }
        };
        let start = |kind| {
            if kind == 1 {
                return child("storm consumer", &[queue.clone(), results.clone()]);
            }
            let mut producers = producers.borrow_mut();
            let last = Value::new(0_u64).unwrap();
            let number = producers.len() as u64;
            producers.push(last.clone());
            child("storm producer", &(queue.clone(), last, number))
        };
        let (partners, [killed_producers, killed_consumers]) = storm(start, [2, 2], collect);
        let (producing, consuming): (Vec<_>, Vec<_>) = partners.into_iter().partition(|(kind, _)| *kind == 0);
        let ended = producing.len() as u64;
        producing.into_iter().for_each(|(_, partner)| partner.kill());
        queue.close().unwrap();
        consuming.into_iter().for_each(|(_, partner)| partner.join());
        collect();
        let (seen, producers) = (seen.into_inner(), producers.into_inner());
        let written: u64 = producers.iter().map(Value::get).sum();
        let count = seen.len() as u64;
        assert!(count <= written + killed_producers + ended, "{count} of {written} items");
        // A consumer takes one item, and puts one: it is lost before it is in the results.
        assert!(count + killed_consumers >= written, "{count} of {written} items, {killed_consumers} consumers killed");
        assert!(queue.is_empty() && killed_consumers > 0);
    });
}

fn take_locks(line: &mut Line) {
    let (lock, array, entries): (Lock, Array<u64>, Value<u64>) = line.receive();
    loop {
        let guard = lock.lock().unwrap_or_else(|_| lock.recover());
        // The array is abandoned at times, and then half changed.
        let mut elements = array.lock().or_else(|_| array.recover()).unwrap();
        let inside = elements[0] + 1;
        elements[0] = inside;
        elements[1] = inside;
        assert_eq!(elements[0], inside, "somebody else is inside");
        drop(elements);
        entries.update(|entries| *entries += 1);
        drop(guard);
    }
}

#[test]
fn a_lock_goes_on_after_every_death() {
    test_support::watched_within("a storm", 3 * STANDSTILL + seconds(), || {
        let (lock, array) = (Lock::new().unwrap(), Array::<u64>::new(2).unwrap());
        let entries = Value::new(0_u64).unwrap();
        let mut last = (0, Instant::now());
        let start = |_| child("storm locker", &(lock.clone(), array.clone(), entries.clone()));
        let (partners, _) = storm(start, [3], || {
            let now = entries.get();
            if now != last.0 {
                last = (now, Instant::now());
            }
            assert!(last.1.elapsed() < STANDSTILL);
        });
        partners.into_iter().for_each(|(_, partner)| partner.kill());
        assert!(entries.get() > 0);
        drop(lock.recover());
        drop(lock.lock().unwrap());
        let left = array.recover().unwrap();
        assert!(left[0] == left[1] || left[0] == left[1] + 1);
    });
}

fn take_permits(line: &mut Line) {
    let (semaphore, inside): (Semaphore, Value<u64>) = line.receive();
    loop {
        let permit = semaphore.acquire(None).unwrap();
        inside.update(|inside| *inside += 1);
        drop(permit);
    }
}

#[test]
fn permits_add_up_after_many_deaths() {
    test_support::watched_within("a storm", 3 * STANDSTILL + seconds(), || {
        let (semaphore, entries) = (Semaphore::new(2).unwrap(), Value::new(0_u64).unwrap());
        let start = |_| child("storm semaphore", &(semaphore.clone(), entries.clone()));
        let (partners, _) = storm(start, [4], || {});
        partners.into_iter().for_each(|(_, partner)| partner.kill());
        let permits = (semaphore.acquire(None).unwrap(), semaphore.acquire(None).unwrap());
        assert!(semaphore.try_acquire().unwrap().is_none());
        drop(permits);
        assert!(semaphore.available() == 2 && entries.get() > 0);
    });
}

fn pass_barriers(line: &mut Line) {
    let (barrier, rounds): (Barrier, Value<u64>) = line.receive();
    loop {
        match barrier.wait(None) {
            Ok(0) => rounds.update(|rounds| *rounds += 1),
            Ok(_) => {}
            Err(_) => barrier.reset(),
        }
    }
}

#[test]
fn a_barrier_is_broken_by_deaths_and_goes_on_after_a_reset() {
    test_support::watched_within("a storm", 3 * STANDSTILL + seconds(), || {
        let (barrier, rounds) = (Barrier::new(2).unwrap(), Value::new(0_u64).unwrap());
        let start = |_| child("storm party", &(barrier.clone(), rounds.clone()));
        let (partners, _) = storm(start, [3], || {});
        partners.into_iter().for_each(|(_, partner)| partner.kill());
        assert!(rounds.get() > 0);
        barrier.reset();
        let other = std::thread::spawn({
            let barrier = barrier.clone();
            move || barrier.wait(None)
        });
        let mine = barrier.wait(None);
        assert_eq!(mine.unwrap() + other.join().unwrap().unwrap(), 1);
    });
}

/// Puts a queue with an answer in it.
fn send_replies(line: &mut Line) {
    let queues: Queue<(Queue<u64>, u64)> = line.receive();
    for number in 0.. {
        let answer = Queue::unbounded().unwrap();
        answer.put(number).unwrap();
        queues.put((answer, number)).unwrap();
    }
}

#[test]
fn a_queue_of_queues_never_mixes_them_up() {
    test_support::watched_within("a storm", 3 * STANDSTILL + seconds(), || {
        let queues = Queue::<(Queue<u64>, u64)>::bounded(8).unwrap();
        let mut count = 0_u64;
        let (partners, _) = storm(
            |_| child("storm reply", &queues),
            [3],
            || {
                let end = Instant::now() + pause();
                while Instant::now() < end {
                    let Some((answer, number)) = queues.try_get().unwrap() else { break };
                    assert_eq!(answer.try_get().unwrap(), Some(number));
                    count += 1;
                }
            },
        );
        partners.into_iter().for_each(|(_, partner)| partner.kill());
        assert!(count > 0);
    });
}
