//! An engine in this process: a thread that delivers what the two sides send.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    task::{Context, Poll},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use cluster::{
    AgentLink, AgentService, ClientEvents, ClientLink, ClusterExecutor, ExecutorOptions, ServiceOptions, agent, client,
    wire::Peer,
};
use executor_core::{Backend, Error, Shutdown, Task, TaskId};
use process_pool::ProcessPoolExecutor;

/// What the engine is told.
enum Call {
    Client(ClientEvents, Sender<()>),
    Agent(Peer, Arc<AgentService<Link>>),
    AgentIsGone(Peer),
    Publish(TaskId, Arc<Vec<u8>>),
    Count(u64),
    ToAgent(Peer, Vec<u8>),
    ToClient(Peer, Vec<u8>),
    Pull(Peer, usize),
    Acknowledge(u64),
    GiveBack(u64),
    Stop,
}

/// Enough for every rule.
const LONGEST: usize = 64 << 20;

/// The connection of one side.
pub struct Link {
    me: Peer,
    engine: Arc<Mutex<Sender<Call>>>,
}

impl Link {
    fn call(&self, call: Call) {
        // An engine that is gone loses everything.
        let _ = self.engine.lock().unwrap_or_else(PoisonError::into_inner).send(call);
    }
}

impl ClientLink for Link {
    fn publish(&self, task: TaskId, body: Arc<Vec<u8>>) {
        self.call(Call::Publish(task, body));
    }
    fn send(&self, to: &Peer, frame: Vec<u8>) {
        self.call(Call::ToAgent(to.clone(), frame));
    }
    fn count(&self, number: u64) {
        self.call(Call::Count(number));
    }
    fn longest_message(&self) -> usize {
        LONGEST
    }
    fn close(&self) {}
}

impl AgentLink for Link {
    type Delivery = u64;

    fn pull(&self, messages: usize) {
        self.call(Call::Pull(self.me.clone(), messages));
    }
    fn acknowledge(&self, delivery: u64) {
        self.call(Call::Acknowledge(delivery));
    }
    fn give_back(&self, delivery: u64, _: Duration) {
        self.call(Call::GiveBack(delivery));
    }
    fn longest_message(&self) -> usize {
        LONGEST
    }
    fn send(&self, _: &Peer, frame: Vec<u8>) {
        self.call(Call::ToClient(self.me.clone(), frame));
    }
}

/// After this time a message that was delivered and not acknowledged is delivered again.
const ACK_WAIT: Duration = Duration::from_secs(10);

struct Message {
    number: u64,
    task: Arc<Vec<u8>>,
    delivered: Option<Instant>,
}

#[derive(Default)]
struct Engine {
    client: Option<ClientEvents>,
    agents: Vec<(Peer, Arc<AgentService<Link>>, usize)>,
    messages: VecDeque<Message>,
    next: u64,
}

