//! The agent's side of the transport.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use async_nats::{Client, Message, StatusCode, Subject, Subscriber};
use executor_core::{Backend, Error, ErrorKind, codec};
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    Engine,
    api::Api,
    assets::{self, REMOVAL},
    connection::{Change, Connection},
    names::{Kind, Names, sender},
    outgoing::{Join, Outgoing, Outlet, joined, outgoing},
    pulls::{Pulls, VALID},
    roll_call,
    unavailable::unavailable,
    values::{LARGEST, ValueStores},
};
use crate::{
    AgentService, ServiceOptions,
    link::{AgentLink, Then},
    wire::{Peer, Reference, join},
    worker_info::WorkerInfo,
};

/// How many answers of the engine are handled together, if they are there.
const AT_ONCE: usize = 256;

/// How often the reader looks for what does not happen.
const TICK: Duration = Duration::from_secs(1);

/// How long one attempt to make the consumer again may take.
const ENSURE: Duration = Duration::from_secs(10);

/// How long the end of an agent waits for what was sent to leave, beyond what the engine itself waits.
const MARGIN: Duration = Duration::from_secs(2);

/// What an agent sends.
enum Out {
    Pull(usize),
    Acknowledge(Subject),
    GiveBack(Subject, Duration),
    Send(Peer, Vec<u8>),
}

impl Join for Out {
    fn is_alike(&self, later: &Out) -> bool {
        match (self, later) {
            (Out::Send(to, _), Out::Send(same, _)) => to == same,
            (Out::Pull(_), Out::Pull(_)) => true,
            _ => false,
        }
    }

    fn join(&mut self, later: Out) -> Option<Out> {
        let is_joined = match (self, &later) {
            (Out::Send(_, frame), Out::Send(_, next)) => join(frame, next),
            (Out::Pull(messages), Out::Pull(more)) => {
                *messages += more;
                return None;
            }
            _ => false,
        };
        (!is_joined).then_some(later)
    }
}

/// What an agent sends by.
pub(crate) struct AgentSide {
    out: Arc<Outgoing<Out>>,
    longest: usize,
    me: Peer,
    stores: Arc<ValueStores>,
    runtime: Handle,
}

/// How often an argument is looked for in the store. A replica that has it may be late.
const LOOKS: u32 = 3;

/// How long an agent tries to fetch an argument or to store an outcome, while the engine is away, has no room, or does
/// not permit it. Then the task fails.
const STORE_TIMEOUT: Duration = Duration::from_secs(600);

/// How long to wait before something is fetched or stored again.
const PAUSE: Duration = Duration::from_millis(500);

/// An agent that is connected. It is gone, for its clients, once this is dropped.
pub(crate) struct ConnectedAgent {
    /// Dropped before the engine, which has futures that use it.
    service: Arc<AgentService<AgentSide>>,
    engine: Engine,
}

/// What an agent says of itself, but for what changes.
pub(crate) struct Description {
    pub(crate) pid: u32,
    pub(crate) since: u64,
    pub(crate) build: String,
}

impl AgentLink for AgentSide {
    type Delivery = Subject;

    fn pull(&self, messages: usize) {
        self.out.put(Out::Pull(messages), 0);
    }

    fn acknowledge(&self, delivery: Subject) {
        self.out.put(Out::Acknowledge(delivery), 0);
    }

    fn give_back(&self, delivery: Subject, delay: Duration) {
        self.out.put(Out::GiveBack(delivery, delay), 0);
    }

    fn send(&self, to: &Peer, frame: Vec<u8>) {
        let bytes = frame.len();
        self.out.send(Out::Send(to.clone(), frame), bytes);
    }

    fn longest_message(&self) -> usize {
        self.longest
    }

    fn largest_value(&self) -> u64 {
        LARGEST
    }

    fn fetch(&self, client: &Peer, argument: Reference, then: Then<Option<codec::Bytes>>) {
        let (stores, user) = (self.stores.clone(), client.user().to_string());
        self.runtime.spawn(async move {
            let until = Instant::now() + STORE_TIMEOUT;
            let mut looks = LOOKS;
            then(loop {
                match stores.get(Kind::Arguments, &user, &argument).await {
                    Ok(None) if looks > 1 => looks -= 1,
                    Err(_) if Instant::now() < until => {}
                    result => break result,
                }
                tokio::time::sleep(PAUSE).await;
            });
        });
    }

