//! What a worker reads arguments into, and writes outcomes to.
//!
//! Both are kept from task to task: memory that is new to a process comes page by page, and that costs more than the
//! copy into it. A large one is kept too, but the system may have its pages if it needs them. Of an echo of 64 MiB of
//! bytes this saves a third, of one of 1 MiB inside of a struct more than half.
#![allow(unsafe_code)]

/// Up to this size memory is simply kept: a round number of bytes, and what goes with them.
const KEPT: usize = (1 << 20) + 64;

/// Up to this size it is kept where the system may have it back.
const LENT: usize = if cfg!(target_os = "linux") { (64 << 20) + 64 } else { KEPT };

/// Makes exactly the room that a body of this length needs, and a byte more: bytes that the function hands back become
/// the outcome, which is that much longer. What is far too large is not kept while a task runs.
pub(super) fn make_room(body: &mut Vec<u8>, length: usize) {
    body.clear();
    if body.capacity() > KEPT && body.capacity() / 2 > length {
        *body = Vec::new();
    }
    body.reserve_exact(length + 1);
}

/// Gives back what one huge task has taken, or lets the system have it when it wants it.
pub(super) fn rest(body: &mut Vec<u8>, reply: &mut Vec<u8>) {
    body.clear();
    reply.clear();
    // An argument that has become the outcome is the memory for the next one.
    if reply.capacity() > body.capacity() {
        std::mem::swap(body, reply);
    }
    reply.shrink_to(KEPT);
    if body.capacity() > LENT {
        *body = Vec::new();
    }
    if body.capacity() > KEPT {
        lend_to_system(body);
    }
}

/// Tells the system that nobody needs what is in the pages of this vector, which is empty.
fn lend_to_system(vector: &mut Vec<u8>) {
    #[cfg(target_os = "linux")]
    {
        /// Whole pages on every machine.
        const PAGES: usize = 64 << 10;
        let room = vector.spare_capacity_mut();
        let before = room.as_ptr().align_offset(PAGES);
        let Some(pages) = room.get_mut(before..) else { return };
        let length = pages.len() / PAGES * PAGES;
        // SAFETY: these are whole pages of room that the vector has, and nobody else. Each keeps what it holds or
        // becomes zero, until it is written to again; what is in this room is read by nobody before that. An error
        // changes nothing.
        let _ = unsafe { rustix::mm::madvise(pages.as_mut_ptr().cast(), length, rustix::mm::Advice::LinuxFree) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = vector;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_gets_the_room_that_it_needs_and_a_byte_more() {
        for length in [0, 1, 5000, 3 << 20] {
            let mut body = Vec::new();
            make_room(&mut body, length);
            assert!(body.is_empty() && body.capacity() > length && body.capacity() < length + 100);
        }
    }

    #[test]
    fn memory_that_is_far_too_large_is_not_kept_while_a_task_runs() {
        let mut body = Vec::with_capacity(8 << 20);
        make_room(&mut body, 7 << 20);
        assert!(body.capacity() >= 8 << 20);
        make_room(&mut body, 1000);
        assert!(body.capacity() < 2000);
    }

    #[test]
    fn the_larger_one_is_the_room_for_the_next_argument_and_the_other_is_small() {
        let (mut body, mut reply) = (vec![1; 2 << 20], vec![2; 8 << 20]);
        rest(&mut body, &mut reply);
        assert!(body.is_empty() && reply.is_empty() && reply.capacity() <= KEPT);
        assert_eq!(body.capacity(), if LENT > KEPT { 8 << 20 } else { 0 });
        body.extend(std::iter::repeat_n(3, 1 << 20));
        assert!(body.iter().all(|byte| *byte == 3), "it is memory as before");
    }

    #[test]
    fn more_than_the_most_is_given_back() {
        let (mut body, mut reply) = (Vec::with_capacity(LENT + 1), Vec::with_capacity(LENT + 2));
        rest(&mut body, &mut reply);
        assert!(body.capacity() <= KEPT && reply.capacity() <= KEPT);
    }
}
