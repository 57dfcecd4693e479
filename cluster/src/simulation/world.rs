//! What exists in a simulation, and what can happen in it.

use std::{
    cell::Cell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
    time::Duration,
};

use executor_core::TaskId;

use super::engine::{Engine, Message};
use crate::{
    agent::{self, Agent},
    client::{self, Client, Startable},
    wire::{LONGEST_MESSAGE, Peer, Returned, ToAgent, ToClient},
};

pub(super) const CLIENT_TIMING: client::Timing = client::Timing {
    grace: Duration::from_secs(3),
    ping: Duration::from_millis(300),
    publish_again: Duration::from_secs(2),
    check_store: Duration::from_secs(5),
};
pub(super) const AGENT_TIMING: agent::Timing = agent::Timing {
    repeat: Duration::from_secs(1),
    hold: Duration::from_secs(3),
    client_grace: Duration::from_secs(5),
    outcome_grace: Duration::from_secs(20),
};

/// The state of a task for its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Queued,
    Running,
    Cancelled,
}

/// A task as a client has it.
pub(super) struct Ticket {
    pub(super) task: TaskId,
    seen: Rc<Seen>,
}

/// What a ticket and its journal share.
struct Seen {
    phase: Cell<Phase>,
    /// How many attempts the client has given up.
    lost: Cell<u32>,
    /// Whether an agent is just saying that it has not started what it was granted.
    is_given_back: Rc<Cell<bool>>,
}

impl Startable for Ticket {
    fn begin(&self) -> bool {
        let is_queued = self.seen.phase.get() == Phase::Queued;
        if is_queued {
            self.seen.phase.set(Phase::Running);
        }
        is_queued
    }

    fn recall(&self) -> bool {
        self.seen.phase.set(Phase::Queued);
        if !self.seen.is_given_back.get() {
            self.seen.lost.set(self.seen.lost.get() + 1);
        }
        true
    }
}

/// How a future ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Outcome,
    Lost { attempts: u32 },
    Cancelled,
}

/// What is known of a task by someone who sees everything.
pub(super) struct Journal {
    pub(super) client: Peer,
    pub(super) retries: u32,
    seen: Rc<Seen>,
    /// The numbers of the attempts, in the order in which agents started them.
    pub(super) runs: Vec<u32>,
    pub(super) end: Option<End>,
}

enum Packet {
    ToClient { from: Peer, to: Peer, record: ToClient },
    ToAgent { from: Peer, to: Peer, record: ToAgent },
    Publish { from: Peer, task: TaskId },
    Stored { to: Peer, task: TaskId },
    Deliver { to: Peer, message: Message },
    Acknowledge(u64),
    GiveBack(u64, Duration),
    Count { from: Peer, check: u64 },
    Counted { to: Peer, check: u64, messages: u64 },
}

impl Packet {
    fn again(&self) -> Option<Packet> {
        Some(match self {
            Packet::ToClient { from, to, record } => {
                Packet::ToClient { from: from.clone(), to: to.clone(), record: record.clone() }
            }
            Packet::ToAgent { from, to, record } => {
                Packet::ToAgent { from: from.clone(), to: to.clone(), record: *record }
            }
            Packet::Publish { from, task } => Packet::Publish { from: from.clone(), task: *task },
            Packet::Stored { to, task } => Packet::Stored { to: to.clone(), task: *task },
            Packet::Acknowledge(id) => Packet::Acknowledge(*id),
            // An engine delivers once for each request.
            Packet::Deliver { .. } | Packet::GiveBack(..) | Packet::Count { .. } | Packet::Counted { .. } => {
                return None;
            }
        })
    }
}

pub(super) struct ClientSide {
    machine: Client<Ticket, ()>,
    is_connected: bool,
}

pub(super) struct AgentSide {
    machine: Agent<(), u64>,
    pulls: usize,
    is_stopped: bool,
    /// The tasks that run there, each with the number of the run and that of the attempt.
    runs: Vec<(u64, TaskId, u32)>,
}

#[derive(Default)]
pub(super) struct World {
    now: Duration,
    pub(super) clients: BTreeMap<Peer, ClientSide>,
    pub(super) agents: BTreeMap<Peer, AgentSide>,
    pub(super) engine: Engine,
    network: VecDeque<Packet>,
    pub(super) tasks: BTreeMap<TaskId, Journal>,
    names: u64,
    is_given_back: Rc<Cell<bool>>,
}

/// Returns one of the values of a map.
fn pick<K: Ord + Clone, V>(map: &BTreeMap<K, V>, which: usize) -> Option<K> {
    let at = which.checked_rem(map.len())?;
    map.keys().nth(at).cloned()
}

