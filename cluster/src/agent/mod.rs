//! The side of an agent, which runs tasks on its machine.
//!
//! [`Agent`] is a state machine. Its methods are the events, and [`Agent::take_actions`] returns what must be done
//! about them. The README of this crate has the argument why no copy of a task runs that its client has not granted.

mod clients;
mod hold;
mod lost;
#[cfg(test)]
mod tests;
mod width;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use executor_core::{Error, ErrorKind, TaskId, codec::Bytes, function::outcome};

use self::{
    clients::Clients,
    hold::{Hold, State},
    lost::Lost,
    width::Width,
};
use crate::{
    clock::Clock,
    wire::{Ask, FRAME_OVERHEAD, Peer, Returned, ToAgent, ToClient},
};

/// How long an agent waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How often a question or an outcome is repeated until its client has answered.
    pub repeat: Duration,
    /// How long the agent keeps a message of the engine for which there is no grant. The engine's `ack_wait` must be
    /// longer.
    pub hold: Duration,
    /// For how long a client cannot be reached before its queued tasks are dropped.
    pub client_grace: Duration,
    /// For how long nothing comes from a client before the outcomes of its tasks are dropped.
    pub outcome_grace: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            repeat: Duration::from_secs(1),
            hold: Duration::from_secs(8),
            client_grace: Duration::from_secs(30),
            outcome_grace: Duration::from_secs(120),
        }
    }
}

/// What must be done after an event.
#[derive(Debug)]
pub enum Action<S, D> {
    /// Ask the engine for this many messages, and call [`Agent::deliver`] for each that comes, or
    /// [`Agent::pulls_ended`] for those that will not come.
    Pull(usize),
    /// Acknowledge a message of the engine, which then forgets it.
    Acknowledge(D),
    /// Give a message back to the engine, which delivers it again after the time.
    GiveBack(D, Duration),
    /// Send a record to a client. It may be lost, late or repeated. If no one listens, call [`Agent::unreachable`].
    Send {
        /// The client.
        to: Peer,
        /// The record.
        record: ToClient,
    },
    /// Run the task, and call [`Agent::finished`] when it has ended, or [`Agent::not_started`].
    Run {
        /// The number of the run, for `finished`.
        run: u64,
        /// The client.
        client: Peer,
        /// The number of the task in its client.
        task: TaskId,
        /// What was delivered.
        submission: S,
        /// The number of the attempt, from 1 on.
        attempt: u32,
    },
    /// Stop a run: by force after the time, if there is one, and otherwise only by asking it.
    Stop {
        /// The number of the run.
        run: u64,
        /// The time.
        grace: Option<Duration>,
    },
    /// Remove what an outcome has in a store, because its client is gone and no one takes it.
    Abandon {
        /// The client.
        client: Peer,
        /// The outcome, as it was passed to [`Agent::finished`].
        outcome: Bytes,
    },
}

/// While the outcomes that clients have not received have more bytes than this, the agent takes no tasks.
const MOST_KEPT: usize = if cfg!(test) { 8 << 20 } else { 256 << 20 };

/// The agent asks for messages when it lacks one of so many parts of what it takes.
const PULLS: usize = 4;

/// The agent asks its clients when it lacks one of so many parts of the tasks that it takes ahead.
const ASKS: usize = 4;

/// The side of an agent. `S` is what the engine delivers of a task, and `D` what names the delivery to the engine.
pub struct Agent<S, D> {
    timing: Timing,
    /// The longest outcome that a message of the engine can carry, in bytes.
    longest: usize,
    clock: Clock,
    width: Width,
    is_leaving: bool,
    /// What was delivered and is not finished, by the number of its ask. These numbers are used once.
    holds: BTreeMap<u64, Hold<S, D>>,
    next: u64,
    /// The holds for which the agent has not asked, the next one first: the highest priority, and then the oldest.
    waiting: BTreeSet<(std::cmp::Reverse<i32>, u64)>,
    asked: usize,
    running: usize,
    /// How many messages the engine was asked for and has not delivered.
    pulling: usize,
    /// How many bytes the outcomes have that no client has received.
    kept: usize,
    clients: Clients,
    lost: Lost,
    actions: Vec<Action<S, D>>,
}

