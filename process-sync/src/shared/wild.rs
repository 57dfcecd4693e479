//! A slice of chunks whose memory another process overwrites.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{
            AtomicBool,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread,
};

use executor_core::codec::{self, handles};

use super::{SharedChunk, SharedMut, ownership::Layout};
use crate::{memory::SharedMemory, sys};

const COUNT: usize = 100;
const ROUNDS: u64 = 60;

/// Numbers in a sequence that a seed determines.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Overwrites a word of everything before the elements, but for the identity. No lock word names a living process then.
fn spoil(memory: &SharedMemory, random: &mut Random) {
    let end = Layout::of(COUNT, 8).expect("it can be addressed").elements;
    let offset = 8 + random.next() as usize % (end - 8) / 8 * 8;
    let word = match random.next() % 3 {
        0 => (random.next() % 8) << 62 | random.next() >> 60,
        1 => u64::MAX,
        _ => random.next(),
    };
    memory.word(offset).store(word | 1 << 28 | 1 << 60, Relaxed);
}

fn addresses(chunk: &SharedChunk<u64>) -> Range<usize> {
    let range = chunk.as_ptr_range();
    range.start.addr()..range.end.addr()
}

#[test]
fn no_two_chunks_of_a_process_have_the_same_memory_whatever_is_written() {
    for round in 1..=ROUNDS {
        let numbers = SharedMut::<u64>::new(COUNT).expect("a slice");
        let whole = sys::length_of(numbers.object().file()).expect("a length");
        let memory = Arc::new(SharedMemory::map(numbers.object().file(), 0, whole).expect("memory"));
        let mut random = Random(round.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut messages = Vec::new();
        for chunk in numbers.split(4).expect("chunks").iter().take(2) {
            let mut bytes = Vec::new();
            let (encoded, attached) = handles::collect(|| codec::encode(chunk, &mut bytes));
            encoded.expect("it is encoded");
            messages.push((bytes, attached));
        }
        let ends = Arc::new(AtomicBool::new(false));
        let attacker = thread::spawn({
            let (ends, memory, mut random) = (ends.clone(), memory.clone(), Random(random.next()));
            move || {
                while !ends.load(Relaxed) {
                    spoil(&memory, &mut random);
                }
            }
        });
        let mut chunks: Vec<SharedChunk<u64>> = Vec::new();
        for _ in 0..20 {
            (0..5).for_each(|_| spoil(&memory, &mut random));
            chunks.extend(numbers.split(1 + random.next() as usize % 9).unwrap_or_default());
            let (bytes, _) = &messages[random.next() as usize % 2];
            chunks.extend(codec::decode::<SharedChunk<u64>>(bytes));
            chunks.iter_mut().for_each(|chunk| chunk.fill(round));
            let taken: Vec<_> = chunks.iter().map(addresses).collect();
            for (index, one) in taken.iter().enumerate() {
                for other in &taken[..index] {
                    assert!(one.end <= other.start || other.end <= one.start, "{one:?} and {other:?}");
                }
            }
            let reading = numbers.read();
            assert!(reading.is_err() || chunks.is_empty(), "a slice is read while chunks are out");
            drop(reading);
            chunks.truncate(random.next() as usize % 4);
        }
        ends.store(true, SeqCst);
        attacker.join().expect("it does not panic");
    }
}
