//! The side of a client, which has the futures: it decides which copy of a task runs.
//!
//! [`Client`] is a state machine. Its methods are the events, and [`Client::take_actions`] returns what must be done
//! about them. The README of this crate has the argument why every task has one outcome.

mod action;
mod agents;
mod entry;
mod publisher;
mod queue;
mod store;
#[cfg(test)]
mod tests;
mod timing;

use std::{collections::HashMap, fmt, time::Duration};

use executor_core::TaskId;

pub use self::{
    action::{Action, Loss},
    entry::{Body, Startable},
    timing::Timing,
};
use self::{
    agents::{Agents, Ping},
    entry::{Entry, Grant, Publication, State, Stop},
    publisher::Publisher,
    store::Store,
};
use crate::{
    clock::Clock,
    wire::{Ask, Peer, Returned, ToAgent, ToClient},
};

/// How many tasks a client has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tasks that have not started.
    pub queued: usize,
    /// Tasks that an agent has started, or is about to start.
    pub granted: usize,
}

/// The side of a client. `T` is the task, and `B` its bytes for the queue.
pub struct Client<T, B> {
    timing: Timing,
    clock: Clock,
    is_connected: bool,
    /// Whether tasks that return to the queue are cancelled instead.
    is_closing: bool,
    /// The tasks that are not done.
    entries: HashMap<TaskId, Entry<T, B>>,
    /// How many tasks were submitted.
    submitted: u64,
    publisher: Publisher,
    /// The agents that have tasks of this client.
    agents: Agents,
    store: Store,
    /// How many attempts were lost whose tasks were put back into the queue.
    requeued: u64,
    actions: Vec<Action<T, B>>,
}

impl<T: Startable, B: Body> Client<T, B> {
    /// Makes a client without tasks, which is not connected.
    pub fn new(timing: Timing) -> Client<T, B> {
        Client {
            timing,
            clock: Clock::default(),
            is_connected: false,
            is_closing: false,
            entries: HashMap::new(),
            submitted: 0,
            publisher: Publisher::new(),
            agents: Agents::default(),
            store: Store::default(),
            requeued: 0,
            actions: Vec::new(),
        }
    }

    /// Returns what must be done since the last call, in this order. Do it without the lock of the machine: `T` may be
    /// completed or dropped, which runs user code.
    #[must_use = "tasks that are neither completed nor sent are lost"]
    pub fn take_actions(&mut self) -> Vec<Action<T, B>> {
        std::mem::take(&mut self.actions)
    }

    /// Returns how many tasks it has. While a task waits in [`take_actions`](Client::take_actions), it is not counted.
    pub fn counts(&self) -> Counts {
        let granted = self.agents.granted();
        Counts { queued: self.entries.len() - granted, granted }
    }

    /// Accepts a task, which must be queued. `retries` is how many more times it may run after it was lost.
    pub fn submit(&mut self, task: TaskId, work: T, retries: u32, body: B) {
        let state = State::Queued(Publication::Waiting);
        let order = self.submitted;
        self.submitted += 1;
        let entry = Entry { work, body, order, published: None, attempt: 1, retries, stop: None, state };
        self.publisher.wait(entry.place(), task);
        self.entries.insert(task, entry);
        self.publish_waiting();
    }

    /// The task was cancelled while it was queued. Returns what was submitted.
    pub fn left_queue(&mut self, task: TaskId) -> Option<T> {
        match self.entries.get(&task)?.state {
            State::Queued(_) => self.remove(task).map(|entry| entry.work),
            State::Granted(_) => None,
        }
    }

    /// Stops a task that has started: by force after `grace`, or only by asking it. Returns `false` if it has not
    /// started, or is done.
    pub fn stop(&mut self, task: TaskId, grace: Option<Duration>) -> bool {
        let Some(entry) = self.entries.get_mut(&task) else { return false };
        let State::Granted(grant) = &entry.state else { return false };
        let stop = Stop::stricter(entry.stop, Stop { grace });
        entry.stop = Some(stop);
        let record = ToAgent::Stop(Ask { task, number: grant.number }, stop.grace);
        self.agents.list_soon(&grant.agent);
        self.actions.push(Action::Send { to: grant.agent.clone(), record });
        true
    }