impl<S, D> Agent<S, D> {
    /// Makes an agent that runs this many tasks at the same time, over an engine whose messages have at most
    /// `longest_message` bytes. It pulls at the next [`tick`](Agent::tick).
    pub fn new(slots: usize, longest_message: usize, timing: Timing) -> Agent<S, D> {
        Agent {
            timing,
            longest: longest_message.saturating_sub(FRAME_OVERHEAD),
            clock: Clock::default(),
            width: Width::new(slots),
            is_leaving: false,
            holds: BTreeMap::new(),
            next: 1,
            waiting: BTreeSet::new(),
            asked: 0,
            running: 0,
            pulling: 0,
            kept: 0,
            clients: Clients::default(),
            lost: Lost::default(),
            actions: Vec::new(),
        }
    }

    /// Returns what must be done since the last call, in this order.
    #[must_use = "what is neither acknowledged nor given back stays with the engine until it delivers it again"]
    pub fn take_actions(&mut self) -> Vec<Action<S, D>> {
        std::mem::take(&mut self.actions)
    }

    /// Returns how many tasks run, or are about to.
    pub fn running(&self) -> usize {
        self.running
    }

    /// Returns whether it was told to leave.
    pub fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// Returns whether it has neither a task that runs nor an outcome that its client has not received.
    pub fn is_idle(&self) -> bool {
        self.holds.is_empty()
    }

    /// Returns whether the agent must be told the time: it has tasks, remembers clients, or must ask the engine again.
    pub fn needs_time(&self) -> bool {
        !self.is_idle() || !self.clients.is_empty() || self.lacking() > 0
    }

    /// The engine has delivered a message.
    pub fn deliver(&mut self, client: Peer, task: TaskId, priority: i32, submission: S, delivery: D) {
        self.pulling = self.pulling.saturating_sub(1);
        if self.is_leaving {
            return self.actions.push(Action::GiveBack(delivery, Duration::ZERO));
        }
        let number = self.next;
        self.next += 1;
        let state = State::Waiting { submission, delivery, priority, since: self.clock.now() };
        self.holds.insert(number, Hold { client, task, state });
        self.waiting.insert((std::cmp::Reverse(priority), number));
        self.ask_and_pull();
    }

    /// This many messages for which the engine was asked will not come, because the request ended or was lost. The
    /// agent asks again when it is next told the time, because an engine without a leader ends each request at once.
    pub fn pulls_ended(&mut self, messages: usize) {
        self.pulling = self.pulling.saturating_sub(messages);
    }

    /// A run has ended. `took` is how long it ran, and `died` whether its process died, so that it may run again.
    pub fn finished(&mut self, run: u64, mut outcome: Bytes, died: bool, took: Duration) {
        let Some(hold) = self.holds.get_mut(&run) else { return };
        if !matches!(hold.state, State::Running { .. }) {
            return;
        }
        if outcome.len() > self.longest {
            outcome = too_long(outcome.len(), self.longest);
        }
        self.running -= 1;
        self.kept += outcome.len();
        self.width.record(took);
        let ask = Ask { task: hold.task, number: run };
        let record = ToClient::Outcome { ask, died, outcome: outcome.clone() };
        hold.state = State::Finished { outcome, died, sent: self.clock.now(), pause: self.timing.repeat };
        self.actions.push(Action::Send { to: hold.client.clone(), record });
        self.ask_and_pull();
    }

    /// The executor has dropped a run before its function began, and never runs it. So the client may grant the task
    /// again, or cancel it.
    pub fn not_started(&mut self, run: u64) {
        let Some(Hold { state: State::Running { .. }, client, task }) = self.holds.get(&run) else { return };
        let record = ToClient::Returned(Ask { task: *task, number: run }, Returned::NotStarted);
        self.actions.push(Action::Send { to: client.clone(), record });
        self.holds.remove(&run);
        self.running -= 1;
        self.ask_and_pull();
    }

    /// A record has arrived from a client. The transport has checked that it is from this client.
    pub fn receive(&mut self, from: &Peer, record: ToAgent) {
        self.clients.heard(from, self.clock.now());
        match record {
            ToAgent::Grant { ask, attempt } => self.granted(from, ask, attempt),
            ToAgent::Deny(ask) => {
                let is_asked = |state: &State<S, D>| matches!(state, State::Asked { .. });
                if self.hold_of(from, ask).is_some_and(|hold| is_asked(&hold.state)) {
                    self.let_go(ask.number, None);
                }
            }
            ToAgent::Ping => self.actions.push(Action::Send { to: from.clone(), record: ToClient::Alive }),
            ToAgent::Received(ask) => {
                if self.hold_of(from, ask).is_some() {
                    self.forget_outcome(ask.number);
                }
            }
            ToAgent::Stop(ask, grace) => {
                let Some(hold) = self.hold_of(from, ask) else { return };
                let State::Running { stop } = &mut hold.state else { return };
                // It is repeated, and counts once, unless it is stricter.
                let is_stricter = match (*stop, grace) {
                    (None, _) | (Some(None), Some(_)) => true,
                    (Some(Some(before)), Some(now)) => now < before,
                    (Some(_), None) => false,
                };
                if is_stricter {
                    *stop = Some(grace);
                    self.actions.push(Action::Stop { run: ask.number, grace });
                }
            }
        }
        self.ask_and_pull();
    }

