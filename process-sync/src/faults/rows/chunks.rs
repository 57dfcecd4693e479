//! Slices whose chunks have one owner each. What a process had of one is back when it dies.

use executor_core::ErrorKind;

use crate::{
    Queue, SharedChunk, SharedMut,
    faults::{
        table::{
            AFTER, At, BEFORE, Cell, Left, NO_CODE, NO_SLEEP, Row,
            Who::{Consumer, Holder, Producer},
        },
        trial::Trial,
        victim::{Victim, user_code},
    },
};

const BACK: [Cell; At::ALL.len()] = [BEFORE, BEFORE, BEFORE, BEFORE, BEFORE, NO_SLEEP, BEFORE];
const IN_A_QUEUE: Cell = Cell::Never("the queue waits, which has this");

pub(super) const ROWS: &[Row] = &[
    Row::new("slice of chunks", Holder, "splits it, and has the chunks", (split, check), BACK).ends(Left::Before),
    Row::new("slice of chunks", Holder, "splits it, and has the chunks", (split, check), BACK)
        .ends(Left::Before)
        .by_the_parent(),
    Row::new("slice of chunks", Holder, "reads it", (read, check), BACK).ends(Left::Before),
    Row::new("slice of chunks", Producer, "sends a chunk", (send, check_send), {
        let mut row = BACK;
        row[At::UserCode as usize] = NO_CODE;
        row[At::Asleep as usize] = IN_A_QUEUE;
        row
    })
    .without_descriptors(Left::Before),
    Row::new(
        "slice of chunks",
        Consumer,
        "receives a chunk, and has it",
        (receive, check_receive),
        [BEFORE, BEFORE, BEFORE, AFTER, AFTER, IN_A_QUEUE, AFTER],
    )
    .panics(Left::After)
    .without_descriptors(Left::Before),
];

type Chunks = Queue<SharedChunk<u64>>;

fn make() -> SharedMut<u64> {
    SharedMut::new(6).unwrap()
}

fn make_both() -> (SharedMut<u64>, Chunks) {
    (make(), Queue::unbounded().unwrap())
}

fn split(victim: &mut Victim) {
    let slice = victim.object(make);
    victim.act(|| {
        let mut chunks = slice.split(2)?;
        chunks[1].fill(7);
        user_code();
        Ok(())
    });
}

fn read(victim: &mut Victim) {
    let slice = victim.object(make);
    victim.act(|| {
        let _elements = slice.read()?;
        user_code();
        Ok(())
    });
}

fn send(victim: &mut Victim) {
    let (slice, queue) = victim.object(make_both);
    let mut chunks = slice.split(2).unwrap();
    victim.act(|| queue.put(chunks.remove(0)));
    // A victim that goes on has given back the other.
    drop(chunks);
}

fn receive(victim: &mut Victim) {
    let (_, queue) = victim.object(make_both);
    victim.act(|| {
        let _chunk = queue.get(None)?;
        user_code();
        Ok(())
    });
}

/// Checks that nothing is out, and that nobody reads.
fn check_left(slice: &SharedMut<u64>) {
    assert_eq!(slice.read().unwrap().len(), 6);
    let chunks = slice.split(3).unwrap();
    assert_eq!(chunks.iter().map(|chunk| chunk.len()).sum::<usize>(), 6);
    assert_eq!(slice.read().unwrap_err().kind(), ErrorKind::InvalidState);
    drop(chunks);
    assert_eq!(slice.read().unwrap().len(), 6);
}

fn check(trial: &mut Trial) {
    let slice = trial.object(make);
    trial.run(|_| {});
    check_left(&slice);
}

fn check_send(trial: &mut Trial) {
    let (slice, queue) = trial.object(make_both);
    let left = trial.run(|_| {});
    trial.end();
    let chunk = queue.try_get().unwrap();
    assert_eq!(chunk.is_some(), left == Left::After);
    assert_eq!(slice.read().is_err(), chunk.is_some());
    drop(chunk);
    check_left(&slice);
}

fn check_receive(trial: &mut Trial) {
    let (slice, queue) = trial.object(make_both);
    for chunk in slice.split(1).unwrap() {
        queue.put(chunk).unwrap();
    }
    let left = trial.run(|_| {});
    trial.end();
    let chunk = queue.try_get().unwrap();
    assert_eq!(chunk.is_some(), left == Left::Before);
    assert_eq!(slice.read().is_err(), chunk.is_some());
    drop(chunk);
    check_left(&slice);
}
