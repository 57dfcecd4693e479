//! The ring, run by loom in every order that it distinguishes. Here a lost wake-up is a deadlock, and a byte that is
//! read or overwritten too early is a race.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --release -p concurrent-futures-processes --lib model
//! ```
//!
//! `LOOM_MAX_PREEMPTIONS=2` makes it fast.

use std::sync::Arc;

use loom::thread;

use super::{
    parent::{self, RingInbox, RingOutbox},
    report::Report,
    sync::{self, Doorbell, SharedMemory},
    worker::RingPort,
};
use crate::transport::{Claim, Claims, Inbox, Outbox, Port};

/// The two processes of a link. The second is a thread.
struct Link {
    outbox: RingOutbox,
    inbox: RingInbox,
    doorbell: Doorbell,
}

fn link() -> (Link, RingPort) {
    let (memory, doorbell) = (Arc::new(SharedMemory::new()), Doorbell::new());
    let port = RingPort::new(memory.clone(), doorbell.clone());
    let (outbox, inbox) = parent::ends(memory, doorbell.clone());
    (Link { outbox, inbox, doorbell }, port)
}

impl Link {
    /// Polls the link as the supervisor does: whenever the doorbell rings, until `is_done` returns `true`.
    fn poll(&mut self, mut is_done: impl FnMut(&mut Link) -> bool) {
        loop {
            self.inbox.drain_doorbell();
            loop {
                if is_done(self) {
                    return;
                }
                if self.inbox.arm() {
                    break;
                }
            }
            self.doorbell.wait();
        }
    }

    /// Sends what there is room for, and asks to be woken for the rest. Returns `true` if everything is sent.
    fn pump(&mut self, rest: &mut &[u8]) -> bool {
        loop {
            let count = self.outbox.send(rest, &[]).expect("consistent");
            self.outbox.ring_doorbell();
            *rest = &rest[count..];
            if rest.is_empty() {
                return true;
            }
            if !self.outbox.want_room() {
                return false;
            }
        }
    }
}

fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(builder.preemption_bound.map_or(preemptions, |asked| asked.min(preemptions)));
    builder.check(model);
}

#[test]
fn every_byte_reaches_the_parent_in_order_across_turns_of_the_buffer() {
    explore(3, || {
        let (mut link, mut port) = link();
        let worker = thread::spawn(move || {
            port.write(&[1, 2, 3, 4, 5], &[]).expect("consistent");
            port.ring_doorbell().expect("it is only a model");
        });
        let mut received = Vec::new();
        link.poll(|link| {
            link.inbox.receive(&mut received, usize::MAX).expect("consistent");
            received.len() == 5
        });
        assert_eq!(received, [1, 2, 3, 4, 5]);
        worker.join().unwrap();
    });
}

#[test]
fn every_byte_reaches_the_worker_in_order_across_turns_of_the_buffer() {
    explore(3, || {
        let (mut link, mut port) = link();
        let worker = thread::spawn(move || {
            let (mut head, mut rest) = ([0; 2], Vec::new());
            port.read(&mut head).expect("consistent");
            port.read_to(&mut rest, 3).expect("consistent");
            assert_eq!((head.as_slice(), rest.as_slice()), ([1, 2].as_slice(), [3, 4, 5].as_slice()));
        });
        let mut rest = [1, 2, 3, 4, 5].as_slice();
        link.poll(|link| link.pump(&mut rest));
        worker.join().unwrap();
    });
}

#[test]
fn each_of_several_messages_wakes_the_worker() {
    explore(3, || {
        let (mut link, mut port) = link();
        let worker = thread::spawn(move || {
            for message in 1..=3 {
                let mut read = [0];
                port.read(&mut read).expect("consistent");
                assert_eq!(read, [message]);
            }
        });
        for message in 1..=3 {
            let message = [message];
            let mut rest = message.as_slice();
            link.poll(|link| link.pump(&mut rest));
        }
        worker.join().unwrap();
    });
}