impl World {
    fn name(&mut self, user: &str) -> Peer {
        self.names += 1;
        Peer::new(user, &self.names.to_string()).expect("a name")
    }

    pub(super) fn start_client(&mut self) {
        let name = self.name("client");
        let mut machine = Client::new(CLIENT_TIMING);
        machine.connection(true);
        self.clients.insert(name, ClientSide { machine, is_connected: true });
    }

    pub(super) fn start_agent(&mut self) {
        let name = self.name("agent");
        let machine = Agent::new(2, LONGEST_MESSAGE, AGENT_TIMING);
        self.agents.insert(name, AgentSide { machine, pulls: 0, is_stopped: false, runs: Vec::new() });
    }

    pub(super) fn submit(&mut self, which: usize, retries: u32) {
        let Some(client) = pick(&self.clients, which) else { return };
        let task = TaskId::from_u64(self.tasks.len() as u64 + 1);
        let is_given_back = self.is_given_back.clone();
        let seen = Rc::new(Seen { phase: Cell::new(Phase::Queued), lost: Cell::new(0), is_given_back });
        let journal = Journal { client: client.clone(), retries, seen: seen.clone(), runs: Vec::new(), end: None };
        self.tasks.insert(task, journal);
        let side = self.clients.get_mut(&client).expect("it was found");
        side.machine.submit(task, Ticket { task, seen }, retries, ());
        self.act_for_client(&client);
    }

    /// A user cancels a task: first its state, and then the client is told.
    pub(super) fn cancel(&mut self, which: usize, is_told: bool) {
        let Some(task) = pick(&self.tasks, which) else { return };
        let journal = self.tasks.get_mut(&task).expect("it was found");
        if journal.end.is_some() || journal.seen.phase.get() != Phase::Queued {
            return;
        }
        journal.seen.phase.set(Phase::Cancelled);
        assert!(journal.runs.len() <= journal.retries as usize, "a task that returned to the queue has attempts left");
        journal.end = Some(End::Cancelled);
        if let Some(side) = self.clients.get_mut(&journal.client).filter(|_| is_told) {
            assert!(side.machine.left_queue(task).is_some());
        }
    }

    pub(super) fn stop(&mut self, which: usize, grace: Option<Duration>) {
        let Some(task) = pick(&self.tasks, which) else { return };
        let client = self.tasks[&task].client.clone();
        if let Some(side) = self.clients.get_mut(&client) {
            side.machine.stop(task, grace);
            self.act_for_client(&client);
        }
    }

    pub(super) fn close(&mut self, which: usize) {
        let Some(client) = pick(&self.clients, which) else { return };
        self.clients.get_mut(&client).expect("it was found").machine.close_queue();
        self.act_for_client(&client);
    }

    /// A run ends, and its process may have died.
    pub(super) fn finish(&mut self, which: usize, died: bool) {
        let running: Vec<Peer> = self
            .agents
            .iter()
            .filter(|(_, side)| !side.runs.is_empty() && !side.is_stopped)
            .map(|(name, _)| name.clone())
            .collect();
        let Some(at) = which.checked_rem(running.len()) else { return };
        let name = &running[at];
        let side = self.agents.get_mut(name).expect("it was found");
        let (run, task, _) = side.runs.remove(which % side.runs.len());
        let outcome = task.as_u64().to_le_bytes();
        side.machine.finished(run, outcome[..].into(), died, Duration::from_millis(which as u64 % 7));
        self.act_for_agent(&name.clone());
    }

    /// An executor drops a run before its function begins.
    pub(super) fn drop_run(&mut self, which: usize) {
        let Some(agent) = pick(&self.agents, which) else { return };
        let side = self.agents.get_mut(&agent).expect("it was found");
        if side.is_stopped || side.runs.is_empty() {
            return;
        }
        let (run, task, attempt) = side.runs.remove(0);
        // It was only about to start.
        self.tasks.get_mut(&task).expect("submitted").runs.retain(|other| *other != attempt);
        side.machine.not_started(run);
        self.act_for_agent(&agent);
    }

    pub(super) fn crash_client(&mut self, which: usize) {
        if let Some(client) = pick(&self.clients, which) {
            self.clients.remove(&client);
        }
    }

    pub(super) fn crash_agent(&mut self, which: usize) {
        if let Some(agent) = pick(&self.agents, which) {
            self.agents.remove(&agent);
        }
    }

    pub(super) fn stop_or_continue_agent(&mut self, which: usize) {
        if let Some(side) = pick(&self.agents, which).and_then(|agent| self.agents.get_mut(&agent)) {
            side.is_stopped = !side.is_stopped;
        }
    }

