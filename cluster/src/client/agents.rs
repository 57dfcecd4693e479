//! The agents that have tasks of a client.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use executor_core::TaskId;

use crate::wire::{Ask, Peer};

/// Once in so many pings, an agent is told everything that it was granted. That finds a task whose grant was lost after
/// the agent had let it go, and an outcome that was dropped. Both are rare, and the lists are long.
const LIST_EVERY: u32 = 8;

/// The agents that have tasks of a client, and since when each has been silent.
#[derive(Debug, Default)]
pub(super) struct Agents {
    agents: HashMap<Peer, Agent>,
    /// How many tasks they have together.
    granted: usize,
}

#[derive(Debug)]
struct Agent {
    /// When the last record came from it, or its first task was granted.
    heard: Duration,
    next_ping: Duration,
    /// When it is told next what it was granted.
    next_list: Duration,
    /// The tasks that it has, each with the number of its ask.
    granted: BTreeMap<TaskId, u64>,
}

/// What must be sent to an agent now.
#[derive(Debug)]
pub(super) struct Ping {
    pub(super) agent: Peer,
    /// What it was granted, if it is time to repeat that.
    pub(super) granted: Vec<Ask>,
}

impl Agents {
    /// Returns how many tasks the agents have.
    pub(super) fn granted(&self) -> usize {
        self.granted
    }

    pub(super) fn all_tasks(&self) -> Vec<TaskId> {
        self.agents.values().flat_map(|agent| agent.granted.keys().copied()).collect()
    }

    pub(super) fn grant(&mut self, peer: &Peer, ask: Ask, now: Duration, ping: Duration) {
        let new = || Agent { heard: now, next_ping: now + ping, next_list: now + ping, granted: BTreeMap::new() };
        let agent = self.agents.entry(peer.clone()).or_insert_with(new);
        self.granted += usize::from(agent.granted.insert(ask.task, ask.number).is_none());
    }

    /// Forgets a task, and the agent with its last task.
    pub(super) fn leave(&mut self, peer: &Peer, task: TaskId) {
        if let Some(agent) = self.agents.get_mut(peer) {
            self.granted -= usize::from(agent.granted.remove(&task).is_some());
            if agent.granted.is_empty() {
                self.agents.remove(peer);
            }
        }
    }

    pub(super) fn heard(&mut self, peer: &Peer, now: Duration) {
        if let Some(agent) = self.agents.get_mut(peer) {
            agent.heard = now;
        }
    }

    /// Begins the silence of each agent anew, after a time in which none could be heard.
    pub(super) fn all_heard(&mut self, now: Duration) {
        for agent in self.agents.values_mut() {
            (agent.heard, agent.next_ping, agent.next_list) = (now, now, now);
        }
    }

    /// Repeats with the next ping what the agent was granted.
    pub(super) fn list_soon(&mut self, peer: &Peer) {
        if let Some(agent) = self.agents.get_mut(peer) {
            agent.next_list = agent.next_list.min(agent.next_ping);
        }
    }

    /// Returns the agents that were silent for too long, for how long, and their tasks. They stay until their tasks
    /// have left.
    pub(super) fn lost(&self, now: Duration, grace: Duration) -> Vec<(Peer, Duration, Vec<TaskId>)> {
        let silent = |agent: &Agent| now.saturating_sub(agent.heard);
        let lost = self.agents.iter().filter(|(_, agent)| silent(agent) >= grace);
        let tasks = |agent: &Agent| agent.granted.keys().copied().collect();
        let mut lost: Vec<_> = lost.map(|(peer, agent)| (peer.clone(), silent(agent), tasks(agent))).collect();
        // A simulation can be repeated exactly if nothing depends on the order of a hash map.
        lost.sort_unstable_by(|(one, ..), (other, ..)| one.cmp(other));
        lost
    }

    /// Returns the agents that must be asked whether they are there.
    pub(super) fn due(&mut self, now: Duration, ping: Duration) -> Vec<Ping> {
        let mut pings = Vec::new();
        for (peer, agent) in &mut self.agents {
            let is_list_due = agent.next_list <= now;
            let is_silent = agent.heard + ping <= now;
            if !is_list_due && (!is_silent || now < agent.next_ping) {
                continue;
            }
            agent.next_ping = now + ping;
            let mut granted = Vec::new();
            if is_list_due {
                agent.next_list = now + ping * LIST_EVERY;
                granted.extend(agent.granted.iter().map(|(task, number)| Ask { task: *task, number: *number }));
            }
            pings.push(Ping { agent: peer.clone(), granted });
        }
        pings.sort_unstable_by(|one, other| one.agent.cmp(&other.agent));
        pings
    }
}
