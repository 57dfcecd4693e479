//! The server: a stream with one consumer, and frames between nodes.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use executor_core::TaskId;

use crate::timeline::{SECOND, Time};

/// After this time a message that was delivered and not acknowledged is delivered again.
const ACK_WAIT: Time = 10 * SECOND;
/// How long a request for messages is valid.
pub const PULL: Time = 20 * SECOND;

/// For how long a message occupies the stream, and a frame the server, in microseconds. Publishing, delivering and
/// acknowledging together is what was measured for a task, see `SCALE.md`.
pub const PUBLISH: Time = 7;
pub const DELIVER: Time = 3;
pub const ACKNOWLEDGE: Time = 2;
pub const REQUEST: Time = 2;
pub const FRAME: Time = 1;

#[derive(Default)]
pub struct Server {
    messages: BTreeMap<u64, Stored>,
    next: u64,
    /// The messages that were never delivered, oldest first. Some may be gone.
    fresh: VecDeque<u64>,
    /// When those that were delivered are delivered again.
    again: BTreeSet<(Time, u64)>,
    pulls: VecDeque<Pull>,
    count: HashMap<usize, u64>,
    /// When the stream has done what has arrived.
    pub stream_free: Time,
    /// When the server has passed on the frames that have arrived.
    pub frames_free: Time,
    pub is_down: bool,
    /// Whether the stream has no leader.
    pub has_no_leader: bool,
    pub peak: usize,
    pub longest_wait: Time,
    pub deliveries: u64,
}

struct Stored {
    client: usize,
    task: TaskId,
    /// When it is delivered again, if it was delivered.
    again: Option<Time>,
}

struct Pull {
    agent: usize,
    number: u64,
    messages: usize,
    until: Time,
}

/// A message for an agent.
pub struct Delivery {
    pub agent: usize,
    pub pull: u64,
    pub client: usize,
    pub task: TaskId,
    pub id: u64,
}

impl Server {
    /// The stream works for so long on something that arrives now. Returns when it has done it.
    pub fn occupy_stream(&mut self, now: Time, cost: Time) -> Time {
        self.stream_free = self.stream_free.max(now) + cost;
        self.longest_wait = self.longest_wait.max(self.stream_free - now);
        self.stream_free
    }

    pub fn pass_frame(&mut self, now: Time) -> Time {
        self.frames_free = self.frames_free.max(now) + FRAME;
        self.frames_free
    }

    pub fn publish(&mut self, client: usize, task: TaskId) {
        self.next += 1;
        self.messages.insert(self.next, Stored { client, task, again: None });
        self.fresh.push_back(self.next);
        *self.count.entry(client).or_default() += 1;
        self.peak = self.peak.max(self.messages.len());
    }

    pub fn pull(&mut self, agent: usize, number: u64, messages: usize, now: Time) {
        self.pulls.push_back(Pull { agent, number, messages, until: now + PULL });
    }

    /// Returns what can be delivered now. Requests take turns.
    pub fn deliver(&mut self, now: Time) -> Vec<Delivery> {
        let mut all = Vec::new();
        while let Some(mut pull) = self.pulls.pop_front() {
            if pull.until <= now {
                continue;
            }
            let Some(id) = self.next_message(now) else {
                self.pulls.push_front(pull);
                break;
            };
            let Some(stored) = self.messages.get_mut(&id) else { continue };
            let again = now + ACK_WAIT;
            stored.again = Some(again);
            self.again.insert((again, id));
            self.deliveries += 1;
            let (client, task) = (stored.client, stored.task);
            all.push(Delivery { agent: pull.agent, pull: pull.number, client, task, id });
            pull.messages -= 1;
            if pull.messages > 0 {
                self.pulls.push_back(pull);
            }
        }
        all
    }

    fn next_message(&mut self, now: Time) -> Option<u64> {
        if let Some(&(at, id)) = self.again.first().filter(|(at, _)| *at <= now) {
            self.again.remove(&(at, id));
            return Some(id);
        }
        while let Some(id) = self.fresh.pop_front() {
            if self.messages.contains_key(&id) {
                return Some(id);
            }
        }
        None
    }

    pub fn remove(&mut self, id: u64) {
        if let Some(stored) = self.messages.remove(&id) {
            *self.count.entry(stored.client).or_default() -= 1;
            if let Some(again) = stored.again {
                self.again.remove(&(again, id));
            }
        }
    }

    pub fn give_back(&mut self, id: u64, at: Time) {
        if let Some(stored) = self.messages.get_mut(&id) {
            if let Some(before) = stored.again.replace(at) {
                self.again.remove(&(before, id));
            }
            self.again.insert((at, id));
        }
    }

    pub fn count(&self, client: usize) -> u64 {
        self.count.get(&client).copied().unwrap_or_default()
    }

    pub fn len(&self) -> usize {
        self.messages.len()
    }

    pub fn forget_pulls(&mut self) {
        self.pulls.clear();
    }

    /// The connection of an agent has ended.
    pub fn forget_pulls_of(&mut self, agent: usize) {
        self.pulls.retain(|pull| pull.agent != agent);
    }

    /// Returns the message at a place between 0 and the number of messages that there ever were, or the next one.
    pub fn message_near(&self, place: u64) -> Option<u64> {
        self.messages.range(place % (self.next + 1)..).next().map(|(id, _)| *id)
    }

    pub fn ever(&self) -> u64 {
        self.next
    }

    pub fn messages_of(&self, client: usize) -> Vec<u64> {
        self.messages.iter().filter(|(_, stored)| stored.client == client).map(|(id, _)| *id).collect()
    }
}
