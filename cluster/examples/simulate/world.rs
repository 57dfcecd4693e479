//! What exists, and what happens to it.

use std::time::{Duration, Instant};

use cluster::{
    agent, client,
    wire::{ToAgent, ToClient, unpack},
};
use executor_core::TaskId;

use crate::{
    Settings,
    faults::{self, LOST, REPEATED},
    journal::{End, Journal, retries},
    node::{AgentNode, ClientNode, Letters, place},
    random::Random,
    report::Report,
    server::{ACKNOWLEDGE, DELIVER, PUBLISH, REQUEST, Server},
    timeline::{Event, Message, Node, SECOND, Time, Timeline, ToServer},
};

/// How long a message is on its way, at least and besides that on average.
const WAY: Time = 100;
const MORE: Time = 100;

/// What a node needs to look into its inbox, and for each record there, in microseconds.
const LOOK: Time = 5;
const RECORD: Time = 1;

/// How often a machine is told the time.
const TICK: Time = SECOND / 10;

/// How many tasks a client submits before it looks into its inbox.
const AT_ONCE: usize = 1000;

pub struct World {
    pub settings: Settings,
    pub timeline: Timeline,
    pub random: Random,
    pub server: Server,
    pub clients: Vec<ClientNode>,
    pub agents: Vec<AgentNode>,
    journal: Journal,
    pub report: Report,
    /// Until when things go wrong.
    calm: Time,
}

impl World {
    pub fn new(settings: Settings) -> World {
        let mut world = World {
            timeline: Timeline::default(),
            random: Random::new(settings.seed),
            server: Server::default(),
            clients: Vec::new(),
            agents: Vec::new(),
            journal: Journal::new(settings.tasks),
            report: Report::default(),
            calm: 0,
            settings,
        };
        for at in 0..settings.clients {
            world.clients.push(ClientNode::new(at, client::Timing::default()));
            world.clients[at].rest = (at..settings.tasks).step_by(settings.clients).collect();
            world.timeline.add(at as Time * 7, Event::Wakes(Node::Client(at)));
            world.timeline.add(at as Time * 97 % TICK, Event::Ticks(Node::Client(at)));
            world.clients[at].mail.is_awake = true;
        }
        (0..settings.agents).for_each(|_| world.start_agent());
        if settings.faults {
            let span = settings.ideal().max(20 * SECOND);
            let plan = faults::plan(&mut world.random, span, settings.agents, settings.clients);
            plan.into_iter().for_each(|(at, fault)| world.timeline.add(at, Event::Fails(fault)));
            world.calm = span;
        }
        world
    }

    pub fn start_agent(&mut self) {
        let at = self.agents.len();
        self.agents.push(AgentNode::new(at, self.settings.slots, agent::Timing::default()));
        let now = self.timeline.now();
        self.timeline.add(now + at as Time * 89 % TICK, Event::Ticks(Node::Agent(at)));
    }

    /// Lets everything happen until nothing is left to do.
    pub fn run(&mut self) {
        let began = Instant::now();
        let mut is_over = Time::MAX;
        while let Some(event) = self.timeline.next() {
            let is_tick = matches!(event, Event::Ticks(_));
            self.happens(event);
            let now = self.timeline.now();
            if is_tick && now >= is_over {
                is_over = now + SECOND;
                if now >= self.calm && self.is_over() {
                    break;
                }
            } else if is_over == Time::MAX {
                is_over = now + SECOND;
            }
            assert!(now < self.settings.ideal() * 10 + 1000 * SECOND, "something is left: {}", self.rest());
        }
        self.report.real = began.elapsed();
        self.finish_report();
    }

    fn is_over(&self) -> bool {
        let lives = |task: usize| self.clients[task % self.settings.clients].is_alive;
        self.server.len() == 0
            && self.clients.iter().all(|side| !side.is_alive || side.machine.counts() == client::Counts::default())
            && self.agents.iter().all(|side| !side.is_alive || side.machine.is_idle())
            && self.journal.all().enumerate().all(|(task, record)| record.end != End::Open || !lives(task))
    }

    fn rest(&self) -> String {
        let open = self.journal.all().filter(|record| record.end == End::Open).count();
        let queued: usize = self.clients.iter().map(|side| side.machine.counts().queued).sum();
        format!("{open} tasks are open, {queued} queued, {} messages in the stream", self.server.len())
    }

