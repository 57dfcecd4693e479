//! Records with keys, which are changed by compare-and-set.

use std::time::Duration;

use async_nats::{
    Client, HeaderMap, header,
    jetstream::{
        self,
        kv::Config,
        message::PublishMessage,
        stream::{LastRawMessageErrorKind, Republish},
    },
};
use futures_util::StreamExt as _;
use tokio::time::timeout;

use super::{
    Failure,
    ensure::{Ensure, has_name},
};

/// How long the engine may take for the next of many answers.
const ANSWER: Duration = Duration::from_secs(5);

/// How long the mark of a removed record stays. Then the record is as one that never was.
const REMOVED: Duration = Duration::from_secs(60);

/// The header with what a message does to its record.
const OPERATION: &str = "KV-Operation";
const REMOVE: &str = "DEL";

/// A bucket of records. Each change has a revision, which grows over the whole bucket and is never used twice.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    client: Client,
    context: jetstream::Context,
    name: String,
    /// Whether each change is told to those who wait for it.
    tells: bool,
    replicas: usize,
}

/// The last change of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// `None` if the record was removed, or its time has run out.
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) revision: u64,
}

/// What a change may depend on, and how long the record stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    pub(crate) key: String,
    /// `None` removes the record.
    pub(crate) value: Option<Vec<u8>>,
    /// Must be the revision of the last change; 0 if there is none.
    pub(crate) expected: Option<u64>,
    /// After this time the record is removed. Whole seconds.
    pub(crate) lifetime: Option<Duration>,
    /// Makes a change that is sent again harmless. No two changes have the same.
    pub(crate) id: String,
}

/// The changes of one record. Some may be missing, while the connection is lost.
pub(crate) struct Changes(async_nats::Subscriber);

impl Changes {
    /// Waits for the next change. Returns `false` if there are no more.
    pub(crate) async fn next(&mut self) -> bool {
        self.0.next().await.is_some()
    }
}

impl Bucket {
    /// Opens a bucket without asking the engine whether it is there. `name` has letters, digits, `-` and `_`.
    pub(super) fn new(
        client: Client,
        context: jetstream::Context,
        name: String,
        tells: bool,
        replicas: usize,
    ) -> Bucket {
        Bucket { client, context, name, tells, replicas }
    }

    /// Makes the bucket if it is not there.
    pub(crate) async fn make(&self) -> Result<(), Failure> {
        match self.context.get_stream(self.stream()).await.map_err(|error| Failure::of(&error)) {
            Err(Failure::Missing) => {}
            other => return other.map(drop),
        }
        let republish = self.tells.then(|| Republish {
            source: format!("$KV.{}.>", self.name),
            destination: self.told(">"),
            headers_only: true,
        });
        let config = Config {
            bucket: self.name.clone(),
            history: 1,
            num_replicas: self.replicas,
            limit_markers: Some(REMOVED),
            republish,
            ..Config::default()
        };
        match self.context.create_key_value(config).await.map_err(|error| Failure::of(&error)) {
            // Another program has made it at the same moment, with options of its own.
            Err(Failure::Exists) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Returns the last change of a record.
    pub(crate) async fn read(&self, key: &str) -> Result<Option<Record>, Failure> {
        // This does not ask the engine yet.
        let stream = self.context.get_stream_no_info(self.stream()).await.map_err(|error| Failure::of(&error))?;
        match stream.get_last_raw_message_by_subject(&self.subject(key)).await {
            Ok(message) => {
                let value = is_value(&message.headers).then(|| message.payload.into());
                Ok(Some(Record { value, revision: message.sequence }))
            }
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(Failure::of(&error)),
        }
    }

    /// Changes a record, and returns the revision. A change that the engine has already made is not made again.
    pub(crate) async fn write(&self, change: &Change) -> Result<u64, Failure> {
        let mut message = PublishMessage::build().message_id(&change.id);
        let mut lifetime = change.lifetime;
        match &change.value {
            Some(value) => message = message.payload(value.clone().into()),
            None => {
                message = message.header(OPERATION, REMOVE);
                lifetime = Some(REMOVED);
            }
        }
        if let Some(lifetime) = lifetime {
            message = message.ttl(lifetime);
        }
        if let Some(expected) = change.expected {
            message = message.expected_last_subject_sequence(expected);
        }
        let sent = self.context.send_publish(self.subject(&change.key), message).await;
        let stored = sent.map_err(|error| Failure::of_publish(&error))?.await;
        Ok(stored.map_err(|error| Failure::of_publish(&error))?.sequence)
    }

    /// Returns the keys of all records.
    pub(crate) async fn keys(&self) -> Result<Vec<String>, Failure> {
        let store = self.context.get_key_value(&self.name).await.map_err(|error| Failure::of(&error))?;
        let mut keys = store.keys().await.map_err(|error| Failure::of(&error))?;
        let mut all = Vec::new();
        loop {
            let next = timeout(ANSWER, keys.next()).await;
            match next.map_err(|_| Failure::Away("it does not send all keys".into()))? {
                Some(key) => all.push(key.map_err(|error| Failure::of(&error))?),
                None => return Ok(all),
            }
        }
    }

    /// Returns the longest message, in bytes.
    pub(crate) fn longest(&self) -> usize {
        self.client.max_payload()
    }

    /// Follows the changes of a record, if this bucket tells them.
    pub(crate) async fn changes(&self, key: &str) -> Result<Changes, Failure> {
        let changes = self.client.subscribe(self.told(key)).await;
        changes.map(Changes).map_err(|error| Failure::Away(error.to_string()))
    }

    fn stream(&self) -> String {
        format!("KV_{}", self.name)
    }

    fn subject(&self, key: &str) -> String {
        format!("$KV.{}.{key}", self.name)
    }

    /// Returns the subject on which the engine repeats the changes of a record, those that it makes itself too.
    fn told(&self, key: &str) -> String {
        format!("ex.k.{}.{key}", self.name)
    }
}

impl Ensure for Bucket {
    async fn ensure(&self) -> Result<(), Failure> {
        self.make().await
    }

    fn is_named_in(&self, denial: &str) -> bool {
        has_name(denial, &self.stream()) || has_name(denial, &format!("$KV.{}", self.name))
    }
}

/// Returns whether a message with these headers sets a value.
fn is_value(headers: &HeaderMap) -> bool {
    headers.get(OPERATION).is_none() && headers.get(header::NATS_MARKER_REASON).is_none()
}