    /// The engine says that no one listens to what was sent to this client.
    pub fn unreachable(&mut self, client: &Peer) {
        let is_gone = self.clients.unreachable(client, self.clock.now(), self.timing.client_grace);
        // If it comes back, it publishes its tasks again.
        let delay = (!is_gone).then_some(self.timing.hold / 2);
        let asked = |hold: &Hold<S, D>| hold.client == *client && matches!(hold.state, State::Asked { .. });
        let numbers: Vec<u64> = self.holds.iter().filter(|(_, hold)| asked(hold)).map(|(number, _)| *number).collect();
        numbers.into_iter().for_each(|number| self.let_go(number, delay));
        self.ask_and_pull();
    }

    /// Stops taking tasks, and gives back what has not started. What runs goes on.
    pub fn leave(&mut self) {
        self.is_leaving = true;
        let unstarted = |hold: &Hold<S, D>| matches!(hold.state, State::Waiting { .. } | State::Asked { .. });
        let numbers: Vec<u64> =
            self.holds.iter().filter(|(_, hold)| unstarted(hold)).map(|(number, _)| *number).collect();
        numbers.into_iter().for_each(|number| self.let_go(number, Some(Duration::ZERO)));
    }

    /// Tells the time since any fixed moment. Call it several times a second.
    pub fn tick(&mut self, now: Duration) {
        self.clock.advance(now);
        let mut too_old = Vec::new();
        let mut dropped = Vec::new();
        for (number, hold) in &mut self.holds {
            let ask = Ask { task: hold.task, number: *number };
            match &mut hold.state {
                State::Waiting { since, .. } if self.clock.since(*since) >= self.timing.hold => too_old.push(*number),
                State::Asked { since, .. } if self.clock.since(*since) >= self.timing.hold => too_old.push(*number),
                State::Asked { sent, .. } if self.clock.since(*sent) >= self.timing.repeat => {
                    *sent = self.clock.now();
                    self.actions.push(Action::Send { to: hold.client.clone(), record: ToClient::Ask(ask) });
                }
                State::Finished { outcome, died, sent, pause } if self.clock.since(*sent) >= *pause => {
                    let heard = self.clients.last_heard(&hold.client);
                    if self.clock.since(heard) >= self.timing.outcome_grace {
                        dropped.push(*number);
                        continue;
                    }
                    // A client that is away for long is not sent megabytes each second.
                    (*sent, *pause) = (self.clock.now(), (*pause * 2).min(self.timing.repeat * 8));
                    let record = ToClient::Outcome { ask, died: *died, outcome: outcome.clone() };
                    self.actions.push(Action::Send { to: hold.client.clone(), record });
                }
                _ => {}
            }
        }
        too_old.into_iter().for_each(|number| self.let_go(number, Some(Duration::ZERO)));
        for number in dropped {
            if let Some(Hold { client, state: State::Finished { outcome, .. }, .. }) = self.holds.get(&number) {
                self.actions.push(Action::Abandon { client: client.clone(), outcome: outcome.clone() });
            }
            self.forget_outcome(number);
            self.lost.insert(number);
        }
        let holds = &self.holds;
        let has_holds = |client: &Peer| holds.values().any(|hold| hold.client == *client);
        self.clients.forget(self.clock.now(), self.timing.client_grace * 4, has_holds);
        self.ask_and_pull();
    }

    /// Returns what an ask of this client stands for.
    fn hold_of(&mut self, client: &Peer, ask: Ask) -> Option<&mut Hold<S, D>> {
        let hold = self.holds.get_mut(&ask.number)?;
        (hold.client == *client && hold.task == ask.task).then_some(hold)
    }