    fn store(&self, client: &Peer, run: u64, outcome: codec::Bytes, then: Then<Reference>) {
        let (stores, user) = (self.stores.clone(), client.user().to_string());
        let name = format!("{}.{run}", self.me.process());
        self.runtime.spawn(async move {
            let until = Instant::now() + STORE_TIMEOUT;
            then(loop {
                match stores.put(Kind::Outcomes, &user, &name, &outcome).await {
                    Err(error) if error.kind() == ErrorKind::Unavailable && Instant::now() < until => {
                        tokio::time::sleep(PAUSE).await;
                    }
                    Err(error) => break Err(error),
                    Ok(()) => break Ok(Reference { name, length: outcome.len() as u64, is_shared: false }),
                }
            });
        });
    }

    fn remove(&self, client: &Peer, outcome: &Reference) {
        let (stores, user, name) = (self.stores.clone(), client.user().to_string(), outcome.name.clone());
        self.runtime.spawn(async move { stores.remove(Kind::Outcomes, &user, &name).await });
    }
}

impl ConnectedAgent {
    /// Makes what the pool needs in the engine, and begins to take tasks for the executor.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](executor_core::ErrorKind::Unavailable) if that is not permitted, or not done in time,
    /// and the errors of [`AgentService::start`].
    pub(crate) fn start(
        engine: Engine,
        names: Names,
        me: Peer,
        executor: impl Backend + 'static,
        options: ServiceOptions,
        description: Description,
        within: Duration,
    ) -> Result<ConnectedAgent, Error> {
        let (out, outlet) = outgoing();
        let out = Arc::new(out);
        let (client, status) = (engine.client(), engine.status());
        let (own_names, own_me) = (names.clone(), me.clone());
        let subscribe = async move {
            let until = Instant::now() + within;
            let lost = |error| unavailable("the cluster cannot be used", error);
            let own = own_names.all_to_agent(&own_me);
            let frames = client.subscribe(own.clone()).await.map_err(lost)?;
            let calls = client.subscribe(own_names.all_roll_calls()).await.map_err(lost)?;
            let answers = client.subscribe(Names::own_inboxes(&own_me)).await.map_err(lost)?;
            let stores = Arc::new(ValueStores::new(client.clone(), status.clone(), own_names.clone()));
            let api = Api::new(client, status.clone());
            assets::ensure_consumer(&api, &own_names, Duration::ZERO, until).await.map_err(|missing| missing.error)?;
            // The server has answered something since, so it has refused the subscription by now.
            match status.borrow().denies(&own) {
                true => Err(denied(&own_names, &own_me, &own)),
                false => Ok((Subscriptions { frames, calls, answers }, stores)),
            }
        };
        let (subscriptions, stores) = engine.run(within + MARGIN, subscribe)?;
        let side = AgentSide {
            out: out.clone(),
            longest: engine.longest_message(),
            me: me.clone(),
            stores,
            runtime: engine.runtime(),
        };
        let host = options.host.clone();
        let slots = options.slots;
        let service = Arc::new(AgentService::start(me.clone(), side, executor, options)?);
        let pulls = Arc::new(Mutex::new(Pulls::default()));
        let writer = Writer {
            outlet,
            client: engine.client(),
            names: names.clone(),
            inbox: names.inbox(&me),
            unheard: Names::unheard_under(&me),
            pulls: pulls.clone(),
        };
        engine.spawn(writer.run());
        let info = WorkerInfo {
            name: me.to_string(),
            host,
            pid: description.pid,
            slots,
            running: 0,
            build: description.build,
            since: description.since,
            is_leaving: false,
        };
        let (client, status, weak) = (engine.client(), engine.status(), Arc::downgrade(&service));
        engine.spawn(async move {
            let reader = Reader {
                service: weak,
                out,
                connection: Connection::new(status.clone()),
                api: Api::new(client.clone(), status),
                client,
                inbox: names.inbox(&me),
                unheard: Names::unheard_under(&me),
                own: names.to_agent_under(&me),
                names,
                pulls,
                info,
                is_ensuring: Arc::default(),
                ensured: None,
            };
            reader.run(subscriptions).await;
        });
        Ok(ConnectedAgent { service, engine })
    }

