//! Asking all agents of a pool who they are.

use std::time::Duration;

use async_nats::{Client, Message, StatusCode};
use futures_util::StreamExt as _;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::{
    Status,
    api::Refusal,
    names::{Names, sender},
};
use crate::{unique, wire::Peer, worker_info::WorkerInfo};

/// How long the first answer may take.
const FIRST: Duration = Duration::from_millis(1000);

/// How long to wait for another answer. All agents answer at the same moment, and no one knows how many there are.
const NEXT: Duration = Duration::from_millis(150);

/// How long the call takes at most.
const LONGEST: Duration = Duration::from_secs(3);

/// Asks all agents of a pool, of any build, and returns those that have answered.
pub(super) async fn roll_call(
    client: Client,
    status: watch::Receiver<Status>,
    names: Names,
    me: Peer,
) -> Result<Vec<WorkerInfo>, Refusal> {
    let not_now = |error: &dyn std::fmt::Display| Refusal::NotNow(error.to_string());
    let (subject, inbox) = (names.roll_call(&me), format!("_INBOX_{}.{}", me.user(), unique::name()));
    let mut answers = client.subscribe(inbox.clone()).await.map_err(|error| not_now(&error))?;
    client.publish_with_reply(subject.clone(), inbox, "".into()).await.map_err(|error| not_now(&error))?;
    let mut workers: Vec<WorkerInfo> = Vec::new();
    let end = Instant::now() + LONGEST;
    let mut until = Instant::now() + FIRST;
    while let Ok(Some(message)) = timeout_at(until.min(end), answers.next()).await {
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            return Ok(workers);
        }
        // What is no description is no agent's answer.
        workers.extend(serde_json::from_slice::<WorkerInfo>(&message.payload).ok());
        until = Instant::now() + NEXT;
    }
    if workers.is_empty() {
        // The server would have said that no one listens, so the question or the answers were lost.
        return Err(match status.borrow().denies(&subject) {
            true => Refusal::Denied,
            false => Refusal::NotNow("no agent has answered".into()),
        });
    }
    workers.sort_by(|one, other| (&one.host, one.pid, &one.name).cmp(&(&other.host, other.pid, &other.name)));
    Ok(workers)
}

/// Answers a call, in the inbox of the user who has called and nowhere else. The server does not check where an answer
/// goes, so a client could otherwise let agents publish what it may not.
pub(super) async fn answer(client: &Client, names: &Names, call: Message, info: &WorkerInfo) {
    let (Some(caller), Some(reply)) = (sender(&call.subject, &names.roll_calls_under()), call.reply) else { return };
    let is_own = reply.strip_prefix("_INBOX_").and_then(|rest| rest.split_once('.'));
    if is_own.is_none_or(|(user, _)| user != caller.user()) {
        return;
    }
    if let Ok(text) = serde_json::to_vec(info) {
        // The caller asks again if it is lost.
        let _ = client.publish(reply, text.into()).await;
    }
}
