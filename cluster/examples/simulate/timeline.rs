//! What happens when.

use std::{cmp::Ordering, collections::BinaryHeap};

use executor_core::TaskId;

use crate::faults::Fault;

/// A moment or a span, in microseconds.
pub type Time = u64;

pub const SECOND: Time = 1_000_000;

/// A client or an agent, by its place among those that ever existed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    Client(usize),
    Agent(usize),
}

pub enum Event {
    AtServer(Node, ToServer),
    Arrives(Node, Message),
    /// A node looks at what has arrived.
    Wakes(Node),
    Ticks(Node),
    /// A run of an agent ends.
    Ends(usize, u64),
    Fails(Fault),
}

/// What a node sends to the server.
#[derive(Clone)]
pub enum ToServer {
    Publish(TaskId),
    Count(u64),
    Pull {
        number: u64,
        messages: usize,
    },
    Acknowledge(u64),
    GiveBack(u64, Time),
    /// A frame for another node.
    Frame(Node, Vec<u8>),
}

/// What the server sends to a node.
#[derive(Clone)]
pub enum Message {
    Stored(TaskId),
    Counted { number: u64, messages: u64 },
    Delivered { client: usize, task: TaskId, id: u64, pull: u64 },
    Unreachable(usize),
    Frame(Node, Vec<u8>),
}

/// The events to come. Those of one moment happen in the order in which they were added.
#[derive(Default)]
pub struct Timeline {
    now: Time,
    added: u64,
    events: BinaryHeap<Entry>,
}

struct Entry {
    at: Time,
    number: u64,
    event: Event,
}

impl Timeline {
    pub fn now(&self) -> Time {
        self.now
    }

    pub fn add(&mut self, at: Time, event: Event) {
        self.added += 1;
        self.events.push(Entry { at: at.max(self.now), number: self.added, event });
    }

    pub fn next(&mut self) -> Option<Event> {
        let entry = self.events.pop()?;
        self.now = entry.at;
        Some(entry.event)
    }
}

impl Ord for Entry {
    /// The earliest is the greatest, because the heap returns that one first.
    fn cmp(&self, other: &Entry) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}
