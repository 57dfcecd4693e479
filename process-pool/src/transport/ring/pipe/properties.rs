//! The buffer compared with a queue, and with arbitrary indices. `PROPTEST_CASES` sets how many cases run.

use std::collections::VecDeque;

use proptest::{collection::vec, prelude::*};

use super::{
    super::sync::{self, SharedMemory},
    *,
};

/// One step of either side.
#[derive(Clone, Debug)]
enum Step {
    Put(usize),
    Take(usize),
    Fill(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // From a few bytes to more than the buffer holds.
    let lengths = prop_oneof![3 => 0..100_usize, 2 => 0..CAPACITY / 2, 1 => CAPACITY - 3..CAPACITY + 100];
    let step = (0..3, lengths).prop_map(|(kind, length)| match kind {
        0 => Step::Put(length),
        1 => Step::Take(length),
        _ => Step::Fill(length),
    });
    vec(step, 0..40)
}

/// Makes a pipe through which `index` bytes have gone already.
fn pipe_at(index: u64) -> (Producer, Consumer) {
    let file = sync::create_file(c"test", layout::LENGTH).expect("shared memory");
    let memory = Arc::new(SharedMemory::map(&file, layout::LENGTH).expect("maps"));
    let mut producer = Producer::new(memory.clone(), Direction::ToWorker);
    let mut consumer = Consumer::new(memory, Direction::ToWorker);
    producer.tail = index;
    consumer.head = index;
    producer.pipe.tail().store(index, Relaxed);
    producer.pipe.head().store(index, Relaxed);
    (producer, consumer)
}

/// Generates indices, most of them near `near` or a capacity away from it.
fn indices(near: u64) -> impl Strategy<Value = u64> {
    let offsets = -3..4_i64;
    let around = move |at: u64| offsets.clone().prop_map(move |offset| at.wrapping_add_signed(offset));
    let capacity = CAPACITY as u64;
    prop_oneof![
        any::<u64>(),
        around(near),
        around(near.wrapping_add(capacity)),
        around(near.wrapping_sub(capacity)),
        around(0),
        0..near + 2 * capacity,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_pipe_is_a_queue_of_bytes_wherever_it_begins(start in 0..u64::MAX / 2, steps in steps()) {
        let (mut producer, mut consumer) = pipe_at(start);
        let (mut queue, mut next) = (VecDeque::new(), 0_u8);
        for step in steps {
            match step {
                Step::Put(length) => {
                    let bytes: Vec<u8> = (0..length).map(|at| next.wrapping_add((at % 251) as u8)).collect();
                    let taken = producer.put(&bytes[..bytes.len() / 3], &bytes[bytes.len() / 3..]).expect("consistent");
                    prop_assert_eq!(taken, length.min(CAPACITY - queue.len()));
                    queue.extend(&bytes[..taken]);
                    next = next.wrapping_add(7);
                }
                Step::Take(most) => {
                    let mut into = vec![9; 3];
                    let taken = consumer.take(most, &mut into).expect("consistent");
                    prop_assert_eq!(taken, most.min(queue.len()));
                    let expected: Vec<u8> = [9; 3].into_iter().chain(queue.drain(..taken)).collect();
                    prop_assert!(into == expected);
                }
                Step::Fill(length) => {
                    let mut into = vec![0; length];
                    let taken = consumer.fill(&mut into).expect("consistent");
                    prop_assert_eq!(taken, length.min(queue.len()));
                    let expected: Vec<u8> = queue.drain(..taken).collect();
                    prop_assert!(into[..taken] == expected);
                }
            }
            prop_assert_eq!(consumer.held().expect("consistent"), queue.len());
            prop_assert_eq!(producer.room().expect("consistent"), CAPACITY - queue.len());
        }
    }

    #[test]
    fn indices_that_may_be_anything_are_an_error_or_bytes_that_fit(
        (start, indices, lengths) in (0..u64::MAX / 2).prop_flat_map(|start| {
            (Just(start), vec((any::<bool>(), indices(start)), 1..20), vec(0..2 * CAPACITY, 1..4))
        }),
    ) {
        let (mut producer, mut consumer) = pipe_at(start);
        let bytes = vec![1; 2 * CAPACITY];
        let mut lengths = lengths.into_iter().cycle();
        for (is_tail, index) in indices {
            let length = lengths.next().unwrap_or(0);
            if is_tail {
                consumer.pipe.tail().store(index, Relaxed);
                let held = index.checked_sub(consumer.head).filter(|held| *held <= CAPACITY as u64);
                let mut into = Vec::new();
                // The index is not loaded if what was known before suffices.
                let known = consumer.known;
                match consumer.take(length, &mut into) {
                    Ok(taken) if known >= length => prop_assert_eq!((taken, into.len()), (length, length)),
                    Ok(taken) => {
                        prop_assert_eq!(Some(taken), held.map(|held| length.min(held as usize)));
                        prop_assert_eq!(taken, into.len());
                    }
                    Err(error) => prop_assert_eq!((error.kind(), held), (io::ErrorKind::InvalidData, None)),
                }
            } else {
                producer.pipe.head().store(index, Relaxed);
                let held = producer.tail.checked_sub(index).filter(|held| *held <= CAPACITY as u64);
                let known = producer.known_room;
                match producer.put(&[], &bytes[..length]) {
                    Ok(taken) if known >= length => prop_assert_eq!(taken, length),
                    Ok(taken) => {
                        prop_assert_eq!(Some(taken), held.map(|held| length.min(CAPACITY - held as usize)));
                    }
                    Err(error) => prop_assert_eq!((error.kind(), held), (io::ErrorKind::InvalidData, None)),
                }
            }
        }
    }
}

/// Returns how many cases run. The default is less than usual, because a step may move a quarter of a million bytes.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}
