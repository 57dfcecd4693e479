//! The agents that have tasks of a client.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use executor_core::TaskId;

use crate::wire::{Ask, Peer};

/// The agents that have tasks of a client, and since when each has been silent.
#[derive(Debug, Default)]
pub(super) struct Agents {
    agents: HashMap<Peer, Agent>,
}

#[derive(Debug)]
struct Agent {
    /// When the last record came from it, or its first task was granted.
    heard: Duration,
    next_ping: Duration,
    /// The tasks that it has, each with the number of its ask.
    granted: BTreeMap<TaskId, u64>,
}

impl Agents {
    /// Returns how many tasks the agents have.
    pub(super) fn granted(&self) -> usize {
        self.agents.values().map(|agent| agent.granted.len()).sum()
    }

    pub(super) fn all_tasks(&self) -> Vec<TaskId> {
        self.agents.values().flat_map(|agent| agent.granted.keys().copied()).collect()
    }

    pub(super) fn grant(&mut self, peer: &Peer, ask: Ask, now: Duration, ping: Duration) {
        let new = || Agent { heard: now, next_ping: now + ping, granted: BTreeMap::new() };
        let agent = self.agents.entry(peer.clone()).or_insert_with(new);
        agent.granted.insert(ask.task, ask.number);
    }

    /// Forgets a task, and the agent with its last task.
    pub(super) fn leave(&mut self, peer: &Peer, task: TaskId) {
        if let Some(agent) = self.agents.get_mut(peer) {
            agent.granted.remove(&task);
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
            (agent.heard, agent.next_ping) = (now, now);
        }
    }

    /// Returns the agents that were silent for too long, for how long, and their tasks. They stay until their tasks
    /// have left.
    pub(super) fn lost(&self, now: Duration, grace: Duration) -> Vec<(Peer, Duration, Vec<TaskId>)> {
        let silent = |agent: &Agent| now.saturating_sub(agent.heard);
        let lost = self.agents.iter().filter(|(_, agent)| silent(agent) >= grace);
        lost.map(|(peer, agent)| (peer.clone(), silent(agent), agent.granted.keys().copied().collect())).collect()
    }

    /// Returns the agents that must be asked whether they are there, with what they were granted.
    pub(super) fn due(&mut self, now: Duration, ping: Duration) -> Vec<(Peer, Vec<Ask>)> {
        let due = self.agents.iter_mut().filter(|(_, agent)| agent.next_ping <= now);
        due.map(|(peer, agent)| {
            agent.next_ping = now + ping;
            let asks = agent.granted.iter().map(|(task, number)| Ask { task: *task, number: *number });
            (peer.clone(), asks.collect())
        })
        .collect()
    }
}
