//! One direction of a ring: bytes from one process to the other, through a circular buffer in shared memory.
//!
//! The two indices count bytes since the start and never wrap. Their difference is the number of bytes in the buffer.
//! Each is written by one side only: the tail by the producer, after it has copied bytes in, and the head by the
//! consumer, after it has copied bytes out. README.md beside this file explains why no byte and no wake-up is lost.

#[cfg(all(test, not(loom)))]
mod properties;

use std::{
    io,
    sync::{Arc, atomic::Ordering::*},
};

use super::{
    layout::{self, CAPACITY},
    sync::{AtomicU64, SharedMemory},
};

/// The direction of a pipe.
#[derive(Clone, Copy, Debug)]
pub(super) enum Direction {
    ToWorker,
    ToParent,
}

/// The indices and the buffer of one direction.
#[derive(Debug)]
struct Pipe {
    memory: Arc<SharedMemory>,
    direction: Direction,
}

impl Pipe {
    fn tail(&self) -> &AtomicU64 {
        self.memory.word(match self.direction {
            Direction::ToWorker => layout::TO_WORKER_TAIL,
            Direction::ToParent => layout::TO_PARENT_TAIL,
        })
    }

    fn head(&self) -> &AtomicU64 {
        self.memory.word(match self.direction {
            Direction::ToWorker => layout::TO_WORKER_HEAD,
            Direction::ToParent => layout::TO_PARENT_HEAD,
        })
    }

    fn data(&self) -> usize {
        match self.direction {
            Direction::ToWorker => layout::TO_WORKER_DATA,
            Direction::ToParent => layout::TO_PARENT_DATA,
        }
    }

    /// Returns the two parts of the buffer that hold `length` bytes from `index` on, up to its end and from its start,
    /// as offsets and lengths.
    fn parts(&self, index: u64, length: usize) -> [(usize, usize); 2] {
        let at = (index as usize) & (CAPACITY - 1);
        let first = length.min(CAPACITY - at);
        [(self.data() + at, first), (self.data(), length - first)]
    }
}

/// The end that sends.
#[derive(Debug)]
pub(super) struct Producer {
    pipe: Pipe,
    /// This side's own index. The other side reads the copy in shared memory.
    tail: u64,
    /// The least room that there is, as of the last load of the other side's index.
    known_room: usize,
}

impl Producer {
    pub(super) fn new(memory: Arc<SharedMemory>, direction: Direction) -> Producer {
        Producer { pipe: Pipe { memory, direction }, tail: 0, known_room: 0 }
    }

    /// Returns how many bytes there is room for. It is an error if the other side's index cannot be right.
    pub(super) fn room(&self) -> io::Result<usize> {
        // ORDERING: Acquire pairs with the Release of the consumer in `advance`: it has copied out what it frees.
        let head = self.pipe.head().load(Acquire);
        match self.tail.checked_sub(head) {
            Some(held) if held <= CAPACITY as u64 => Ok(CAPACITY - held as usize),
            _ => Err(contradiction()),
        }
    }

    /// Puts in as much of the two parts, one after the other, as there is room for, and returns how many bytes it has
    /// put in. It loads the other side's index only if the known room does not suffice, because each load takes the
    /// cache line away from the side that writes it.
    #[inline]
    pub(super) fn put(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        let length = first.len() + second.len();
        if self.known_room < length {
            self.known_room = self.room()?;
        }
        let at = (self.tail as usize) & (CAPACITY - 1);
        let length = if length <= self.known_room.min(CAPACITY - at) {
            // Both parts fit before the end of the buffer, as usual.
            let offset = self.pipe.data() + at;
            self.pipe.memory.copy_in(offset, first);
            if !second.is_empty() {
                self.pipe.memory.copy_in(offset + first.len(), second);
            }
            length
        } else {
            self.put_in_pieces(first, second)
        };
        self.tail += length as u64;
        self.known_room -= length;
        // ORDERING: Release pairs with the Acquire of the consumer in `held`: it sees the bytes that the index
        // announces.
        self.pipe.tail().store(self.tail, Release);
        Ok(length)
    }

    /// Copies in as much of the two parts as is known to have room, and returns how many bytes that is.
    #[cold]
    fn put_in_pieces(&self, first: &[u8], second: &[u8]) -> usize {
        let length = (first.len() + second.len()).min(self.known_room);
        let from_first = first.len().min(length);
        self.copy_in(self.tail, &first[..from_first]);
        self.copy_in(self.tail + from_first as u64, &second[..length - from_first]);
        length
    }

    fn copy_in(&self, index: u64, bytes: &[u8]) {
        let [(offset, length), (start, _)] = self.pipe.parts(index, bytes.len());
        let (part, rest) = bytes.split_at(length);
        if !part.is_empty() {
            self.pipe.memory.copy_in(offset, part);
        }
        if !rest.is_empty() {
            self.pipe.memory.copy_in(start, rest);
        }
    }
}

