//! Chunks of a shared slice whose owners are killed.

use std::{
    cell::Cell,
    hash::{BuildHasher, RandomState},
};

use concurrent_futures::multiprocessing::{Queue, SharedChunk, SharedMut};
use executor_core::ErrorKind;

use super::{Guest, Role, Run, end, leaving_nothing, storm};

pub(super) const ROLES: &[(&str, Role)] = &[("fill", fill)];

/// The number of the round, and a chunk to fill with it.
type Share = (u64, SharedChunk<u64>);

const ELEMENTS: usize = 64 << 10;
const CHUNKS: usize = 8;

/// Fills chunks, and sends each one on.
fn fill(guest: &Guest) {
    let [work, done]: [Queue<Share>; 2] = guest.receive();
    // No other process writes this number.
    let own = RandomState::new().hash_one(0);
    for (round, mut chunk) in work.iter() {
        chunk.fill(own);
        std::thread::yield_now();
        assert!(chunk.iter().all(|element| *element == own), "another process has this chunk");
        chunk.fill(round);
        done.put((round, chunk)).expect("it is open");
    }
}

/// What the scenario has seen.
#[derive(Default)]
struct Seen {
    rounds: Cell<u64>,
    whole: Cell<u64>,
    lost: Cell<u64>,
    /// The chunks of this round that came back filled.
    filled: Cell<u64>,
}

pub(in crate::soak) fn chunks(run: &mut Run) {
    leaving_nothing(run, |run, stage| {
        let slice = SharedMut::<u64>::new(ELEMENTS).expect("a slice");
        let [work, done] = [(); 2].map(|()| Queue::<Share>::unbounded().expect("a queue"));
        let seen = Seen::default();
        let look = || {
            while let Some((round, chunk)) = done.try_get().expect("it is whole") {
                assert_eq!(round, seen.rounds.get(), "a chunk of an earlier round");
                assert!(chunk.iter().all(|element| *element == round), "a chunk is not as it was sent");
                seen.filled.set(seen.filled.get() + 1);
            }
            if is_back(&slice, &seen) {
                seen.rounds.set(seen.rounds.get() + 1);
                for chunk in slice.split(CHUNKS).expect("all chunks are back") {
                    work.put((seen.rounds.get(), chunk)).expect("it is open");
                }
            }
            seen.rounds.get() + seen.filled.get()
        };
        let start = |_| stage.start("fill", &[work.clone(), done.clone()]);
        let (processes, [kills]) = storm(run, [4], start, look);
        let ended = processes.len() as u64;
        processes.into_iter().for_each(|(_, process)| end(process));
        // What is in the queues is back when it is dropped, and the rest is back already.
        for queue in [&work, &done] {
            while queue.try_get().expect("it is whole").is_some() {}
        }
        drop(slice.read().expect("all chunks are back"));
        assert!(seen.rounds.get() > 1);
        let lost = seen.lost.get();
        assert!(lost <= kills + ended, "{lost} chunks were lost with {kills} killed processes");
        run.figure("rounds", seen.rounds.get());
        run.figure("chunks that came back filled", seen.whole.get());
        run.figure("chunks of killed processes", lost);
    });
}

/// Returns `true` if no chunk is out. Checks then that the elements are those of the chunks that came back filled, or
/// were in chunks of killed processes.
fn is_back(slice: &SharedMut<u64>, seen: &Seen) -> bool {
    let elements = match slice.read() {
        Ok(elements) => elements,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidState, "{error}");
            return false;
        }
    };
    let (round, filled) = (seen.rounds.get(), seen.filled.take());
    if round > 0 {
        let count = elements.iter().filter(|element| **element == round).count() as u64;
        assert!(count >= filled * (ELEMENTS / CHUNKS) as u64, "a chunk that came back has changed");
        seen.whole.set(seen.whole.get() + filled);
        seen.lost.set(seen.lost.get() + CHUNKS as u64 - filled);
    }
    true
}