    pub(super) fn leave(&mut self, which: usize) {
        let Some(agent) = pick(&self.agents, which) else { return };
        self.agents.get_mut(&agent).expect("it was found").machine.leave();
        self.act_for_agent(&agent);
    }

    pub(super) fn cut_or_connect_client(&mut self, which: usize) {
        let Some(client) = pick(&self.clients, which) else { return };
        let side = self.clients.get_mut(&client).expect("it was found");
        side.is_connected = !side.is_connected;
        side.machine.connection(side.is_connected);
        self.act_for_client(&client);
    }

    /// The requests of an agent for messages are lost, and it notices.
    pub(super) fn lose_pulls(&mut self, which: usize) {
        if let Some(side) = pick(&self.agents, which).and_then(|agent| self.agents.get_mut(&agent)) {
            side.machine.pulls_ended(std::mem::take(&mut side.pulls));
        }
    }

    pub(super) fn lose_packet(&mut self, which: usize) {
        if let Some(at) = which.checked_rem(self.network.len()) {
            self.network.remove(at);
        }
    }

    pub(super) fn repeat_packet(&mut self, which: usize) {
        if let Some(at) = which.checked_rem(self.network.len()) {
            let again = self.network[at].again();
            self.network.extend(again);
        }
    }

    /// Any packet arrives, whenever it was sent.
    pub(super) fn arrive(&mut self, which: usize) {
        let Some(at) = which.checked_rem(self.network.len()) else { return };
        let Some(packet) = self.network.remove(at) else { return };
        match packet {
            Packet::ToClient { from, to, record } => match self.clients.get_mut(&to).filter(|side| side.is_connected) {
                Some(side) => {
                    self.is_given_back.set(matches!(record, ToClient::Returned(_, Returned::NotStarted)));
                    side.machine.receive(&from, record);
                    self.is_given_back.set(false);
                    self.act_for_client(&to);
                }
                None => {
                    if let Some(side) = self.agents.get_mut(&from) {
                        side.machine.unreachable(&to);
                        self.act_for_agent(&from);
                    }
                }
            },
            Packet::ToAgent { from, to, record } => {
                let Some(side) = self.agents.get_mut(&to) else { return };
                if side.is_stopped {
                    return self.network.push_back(Packet::ToAgent { from, to, record });
                }
                side.machine.receive(&from, record);
                self.act_for_agent(&to);
            }
            Packet::Publish { from, task } => {
                self.engine.publish(from.clone(), task);
                self.network.push_back(Packet::Stored { to: from, task });
            }
            Packet::Stored { to, task } => {
                if let Some(side) = self.clients.get_mut(&to).filter(|side| side.is_connected) {
                    side.machine.stored(task);
                }
            }
            Packet::Deliver { to, message } => {
                let Some(side) = self.agents.get_mut(&to) else { return };
                if side.is_stopped {
                    return self.network.push_back(Packet::Deliver { to, message });
                }
                side.machine.deliver(message.client, message.task, 0, (), message.id);
                self.act_for_agent(&to);
            }
            Packet::Acknowledge(id) => self.engine.acknowledge(id),
            Packet::GiveBack(id, delay) => self.engine.give_back(id, self.now + delay),
            Packet::Count { from, check } => {
                let messages = self.engine.count(&from);
                self.network.push_back(Packet::Counted { to: from, check, messages });
            }
            Packet::Counted { to, check, messages } => {
                if let Some(side) = self.clients.get_mut(&to).filter(|side| side.is_connected) {
                    side.machine.counted(check, messages);
                    self.act_for_client(&to);
                }
            }
        }
    }

    /// Time passes, and the engine delivers.
    pub(super) fn wait(&mut self, time: Duration) {
        self.now += time;
        for client in self.clients.keys().cloned().collect::<Vec<_>>() {
            self.clients.get_mut(&client).expect("it is there").machine.tick(self.now);
            self.act_for_client(&client);
        }
        for agent in self.agents.keys().cloned().collect::<Vec<_>>() {
            let side = self.agents.get_mut(&agent).expect("it is there");
            if !side.is_stopped {
                side.machine.tick(self.now);
                self.act_for_agent(&agent);
            }
        }
        for (name, side) in &mut self.agents {
            while side.pulls > 0 {
                let Some(message) = self.engine.pull(self.now) else { break };
                side.pulls -= 1;
                self.network.push_back(Packet::Deliver { to: name.clone(), message });
            }
        }
    }