impl Engine {
    fn run(mut self, me: &Peer, calls: &Receiver<Call>, left: &AtomicU64) {
        loop {
            match calls.recv_timeout(Duration::from_millis(100)) {
                Ok(Call::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(call) => self.call(call),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.deliver(me);
            left.store(self.messages.len() as u64, Relaxed);
        }
    }

    fn call(&mut self, call: Call) {
        match call {
            Call::Client(events, connected) => {
                events.connection(true);
                let _ = connected.send(());
                self.client = Some(events);
            }
            Call::Agent(peer, service) => self.agents.push((peer, service, 0)),
            Call::AgentIsGone(peer) => self.agents.retain(|(other, ..)| *other != peer),
            Call::Publish(number, task) => {
                self.next += 1;
                self.messages.push_back(Message { number: self.next, task, delivered: None });
                if let Some(client) = &self.client {
                    client.stored(number);
                }
            }
            Call::Count(number) => {
                if let Some(client) = &self.client {
                    client.counted(number, self.messages.len() as u64);
                }
            }
            Call::ToAgent(to, frame) => {
                if let Some((_, service, _)) = self.agents.iter().find(|(peer, ..)| *peer == to) {
                    service.frame(&client_name(), &frame).expect("a frame of this program");
                }
            }
            Call::ToClient(from, frame) => {
                let is_there = self.agents.iter().any(|(peer, ..)| *peer == from);
                if let Some(client) = self.client.as_ref().filter(|_| is_there) {
                    client.frame(Some(&from), &frame).expect("a frame of this program");
                }
            }
            Call::Pull(from, messages) => {
                if let Some((.., pulls)) = self.agents.iter_mut().find(|(peer, ..)| *peer == from) {
                    *pulls += messages;
                }
            }
            Call::Acknowledge(number) => self.messages.retain(|message| message.number != number),
            Call::GiveBack(number) => {
                if let Some(message) = self.messages.iter_mut().find(|message| message.number == number) {
                    message.delivered = None;
                }
            }
            Call::Stop => {}
        }
    }

    fn deliver(&mut self, client: &Peer) {
        for (_, service, pulls) in &mut self.agents {
            while *pulls > 0 {
                let is_due = |message: &&mut Message| message.delivered.is_none_or(|then| then.elapsed() >= ACK_WAIT);
                let Some(message) = self.messages.iter_mut().find(is_due) else { break };
                message.delivered = Some(Instant::now());
                *pulls -= 1;
                service.deliver(client.clone(), &message.task, message.number).expect("a task of this program");
            }
        }
    }
}

fn client_name() -> Peer {
    Peer::new("user", "client").expect("a name")
}

/// A cluster in this process: an executor, an engine, and agents whose tasks run in worker processes.
pub struct Local {
    executor: Option<ClusterExecutor>,
    engine: Option<JoinHandle<()>>,
    calls: Arc<Mutex<Sender<Call>>>,
    agents: Mutex<Vec<(Peer, Arc<AgentService<Link>>)>>,
    cut: Mutex<Vec<Arc<AgentService<Link>>>>,
    left: Arc<AtomicU64>,
}

pub const GRACE: Duration = Duration::from_secs(3);

impl Local {
    /// Makes a cluster with one agent of this many slots, or none.
    pub fn new(slots: usize, queue_capacity: Option<usize>) -> Result<Local, Error> {
        let (sender, receiver) = channel();
        let left = Arc::new(AtomicU64::new(0));
        let seen = left.clone();
        let engine = std::thread::spawn(move || Engine::default().run(&client_name(), &receiver, &seen));
        let calls = Arc::new(Mutex::new(sender));
        let link = Link { me: client_name(), engine: calls.clone() };
        let timing = client::Timing { grace: GRACE, ..client::Timing::default() };
        let options = ExecutorOptions { queue_capacity, max_workers: slots.max(1), timing };
        let executor = ClusterExecutor::over(client_name(), link, options)?;
        let local = Local {
            executor: Some(executor),
            engine: Some(engine),
            calls,
            agents: Mutex::default(),
            cut: Mutex::default(),
            left,
        };
        let (connected, is_connected) = channel();
        local.call(Call::Client(local.executor().events(), connected));
        is_connected.recv().expect("the engine does not panic");
        if slots > 0 {
            local.add_agent(slots)?;
        }
        Ok(local)
    }

    pub fn add_agent(&self, slots: usize) -> Result<(), Error> {
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        // No two agents have the same name, not even one after the other.
        let number = agents.len() + self.cut.lock().unwrap_or_else(PoisonError::into_inner).len();
        let me = Peer::new("worker", &format!("agent-{number}")).expect("a name");
        let link = Link { me: me.clone(), engine: self.calls.clone() };
        let pool = ProcessPoolExecutor::new(slots)?;
        let options = ServiceOptions { slots, host: "this-machine".into(), timing: agent::Timing::default() };
        let service = Arc::new(AgentService::start(me.clone(), link, pool, options)?);
        self.call(Call::Agent(me.clone(), service.clone()));
        // What it pulled before the engine knew it was lost.
        service.pulls_ended(usize::MAX);
        agents.push((me, service));
        Ok(())
    }

    /// Cuts the oldest agent off for ever. Its tasks go on, so it is dropped at the end.
    pub fn cut_agent(&self) {
        let (peer, service) = self.agents.lock().unwrap_or_else(PoisonError::into_inner).remove(0);
        self.call(Call::AgentIsGone(peer));
        self.cut.lock().unwrap_or_else(PoisonError::into_inner).push(service);
    }

    /// Lets the oldest agent leave, and waits until it has nothing left.
    pub fn leave(&self, timeout: Duration) -> bool {
        let service = self.agents.lock().unwrap_or_else(PoisonError::into_inner)[0].1.clone();
        service.leave();
        service.wait_idle(Some(timeout))
    }

    pub fn executor(&self) -> &ClusterExecutor {
        self.executor.as_ref().expect("it is there until the end")
    }

    /// Returns how many messages the engine has.
    pub fn messages(&self) -> u64 {
        self.left.load(Relaxed)
    }

    fn call(&self, call: Call) {
        let _ = self.calls.lock().unwrap_or_else(PoisonError::into_inner).send(call);
    }
}

impl Backend for Local {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        self.executor().schedule(task)
    }
    fn close(&self, mode: Shutdown) {
        self.executor().close(mode);
    }
    fn join(&self, timeout: Option<Duration>) -> bool {
        self.executor().join(timeout)
    }
    fn max_workers(&self) -> usize {
        self.executor().max_workers()
    }
    fn handle(&self) -> Option<Arc<dyn Backend>> {
        self.executor().handle()
    }
    fn poll_room(&self, task: &Task, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.executor().poll_room(task, context)
    }
    fn give_up_room(&self, task: &Task) {
        self.executor().give_up_room(task);
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.executor.take();
        self.call(Call::Stop);
        if let Some(engine) = self.engine.take() {
            engine.join().expect("the engine does not panic");
        }
    }
}
