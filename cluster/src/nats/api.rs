//! Requests to the engine's management.

use std::time::Duration;

use async_nats::{
    Client,
    jetstream::{self, ErrorCode, context::RequestErrorKind, response::Response},
};
use executor_core::Error;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{sync::watch, time::Instant};

use super::{Status, unavailable::unavailable};

/// How long the management may take to answer. It takes a millisecond, or seconds while replicas choose a leader.
const ANSWER: Duration = Duration::from_secs(5);

/// How long to wait before a request is repeated.
const PAUSE: Duration = Duration::from_millis(250);

/// The codes with which a server, or all servers of a cluster, refuse to reserve so many bytes: on the disk, in the
/// memory, and on any machine.
const NO_ROOM: [u64; 3] = [10_047, 10_028, 10_005];

/// The code with which a server cannot store a stream: one of the same name is still being deleted, or its disk does
/// not work.
const NOT_STORED: u64 = 10_049;

/// Requests to the engine's management, on one connection.
#[derive(Clone)]
pub(super) struct Api {
    context: jetstream::Context,
    status: watch::Receiver<Status>,
}

/// Why a request was not done.
#[derive(Debug)]
pub(super) enum Refusal {
    /// This connection may not do that.
    Denied,
    /// What it is about does not exist.
    Missing,
    /// There is no answer, or one that says that nothing can be done now. It may be different in a second.
    NotNow(String),
    /// The engine has no room for it.
    Full(String),
    /// The management refuses it for another reason.
    Failed(String),
}

impl Refusal {
    /// Returns an error that says what was wanted.
    pub(super) fn into_error(self, wanted: &str) -> Error {
        match self {
            Refusal::Denied => unavailable(wanted, "the server does not permit it to this user"),
            Refusal::Missing => unavailable(wanted, "it does not exist"),
            Refusal::NotNow(reason) | Refusal::Full(reason) | Refusal::Failed(reason) => unavailable(wanted, reason),
        }
    }
}

impl Api {
    /// Call it in a future that the engine runs, because it starts one of its own.
    pub(super) fn new(client: Client, status: watch::Receiver<Status>) -> Api {
        Api { context: jetstream::ContextBuilder::new().timeout(ANSWER).build(client), status }
    }

    /// Sends one request. A permission that is missing is found at once, and not by the time that runs out.
    pub(super) async fn request<T: DeserializeOwned>(&self, operation: &str, body: &Value) -> Result<T, Refusal> {
        let subject = format!("$JS.API.{operation}");
        let mut status = self.status.clone();
        let denied = status.wait_for(|status| status.denies(&subject));
        tokio::select! {
            answer = self.context.request::<_, _, Response<T>>(operation.to_string(), body) => match answer {
                Ok(Response::Ok(answer)) => Ok(answer),
                Ok(Response::Err { error }) => Err(match error.error_code() {
                    ErrorCode::STREAM_NOT_FOUND | ErrorCode::CONSUMER_NOT_FOUND => Refusal::Missing,
                    code if NO_ROOM.contains(&code.0) => Refusal::Full(error.to_string()),
                    // The cluster has no leader, or one that does not answer.
                    code if error.code() == 503 || code.0 == NOT_STORED => Refusal::NotNow(error.to_string()),
                    _ => Refusal::Failed(error.to_string()),
                }),
                Err(error) => Err(match error.kind() {
                    RequestErrorKind::NoResponders => Refusal::NotNow(
                        "JetStream does not answer: it is not enabled (`nats-server -js`), or has no leader yet".into(),
                    ),
                    _ => Refusal::NotNow(format!("JetStream does not answer: {error}")),
                }),
            },
            Ok(_) = denied => Err(Refusal::Denied),
        }
    }

    /// Sends a request, and again until there is an answer or the time has run out.
    pub(super) async fn persist<T: DeserializeOwned>(
        &self,
        operation: &str,
        body: &Value,
        until: Instant,
    ) -> Result<T, Refusal> {
        loop {
            match self.request(operation, body).await {
                Err(Refusal::NotNow(_)) if Instant::now() + PAUSE < until => tokio::time::sleep(PAUSE).await,
                answer => return answer,
            }
        }
    }
}