    /// Cancels all tasks that have not started, and those that would return to the queue later.
    pub fn close_queue(&mut self) {
        self.is_closing = true;
        let cancelled = self.take_queued();
        self.actions.extend(cancelled.into_iter().map(Action::Cancel));
    }

    /// Forgets all tasks that have not started, and returns them, to be failed.
    pub fn take_queued(&mut self) -> Vec<T> {
        self.publisher.clear_waiting();
        let queued = |entry: &Entry<T, B>| matches!(entry.state, State::Queued(_));
        let tasks: Vec<TaskId> =
            self.entries.iter().filter(|(_, entry)| queued(entry)).map(|(task, _)| *task).collect();
        tasks.into_iter().filter_map(|task| self.remove(task)).map(|entry| entry.work).collect()
    }

    /// Forgets all tasks, and returns them, to be failed. Those that have started go on, and their outcomes are
    /// dropped.
    pub fn take_all(&mut self) -> Vec<T> {
        let mut taken = self.take_queued();
        let granted = self.agents.all_tasks();
        taken.extend(granted.into_iter().filter_map(|task| self.remove(task)).map(|entry| entry.work));
        taken
    }

    /// Returns how many times a task was put back into the queue because its attempt was lost.
    pub fn requeued(&self) -> u64 {
        self.requeued
    }

    /// Stops all tasks that have started, as [`stop`](Client::stop) does.
    pub fn stop_all(&mut self, grace: Option<Duration>) {
        for task in self.agents.all_tasks() {
            self.stop(task, grace);
        }
    }

    /// The connection to the engine was lost, or is back.
    pub fn connection(&mut self, is_connected: bool) {
        let is_back = is_connected && !self.is_connected;
        self.is_connected = is_connected;
        if is_back {
            // What was sent may have been lost, and no agent could be heard.
            self.publish_everything_again();
            self.store.check_now();
            self.agents.all_heard(self.clock.now());
        }
    }

    /// Tells the time since any fixed moment. Call it several times a second.
    pub fn tick(&mut self, now: Duration) {
        self.clock.advance(now);
        if self.is_connected {
            self.give_up_late_copies();
            self.check_store();
            self.publish_waiting();
            self.watch_agents();
        }
    }

    /// A record has arrived from an agent.
    pub fn receive(&mut self, from: &Peer, record: ToClient) {
        self.agents.heard(from, self.clock.now());
        match record {
            ToClient::Ask(ask) => self.decide(from, ask),
            ToClient::Outcome { ask, died, outcome } => {
                // Confirmed even if it is not wanted, or the agent would repeat it for ever.
                self.send(from, ToAgent::Received(ask));
                if !self.is_granted(from, ask) {
                    return;
                }
                if died && self.may_run_again(ask.task) {
                    return self.run_again(ask.task);
                }
                if let Some(entry) = self.remove(ask.task) {
                    self.actions.push(Action::Complete { work: entry.work, outcome });
                }
            }
            ToClient::Returned(ask, Returned::NotStarted) if self.is_granted(from, ask) => self.requeue(ask.task),
            ToClient::Returned(ask, Returned::Lost) if self.is_granted(from, ask) => self.lose(ask.task, from, None),
            ToClient::Returned(..) | ToClient::Alive => {}
        }
    }

    /// Answers an agent that asks whether it may run a copy of a task.
    fn decide(&mut self, agent: &Peer, ask: Ask) {
        let Some(entry) = self.entries.get_mut(&ask.task) else { return self.send(agent, ToAgent::Deny(ask)) };
        match &entry.state {
            State::Queued(_) if entry.work.begin() => {
                leave_queue(entry, &mut self.publisher, &mut self.store);
                entry.published.into_iter().for_each(|number| self.store.delivered(number.get()));
                entry.state = State::Granted(Grant { agent: agent.clone(), number: ask.number });
                let attempt = entry.attempt;
                self.agents.grant(agent, ask, self.clock.now(), self.timing.ping);
                self.send(agent, ToAgent::Grant { ask, attempt });
                self.publish_waiting();
            }
            State::Queued(_) => {
                // It was cancelled at this moment, by a thread that has not called `left_queue` yet.
                let cancelled = self.remove(ask.task);
                self.actions.extend(cancelled.map(|entry| Action::Discard(entry.work)));
                self.send(agent, ToAgent::Deny(ask));
            }
            // The first answer was lost.
            State::Granted(grant) if grant.is(agent, ask) => {
                let attempt = entry.attempt;
                self.send(agent, ToAgent::Grant { ask, attempt });
            }
            State::Granted(_) => self.send(agent, ToAgent::Deny(ask)),
        }
    }

