//! What a pool needs in the engine: a stream, and a consumer for each build.

use std::time::Duration;

use executor_core::Error;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    api::{Api, Refusal},
    names::{Kind, Names},
    room::Room,
};

/// After this time the engine delivers a message again that no agent has acknowledged. Agents give one back before.
const ACK_WAIT: Duration = Duration::from_secs(10);

/// Messages are dropped after this time, and so are large values, and the consumers of builds that no agent has any
/// more. A client that lives so long notices that its messages are gone, and publishes its tasks again.
const FORGOTTEN: Duration = Duration::from_secs(24 * 3600);

/// How long a stream that is missing is left alone before it is made, if it was there before. A server goes on deleting
/// its files after it has told that it is gone, and would delete those of a new one of the same name too.
pub(super) const REMOVAL: Duration = Duration::from_secs(2);

/// Copies of a task are harmless, so the engine need not recognise them.
const DUPLICATES: Duration = Duration::from_millis(100);

/// How a stream is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamOptions {
    pub(crate) replicas: usize,
    pub(crate) capacity: Option<u64>,
    pub(crate) capacity_per_client: Option<u64>,
    pub(crate) in_memory: bool,
    /// How many bytes of tasks it holds.
    pub(crate) bytes: Option<u64>,
}

/// How the stores for large values are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoreOptions {
    /// How many bytes of arguments, and of outcomes, each user may have.
    pub(crate) arguments: Option<u64>,
    pub(crate) outcomes: Option<u64>,
}

impl StoreOptions {
    fn bytes(self, kind: Kind) -> Option<u64> {
        match kind {
            Kind::Arguments => self.arguments,
            Kind::Outcomes => self.outcomes,
        }
    }
}

/// The room for tasks, and that for values of each kind, if no one says otherwise.
const QUEUE_ROOM: Room = Room::Part(4);
const STORE_ROOM: Room = Room::Part(2);

impl Default for StreamOptions {
    fn default() -> StreamOptions {
        StreamOptions { replicas: 1, capacity: None, capacity_per_client: None, in_memory: false, bytes: None }
    }
}

impl StreamOptions {
    fn config(&self, names: &Names) -> Value {
        let bound = |bound: Option<u64>| bound.map_or(-1, |bound| i64::try_from(bound).unwrap_or(i64::MAX));
        json!({
            "name": names.stream(),
            "subjects": [names.all_tasks()],
            "retention": "workqueue",
            "storage": if self.in_memory { "memory" } else { "file" },
            "num_replicas": self.replicas,
            "discard": "new",
            "discard_new_per_subject": self.capacity_per_client.is_some(),
            "max_msgs": bound(self.capacity),
            "max_msgs_per_subject": bound(self.capacity_per_client),
            "max_bytes": -1,
            "max_age": nanoseconds(FORGOTTEN),
            "max_msg_size": -1,
            "max_consumers": -1,
            "duplicate_window": nanoseconds(DUPLICATES),
        })
    }
}