    fn granted(&mut self, from: &Peer, ask: Ask, attempt: u32) {
        let Some(hold) = self.hold_of(from, ask) else {
            let why = if self.lost.contains(ask.number) { Returned::Lost } else { Returned::NotStarted };
            let record = ToClient::Returned(ask, why);
            return self.actions.push(Action::Send { to: from.clone(), record });
        };
        if !matches!(hold.state, State::Asked { .. }) {
            // It runs, or has run: the grant was repeated. Or nobody has asked for it yet, and the grant is forged.
            return;
        }
        let (task, client) = (hold.task, hold.client.clone());
        let State::Asked { submission, delivery, .. } =
            std::mem::replace(&mut hold.state, State::Running { stop: None })
        else {
            return;
        };
        self.asked -= 1;
        self.running += 1;
        // Acknowledged when it starts, so a task that runs for long needs no sign of life.
        self.actions.push(Action::Acknowledge(delivery));
        self.actions.push(Action::Run { run: ask.number, client, task, submission, attempt });
    }

    /// Forgets a hold that is finished.
    fn forget_outcome(&mut self, number: u64) {
        if let Some(Hold { state: State::Finished { outcome, .. }, .. }) = self.holds.get(&number) {
            self.kept -= outcome.len();
            self.holds.remove(&number);
        }
    }

    /// Forgets a hold that has not started. Its message goes back to the engine after the time, or is acknowledged.
    fn let_go(&mut self, number: u64, back_after: Option<Duration>) {
        let Some(hold) = self.holds.remove(&number) else { return };
        let delivery = match hold.state {
            State::Waiting { delivery, priority, .. } => {
                self.waiting.remove(&(std::cmp::Reverse(priority), number));
                delivery
            }
            State::Asked { delivery, .. } => {
                self.asked -= 1;
                delivery
            }
            State::Running { .. } | State::Finished { .. } => return,
        };
        self.actions.push(match back_after {
            Some(delay) => Action::GiveBack(delivery, delay),
            None => Action::Acknowledge(delivery),
        });
    }

    /// Asks for as many tasks as may start now, and pulls what is missing.
    fn ask_and_pull(&mut self) {
        if self.takes_none() {
            return;
        }
        let startable = self.width.startable();
        let started = self.asked + self.running;
        // A question for each task that ends would be a frame for each. So some are asked together, and those that were
        // taken ahead last until they are answered.
        let is_due = started < startable && startable - started >= self.width.ahead() / ASKS;
        while is_due && self.asked + self.running < startable {
            let Some((_, number)) = self.waiting.pop_first() else { break };
            let Some(hold) = self.holds.remove(&number) else { continue };
            let Hold { client, task, state } = hold;
            let State::Waiting { submission, delivery, .. } = state else { continue };
            let now = self.clock.now();
            let record = ToClient::Ask(Ask { task, number });
            self.actions.push(Action::Send { to: client.clone(), record });
            let state = State::Asked { submission, delivery, since: now, sent: now };
            self.holds.insert(number, Hold { client, task, state });
            self.asked += 1;
        }
        let lacking = self.lacking();
        if lacking > 0 {
            self.pulling += lacking;
            self.actions.push(Action::Pull(lacking));
        }
    }

    /// Returns for how many messages the engine must be asked.
    fn lacking(&self) -> usize {
        if self.takes_none() {
            return 0;
        }
        let has = self.waiting.len() + self.asked + self.running + self.pulling;
        let most = self.width.pulled();
        let lacking = most.saturating_sub(has);
        // Each request costs the engine about as much as a message. So some are asked for together, and those that are
        // there last until they come.
        if lacking >= most / PULLS { lacking } else { 0 }
    }

    /// The outcomes that clients do not take must not fill the memory.
    fn takes_none(&self) -> bool {
        self.is_leaving || self.kept >= MOST_KEPT
    }
}

/// Returns the outcome of a task whose outcome no frame can carry.
fn too_long(length: usize, longest: usize) -> Bytes {
    let message = format!(
        "the outcome of a task has {length} bytes, more than the {longest} that a message of the cluster carries: write it \
         to a file that all machines can read, and return its name"
    );
    let mut bytes = Vec::new();
    outcome::write_error(&Error::new(ErrorKind::Encode, message), &mut bytes);
    bytes.into()
}

impl<S, D> fmt::Debug for Agent<S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("waiting", &self.waiting.len())
            .field("asked", &self.asked)
            .field("running", &self.running)
            .field("pulling", &self.pulling)
            .field("is_leaving", &self.is_leaving)
            .finish_non_exhaustive()
    }
}