/// The end that receives.
#[derive(Debug)]
pub(super) struct Consumer {
    pipe: Pipe,
    head: u64,
    /// The least number of bytes in the buffer, as of the last load of the other side's index.
    known: usize,
    /// Whether at least half of the buffer was full at that load.
    is_crowded: bool,
}

impl Consumer {
    pub(super) fn new(memory: Arc<SharedMemory>, direction: Direction) -> Consumer {
        Consumer { pipe: Pipe { memory, direction }, head: 0, known: 0, is_crowded: false }
    }

    /// Returns how many bytes are in the buffer. It is an error if the other side's index cannot be right.
    pub(super) fn held(&self) -> io::Result<usize> {
        // ORDERING: Acquire pairs with the Release of the producer in `put`.
        let tail = self.pipe.tail().load(Acquire);
        match tail.checked_sub(self.head) {
            Some(held) if held <= CAPACITY as u64 => Ok(held as usize),
            _ => Err(contradiction()),
        }
    }

    /// Appends up to `most` bytes from the buffer, and returns how many bytes it has appended.
    pub(super) fn take(&mut self, most: usize, into: &mut Vec<u8>) -> io::Result<usize> {
        let length = self.known(most)?.min(most);
        let [(offset, first), (start, second)] = self.pipe.parts(self.head, length);
        self.pipe.memory.append_out(offset, first, into);
        if second > 0 {
            self.pipe.memory.append_out(start, second, into);
        }
        self.advance(length);
        Ok(length)
    }

    /// Fills the start of the slice from the buffer, and returns how many bytes it has filled.
    // A worker reads the head of each request with it, so it is a part of both callers.
    #[inline(always)]
    pub(super) fn fill(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.known(into.len())?.min(into.len());
        let [(offset, first), (start, second)] = self.pipe.parts(self.head, length);
        self.pipe.memory.copy_out(offset, &mut into[..first]);
        if second > 0 {
            self.pipe.memory.copy_out(start, &mut into[first..length]);
        }
        self.advance(length);
        Ok(length)
    }

    /// Returns how many bytes are in the buffer, or the known number if that is enough.
    fn known(&mut self, wanted: usize) -> io::Result<usize> {
        if self.known < wanted {
            self.known = self.held()?;
            self.is_crowded = self.known >= CAPACITY / 2;
        }
        Ok(self.known)
    }

    /// Returns `true` if the producer may wait for room. A waiting producer has found the buffer full. At that time the
    /// bytes known here were either at least half of the buffer, and then it was crowded, or fewer, and then the load
    /// for the rest finds at least half.
    pub(super) fn is_crowded(&self) -> bool {
        self.is_crowded
    }

    fn advance(&mut self, length: usize) {
        self.head += length as u64;
        self.known -= length;
        // ORDERING: Release pairs with the Acquire of the producer in `room`: the copies are done before the room is
        // freed.
        self.pipe.head().store(self.head, Release);
    }
}

fn contradiction() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the ring's indices contradict each other: something wrote over them")
}

#[cfg(test)]
mod tests {
    use super::{super::sync, *};

    fn pair() -> (Producer, Consumer) {
        let file = sync::create_file(c"test", layout::LENGTH).expect("shared memory");
        let memory = Arc::new(SharedMemory::map(&file, layout::LENGTH).expect("maps"));
        (Producer::new(memory.clone(), Direction::ToParent), Consumer::new(memory, Direction::ToParent))
    }

    #[test]
    fn bytes_come_out_as_they_went_in_across_many_turns_of_the_buffer() {
        let (mut producer, mut consumer) = pair();
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        let mut state = 1_u32;
        while sent.len() < 5 * CAPACITY {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let chunk: Vec<u8> = (0..state % 70_000).map(|n| (n ^ state) as u8).collect();
            let taken = producer.put(&chunk, &[]).expect("consistent");
            sent.extend_from_slice(&chunk[..taken]);
            consumer.take((state >> 8) as usize % 90_000, &mut received).expect("consistent");
        }
        while consumer.take(usize::MAX, &mut received).expect("consistent") > 0 {}
        assert!(sent == received);
    }

    #[test]
    fn a_full_buffer_takes_nothing_more() {
        let (mut producer, mut consumer) = pair();
        assert_eq!(producer.put(&vec![1; CAPACITY], &[2; 10]).expect("consistent"), CAPACITY);
        assert_eq!(producer.put(&[1], &[]).expect("consistent"), 0);
        assert_eq!(consumer.fill(&mut [0; 7]).expect("consistent"), 7);
        assert_eq!(producer.room().expect("consistent"), 7);
    }

    #[test]
    fn indices_that_contradict_each_other_are_an_error() {
        let (producer, mut consumer) = pair();
        consumer.pipe.tail().store(CAPACITY as u64 + 1, Relaxed);
        assert_eq!(consumer.take(10, &mut Vec::new()).expect_err("too much").kind(), io::ErrorKind::InvalidData);
        producer.pipe.head().store(9, Relaxed);
        assert!(producer.room().is_err());
    }
}
