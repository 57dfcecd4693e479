//! The side of a client, which has the futures: it decides which copy of a task runs.
//!
//! [`Client`] is a state machine. Its methods are the events, and [`Client::take_actions`] returns what must be done
//! about them. The README of this crate has the argument why every task has one outcome.

mod action;
mod agents;
mod entry;
mod store;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, fmt, time::Duration};

use executor_core::TaskId;

pub use self::{
    action::{Action, Loss},
    entry::Startable,
};
use self::{
    agents::Agents,
    entry::{Entry, Grant, State, Stop},
    store::Store,
};
use crate::{
    clock::Clock,
    wire::{Ask, Peer, Returned, ToAgent, ToClient},
};

/// How long a client waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// An agent that does not answer for so long is lost, with the tasks that it has.
    pub grace: Duration,
    /// How often an agent that has tasks is asked whether it is there.
    pub ping: Duration,
    /// A task is published again if the engine does not confirm it for so long.
    pub publish_again: Duration,
    /// How often the engine is asked how many tasks it has stored.
    pub check_store: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            grace: Duration::from_secs(10),
            ping: Duration::from_millis(500),
            publish_again: Duration::from_secs(2),
            check_store: Duration::from_secs(30),
        }
    }
}

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
    /// The agents that have tasks of this client.
    agents: Agents,
    store: Store,
    /// How many attempts were lost whose tasks were put back into the queue.
    requeued: u64,
    actions: Vec<Action<T, B>>,
}

impl<T: Startable, B: Clone> Client<T, B> {
    /// Makes a client without tasks, which is not connected.
    pub fn new(timing: Timing) -> Client<T, B> {
        Client {
            timing,
            clock: Clock::default(),
            is_connected: false,
            is_closing: false,
            entries: HashMap::new(),
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
        let state = State::Queued { is_stored: false, since: self.clock.now() };
        self.entries.insert(task, Entry { work, body, attempt: 1, retries, stop: None, state });
        self.publish(task);
    }

    /// The engine has confirmed that it has stored a copy of the task.
    pub fn stored(&mut self, task: TaskId) {
        if let Some(Entry { state: State::Queued { is_stored, since }, .. }) = self.entries.get_mut(&task) {
            (*is_stored, *since) = (true, self.clock.now());
        }
    }

    /// The task was cancelled while it was queued. Returns what was submitted.
    pub fn left_queue(&mut self, task: TaskId) -> Option<T> {
        match self.entries.get(&task)?.state {
            State::Queued { .. } => self.entries.remove(&task).map(|entry| entry.work),
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
        self.actions.push(Action::Send { to: grant.agent.clone(), record });
        true
    }

    /// Cancels all tasks that have not started, and those that would return to the queue later.
    pub fn close_queue(&mut self) {
        self.is_closing = true;
        let queued = |entry: &Entry<T, B>| matches!(entry.state, State::Queued { .. });
        let tasks: Vec<TaskId> =
            self.entries.iter().filter(|(_, entry)| queued(entry)).map(|(task, _)| *task).collect();
        let cancelled = tasks.iter().filter_map(|task| self.entries.remove(task));
        self.actions.extend(cancelled.map(|entry| Action::Cancel(entry.work)));
    }

    /// Forgets all tasks that have not started, and returns them, to be failed.
    pub fn take_queued(&mut self) -> Vec<T> {
        let queued = |entry: &Entry<T, B>| matches!(entry.state, State::Queued { .. });
        let tasks: Vec<TaskId> =
            self.entries.iter().filter(|(_, entry)| queued(entry)).map(|(task, _)| *task).collect();
        tasks.iter().filter_map(|task| self.entries.remove(task)).map(|entry| entry.work).collect()
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
            let unstored = |entry: &Entry<T, B>| matches!(entry.state, State::Queued { is_stored: false, .. });
            let mut again: Vec<TaskId> =
                self.entries.iter().filter(|(_, entry)| unstored(entry)).map(|(task, _)| *task).collect();
            again.sort_unstable();
            again.into_iter().for_each(|task| self.publish(task));
            self.store.ask_soon();
            self.agents.all_heard(self.clock.now());
        }
    }

    /// The engine has answered an [`Action::Count`]: its queue has this many messages of this client.
    ///
    /// It has at least one for each task that was stored before the question and is queued now. If there are fewer,
    /// some have vanished, and the number does not tell which. So all of them are published again. Copies that are too
    /// many are denied.
    pub fn counted(&mut self, number: u64, messages: u64) {
        let Some(asked) = self.store.answered(number) else { return };
        let is_stored = |state: &State| matches!(state, State::Queued { is_stored: true, since } if *since < asked);
        let stored = self.entries.iter().filter(|(_, entry)| is_stored(&entry.state));
        let mut stored: Vec<TaskId> = stored.map(|(task, _)| *task).collect();
        if messages < stored.len() as u64 {
            stored.sort_unstable();
            stored.into_iter().for_each(|task| self.publish(task));
        }
    }

    /// Tells the time since any fixed moment. Call it several times a second.
    pub fn tick(&mut self, now: Duration) {
        self.clock.advance(now);
        if self.is_connected {
            self.publish_unconfirmed();
            self.check_store();
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
                if let Some(entry) = self.remove_granted(ask.task) {
                    self.actions.push(Action::Complete { work: entry.work, outcome });
                }
            }
            ToClient::Returned(ask, Returned::NotStarted) if self.is_granted(from, ask) => self.requeue(ask.task),
            ToClient::Returned(ask, Returned::Lost) if self.is_granted(from, ask) => self.lose(ask.task, from, None),
            ToClient::Returned(..) | ToClient::Alive => {}
        }
    }