    /// Returns the agent, to let it leave.
    pub(crate) fn service(&self) -> &AgentService<AgentSide> {
        &self.service
    }

    /// Calls the function once if the server refuses what this agent needs, with the error. Until then the agent
    /// connects again whenever the connection is lost.
    pub(crate) fn on_refusal(&self, names: &Names, me: &Peer, call: impl FnOnce(Error) + Send + 'static) {
        /// How many times in a row credentials are refused before that counts. A server that is restarted may not know
        /// them yet.
        const REFUSALS: u32 = 10;
        let mut status = self.engine.status();
        let servers = self.engine.servers().to_string();
        let (names, me) = (names.clone(), me.clone());
        let needed = [names.all_to_agent(&me), names.next()];
        self.engine.spawn(async move {
            let refused = status
                .wait_for(|status| status.refusals >= REFUSALS || needed.iter().any(|subject| status.denies(subject)));
            let Ok(refused) = refused.await.map(|status| status.clone()) else { return };
            call(match needed.iter().find(|subject| refused.denies(subject)) {
                Some(subject) => denied(&names, &me, subject),
                None => unavailable(
                    &format!("the server of the cluster at {servers} refuses the credentials"),
                    "it accepted them before; check that it still knows the token or the nkey",
                ),
            });
        });
    }
}

/// Returns the error of a user who may not be an agent.
fn denied(names: &Names, me: &Peer, subject: &str) -> Error {
    unavailable(
        &format!("the user `{}` may not take tasks from the pool `{}`", me.user(), names.pool()),
        format!("the server does not permit it to use `{subject}`"),
    )
}

struct Subscriptions {
    frames: Subscriber,
    calls: Subscriber,
    answers: Subscriber,
}

/// Sends what the agent wants sent. It may be stopped by a server that does not read, so it does nothing else.
struct Writer {
    outlet: Outlet<Out>,
    client: Client,
    names: Names,
    /// Where the engine answers, and where it says that no one listens at a client.
    inbox: String,
    unheard: String,
    pulls: Arc<Mutex<Pulls>>,
}

impl Writer {
    async fn run(mut self) {
        let mut messages = Vec::new();
        while self.outlet.receive(&mut messages).await {
            messages.iter().for_each(|(_, bytes)| self.outlet.taken(*bytes));
            for out in joined(&mut messages) {
                // What waits in async-nats while there is no connection is sent later, when no one needs it any more.
                if self.outlet.is_open() {
                    self.send(out).await;
                }
            }
        }
    }

    /// Sends one message. The agent repeats it if it is lost, or the engine delivers again.
    async fn send(&self, out: Out) {
        let Writer { client, names, inbox, unheard, .. } = self;
        let _ = match out {
            Out::Pull(messages) => {
                let number = self.pulls.lock().request(messages, Instant::now());
                let request = serde_json::json!({ "batch": messages, "expires": VALID.as_nanos() as u64 });
                client.publish_with_reply(names.next(), format!("{inbox}.{number}"), request.to_string().into()).await
            }
            Out::Acknowledge(delivery) => client.publish(delivery, "".into()).await,
            Out::GiveBack(delivery, delay) => {
                let text = format!("-NAK {{\"delay\":{}}}", delay.as_nanos());
                client.publish(delivery, text.into()).await
            }
            Out::Send(to, frame) => {
                // The reply is where the engine says that no one listens.
                client.publish_with_reply(names.to_client(&to), format!("{unheard}.{to}"), frame.into()).await
            }
        };
    }
}

/// Passes on what arrives for an agent. It never waits for anything but the next event.
struct Reader {
    service: Weak<AgentService<AgentSide>>,
    out: Arc<Outgoing<Out>>,
    client: Client,
    connection: Connection,
    api: Api,
    names: Names,
    inbox: String,
    unheard: String,
    /// What the subjects of messages to this agent begin with.
    own: String,
    pulls: Arc<Mutex<Pulls>>,
    info: WorkerInfo,
    is_ensuring: Arc<Mutex<bool>>,
    ensured: Option<Instant>,
}

