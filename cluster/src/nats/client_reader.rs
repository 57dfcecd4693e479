//! What arrives for a client.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_nats::{Client, Message, StatusCode, Subscriber};
use executor_core::{Error, ErrorKind, TaskId};
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    Status,
    api::{Api, Refusal},
    assets::{self, Missing, REMOVAL},
    client_out::Out,
    connection::{Change, Connection},
    groups::{Answered, Groups},
    names::{Names, short},
    outgoing::Outgoing,
    roll_call::roll_call,
    unavailable::unavailable,
};
use crate::{client::Counts, executor::events::ClientEvents, trace::Event, wire::Peer, worker_info::WorkerInfo};

/// For how long a client waits for what others must bring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientLimits {
    /// For an agent of this build.
    pub(crate) start_timeout: Duration,
    /// For the engine.
    pub(crate) unavailable_after: Duration,
}

/// How many answers of the engine are handled together, if they are there.
const AT_ONCE: usize = 256;

/// How often the reader looks for what does not happen.
const TICK: Duration = Duration::from_secs(1);

/// After a pause between two ticks that is longer than this, the process was stopped. It has not waited meanwhile.
const STOPPED: Duration = Duration::from_secs(5);

/// How long one attempt to make the queue again may take.
const ENSURE: Duration = Duration::from_secs(10);

/// How often the agents are asked how many tasks they run at the same time, while there are tasks.
const CALL_AGAIN: Duration = Duration::from_secs(300);

/// What the engine calls its news of streams.
const DELETED: &str = "io.nats.jetstream.advisory.v1.stream_action";

/// The code of a store that is full.
const STORE_FULL: u64 = 10077;

/// What a client receives: what agents send, what the engine answers, and that the queue was deleted.
pub(super) struct Subscriptions {
    pub(super) frames: Subscriber,
    pub(super) answers: Subscriber,
    pub(super) deletions: Subscriber,
}

/// Passes on what arrives for a client, and finds out what does not arrive: an engine that has been away for too long,
/// and agents of this build. It never waits for anything but the next event.
pub(super) struct Reader {
    events: ClientEvents,
    limits: ClientLimits,
    out: Arc<Outgoing<Out>>,
    groups: Arc<Mutex<Groups>>,
    client: Client,
    connection: Connection,
    status: watch::Receiver<Status>,
    api: Api,
    names: Names,
    me: Peer,
    inbox: String,
    /// Where agents send to.
    own: String,
    notices: mpsc::UnboundedSender<Notice>,
    noticed: mpsc::UnboundedReceiver<Notice>,
    /// Since when the engine has been away, and why.
    away: Option<(Instant, String)>,
    is_refusing: bool,
    /// Whether the server does not permit this client to submit.
    is_denied: bool,
    /// Whether the queue is being made again, and when that was last begun.
    is_ensuring: bool,
    ensured: Option<Instant>,
    /// Since when tasks have been queued.
    queued: Option<Instant>,
    /// When something last came from an agent of this build.
    heard: Option<Instant>,
    /// Whether the agents were asked and have not answered yet, and when they were asked last.
    is_calling: bool,
    called: Option<Instant>,
    /// How many tasks the agents of this build run at the same time, as far as it is known.
    slots: usize,
    ticked: Instant,
}

/// What a future that the reader has started has found out.
enum Notice {
    Ensured(Result<(), Missing>),
    Called(Result<Vec<WorkerInfo>, Refusal>),
}

impl Reader {
    pub(super) fn new(
        events: ClientEvents,
        limits: ClientLimits,
        out: Arc<Outgoing<Out>>,
        client: Client,
        status: watch::Receiver<Status>,
        names: Names,
        me: Peer,
    ) -> Reader {
        let (notices, noticed) = mpsc::unbounded_channel();
        Reader {
            events,
            limits,
            out,
            groups: Arc::default(),
            connection: Connection::new(status.clone()),
            api: Api::new(client.clone(), status.clone()),
            client,
            status,
            inbox: names.inbox(&me),
            own: names.to_client(&me),
            names,
            me,
            notices,
            noticed,
            away: None,
            is_refusing: false,
            is_denied: false,
            is_ensuring: false,
            ensured: None,
            queued: None,
            heard: None,
            is_calling: false,
            called: None,
            slots: 0,
            ticked: Instant::now(),
        }
    }

