//! The buffers into which a worker reads arguments and writes outcomes.
//!
//! Both are reused from task to task, because the system provides new memory page by page, and that costs more than the
//! copy into it. A large buffer is also reused, but the system may take its pages back if it needs them.

use executor_core::codec::Words;

use crate::sys::memory;

/// Up to this size a buffer is reused as it is: a round number of bytes, and what is added to them.
const REUSED: usize = (1 << 20) + 4096;

/// Up to this size a buffer is reused if the system may take its pages back.
const LENT: usize = if memory::CAN_LEND { (64 << 20) + 4096 } else { REUSED };

/// Reserves exactly the capacity for a body of this length and one byte more: a function that returns its argument
/// makes it the outcome, which is one byte longer. A buffer that is far too large is freed, so that the task can have
/// the memory.
pub(super) fn reserve(body: &mut Vec<u8>, length: usize) {
    body.clear();
    if body.capacity() > REUSED && body.capacity() / 2 > length {
        *body = Vec::new();
    }
    body.reserve_exact(length + 1);
}

/// Prepares the buffers for the next task: frees the memory of one huge task, or lets the system take it back.
pub(super) fn recycle(body: &mut Vec<u8>, reply: &mut Vec<u8>) {
    body.clear();
    reply.clear();
    // If an argument has become the outcome, its memory is reused for the next argument.
    if reply.capacity() > body.capacity() {
        std::mem::swap(body, reply);
    }
    reply.shrink_to(REUSED);
    if body.capacity() > LENT {
        *body = Vec::new();
    }
    if body.capacity() > REUSED {
        // The vector is empty, so nothing is lost.
        memory::lend(body.spare_capacity_mut());
    }
}

/// Returns empty memory for an argument of this length that consists of numbers of this size. `spare` is used if it is
/// such memory and not far too large. Returns `None` if no numbers have this size.
pub(super) fn numbers(spare: Option<Words>, size: usize, length: usize) -> Option<Words> {
    match spare.filter(|spare| spare.size() == size && spare.capacity() / 2 <= length) {
        Some(mut spare) => {
            spare.clear();
            spare.grow_to(length);
            Some(spare)
        }
        None => Words::with_room(size, length),
    }
}

/// Keeps the memory of an outcome for the next argument, unless it is huge. All of it is initialised, so the system
/// cannot take its pages back.
pub(super) fn recycle_numbers(numbers: &mut Option<Words>) {
    match numbers {
        Some(words) if words.capacity() <= REUSED => words.clear(),
        other => *other = None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_gets_the_capacity_that_it_needs_and_a_byte_more() {
        for length in [0, 1, 5000, 3 << 20] {
            let mut body = Vec::new();
            reserve(&mut body, length);
            assert!(body.is_empty() && body.capacity() > length && body.capacity() < length + 100);
        }
    }

    #[test]
    fn a_buffer_that_is_far_too_large_is_freed_while_a_task_runs() {
        let mut body = Vec::with_capacity(8 << 20);
        reserve(&mut body, 7 << 20);
        assert!(body.capacity() >= 8 << 20);
        reserve(&mut body, 1000);
        assert!(body.capacity() < 2000);
    }

    #[test]
    fn the_larger_buffer_is_reused_for_the_next_argument_and_the_other_is_small() {
        let (mut body, mut reply) = (vec![1; 2 << 20], vec![2; 8 << 20]);
        recycle(&mut body, &mut reply);
        assert!(body.is_empty() && reply.is_empty() && reply.capacity() <= REUSED);
        assert_eq!(body.capacity(), if LENT > REUSED { 8 << 20 } else { 0 });
        body.extend(std::iter::repeat_n(3, 1 << 20));
        assert!(body.iter().all(|byte| *byte == 3), "it can be written as before");
    }

    #[test]
    fn a_buffer_above_every_limit_is_freed() {
        let (mut body, mut reply) = (Vec::with_capacity(LENT + 1), Vec::with_capacity(LENT + 2));
        recycle(&mut body, &mut reply);
        assert!(body.capacity() <= REUSED && reply.capacity() <= REUSED);
    }

    #[test]
    fn the_memory_of_numbers_is_reused_for_numbers_of_the_same_size() {
        let mut kept = numbers(None, 8, 5000);
        kept.as_mut().expect("memory").advance(5000);
        recycle_numbers(&mut kept);
        let mut again = numbers(kept, 8, 9000).expect("memory");
        assert!(again.is_empty() && again.room().len() == 9000);
        let address = again.room().as_ptr();
        let mut shorter = numbers(Some(again), 8, 4500).expect("memory");
        assert_eq!((shorter.room().as_ptr(), shorter.capacity()), (address, 9000));
        let far_too_large = numbers(Some(shorter), 8, 400).expect("memory");
        assert_eq!(far_too_large.capacity(), 400);
        assert_eq!(numbers(Some(far_too_large), 4, 400).expect("memory").size(), 4);
        assert!(numbers(None, 3, 400).is_none());
        let mut huge = numbers(None, 8, REUSED + 8);
        recycle_numbers(&mut huge);
        assert!(huge.is_none());
    }
}