    fn act_for_client(&mut self, client: &Peer) {
        let Some(side) = self.clients.get_mut(client) else { return };
        let from = client.clone();
        for action in side.machine.take_actions() {
            let packet = match action {
                client::Action::Publish { task, .. } => Packet::Publish { from: from.clone(), task },
                client::Action::Send { to, record } => Packet::ToAgent { from: from.clone(), to, record },
                client::Action::Count(check) => Packet::Count { from: from.clone(), check },
                client::Action::Complete { work, outcome } => {
                    assert_eq!(*outcome, work.task.as_u64().to_le_bytes(), "the outcome of another task");
                    self.tasks.get_mut(&work.task).expect("submitted").ends(End::Outcome);
                    continue;
                }
                client::Action::Lose { work, loss } => {
                    self.tasks.get_mut(&work.task).expect("submitted").ends(End::Lost { attempts: loss.attempts });
                    continue;
                }
                client::Action::Cancel(work) => {
                    let journal = self.tasks.get_mut(&work.task).expect("submitted");
                    // A user may have cancelled it already, and has not told the client yet.
                    if journal.seen.phase.get() == Phase::Queued {
                        journal.seen.phase.set(Phase::Cancelled);
                        journal.ends(End::Cancelled);
                    }
                    continue;
                }
                client::Action::Discard(work) => {
                    assert_eq!(self.tasks[&work.task].end, Some(End::Cancelled), "only a done task is dropped");
                    continue;
                }
            };
            if side.is_connected {
                self.network.push_back(packet);
            }
        }
    }

    fn act_for_agent(&mut self, agent: &Peer) {
        let Some(side) = self.agents.get_mut(agent) else { return };
        for action in side.machine.take_actions() {
            match action {
                agent::Action::Pull(messages) => side.pulls += messages,
                agent::Action::Acknowledge(id) => self.network.push_back(Packet::Acknowledge(id)),
                agent::Action::GiveBack(id, delay) => self.network.push_back(Packet::GiveBack(id, delay)),
                agent::Action::Send { to, record } => {
                    self.network.push_back(Packet::ToClient { from: agent.clone(), to, record });
                }
                agent::Action::Run { run, client, task, attempt, .. } => {
                    let journal = self.tasks.get_mut(&task).expect("submitted");
                    assert_eq!(client, journal.client);
                    journal.starts(attempt);
                    side.runs.push((run, task, attempt));
                }
                agent::Action::Stop { run, .. } => assert!(side.runs.iter().any(|(number, ..)| *number == run)),
                agent::Action::Abandon { .. } => {}
            }
        }
    }

    /// Everything works again from now on.
    pub(super) fn heal(&mut self) {
        for client in self.clients.keys().cloned().collect::<Vec<_>>() {
            if !self.clients[&client].is_connected {
                self.cut_or_connect_client(self.clients.keys().position(|name| *name == client).expect("it is there"));
            }
        }
        self.agents.values_mut().for_each(|side| side.is_stopped = false);
        // One that is not leaving.
        self.start_agent();
    }

    /// Lets everything that was sent arrive, in order, and everything that runs end.
    pub(super) fn settle(&mut self) {
        self.wait(Duration::from_millis(100));
        for _ in 0..self.network.len() {
            self.arrive(0);
        }
        while self.agents.values().any(|side| !side.runs.is_empty()) {
            self.finish(0, false);
        }
    }

    /// Describes what is left.
    pub(super) fn rest(&self) -> String {
        let open = self.tasks.iter().filter(|(_, journal)| journal.end.is_none()).map(|(task, _)| task);
        let clients: Vec<_> = self.clients.values().map(|side| &side.machine).collect();
        let agents: Vec<_> = self.agents.values().map(|side| &side.machine).collect();
        format!("{:?}, {} messages, {clients:?}, {agents:?}", open.collect::<Vec<_>>(), self.engine.len())
    }

    /// Returns whether every task of a client that lives has ended, and nothing is left of any.
    pub(super) fn is_quiet(&self) -> bool {
        let is_over = |journal: &Journal| journal.end.is_some() || !self.clients.contains_key(&journal.client);
        self.tasks.values().all(is_over)
            && self.engine.len() == 0
            && self.agents.values().all(|side| side.machine.is_idle())
            && self.clients.values().all(|side| side.machine.counts() == client::Counts::default())
    }
}

impl Journal {
    fn ends(&mut self, end: End) {
        assert_eq!(self.end, None, "a future ends once");
        self.end = Some(end);
    }

    fn starts(&mut self, attempt: u32) {
        // An attempt that was given up may still begin on an agent that was only slow.
        let is_given_up = attempt <= self.seen.lost.get();
        assert!(is_given_up || self.end != Some(End::Cancelled), "a cancelled task runs");
        assert!(!self.runs.contains(&attempt), "an attempt runs twice: {attempt} of {:?}", self.runs);
        self.runs.push(attempt);
        assert!(self.runs.len() <= 1 + self.retries as usize, "runs {:?} with {} retries", self.runs, self.retries);
    }
}