#[test]
fn each_of_several_replies_wakes_the_parent() {
    explore(3, || {
        let (mut link, mut port) = link();
        let worker = thread::spawn(move || {
            for reply in 1..=3 {
                port.write(&[reply], &[]).expect("consistent");
                port.ring_doorbell().expect("it is only a model");
            }
        });
        let mut received = Vec::new();
        for replies in 1..=3 {
            link.poll(|link| {
                link.inbox.receive(&mut received, usize::MAX).expect("consistent");
                received.len() >= replies
            });
        }
        assert_eq!(received, [1, 2, 3]);
        worker.join().unwrap();
    });
}

#[test]
fn both_directions_full_do_not_block_each_other() {
    explore(3, || {
        let (mut link, mut port) = link();
        let worker = thread::spawn(move || {
            let mut read = [0; 3];
            port.read(&mut read).expect("consistent");
            port.write(&read, &[]).expect("consistent");
            port.ring_doorbell().expect("it is only a model");
        });
        let (mut rest, mut received) = ([1, 2, 3].as_slice(), Vec::new());
        link.poll(|link| {
            link.inbox.receive(&mut received, usize::MAX).expect("consistent");
            if !rest.is_empty() {
                link.pump(&mut rest);
            }
            received.len() == 3
        });
        assert_eq!(received, [1, 2, 3]);
        worker.join().unwrap();
    });
}

/// Returns `true` if there is a slot for a task after `last`, by the rule of the pool.
fn has_slot(claims: &dyn Claims, last: u64) -> bool {
    last - claims.taken() < claims.slots() - 1
}

#[test]
fn a_parent_that_waits_for_the_slot_of_a_withdrawn_task_is_woken() {
    explore(4, || {
        let (mut link, mut port) = link();
        let worker = thread::spawn(move || {
            for sequence in 1..=2 {
                port.read(&mut [0]).expect("consistent");
                if port.start(sequence).expect("it is only a model") {
                    assert!(port.finish(sequence, 0));
                    port.write(&[sequence as u8], &[]).expect("consistent");
                    port.ring_doorbell().expect("it is only a model");
                }
            }
        });
        let claims = link.outbox.claims.clone();
        claims.offer(1);
        assert!(link.pump(&mut [0].as_slice()));
        let was_withdrawn = claims.withdraw(1);
        let mut received = Vec::new();
        link.poll(|link| {
            link.inbox.receive(&mut received, usize::MAX).expect("consistent");
            has_slot(&claims, 1) || link.outbox.want_room() && has_slot(&claims, 1)
        });
        claims.offer(2);
        assert!(link.pump(&mut [0].as_slice()));
        link.poll(|link| {
            link.inbox.receive(&mut received, usize::MAX).expect("consistent");
            received.contains(&2)
        });
        assert_eq!(received, if was_withdrawn { vec![2] } else { vec![1, 2] });
        worker.join().unwrap();
    });
}

#[test]
fn a_task_either_starts_or_is_withdrawn() {
    explore(4, || {
        let (mut link, mut port) = link();
        let worker = thread::spawn(move || {
            port.read(&mut [0]).expect("consistent");
            port.start(1).expect("it is only a model")
        });
        link.outbox.claims.offer(1);
        assert!(link.pump(&mut [0].as_slice()));
        let was_withdrawn = link.outbox.claims.withdraw(1);
        assert_eq!(link.outbox.claims.claim(1) == Claim::Gone, was_withdrawn);
        assert_ne!(worker.join().unwrap(), was_withdrawn);
    });
}

#[test]
fn an_item_either_ends_or_is_condemned_and_a_condemned_task_does_not_continue() {
    explore(4, || {
        let (link, mut port) = link();
        let claims = link.outbox.claims.clone();
        claims.offer(1);
        let worker = thread::spawn(move || {
            assert!(port.start(1).expect("it is only a model"));
            // The item at which the worker stops, if it does.
            if !port.advance(1, 0) {
                return Some(0);
            }
            (!port.finish(1, 1)).then_some(1)
        });
        let condemned = match claims.claim(1) {
            Claim::Running { item } if claims.condemn(1, item) => Some(item),
            _ => None,
        };
        assert_eq!(worker.join().unwrap(), condemned);
        assert_eq!(claims.claim(1), if condemned.is_some() { Claim::Gone } else { Claim::Finished });
    });
}