    /// Publishes a copy of a queued task, if it is connected. Otherwise the connection makes up for it.
    fn publish(&mut self, task: TaskId) {
        let now = self.clock.now();
        let Some(entry) = self.entries.get_mut(&task).filter(|_| self.is_connected) else { return };
        entry.state = State::Queued { is_stored: false, since: now };
        self.store.published(task, now);
        self.actions.push(Action::Publish { task, body: entry.body.clone() });
    }

    /// Publishes the tasks again that the engine has not confirmed in time.
    fn publish_unconfirmed(&mut self) {
        while let Some((then, task)) = self.store.pop_overdue(self.clock.now(), self.timing.publish_again) {
            let is_unconfirmed =
                |state: &State| matches!(state, State::Queued { is_stored: false, since } if *since == then);
            if self.entries.get(&task).is_some_and(|entry| is_unconfirmed(&entry.state)) {
                self.publish(task);
            }
        }
    }

    /// Asks the engine from time to time how many tasks it has.
    fn check_store(&mut self) {
        if self.entries.is_empty() {
            return;
        }
        if let Some(number) = self.store.next_question(self.clock.now(), self.timing.check_store) {
            self.actions.push(Action::Count(number));
        }
    }

    /// Answers an agent that asks whether it may run a copy of a task.
    fn decide(&mut self, agent: &Peer, ask: Ask) {
        let Some(entry) = self.entries.get_mut(&ask.task) else { return self.send(agent, ToAgent::Deny(ask)) };
        match &entry.state {
            State::Queued { .. } if entry.work.begin() => {
                entry.state = State::Granted(Grant { agent: agent.clone(), number: ask.number });
                let attempt = entry.attempt;
                self.agents.grant(agent, ask, self.clock.now(), self.timing.ping);
                self.send(agent, ToAgent::Grant { ask, attempt });
            }
            State::Queued { .. } => {
                // It was cancelled at this moment, by a thread that has not called `left_queue` yet.
                let cancelled = self.entries.remove(&ask.task);
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

    /// Removes a granted task.
    fn remove_granted(&mut self, task: TaskId) -> Option<Entry<T, B>> {
        let entry = self.entries.remove(&task)?;
        if let State::Granted(grant) = &entry.state {
            self.agents.leave(&grant.agent, task);
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
        entry.state = State::Queued { is_stored: false, since: self.clock.now() };
        let is_queued = entry.work.recall();
        if is_queued && !self.is_closing && entry.stop.is_none() {
            return self.publish(task);
        }
        let entry = self.entries.remove(&task);
        let action = if is_queued { Action::Cancel } else { Action::Discard };
        self.actions.extend(entry.map(|entry| action(entry.work)));
    }

    /// Runs a granted task again, or fails it.
    fn lose(&mut self, task: TaskId, agent: &Peer, silence: Option<Duration>) {
        if self.may_run_again(task) {
            return self.run_again(task);
        }
        if let Some(entry) = self.remove_granted(task) {
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
        for (agent, asks) in self.agents.due(now, self.timing.ping) {
            self.send(&agent, ToAgent::Ping);
            for ask in asks {
                let Some(entry) = self.entries.get(&ask.task) else { continue };
                let (attempt, stop) = (entry.attempt, entry.stop);
                self.send(&agent, ToAgent::Grant { ask, attempt });
                if let Some(stop) = stop {
                    self.send(&agent, ToAgent::Stop(ask, stop.grace));
                }
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
