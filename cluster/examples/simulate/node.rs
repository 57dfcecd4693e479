//! The clients and agents, each a state machine with what arrives and what it costs to handle that.

use std::collections::{HashMap, VecDeque};

use cluster::{
    agent::{self, Agent},
    client::{self, Client},
    wire::{LONGEST_MESSAGE, Peer, Record, pack},
};

use crate::{
    journal::Ticket,
    server::PULL,
    timeline::{Message, Node, Time},
};

/// What both sides have besides their machines.
pub struct Mailbox {
    pub me: Peer,
    pub inbox: VecDeque<Message>,
    /// When it has handled what it took from the inbox.
    pub busy_until: Time,
    pub is_awake: bool,
    pub peak: usize,
}

impl Mailbox {
    fn new(me: Peer) -> Mailbox {
        Mailbox { me, inbox: VecDeque::new(), busy_until: 0, is_awake: false, peak: 0 }
    }

    pub fn put(&mut self, message: Message) {
        self.inbox.push_back(message);
        self.peak = self.peak.max(self.inbox.len());
    }
}

pub struct ClientNode {
    pub machine: Client<Ticket, ()>,
    pub mail: Mailbox,
    pub is_alive: bool,
    pub is_connected: bool,
    /// The tasks that it has not submitted yet.
    pub rest: VecDeque<usize>,
}

impl ClientNode {
    pub fn new(place: usize, timing: client::Timing) -> ClientNode {
        let mut machine = Client::new(timing);
        machine.connection(true);
        let mail = Mailbox::new(name(Node::Client(place)));
        ClientNode { machine, mail, is_alive: true, is_connected: true, rest: VecDeque::new() }
    }
}

pub struct AgentNode {
    pub machine: Agent<(), u64>,
    pub mail: Mailbox,
    pub is_alive: bool,
    /// Until when its process is stopped.
    pub stopped_until: Time,
    /// Its requests for messages: until when each is valid, its number, and how many messages it still gets.
    pub pulls: VecDeque<(Time, u64, usize)>,
    pub next_pull: u64,
    pub free_slots: usize,
    /// The runs that wait for a slot.
    pub waiting: VecDeque<u64>,
    /// What runs or waits for a slot: the task, and how long it runs.
    pub runs: HashMap<u64, (usize, Time)>,
}

impl AgentNode {
    pub fn new(place: usize, slots: usize, timing: agent::Timing) -> AgentNode {
        AgentNode {
            machine: Agent::new(slots, LONGEST_MESSAGE, timing),
            mail: Mailbox::new(name(Node::Agent(place))),
            is_alive: true,
            stopped_until: 0,
            pulls: VecDeque::new(),
            next_pull: 1,
            free_slots: slots,
            waiting: VecDeque::new(),
            runs: HashMap::new(),
        }
    }

    pub fn pulls(&mut self, messages: usize, now: Time) -> u64 {
        let number = self.next_pull;
        self.next_pull += 1;
        self.pulls.push_back((now + PULL, number, messages));
        number
    }

    /// A message came for a request.
    pub fn pulled(&mut self, pull: u64) {
        if let Some((.., left)) = self.pulls.iter_mut().find(|(_, number, _)| *number == pull) {
            *left -= 1;
        }
        self.pulls.retain(|(.., left)| *left > 0);
    }

    /// The requests that are not valid any more end.
    pub fn end_pulls(&mut self, now: Time) {
        while let Some((_, _, left)) = self.pulls.front().copied().filter(|(until, ..)| *until <= now) {
            self.pulls.pop_front();
            self.machine.pulls_ended(left);
        }
    }

    /// All requests were lost, and the agent notices.
    pub fn lose_pulls(&mut self) {
        self.pulls.clear();
        self.machine.pulls_ended(usize::MAX);
    }
}

pub fn name(node: Node) -> Peer {
    let name = match node {
        Node::Client(place) => Peer::new("user", &place.to_string()),
        Node::Agent(place) => Peer::new("worker", &place.to_string()),
    };
    name.expect("the parts of the name are short and have only letters and digits")
}

/// Returns the place that [`name`] has written into a name.
pub fn place(peer: &Peer) -> usize {
    peer.process().parse().expect("the names of this program are numbers")
}

/// Records for many peers, those for one peer in their order.
pub struct Letters<R> {
    places: HashMap<usize, usize>,
    letters: Vec<(usize, Vec<R>)>,
}

impl<R: Record> Letters<R> {
    pub fn new() -> Letters<R> {
        Letters { places: HashMap::new(), letters: Vec::new() }
    }

    pub fn push(&mut self, to: usize, record: R) {
        let at = *self.places.entry(to).or_insert_with(|| {
            self.letters.push((to, Vec::new()));
            self.letters.len() - 1
        });
        self.letters[at].1.push(record);
    }

    pub fn frames(self, me: &Peer) -> Vec<(usize, Vec<u8>)> {
        let frames = |(to, records): (usize, Vec<R>)| pack(me, &records).into_iter().map(move |frame| (to, frame));
        self.letters.into_iter().flat_map(frames).collect()
    }
}
