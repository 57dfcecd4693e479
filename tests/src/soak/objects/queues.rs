//! Queues whose producers and consumers are killed.

use std::cell::{Cell, RefCell};

use concurrent_futures::multiprocessing::{Queue, Value};

use super::{Guest, Role, Run, end, leaving_nothing, storm};

pub(super) const ROLES: &[(&str, Role)] =
    &[("produce", produce), ("consume", consume), ("reply", reply), ("forward", forward)];

/// The number of the producer, that of the item, and what makes the item long.
type Item = (u64, u64, Vec<u8>);

fn produce(guest: &Guest) {
    let (queue, count, number, longest): (Queue<Item>, Value<u64>, u64, u64) = guest.receive();
    for item in 0.. {
        // Mostly short ones.
        let length = if item % 64 == 0 { longest } else { item % 32 };
        if queue.put((number, item, vec![item as u8; length as usize])).is_err() {
            return;
        }
        // What is put is counted afterwards, so at most one is put and not counted.
        count.set(item + 1);
    }
}

fn consume(guest: &Guest) {
    let (queue, results): (Queue<Item>, Queue<(u64, u64)>) = guest.receive();
    for (number, item, bytes) in queue.iter() {
        assert!(bytes.iter().all(|byte| *byte == item as u8), "a torn item");
        results.put((number, item)).expect("it is open");
    }
}

/// The items that were received.
#[derive(Default)]
struct Seen {
    /// A bit for each item, of each producer.
    items: Vec<Vec<u64>>,
    count: u64,
}

impl Seen {
    fn add(&mut self, (number, item): (u64, u64)) {
        let (number, word) = (number as usize, item as usize / 64);
        if self.items.len() <= number {
            self.items.resize(number + 1, Vec::new());
        }
        let items = &mut self.items[number];
        if items.len() <= word {
            items.resize(word + 1, 0);
        }
        assert!(items[word] >> (item % 64) & 1 == 0, "item {item} of producer {number} came twice");
        items[word] |= 1 << (item % 64);
        self.count += 1;
    }
}

pub(in crate::soak) fn queue(run: &mut Run) {
    leaving_nothing(run, |run, stage| items(run, &stage, Queue::bounded(64).expect("a queue"), 200));
}

pub(in crate::soak) fn growing(run: &mut Run) {
    leaving_nothing(run, |run, stage| {
        let queue = Queue::builder().max_bytes(16 << 20).build().expect("a queue");
        items(run, &stage, queue, 60_000);
    });
}

fn items(run: &mut Run, stage: &super::Stage, queue: Queue<Item>, longest: u64) {
    let results = Queue::<(u64, u64)>::unbounded().expect("a queue");
    let (producers, seen) = (RefCell::new(Vec::new()), RefCell::new(Seen::default()));
    let collect = || {
        while let Some(item) = results.try_get().expect("it is whole") {
            seen.borrow_mut().add(item);
        }
        seen.borrow().count
    };
    let start = |kind| {
        if kind == 1 {
            return stage.start("consume", &(queue.clone(), results.clone()));
        }
        let mut producers = producers.borrow_mut();
        let count = Value::new(0_u64).expect("a value");
        let number = producers.len() as u64;
        producers.push(count.clone());
        stage.start("produce", &(queue.clone(), count, number, longest))
    };
    let (processes, [killed_producers, killed_consumers]) = storm(run, [2, 2], start, collect);
    let (producing, consuming): (Vec<_>, Vec<_>) = processes.into_iter().partition(|(kind, _)| *kind == 0);
    let ended = producing.len() as u64;
    producing.into_iter().for_each(|(_, process)| end(process));
    queue.close().expect("it is whole");
    for (_, mut process) in consuming {
        // It ends when the queue is empty.
        while process.try_wait().expect("it is a child").is_none() {
            collect();
            std::thread::park_timeout(std::time::Duration::from_millis(1));
        }
    }
    let count = collect();
    let put: u64 = producers.into_inner().iter().map(Value::get).sum();
    assert!(queue.is_empty());
    assert!(count <= put + killed_producers + ended, "{count} items came, and {put} were put");
    assert!(count + killed_consumers >= put, "{count} of {put} items came, {killed_consumers} consumers were killed");
    run.figure("items", count);
    run.figure("lost with killed consumers, at least", put.saturating_sub(count));
    run.figure("killed consumers", killed_consumers);
}

/// A queue for the answer, and what is in it.
type Question = (Queue<u64>, u64);

/// Puts queues with an answer in them.
fn reply(guest: &Guest) {
    let queue: Queue<Question> = guest.receive();
    for number in 0.. {
        let answer = Queue::unbounded().expect("a queue");
        answer.put(number).expect("it is open");
        if queue.put((answer, number)).is_err() {
            return;
        }
    }
}

/// Passes on what it gets.
fn forward(guest: &Guest) {
    let [from, to]: [Queue<Question>; 2] = guest.receive();
    for (answer, number) in from.iter() {
        assert_eq!(answer.len(), 1, "it is another queue");
        to.put((answer, number)).expect("it is open");
    }
}

pub(in crate::soak) fn queues(run: &mut Run) {
    leaving_nothing(run, |run, stage| {
        let [first, second] = [(); 2].map(|()| Queue::<Question>::bounded(8).expect("a queue"));
        let count = Cell::new(0_u64);
        let collect = || {
            while let Some((answer, number)) = second.try_get().expect("it is whole") {
                assert_eq!(answer.try_get().expect("it is whole"), Some(number), "it is another queue");
                count.set(count.get() + 1);
            }
            count.get()
        };
        let start = |kind| match kind {
            0 => stage.start("reply", &first),
            _ => stage.start("forward", &[first.clone(), second.clone()]),
        };
        let (processes, _) = storm(run, [2, 2], start, collect);
        processes.into_iter().for_each(|(_, process)| end(process));
        // What is left is whole too.
        for queue in [&first, &second] {
            while let Some((answer, number)) = queue.try_get().expect("it is whole") {
                assert_eq!(answer.try_get().expect("it is whole"), Some(number), "it is another queue");
                count.set(count.get() + 1);
            }
        }
        assert!(count.get() > 0);
        run.figure("queues in queues", count.get());
    });
}
