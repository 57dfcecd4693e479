//! The client's side of the transport.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_nats::Subject;
use bytes::Bytes;
use executor_core::{Error, ErrorKind, TaskId, codec};

use parking_lot::Mutex;
use tokio::{
    sync::oneshot,
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{
    Engine, Status,
    api::Api,
    assets,
    client_out::Out,
    client_reader::{ClientLimits, Reader, Subscriptions},
    groups::Groups,
    names::{Kind, Names},
    outgoing::{Join, Outgoing, Outlet, joined, outgoing},
    roll_call::roll_call,
    unavailable::unavailable,
    uploads::Uploads,
    values::{LARGEST, ValueStores},
};
use crate::{
    executor::events::ClientEvents,
    link::{ClientLink, Then},
    value::Value,
    wire::{Peer, Reference, join},
    worker_info::WorkerInfo,
};

/// How long the end of a client waits for what was sent to leave.
const LAST: Duration = Duration::from_secs(2);

/// How long to wait before something is fetched again.
const PAUSE: Duration = Duration::from_millis(500);

/// How long [`ClientSide::workers`] may take.
const ROLL_CALL: Duration = Duration::from_secs(5);

impl Join for Out {
    fn is_alike(&self, later: &Out) -> bool {
        match (self, later) {
            (Out::Send(to, _), Out::Send(same, _)) => to == same,
            _ => false,
        }
    }

    fn join(&mut self, later: Out) -> Option<Out> {
        let is_joined = match (self, &later) {
            (Out::Send(_, frame), Out::Send(_, next)) => join(frame, next),
            _ => false,
        };
        (!is_joined).then_some(later)
    }
}

/// A client's connection. The executor has one clone, for sending.
#[derive(Clone)]
pub(crate) struct ClientSide(Arc<Shared>);

struct Shared {
    /// `None` after the end.
    engine: Mutex<Option<Arc<Engine>>>,
    /// What lives as long as the connection.
    kept: Mutex<Option<Box<dyn Send>>>,
    out: Arc<Outgoing<Out>>,
    names: Names,
    me: Peer,
    longest: usize,
    stores: Arc<ValueStores>,
    unavailable_after: OnceLock<Duration>,
}

/// A client's connection that has no executor yet.
pub(crate) struct Unattached {
    side: ClientSide,
    outlet: Outlet<Out>,
    subscriptions: Subscriptions,
}

impl ClientSide {
    /// Subscribes to what is sent to this client, and makes the queue if it is missing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](executor_core::ErrorKind::Unavailable) if that is not permitted, or not done in time.
    pub(crate) fn open(engine: Engine, names: Names, me: Peer, within: Duration) -> Result<Unattached, Error> {
        let (out, outlet) = outgoing();
        let (client, status) = (engine.client(), engine.status());
        let (own_names, own_me) = (names.clone(), me.clone());
        let subscribe = async move {
            let until = Instant::now() + within;
            let own = own_names.to_client(&own_me);
            let lost = |error| unavailable("the cluster cannot be used", error);
            let frames = client.subscribe(own.clone()).await.map_err(lost)?;
            let answers = client.subscribe(format!("{}.>", own_names.inbox(&own_me))).await.map_err(lost)?;
            // Without the right to this, a deletion is found out by counting.
            let deletions = client.subscribe(own_names.deletion()).await.map_err(lost)?;
            let stores = Arc::new(ValueStores::new(client.clone(), status.clone(), own_names.clone()));
            let api = Api::new(client, status.clone());
            assets::ensure_stream(&api, &own_names, Duration::ZERO, until).await.map_err(|missing| missing.error)?;
            // The server has answered something since, so it has refused the subscription by now.
            match status.borrow().denies(&own) {
                true => Err(unavailable(
                    &format!("the user `{}` may not be a client of the pool `{}`", own_me.user(), own_names.pool()),
                    format!("the server does not permit it to subscribe to `{own}`"),
                )),
                false => Ok((Subscriptions { frames, answers, deletions }, stores)),
            }
        };
        let (subscriptions, stores) = engine.run(within + LAST, subscribe)?;
        let longest = engine.longest_message();
        let engine = Mutex::new(Some(Arc::new(engine)));
        let side = ClientSide(Arc::new(Shared {
            engine,
            kept: Mutex::default(),
            out: Arc::new(out),
            names,
            me,
            longest,
            stores,
            unavailable_after: OnceLock::new(),
        }));
        Ok(Unattached { side, outlet, subscriptions })
    }

    /// Returns the agents of the pool, of any build. It takes some tenths of a second, and waits for a few seconds if
    /// there is no connection.
    pub(crate) fn workers(&self) -> Vec<WorkerInfo> {
        let Some(engine) = self.0.engine.lock().clone() else { return Vec::new() };
        let call = roll_call(engine.client(), engine.status(), self.0.names.clone(), self.0.me.clone());
        let all = async move { call.await.map_err(|refusal| refusal.into_error("the agents cannot be asked")) };
        engine.run(ROLL_CALL, all).unwrap_or_default()
    }

    /// Keeps a value until the connection has ended, which is when the executor has no task left.
    pub(crate) fn keep(&self, value: impl Send + 'static) {
        *self.0.kept.lock() = Some(Box::new(value));
    }

    /// Returns what is known about the connection, unless it has ended.
    pub(crate) fn status(&self) -> Option<Status> {
        self.0.engine.lock().as_ref().map(|engine| engine.status().borrow().clone())
    }

    pub(crate) fn names(&self) -> &Names {
        &self.0.names
    }

    pub(crate) fn me(&self) -> &Peer {
        &self.0.me
    }
}

impl Unattached {
    /// Returns what the executor sends by.
    pub(crate) fn side(&self) -> ClientSide {
        self.side.clone()
    }

    /// Connects the executor.
    pub(crate) fn attach(self, events: ClientEvents, limits: ClientLimits) {
        let Unattached { side, outlet, subscriptions } = self;
        let Some(engine) = side.0.engine.lock().clone() else { return };
        let _ = side.0.unavailable_after.set(limits.unavailable_after);
        let (out, names, me) = (side.0.out.clone(), side.0.names.clone(), side.0.me.clone());
        let (client, status) = (engine.client(), engine.status());
        let groups: Arc<Mutex<Groups>> = Arc::default();
        let writer = Writer {
            outlet,
            client: engine.client(),
            tasks: names.tasks(&me).into(),
            groups: groups.clone(),
            inbox: names.inbox(&me),
            uploads: Arc::new(Uploads::new(side.0.stores.clone(), me.user())),
            names: names.clone(),
            me: me.clone(),
            events: events.clone(),
            removals: JoinSet::new(),
        };
        engine.spawn(writer.run());
        engine.spawn(async move {
            let reader = Reader::new(events, limits, out, client, status, names, me);
            reader.with_groups(groups).run(subscriptions).await;
        });
    }
}

impl ClientLink for ClientSide {
    fn publish(&self, task: TaskId, body: Arc<Vec<u8>>) {
        // The executor has the bytes anyway.
        self.0.out.send(Out::Publish(task, body), 0);
    }

    fn send(&self, to: &Peer, frame: Vec<u8>) {
        let bytes = frame.len();
        self.0.out.send(Out::Send(to.clone(), frame), bytes);
    }

    fn count(&self, number: u64) {
        self.0.out.send(Out::Count(number), 0);
    }

    fn longest_message(&self) -> usize {
        self.0.longest
    }

    fn largest_value(&self) -> u64 {
        LARGEST
    }

    fn publish_with(&self, task: TaskId, body: Arc<Vec<u8>>, argument: Arc<Value>) {
        self.0.out.send(Out::PublishWith(task, body, argument), 0);
    }

    fn fetch(&self, outcome: Reference, then: Then<codec::Bytes>) {
        let Some(engine) = self.0.engine.lock().clone() else {
            return then(Err(unavailable("an outcome cannot be fetched", "the connection has ended")));
        };
        let (stores, user) = (self.0.stores.clone(), self.0.me.user().to_string());
        let patience = self.0.unavailable_after.get().copied().unwrap_or(LAST);
        let out = self.0.out.clone();
        engine.spawn(async move {
            let fetched = fetch(&stores, &user, &outcome, patience).await;
            // The executor may end with this task, and then this comes before the end.
            out.put(Out::RemoveOutcome(outcome.name), 0);
            then(fetched);
        });
    }

    fn remove(&self, argument: &Reference) {
        self.0.out.put(Out::RemoveArgument(argument.name.clone()), 0);
    }

    fn close(&self) {
        let Some(engine) = self.0.engine.lock().take() else { return };
        let (sent, is_sent) = oneshot::channel();
        self.0.out.put(Out::End(sent), 0);
        // Without a connection there is nothing to wait for: the message was dropped.
        let _ = engine.run(LAST, async move {
            let _ = is_sent.await;
            Ok(())
        });
        drop(engine);
        let kept = self.0.kept.lock().take();
        drop(kept);
    }
}

/// Gets an outcome from the store, for as long as the engine may be away.
async fn fetch(
    stores: &ValueStores,
    user: &str,
    outcome: &Reference,
    patience: Duration,
) -> Result<codec::Bytes, Error> {
    let until = Instant::now() + patience;
    loop {
        let error = match stores.get(Kind::Outcomes, user, outcome).await {
            Ok(Some(bytes)) => return Ok(bytes),
            Ok(None) => unavailable("the outcome of the task is lost", "someone has removed it from the store"),
            Err(error) => error,
        };
        if Instant::now() + PAUSE >= until {
            return Err(error);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Sends what the executor wants sent. It may be stopped by a server that does not read, so it does nothing else.
struct Writer {
    outlet: Outlet<Out>,
    client: async_nats::Client,
    /// The subject of this client's tasks.
    tasks: Subject,
    groups: Arc<Mutex<Groups>>,
    names: Names,
    me: Peer,
    inbox: String,
    uploads: Arc<Uploads>,
    events: ClientEvents,
    /// The values that are being removed.
    removals: JoinSet<()>,
}

impl Writer {
    async fn run(mut self) {
        let mut messages = Vec::new();
        while self.outlet.receive(&mut messages).await {
            messages.iter().for_each(|(_, bytes)| self.outlet.taken(*bytes));
            let all = joined(&mut messages);
            let group = self.group(&all);
            for out in all {
                // What waits in async-nats while there is no connection is sent later, when no one needs it any more.
                if self.outlet.is_open() {
                    self.send(out, group.as_ref()).await;
                }
            }
        }
    }

    /// Returns where the engine confirms the copies of tasks among these messages, if that is one address for all.
    fn group(&self, all: &[Out]) -> Option<Subject> {
        let task = |out: &Out| match out {
            Out::Publish(task, _) => Some(*task),
            _ => None,
        };
        let tasks: Vec<TaskId> = all.iter().filter_map(task).collect();
        let number = self.groups.lock().begin(tasks)?;
        Some(format!("{}.g.{number}", self.inbox).into())
    }

    /// Sends one message. The executor repeats it if it is lost.
    async fn send(&mut self, out: Out, group: Option<&Subject>) {
        // Those that have ended.
        while self.removals.try_join_next().is_some() {}
        let Writer { client, tasks, names, me, inbox, .. } = &*self;
        let _ = match out {
            Out::Publish(task, body) => {
                let reply = group.cloned().unwrap_or_else(|| format!("{inbox}.p.{task}").into());
                client.publish_with_reply(tasks.clone(), reply, Bytes::from_owner(Shareable(body))).await
            }
            Out::Send(to, frame) => client.publish(names.to_agent(&to, me), frame.into()).await,
            Out::PublishWith(task, body, argument) => {
                self.upload(task, body, argument);
                Ok(())
            }
            Out::RemoveArgument(name) => {
                let uploads = self.uploads.clone();
                self.removals.spawn(async move { uploads.remove(&name).await });
                Ok(())
            }
            Out::RemoveOutcome(name) => {
                let uploads = self.uploads.clone();
                self.removals.spawn(async move { uploads.remove_outcome(&name).await });
                Ok(())
            }
            Out::Count(number) => {
                let filter = serde_json::json!({ "subjects_filter": names.own_tasks(me) });
                let subject = format!("$JS.API.STREAM.INFO.{}", names.stream());
                client.publish_with_reply(subject, format!("{inbox}.c.{number}"), filter.to_string().into()).await
            }
            Out::End(sent) => {
                // What is not removed in time, its age removes.
                let _ = timeout(LAST / 2, async { while self.removals.join_next().await.is_some() {} }).await;
                let Writer { client, names, me, inbox, .. } = self;
                // Copies of tasks that were cancelled need not wait until an agent finds that out. Where this is not
                // permitted, they do.
                let filter = serde_json::json!({ "filter": names.own_tasks(me) });
                let subject = format!("$JS.API.STREAM.PURGE.{}", names.stream());
                let purged = client.publish_with_reply(subject, format!("{inbox}.e"), filter.to_string().into()).await;
                let _ = client.flush().await;
                let _ = sent.send(());
                purged
            }
        };
    }
}

impl Writer {
    /// Publishes a task when its argument is in the store. Other tasks do not wait for that.
    fn upload(&self, task: TaskId, body: Arc<Vec<u8>>, argument: Arc<Value>) {
        if !self.uploads.begin(task) {
            return;
        }
        let (uploads, events, client) = (self.uploads.clone(), self.events.clone(), self.client.clone());
        let (subject, reply) = (self.names.tasks(&self.me), format!("{}.p.{task}", self.inbox));
        tokio::spawn(async move {
            let stored = uploads.ensure(&argument).await;
            uploads.end(task);
            match stored {
                Ok(()) => {
                    let body = Bytes::from_owner(Shareable(body));
                    let _ = client.publish_with_reply(subject, reply, body).await;
                }
                // It can never be stored.
                Err(error) if error.kind() == ErrorKind::Encode => events.fail(task, &error),
                Err(_) => events.refused(task),
            }
        });
    }
}

/// The bytes of a task, which the executor keeps.
struct Shareable(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shareable {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