    /// Sets the groups of copies for which it receives the answers.
    pub(super) fn with_groups(self, groups: Arc<Mutex<Groups>>) -> Reader {
        Reader { groups, ..self }
    }

    pub(super) async fn run(mut self, subscriptions: Subscriptions) {
        let Subscriptions { mut frames, answers, mut deletions } = subscriptions;
        let mut answers = answers.ready_chunks(AT_ONCE);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.connection_changed();
        self.call();
        loop {
            tokio::select! {
                Some(message) = frames.next() => self.frame(&message),
                Some(messages) = answers.next() => {
                    let mut stored = Vec::new();
                    messages.iter().for_each(|message| self.answer(message, &mut stored));
                    if !stored.is_empty() {
                        self.well();
                        self.events.stored_all(stored);
                    }
                }
                Some(message) = deletions.next() => self.deletion(&message),
                () = self.connection.changed() => self.connection_changed(),
                Some(notice) = self.noticed.recv() => self.notice(notice),
                _ = tick.tick() => self.tick(),
            }
        }
    }

    fn frame(&mut self, message: &Message) {
        // What is damaged, or from a build that it should not be from, counts as lost. Only agents may publish to the
        // subject of this client; what a consumer of the engine delivers here has another one.
        if message.subject.as_str() == self.own && self.events.frame(None, &message.payload).is_ok() {
            self.heard = Some(Instant::now());
        }
    }

    /// The engine has answered something that this client has sent. Adds a task to those that are `stored`, if it says
    /// so.
    fn answer(&mut self, message: &Message, stored: &mut Vec<TaskId>) {
        let Some(rest) = message.subject.strip_prefix(self.inbox.as_str()).and_then(|rest| rest.strip_prefix('.'))
        else {
            return;
        };
        let is_lost = message.status == Some(StatusCode::NO_RESPONDERS);
        match rest.split_once('.') {
            Some(("p", task)) => {
                let Ok(task) = task.parse().map(TaskId::from_u64) else { return };
                if self.is_refused(message) {
                    self.groups.lock().refused();
                    return self.events.refused(task);
                }
                stored.push(task);
            }
            Some(("g", number)) => {
                let Ok(number) = number.parse() else { return };
                let is_refused = self.is_refused(message);
                let answered = self.groups.lock().answered(number, is_refused);
                match answered {
                    Some(Answered::Stored(tasks)) => stored.extend(tasks),
                    Some(Answered::Refused(tasks)) => tasks.into_iter().for_each(|task| self.events.refused(task)),
                    None => {}
                }
            }
            Some(("c", _)) if is_lost => self.trouble("JetStream does not answer".into(), true),
            Some(("c", number)) => {
                if let (Ok(number), Ok(answer)) = (number.parse(), serde_json::from_slice::<Value>(&message.payload)) {
                    self.counted(number, &answer);
                }
            }
            _ => {}
        }
    }