fn consumer(names: &Names) -> Value {
    json!({
        "stream_name": names.stream(),
        "action": "",
        "config": {
            "name": names.consumer(),
            "durable_name": names.consumer(),
            "filter_subject": names.tasks_of_build(),
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "replay_policy": "instant",
            "ack_wait": nanoseconds(ACK_WAIT),
            "max_deliver": -1,
            "max_ack_pending": 65_536,
            "max_waiting": 8192,
            "inactive_threshold": nanoseconds(FORGOTTEN),
        },
    })
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Why something is missing.
#[derive(Clone, Debug)]
pub(super) struct Missing {
    pub(super) error: Error,
    /// Whether only an administrator can change that.
    pub(super) lasts: bool,
}

impl Missing {
    fn new(refusal: Refusal, wanted: &str) -> Missing {
        let lasts = !matches!(refusal, Refusal::NotNow(_));
        Missing { error: refusal.into_error(wanted), lasts }
    }
}

/// Makes the stream, after a pause, unless it exists. A user who may not look whether it exists finds that out by
/// publishing.
pub(super) async fn ensure_stream(api: &Api, names: &Names, pause: Duration, until: Instant) -> Result<(), Missing> {
    let info = format!("STREAM.INFO.{}", names.stream());
    match api.persist::<Value>(&info, &Value::Null, until).await {
        Ok(_) | Err(Refusal::Denied) => Ok(()),
        Err(Refusal::Missing) => create_stream(api, names, pause, until).await,
        Err(refusal) => Err(Missing::new(refusal, &format!("the queue of the pool `{}` cannot be used", names.pool()))),
    }
}

async fn create_stream(api: &Api, names: &Names, pause: Duration, until: Instant) -> Result<(), Missing> {
    tokio::time::sleep(pause).await;
    match QUEUE_ROOM.create(api, &names.stream(), StreamOptions::default().config(names), until).await {
        Ok(()) => Ok(()),
        // Someone else has made it at this moment, with other options.
        Err(Refusal::Failed(reason)) if reason.contains(IN_USE) => Ok(()),
        Err(refusal) => Err(Missing::new(
            refusal,
            &format!(
                "the pool `{0}` has no queue, and this program cannot make it; let an administrator call \
                 `cluster::provision(url, Provision::new().pool({0:?}))`",
                names.pool()
            ),
        )),
    }
}

/// Makes the consumer of this build, and the stream too, after a pause, if it is missing.
pub(super) async fn ensure_consumer(api: &Api, names: &Names, pause: Duration, until: Instant) -> Result<(), Missing> {
    let operation = format!("CONSUMER.CREATE.{}.{}.{}", names.stream(), names.consumer(), names.tasks_of_build());
    let refused =
        |refusal| Missing::new(refusal, &format!("this program cannot take tasks from the pool `{}`", names.pool()));
    match api.persist::<Value>(&operation, &consumer(names), until).await {
        Ok(_) => return Ok(()),
        Err(Refusal::Missing) => create_stream(api, names, pause, until).await?,
        Err(refusal) => return Err(refused(refusal)),
    }
    api.persist::<Value>(&operation, &consumer(names), until).await.map(|_| ()).map_err(refused)
}

/// Makes the stream and the stores of these users with these options, or changes them to that.
pub(super) async fn provision(
    api: &Api,
    names: &Names,
    options: StreamOptions,
    stores: StoreOptions,
    clients: &[String],
    until: Instant,
) -> Result<(), Error> {
    let what = |refusal: Refusal, what: &str| refusal.into_error(&format!("{what} cannot be made"));
    let made = make(api, &names.stream(), options.config(names), options.bytes, QUEUE_ROOM, until).await;
    made.map_err(|refusal| what(refusal, &format!("the pool `{}`", names.pool())))?;
    for client in clients {
        for kind in [Kind::Arguments, Kind::Outcomes] {
            let bucket = names.values(kind, client);
            let config = store_config(&bucket, options.replicas as u64);
            let made = make(api, &format!("OBJ_{bucket}"), config, stores.bytes(kind), STORE_ROOM, until).await;
            made.map_err(|refusal| what(refusal, &format!("the store `{bucket}` for large values")))?;
        }
    }
    Ok(())
}

/// Makes a stream, or changes one that exists. Without `bytes` one that exists keeps its bound.
async fn make(
    api: &Api,
    name: &str,
    mut config: Value,
    bytes: Option<u64>,
    room: Room,
    until: Instant,
) -> Result<(), Refusal> {
    let bound = match api.persist::<Value>(&format!("STREAM.INFO.{name}"), &Value::Null, until).await {
        Ok(info) => bytes.or(Room::bound(&info)),
        Err(Refusal::Missing) => return bytes.map_or(room, Room::Bytes).create(api, name, config, until).await,
        Err(refusal) => return Err(refusal),
    };
    config["max_bytes"] = json!(bound.map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX)));
    api.persist::<Value>(&format!("STREAM.UPDATE.{name}"), &config, until).await.map(|_| ())
}

/// Makes the object stores of a user for large values, unless they exist. Both are made together, so that the first one
/// does not fill what the second one needs.
pub(super) async fn create_stores(api: &Api, names: &Names, user: &str, until: Instant) -> Result<(), Refusal> {
    // Values are as safe as the tasks that name them.
    let info = api.request::<Value>(&format!("STREAM.INFO.{}", names.stream()), &Value::Null).await;
    let replicas = info.ok().and_then(|info| info["config"]["num_replicas"].as_u64()).unwrap_or(1);
    for kind in [Kind::Arguments, Kind::Outcomes] {
        let bucket = names.values(kind, user);
        match STORE_ROOM.create(api, &format!("OBJ_{bucket}"), store_config(&bucket, replicas), until).await {
            // It exists already, with other options, or someone else has made it at this moment.
            Err(Refusal::Failed(reason)) if reason.contains(IN_USE) => {}
            answer => answer?,
        }
    }
    Ok(())
}

/// Says in an error that there is a stream of this name, with other options.
const IN_USE: &str = "already in use";

fn store_config(bucket: &str, replicas: u64) -> Value {
    json!({
        "name": format!("OBJ_{bucket}"),
        "subjects": [format!("$O.{bucket}.C.>"), format!("$O.{bucket}.M.>")],
        "retention": "limits",
        "storage": "file",
        "num_replicas": replicas,
        "discard": "new",
        "max_msgs": -1,
        "max_msgs_per_subject": -1,
        "max_bytes": -1,
        "max_age": nanoseconds(FORGOTTEN),
        "max_msg_size": -1,
        "max_consumers": -1,
        "allow_rollup_hdrs": true,
        // The engine would answer a direct get with a value as it is, wherever the one who asks wants that answer: a
        // client could store a frame, and let the engine send it to another one. Its other answers are JSON.
        "allow_direct": false,
    })
}