impl Reader {
    async fn run(mut self, subscriptions: Subscriptions) {
        let Subscriptions { mut frames, mut calls, answers } = subscriptions;
        let mut answers = answers.ready_chunks(AT_ONCE);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.connection_changed();
        loop {
            tokio::select! {
                Some(message) = frames.next() => self.frame(&message),
                Some(messages) = answers.next() => self.answers(messages),
                Some(call) = calls.next() => self.call(call).await,
                () = self.connection.changed() => self.connection_changed(),
                _ = tick.tick() => {
                    let missing = self.pulls.lock().expired(Instant::now());
                    self.pulls_ended(missing);
                }
            }
        }
    }

    fn frame(&self, message: &Message) {
        // What is damaged, or names another sender, counts as lost.
        let from = sender(&message.subject, &self.own);
        if let (Some(service), Some(from)) = (self.service.upgrade(), from) {
            let _ = service.frame(&from, &message.payload);
        }
    }

    /// The engine has delivered messages, and answers what this agent has sent.
    fn answers(&mut self, messages: Vec<Message>) {
        let mut delivered = Vec::new();
        for message in messages {
            let under = |prefix: &str| message.subject.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'));
            match (under(&self.inbox), under(&self.unheard)) {
                (Some(number), _) => {
                    let Ok(number) = number.parse() else { continue };
                    // What came before this counts before it.
                    self.deliver(std::mem::take(&mut delivered));
                    let missing = self.pulls.lock().ended(number, pending(&message));
                    // A request that has run out is as usual. Everything else may mean that the consumer is gone.
                    if message.status != Some(StatusCode::TIMEOUT) {
                        self.ensure();
                    }
                    self.pulls_ended(missing);
                }
                // Clients know this subject and may let the engine answer there, but not with this status.
                (None, Some(client)) if message.status == Some(StatusCode::NO_RESPONDERS) => {
                    if let (Some(service), Ok(client)) = (self.service.upgrade(), Peer::parse(client.as_bytes())) {
                        service.unreachable(&client);
                    }
                }
                (None, Some(_)) => {}
                // A message of the queue keeps the subject that its client has published to.
                (None, None) => delivered.push(message),
            }
        }
        self.deliver(delivered);
    }

    fn deliver(&self, messages: Vec<Message>) {
        let Some(service) = self.service.upgrade().filter(|_| !messages.is_empty()) else { return };
        let under = self.names.tasks_under();
        let part = |message: Message| Some((sender(&message.subject, &under)?, message.payload, message.reply?));
        let messages: Vec<_> = messages.into_iter().filter_map(part).collect();
        self.pulls.lock().delivered(messages.len());
        service.deliver_all(messages);
    }

    fn pulls_ended(&self, missing: usize) {
        if let Some(service) = self.service.upgrade().filter(|_| missing > 0) {
            service.pulls_ended(missing);
        }
    }

    fn connection_changed(&mut self) {
        match self.connection.change() {
            Change::Nothing => {}
            Change::Lost => self.out.set_open(false),
            Change::Made => {
                self.pulls.lock().clear();
                self.out.set_open(true);
                self.pulls_ended(usize::MAX);
            }
        }
    }

    /// A client asks who is there.
    async fn call(&self, call: Message) {
        let Some(service) = self.service.upgrade() else { return };
        let (running, is_leaving) = service.state();
        drop(service);
        let info = WorkerInfo { running, is_leaving, ..self.info.clone() };
        roll_call::answer(&self.client, &self.names, call, &info).await;
    }

    /// Makes the consumer again if it is gone. The agent goes on asking for messages meanwhile.
    fn ensure(&mut self) {
        let is_due = self.ensured.is_none_or(|then| then.elapsed() >= TICK);
        if !is_due || std::mem::replace(&mut *self.is_ensuring.lock(), true) {
            return;
        }
        self.ensured = Some(Instant::now());
        let (api, names, is_ensuring) = (self.api.clone(), self.names.clone(), self.is_ensuring.clone());
        tokio::spawn(async move {
            // If it fails, the next request for messages fails too, and this is tried again.
            let _ = assets::ensure_consumer(&api, &names, REMOVAL, Instant::now() + ENSURE).await;
            *is_ensuring.lock() = false;
        });
    }
}

/// Returns how many messages of a request will not come, if the engine says so.
fn pending(message: &Message) -> Option<usize> {
    message.headers.as_ref()?.get("Nats-Pending-Messages")?.as_str().parse().ok()
}