    /// Returns whether the engine has not stored a task. The executor publishes it again.
    fn is_refused(&mut self, message: &Message) -> bool {
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            self.trouble("the queue does not answer".into(), true);
            return true;
        }
        let Some(error) = refusal(&message.payload) else { return false };
        // A full store is a full queue, and no trouble.
        if error["err_code"] != STORE_FULL {
            let reason = error["description"].as_str().unwrap_or("the engine refuses a task");
            self.trouble(reason.to_string(), true);
        }
        true
    }

    fn counted(&mut self, number: u64, answer: &Value) {
        if answer["error"].is_object() {
            if answer["error"]["err_code"] == 10059 {
                // The queue was deleted, with everything in it.
                self.trouble("the queue was deleted".into(), true);
                self.events.counted(number, 0);
            }
            return;
        }
        self.well();
        let subjects = answer["state"]["subjects"].as_object();
        let messages = subjects.map_or(0, |subjects| subjects.values().filter_map(Value::as_u64).sum());
        self.events.counted(number, messages);
    }

    /// The queue was deleted, with everything in it.
    fn deletion(&mut self, message: &Message) {
        // Others may let the engine answer here, but not with this.
        let news: Value = serde_json::from_slice(&message.payload).unwrap_or_default();
        if news["type"] != DELETED {
            return;
        }
        self.trouble("the queue was deleted".into(), true);
        // Everything that was stored is lost, as it may be with a connection.
        self.events.connection(false);
        self.events.connection(true);
    }

    fn connection_changed(&mut self) {
        match self.connection.change() {
            Change::Nothing => {}
            Change::Lost => {
                self.out.set_open(false);
                self.events.connection(false);
                let reason = self.connection.trouble().unwrap_or_else(|| "the connection was lost".into());
                let pool = || self.names.pool().to_string();
                self.events.note(|| Event::Disconnected { pool: pool(), reason: reason.clone() });
                self.trouble(reason, false);
            }
            Change::Made => {
                self.groups.lock().clear();
                self.out.set_open(true);
                // It may have been lost in between without anyone seeing it.
                self.events.connection(false);
                self.events.connection(true);
                self.events.note(|| Event::Connected { pool: self.names.pool().to_string() });
                self.queued = None;
                self.is_denied = false;
                self.well();
            }
        }
        let tasks = self.names.tasks(&self.me);
        if self.connection.denies(&tasks) {
            let error = unavailable(
                &format!("the user `{}` may not submit tasks to the pool `{}`", self.me.user(), self.names.pool()),
                format!("the server does not permit it to publish to `{tasks}`"),
            );
            (self.is_denied, self.is_refusing) = (true, true);
            self.note_refusal(&error);
            self.events.refuse(Some(error.clone()));
            self.events.fail_queued(&error);
        }
    }

    /// The engine does not do what it should.
    fn trouble(&mut self, reason: String, may_be_missing: bool) {
        match &mut self.away {
            Some((_, last)) => *last = reason,
            away => *away = Some((Instant::now(), reason)),
        }
        let is_due = self.ensured.is_none_or(|then| then.elapsed() >= TICK);
        if may_be_missing && is_due && !self.is_ensuring {
            (self.is_ensuring, self.ensured) = (true, Some(Instant::now()));
            let (api, names, notices) = (self.api.clone(), self.names.clone(), self.notices.clone());
            tokio::spawn(async move {
                let result = assets::ensure_stream(&api, &names, REMOVAL, Instant::now() + ENSURE).await;
                let _ = notices.send(Notice::Ensured(result));
            });
        }
    }

    /// The engine does what it should.
    fn well(&mut self) {
        self.away = None;
        if !self.is_denied && std::mem::take(&mut self.is_refusing) {
            self.events.refuse(None);
        }
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Ensured(result) => {
                self.is_ensuring = false;
                match result {
                    Ok(()) => self.well(),
                    Err(Missing { error, lasts }) => {
                        self.trouble(error.to_string(), false);
                        if lasts {
                            self.events.fail_queued(&error);
                        }
                    }
                }
            }
            Notice::Called(result) => {
                self.is_calling = false;
                self.called(result);
            }
        }
    }

    fn tick(&mut self) {
        let now = Instant::now();
        if now - std::mem::replace(&mut self.ticked, now) > STOPPED {
            self.queued = None;
            self.heard = self.heard.map(|_| now);
            self.away = self.away.take().map(|(_, reason)| (now, reason));
        }
        if let Some((since, reason)) = &self.away {
            if since.elapsed() < self.limits.unavailable_after {
                return;
            }
            let refusal =
                format!("the cluster has been away for more than {:?}: {reason}", self.limits.unavailable_after);
            let error = |rest: &str| Error::new(ErrorKind::Unavailable, format!("{refusal}; {rest}"));
            if self.events.is_closed() {
                // Whoever has closed the executor waits for its tasks, but not for ever.
                self.events.fail_all(&error("whether this task has run, or still does, is not known"));
            } else if !self.is_refusing {
                let error = error("tasks that were submitted before are kept");
                self.is_refusing = true;
                self.note_refusal(&error);
                self.events.refuse(Some(error));
            }
            return;
        }
        let counts = self.events.counts();
        if counts == Counts::default() {
            self.queued = None;
            return;
        }
        let is_unknown = self.slots == 0 && self.heard.is_some();
        let is_old = |called: Instant| called.elapsed() >= if is_unknown { TICK } else { CALL_AGAIN };
        if self.called.is_none_or(is_old) {
            self.call();
        }
        if counts.queued == 0 {
            self.queued = None;
            return;
        }
        let queued = *self.queued.get_or_insert_with(Instant::now);
        let silent = self.heard.map_or(queued, |heard| heard.max(queued));
        if silent.elapsed() >= self.limits.start_timeout {
            self.call();
        }
    }

    /// Asks who is there.
    fn call(&mut self) {
        if std::mem::replace(&mut self.is_calling, true) {
            return;
        }
        self.called = Some(Instant::now());
        let call = roll_call(self.client.clone(), self.status.clone(), self.names.clone(), self.me.clone());
        let notices = self.notices.clone();
        tokio::spawn(async move {
            let _ = notices.send(Notice::Called(call.await));
        });
    }

    /// The agents have answered. If tasks have waited for too long for one of this build, they fail.
    fn called(&mut self, result: Result<Vec<WorkerInfo>, Refusal>) {
        let workers = match result {
            Ok(workers) => Some(workers),
            Err(Refusal::Denied) => None,
            // The connection is away, and this is asked again when it is back.
            Err(_) => return,
        };
        let own =
            workers.iter().flatten().filter(|worker| !worker.is_leaving && short(&worker.build) == self.names.build());
        let slots: usize = own.map(|worker| worker.slots).sum();
        self.slots = slots;
        if slots > 0 {
            self.heard = Some(Instant::now());
            self.events.set_max_workers(slots);
            return;
        }
        let Some(queued) = self.queued else { return };
        let silent = self.heard.map_or(queued, |heard| heard.max(queued));
        if silent.elapsed() < self.limits.start_timeout {
            return;
        }
        if workers.is_none() && self.heard.is_some() {
            // It may not ask, and there was an agent, which may be busy with the tasks of others.
            self.heard = Some(Instant::now());
            return;
        }
        self.queued = None;
        let error = self.no_workers(workers);
        self.note_refusal(&error);
        self.events.fail_queued(&error);
    }

    fn note_refusal(&self, error: &Error) {
        self.events.note(|| Event::Refused { pool: self.names.pool().to_string(), reason: error.to_string() });
    }

    fn no_workers(&self, workers: Option<Vec<WorkerInfo>>) -> Error {
        let there = match workers {
            None => format!(
                "which builds are there is not known, because the server does not permit this user to publish to `{}`",
                self.names.roll_call(&self.me)
            ),
            Some(workers) if workers.is_empty() => "no agent is there at all".to_string(),
            Some(workers) => {
                let builds: BTreeSet<String> = workers
                    .iter()
                    .map(|worker| format!("build {} on `{}`", short(&worker.build), worker.host))
                    .collect();
                format!("there are agents of {}", builds.into_iter().collect::<Vec<_>>().join(", "))
            }
        };
        Error::new(
            ErrorKind::NoWorkers,
            format!(
                "no agent of build {} has appeared in the pool `{}` within {:?}: {there}; start this very file as an \
                 agent, with `cluster::init()` or `cluster::serve`",
                self.names.build(),
                self.names.pool(),
                self.limits.start_timeout
            ),
        )
    }
}

/// Returns the error in the answer to a task that was published.
fn refusal(payload: &[u8]) -> Option<Value> {
    const KEY: &[u8] = b"\"error\"";
    if !payload.windows(KEY.len()).any(|bytes| bytes == KEY) {
        return None;
    }
    let answer: Value = serde_json::from_slice(payload).ok()?;
    answer.get("error").cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_task_is_read() {
        assert_eq!(refusal(br#"{"stream":"EXQ_p", "seq":7}"#), None);
        let full = br#"{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"seq":0}"#;
        assert_eq!(refusal(full).expect("it is one")["err_code"], STORE_FULL);
        assert_eq!(refusal(b"\"error\" {"), None);
    }
}
