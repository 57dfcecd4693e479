//! What a pool needs in the engine: a stream, and a consumer for each build.

use std::time::Duration;

use executor_core::Error;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    api::{Api, Refusal},
    names::Names,
};

/// After this time the engine delivers a message again that no agent has acknowledged. Agents give one back before.
const ACK_WAIT: Duration = Duration::from_secs(10);

/// Messages are dropped after this time, and so are large values, and the consumers of builds that no agent has any
/// more. A client that lives so long notices that its messages are gone, and publishes its tasks again.
const FORGOTTEN: Duration = Duration::from_secs(24 * 3600);

/// Copies of a task are harmless, so the engine need not recognise them.
const DUPLICATES: Duration = Duration::from_millis(100);

/// How a stream is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamOptions {
    pub(crate) replicas: usize,
    pub(crate) capacity: Option<u64>,
    pub(crate) capacity_per_client: Option<u64>,
    pub(crate) in_memory: bool,
}

impl Default for StreamOptions {
    fn default() -> StreamOptions {
        StreamOptions { replicas: 1, capacity: None, capacity_per_client: None, in_memory: false }
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

/// Makes the stream, unless it exists. A user who may not look whether it exists finds that out by publishing.
pub(super) async fn ensure_stream(api: &Api, names: &Names, until: Instant) -> Result<(), Missing> {
    let info = format!("STREAM.INFO.{}", names.stream());
    match api.persist::<Value>(&info, &Value::Null, until).await {
        Ok(_) | Err(Refusal::Denied) => Ok(()),
        Err(Refusal::Missing) => create_stream(api, names, until).await,
        Err(refusal) => Err(Missing::new(refusal, &format!("the queue of the pool `{}` cannot be used", names.pool()))),
    }
}

async fn create_stream(api: &Api, names: &Names, until: Instant) -> Result<(), Missing> {
    let operation = format!("STREAM.CREATE.{}", names.stream());
    match api.persist::<Value>(&operation, &StreamOptions::default().config(names), until).await {
        Ok(_) => Ok(()),
        // Someone else has made it at this moment, with other options.
        Err(Refusal::Failed(reason)) if reason.contains("already in use") => Ok(()),
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

/// Makes the consumer of this build, and the stream too if it is missing.
pub(super) async fn ensure_consumer(api: &Api, names: &Names, until: Instant) -> Result<(), Missing> {
    let operation = format!("CONSUMER.CREATE.{}.{}.{}", names.stream(), names.consumer(), names.tasks_of_build());
    let refused =
        |refusal| Missing::new(refusal, &format!("this program cannot take tasks from the pool `{}`", names.pool()));
    match api.persist::<Value>(&operation, &consumer(names), until).await {
        Ok(_) => return Ok(()),
        Err(Refusal::Missing) => create_stream(api, names, until).await?,
        Err(refusal) => return Err(refused(refusal)),
    }
    api.persist::<Value>(&operation, &consumer(names), until).await.map(|_| ()).map_err(refused)
}

/// Makes the stream with these options, or changes it to them.
pub(super) async fn provision(
    api: &Api,
    names: &Names,
    options: StreamOptions,
    clients: &[String],
    until: Instant,
) -> Result<(), Error> {
    let config = options.config(names);
    let update = format!("STREAM.UPDATE.{}", names.stream());
    let create = format!("STREAM.CREATE.{}", names.stream());
    let answer = match api.persist::<Value>(&update, &config, until).await {
        Err(Refusal::Missing) => api.persist::<Value>(&create, &config, until).await,
        answer => answer,
    };
    let refused = |refusal: Refusal| refusal.into_error(&format!("the pool `{}` cannot be made", names.pool()));
    answer.map_err(refused)?;
    for client in clients {
        create_store(api, &names.values(client), options.replicas as u64).await.map_err(refused)?;
    }
    Ok(())
}

/// Makes an object store for large values, unless it exists.
pub(super) async fn create_store(api: &Api, bucket: &str, replicas: u64) -> Result<(), Refusal> {
    let config = json!({
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
        "allow_direct": true,
    });
    match api.request::<Value>(&format!("STREAM.CREATE.OBJ_{bucket}"), &config).await {
        // It exists already, with other options, or someone else has made it at this moment.
        Err(Refusal::Failed(reason)) if reason.contains("already in use") => Ok(()),
        answer => answer.map(|_| ()),
    }
}