    fn finish_report(&mut self) {
        let crashed = |task: usize| !self.clients[task % self.settings.clients].is_alive;
        for (task, record) in self.journal.all().enumerate() {
            self.report.runs += record.attempts.count_ones() as u64;
            match record.end {
                End::Outcome => self.report.outcomes += 1,
                End::Lost => self.report.lost += 1,
                End::Cancelled => self.report.cancelled += 1,
                End::Open => assert!(crashed(task), "task {task} has no end"),
            }
        }
        let report = &mut self.report;
        report.time = self.timeline.now();
        report.peak_stream = self.server.peak;
        report.longest_wait = self.server.longest_wait;
        report.deliveries = self.server.deliveries;
        report.peak_client = self.clients.iter().map(|side| side.mail.peak).max().unwrap_or_default();
        report.peak_agent = self.agents.iter().map(|side| side.mail.peak).max().unwrap_or_default();
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::AtServer(from, what) => self.serve(from, what),
            Event::Arrives(node, message) => self.arrives(node, message),
            Event::Wakes(Node::Client(at)) => self.wake_client(at),
            Event::Wakes(Node::Agent(at)) => self.wake_agent(at),
            Event::Ticks(node) => self.tick(node),
            Event::Ends(at, run) => self.end_run(at, run),
            Event::Fails(fault) => self.fail(fault),
        }
    }

    /// A message goes from a node to the server, and is perhaps lost.
    fn send(&mut self, from: Node, what: ToServer, at: Time) {
        self.report.count_sent(&what);
        let is_calm = at >= self.calm;
        if !is_calm && self.random.chance(LOST) {
            return;
        }
        if !is_calm && self.random.chance(REPEATED) {
            let arrives = at + WAY + self.random.exponential(MORE * 100);
            self.timeline.add(arrives, Event::AtServer(from, what.clone()));
        }
        let arrives = at + WAY + self.random.exponential(MORE);
        self.timeline.add(arrives, Event::AtServer(from, what));
    }

    /// A message goes from the server to a node, and is perhaps lost.
    fn answer(&mut self, to: Node, message: Message, at: Time) {
        if at < self.calm && self.random.chance(LOST) {
            return;
        }
        let arrives = at + WAY + self.random.exponential(MORE);
        self.timeline.add(arrives, Event::Arrives(to, message));
    }

    fn serve(&mut self, from: Node, what: ToServer) {
        let now = self.timeline.now();
        if self.server.is_down || !self.is_connected(from) {
            return;
        }
        if let ToServer::Frame(to, frame) = what {
            let done = self.server.pass_frame(now);
            return match (from, to) {
                (Node::Agent(_), Node::Client(client)) if !self.clients[client].is_connected => {
                    self.answer(from, Message::Unreachable(client), done);
                }
                _ => self.answer(to, Message::Frame(from, frame), done),
            };
        }
        if self.server.has_no_leader {
            return;
        }
        let done = match (from, what) {
            (Node::Client(client), ToServer::Publish(task)) => {
                let done = self.server.occupy_stream(now, PUBLISH);
                self.server.publish(client, task);
                self.answer(from, Message::Stored(task), done);
                done
            }
            (Node::Client(client), ToServer::Count(number)) => {
                let done = self.server.occupy_stream(now, REQUEST);
                let messages = self.server.count(client);
                self.answer(from, Message::Counted { number, messages }, done);
                done
            }
            (Node::Agent(agent), ToServer::Pull { number, messages }) => {
                let done = self.server.occupy_stream(now, REQUEST);
                self.server.pull(agent, number, messages, now);
                done
            }
            (_, ToServer::Acknowledge(id)) => {
                self.server.remove(id);
                self.server.occupy_stream(now, ACKNOWLEDGE)
            }
            (_, ToServer::GiveBack(id, delay)) => {
                self.server.give_back(id, now + delay);
                self.server.occupy_stream(now, ACKNOWLEDGE)
            }
            _ => now,
        };
        self.deliver(done);
    }

    fn deliver(&mut self, done: Time) {
        let now = self.timeline.now();
        for delivery in self.server.deliver(now) {
            let done = self.server.occupy_stream(now, DELIVER).max(done);
            let (client, task, id, pull) = (delivery.client, delivery.task, delivery.id, delivery.pull);
            self.answer(Node::Agent(delivery.agent), Message::Delivered { client, task, id, pull }, done);
        }
    }

    fn is_connected(&self, node: Node) -> bool {
        match node {
            Node::Client(at) => self.clients[at].is_connected,
            Node::Agent(at) => self.agents[at].is_alive,
        }
    }

    fn arrives(&mut self, node: Node, message: Message) {
        if self.server.is_down || !self.is_connected(node) {
            return;
        }
        let now = self.timeline.now();
        let (mail, free) = match node {
            Node::Client(at) => (&mut self.clients[at].mail, 0),
            Node::Agent(at) => {
                let side = &mut self.agents[at];
                (&mut side.mail, side.stopped_until)
            }
        };
        mail.put(message);
        if !mail.is_awake {
            mail.is_awake = true;
            let at = now.max(mail.busy_until).max(free);
            self.timeline.add(at, Event::Wakes(node));
        }
    }

    pub fn connect(&mut self, at: usize, is_connected: bool) {
        let side = &mut self.clients[at];
        if side.is_alive && side.is_connected != is_connected {
            side.is_connected = is_connected;
            side.machine.connection(is_connected);
            self.act_for_client(at, 0);
        }
    }

    pub fn cancel(&mut self, task: usize) {
        if self.journal.cancel(task) {
            let side = &mut self.clients[task % self.settings.clients];
            drop(side.machine.left_queue(TaskId::from_u64(task as u64 + 1)));
        }
    }

    fn wake_client(&mut self, at: usize) {
        let began = Instant::now();
        let side = &mut self.clients[at];
        side.mail.is_awake = false;
        let mut records = 0;
        let now = self.timeline.now();
        let many = if self.settings.batches { usize::MAX } else { 1 };
        for message in side.mail.inbox.drain(..many.min(side.mail.inbox.len())) {
            records += 1;
            match message {
                Message::Stored(task) => side.machine.stored(task),
                Message::Counted { number, messages } => side.machine.counted(number, messages),
                Message::Frame(Node::Agent(_), frame) => {
                    let (from, all) = unpack::<ToClient>(&frame).expect("a frame of this program");
                    records += all.len() as Time - 1;
                    self.report.count_records_to_client(&frame, &all);
                    for record in all {
                        let is_given_back =
                            matches!(record, ToClient::Returned(_, cluster::wire::Returned::NotStarted));
                        self.journal.is_given_back.set(is_given_back);
                        side.machine.receive(&from, record);
                        self.journal.is_given_back.set(false);
                    }
                }
                _ => {}
            }
        }
        for task in side.rest.drain(..AT_ONCE.min(side.rest.len())) {
            if self.journal.of(task).end == End::Open {
                side.machine.submit(TaskId::from_u64(task as u64 + 1), self.journal.ticket(task), retries(task), ());
                records += 1;
            }
        }
        let cost = LOOK + records * RECORD;
        side.mail.busy_until = now + cost;
        if !side.mail.inbox.is_empty() || !side.rest.is_empty() {
            side.mail.is_awake = true;
            self.timeline.add(now + cost, Event::Wakes(Node::Client(at)));
        }
        self.report.client += began.elapsed();
        self.act_for_client(at, cost);
    }

    fn act_for_client(&mut self, at: usize, cost: Time) {
        let began = Instant::now();
        let side = &mut self.clients[at];
        let from = Node::Client(at);
        let mut letters = Letters::new();
        let mut others = Vec::new();
        for action in side.machine.take_actions() {
            match action {
                client::Action::Publish { task, .. } => others.push(ToServer::Publish(task)),
                client::Action::Send { to, record } => {
                    self.report.count_record_to_agent(&record);
                    letters.push(place(&to), record);
                }
                client::Action::Count(number) => others.push(ToServer::Count(number)),
                client::Action::Complete { work, outcome } => {
                    assert_eq!(*outcome, work.task.to_le_bytes(), "the outcome of another task");
                    self.journal.ends(work.task, End::Outcome);
                    self.report.last_end = self.timeline.now();
                }
                client::Action::Lose { work, .. } => self.journal.ends(work.task, End::Lost),
                client::Action::Cancel(work) => self.journal.ends(work.task, End::Cancelled),
                client::Action::Discard(work) => assert!(self.journal.of(work.task).end == End::Cancelled),
            }
        }
        let frames = letters.frames(&side.mail.me);
        let is_connected = side.is_connected;
        self.report.client += began.elapsed();
        if is_connected {
            let sent = self.timeline.now() + cost;
            others.into_iter().for_each(|what| self.send(from, what, sent));
            for (to, frame) in frames {
                self.send(from, ToServer::Frame(Node::Agent(to), frame), sent);
            }
        }
    }

    fn wake_agent(&mut self, at: usize) {
        let began = Instant::now();
        let side = &mut self.agents[at];
        let now = self.timeline.now();
        side.mail.is_awake = false;
        if !side.is_alive {
            return;
        }
        if side.stopped_until > now {
            side.mail.is_awake = true;
            return self.timeline.add(side.stopped_until, Event::Wakes(Node::Agent(at)));
        }
        let mut records = 0;
        let many = if self.settings.batches { usize::MAX } else { 1 };
        for message in side.mail.inbox.drain(..many.min(side.mail.inbox.len())).collect::<Vec<_>>() {
            records += 1;
            match message {
                Message::Delivered { client, task, id, pull } => {
                    side.pulled(pull);
                    let client = self.clients[client].mail.me.clone();
                    side.machine.deliver(client, task, 0, (), id);
                }
                Message::Unreachable(client) => side.machine.unreachable(&self.clients[client].mail.me),
                Message::Frame(_, frame) => {
                    let (from, all) = unpack::<ToAgent>(&frame).expect("a frame of this program");
                    records += all.len() as Time - 1;
                    self.report.bytes_to_agents += frame.len() as u64;
                    all.into_iter().for_each(|record| side.machine.receive(&from, record));
                }
                Message::Stored(_) | Message::Counted { .. } => {}
            }
        }
        let cost = LOOK + records * RECORD;
        side.mail.busy_until = now + cost;
        if !side.mail.inbox.is_empty() {
            side.mail.is_awake = true;
            self.timeline.add(now + cost, Event::Wakes(Node::Agent(at)));
        }
        self.report.agent += began.elapsed();
        self.act_for_agent(at, cost);
    }

    pub fn act_for_agent(&mut self, at: usize, cost: Time) {
        let began = Instant::now();
        let side = &mut self.agents[at];
        let (from, now) = (Node::Agent(at), self.timeline.now());
        let mut letters = Letters::new();
        let mut others = Vec::new();
        for action in side.machine.take_actions() {
            match action {
                agent::Action::Pull(messages) => {
                    others.push(ToServer::Pull { number: side.pulls(messages, now), messages });
                }
                agent::Action::Acknowledge(id) => others.push(ToServer::Acknowledge(id)),
                agent::Action::GiveBack(id, delay) => {
                    others.push(ToServer::GiveBack(id, delay.as_micros() as Time));
                }
                agent::Action::Send { to, record } => letters.push(place(&to), record),
                agent::Action::Run { run, task, attempt, .. } => {
                    let task = task.as_u64() as usize - 1;
                    self.journal.starts(task, attempt);
                    side.runs.insert(run, (task, self.random.exponential(self.settings.mean)));
                    side.waiting.push_back(run);
                }
                agent::Action::Stop { .. } | agent::Action::Abandon { .. } => {}
            }
        }
        while side.free_slots > 0 {
            let Some(run) = side.waiting.pop_front() else { break };
            side.free_slots -= 1;
            self.timeline.add(now + cost + side.runs[&run].1, Event::Ends(at, run));
        }
        let frames = letters.frames(&side.mail.me);
        self.report.agent += began.elapsed();
        let sent = now + cost;
        others.into_iter().for_each(|what| self.send(from, what, sent));
        for (to, frame) in frames {
            self.send(from, ToServer::Frame(Node::Client(to), frame), sent);
        }
    }

    fn end_run(&mut self, at: usize, run: u64) {
        let side = &mut self.agents[at];
        if !side.is_alive {
            return;
        }
        if side.stopped_until > self.timeline.now() {
            return self.timeline.add(side.stopped_until, Event::Ends(at, run));
        }
        let began = Instant::now();
        let Some((task, took)) = side.runs.remove(&run) else { return };
        side.free_slots += 1;
        let died = self.timeline.now() < self.calm && self.random.chance(LOST);
        side.machine.finished(run, task.to_le_bytes()[..].into(), died, Duration::from_micros(took));
        self.report.agent += began.elapsed();
        self.act_for_agent(at, LOOK);
    }

    fn tick(&mut self, node: Node) {
        let now = self.timeline.now();
        let told = Duration::from_micros(now);
        let began = Instant::now();
        match node {
            Node::Client(at) if self.clients[at].is_alive => {
                self.clients[at].machine.tick(told);
                let took = began.elapsed();
                self.report.client += took;
                self.report.longest_tick = self.report.longest_tick.max(took);
                self.act_for_client(at, 0);
            }
            Node::Agent(at) if self.agents[at].is_alive => {
                if self.agents[at].stopped_until <= now {
                    self.agents[at].end_pulls(now);
                    self.agents[at].machine.tick(told);
                    self.report.agent += began.elapsed();
                    self.act_for_agent(at, 0);
                }
            }
            _ => return,
        }
        // What was given back, and what was delivered to an agent that is gone, comes again at its time.
        self.deliver(now);
        self.timeline.add(now + TICK, Event::Ticks(node));
    }
}