#[test]
fn an_item_that_runs_is_never_seen_with_the_time_of_another() {
    explore(4, || {
        let (link, mut port) = link();
        let claims = link.outbox.claims.clone();
        claims.offer(1);
        let worker = thread::spawn(move || {
            sync::set_time(10);
            port.note_time();
            assert!(port.start(1).expect("it is only a model"));
            sync::set_time(11);
            port.note_time();
            assert!(port.advance(1, 0));
            assert!(port.finish(1, 1));
        });
        for _ in 0..2 {
            if let Claim::Running { item } = claims.claim(1) {
                // A later time belongs to a later item, and then the task cannot be condemned for this one.
                assert!(claims.started_at().as_nanos() >= u128::from(10 + item));
            }
        }
        worker.join().unwrap();
    });
}

#[test]
fn the_slot_of_a_task_that_was_taken_is_free_and_a_late_change_finds_another_number() {
    explore(4, || {
        let (mut link, mut port) = link();
        let claims = link.outbox.claims.clone();
        claims.offer(1);
        claims.offer(2);
        let worker = thread::spawn(move || {
            for sequence in 1..=2 {
                assert!(port.start(sequence).expect("it is only a model"));
                assert!(port.finish(sequence, 0));
            }
            let mut third = [0];
            port.read(&mut third).expect("consistent");
            if third == [3] {
                assert!(port.start(3).expect("it is only a model"), "it is not withdrawn");
                assert!(port.finish(3, 0));
            }
        });
        if has_slot(&claims, 2) {
            assert_eq!(claims.claim(1), Claim::Finished, "a task that was taken before has ended");
            claims.offer(3);
            assert!(!claims.condemn(1, 0) && !claims.withdraw(1), "its slot is the third's");
            assert_eq!(claims.claim(1), Claim::Gone);
            assert!(link.pump(&mut [3].as_slice()));
            worker.join().unwrap();
            assert_eq!(claims.claim(3), Claim::Finished);
        } else {
            // The worker may still read the slot, so there is no third task.
            assert!(link.pump(&mut [0].as_slice()));
            worker.join().unwrap();
        }
    });
}

/// The worker's standard error: how many bytes the kernel holds, behind its lock.
#[derive(Clone, Default)]
struct Stderr(Arc<loom::sync::Mutex<u64>>);

impl Stderr {
    fn write(&self, bytes: u64) {
        *self.0.lock().expect("a model does not panic under a lock") += bytes;
    }

    fn unread(&self) -> u64 {
        *self.0.lock().expect("a model does not panic under a lock")
    }

    /// Takes one byte, if there is one.
    fn take(&self) -> u64 {
        let mut bytes = self.0.lock().expect("a model does not panic under a lock");
        let taken = (*bytes).min(1);
        *bytes -= taken;
        taken
    }
}

fn reports() -> (Report, Report) {
    let memory = Arc::new(SharedMemory::new());
    (Report::in_ring(memory.clone()), Report::in_ring(memory))
}

#[test]
fn the_boundary_is_what_was_written_before_however_much_of_it_was_read() {
    explore(3, || {
        let ((parent, worker), stderr) = (reports(), Stderr::default());
        let pipe = stderr.clone();
        let thread = thread::spawn(move || {
            for written in 1..=2 {
                pipe.write(1);
                worker.note_boundary(
                    || Some(pipe.unread()),
                    || {
                        thread::yield_now();
                        true
                    },
                );
                assert_eq!(worker.boundary(), written);
            }
        });
        let mut total = 0;
        for _ in 0..2 {
            total += parent.count(total, || {
                let taken = stderr.take();
                (taken, taken)
            });
        }
        thread.join().unwrap();
        assert_eq!((parent.boundary(), total + stderr.unread()), (2, 2));
    });
}

#[test]
fn a_boundary_is_never_too_early_if_the_parent_does_not_proceed() {
    explore(3, || {
        let ((parent, worker), stderr) = (reports(), Stderr::default());
        let pipe = stderr.clone();
        let thread = thread::spawn(move || {
            pipe.write(2);
            worker.note_boundary(|| Some(pipe.unread()), || false);
            assert!(worker.boundary() >= 2);
        });
        let mut total = 0;
        for _ in 0..2 {
            total += parent.count(total, || {
                let taken = stderr.take();
                (taken, taken)
            });
        }
        thread.join().unwrap();
    });
}