    fn is_granted(&self, agent: &Peer, ask: Ask) -> bool {
        let entry = self.entries.get(&ask.task);
        entry.is_some_and(|entry| matches!(&entry.state, State::Granted(grant) if grant.is(agent, ask)))
    }

    /// Returns whether a granted task has attempts left, and nobody wants it stopped.
    fn may_run_again(&self, task: TaskId) -> bool {
        self.entries.get(&task).is_some_and(|entry| entry.retries > 0 && entry.stop.is_none())
    }

    /// Removes a task.
    fn remove(&mut self, task: TaskId) -> Option<Entry<T, B>> {
        let entry = self.entries.remove(&task)?;
        match &entry.state {
            State::Queued(_) => {
                leave_queue(&entry, &mut self.publisher, &mut self.store);
                self.publish_waiting();
            }
            State::Granted(grant) => self.agents.leave(&grant.agent, task),
        }
        Some(entry)
    }

    /// Spends an attempt of a granted task, and puts it back into the queue.
    fn run_again(&mut self, task: TaskId) {
        if let Some(entry) = self.entries.get_mut(&task) {
            entry.attempt = entry.attempt.saturating_add(1);
            entry.retries -= 1;
            self.requeued += 1;
        }
        self.requeue(task);
    }

    /// Puts a granted task back into the queue.
    fn requeue(&mut self, task: TaskId) {
        let Some(entry) = self.entries.get_mut(&task) else { return };
        let State::Granted(grant) = &entry.state else { return };
        self.agents.leave(&grant.agent, task);
        entry.state = State::Queued(Publication::Waiting);
        let is_queued = entry.work.recall();
        if is_queued && !self.is_closing && entry.stop.is_none() {
            self.publisher.wait(entry.place(), task);
            return self.publish_waiting();
        }
        let action = if is_queued { Action::Cancel } else { Action::Discard };
        let entry = self.remove(task);
        self.actions.extend(entry.map(|entry| action(entry.work)));
    }

    /// Runs a granted task again, or fails it.
    fn lose(&mut self, task: TaskId, agent: &Peer, silence: Option<Duration>) {
        if self.may_run_again(task) {
            return self.run_again(task);
        }
        if let Some(entry) = self.remove(task) {
            let loss = Loss { agent: agent.clone(), attempts: entry.attempt, silence };
            self.actions.push(Action::Lose { work: entry.work, loss });
        }
    }

    fn send(&mut self, to: &Peer, record: ToAgent) {
        self.actions.push(Action::Send { to: to.clone(), record });
    }

    /// Asks the agents whether they are there, and gives up those that have not answered for too long.
    fn watch_agents(&mut self) {
        let now = self.clock.now();
        for (agent, silence, tasks) in self.agents.lost(now, self.timing.grace) {
            for task in tasks {
                self.lose(task, &agent, Some(silence));
            }
        }
        for Ping { agent, granted } in self.agents.due(now, self.timing.ping) {
            self.send(&agent, ToAgent::Ping);
            let mut has_stop = false;
            for ask in granted {
                let Some(entry) = self.entries.get(&ask.task) else { continue };
                let (attempt, stop) = (entry.attempt, entry.stop);
                self.send(&agent, ToAgent::Grant { ask, attempt });
                if let Some(stop) = stop {
                    has_stop = true;
                    self.send(&agent, ToAgent::Stop(ask, stop.grace));
                }
            }
            if has_stop {
                self.agents.list_soon(&agent);
            }
        }
    }
}

impl<T, B> fmt::Debug for Client<T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("is_connected", &self.is_connected)
            .field("tasks", &self.entries.len())
            .field("agents", &self.agents)
            .finish_non_exhaustive()
    }
}

/// Notes that a queued task has left the queue.
fn leave_queue<T: Startable, B: Body>(entry: &Entry<T, B>, publisher: &mut Publisher, store: &mut Store) {
    match entry.state {
        State::Queued(Publication::Waiting) => publisher.withdraw(entry.place()),
        State::Queued(Publication::Sent(_)) => publisher.forget(entry.body.size()),
        State::Queued(Publication::Stored(_)) => store.forget(),
        State::Granted(_) => {}
    }
}
