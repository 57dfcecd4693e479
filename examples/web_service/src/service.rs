//! What happens to a request.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use concurrent_futures::{ErrorKind, Executor as _, ProcessPoolExecutor};
use tokio::time::timeout;

use crate::parser::count_words;

/// The state of the service.
#[derive(Debug)]
pub struct Service {
    /// Its queue is bounded, so that a burst of requests is refused and not kept in memory.
    pub pool: ProcessPoolExecutor,
    /// How long a request may take.
    pub time_limit: Duration,
}

type Answer = (StatusCode, String);

/// Returns the routes.
pub fn router(service: Arc<Service>) -> Router {
    Router::new().route("/count", post(count)).route("/stats", get(stats)).with_state(service)
}

/// Counts the words of the body.
async fn count(State(service): State<Arc<Service>>, document: String) -> Answer {
    // `submit` would block this thread of the runtime while the queue is full.
    let task = match service.pool.try_submit(count_words, document) {
        Ok(task) => task,
        Err(error) => return refused(error.kind(), error.to_string()),
    };
    // If the client goes away, the server drops this function where it waits. That drops the guard, which stops the
    // task.
    let mut task = task.terminate_on_drop(Duration::ZERO);
    match timeout(service.time_limit, &mut task).await {
        Ok(Ok(words)) => (StatusCode::OK, words.to_string()),
        Ok(Err(error)) => refused(error.kind(), error.to_string()),
        // Here the guard is dropped, too.
        Err(_) => (StatusCode::GATEWAY_TIMEOUT, format!("not done after {:?}", service.time_limit)),
    }
}

fn refused(kind: ErrorKind, message: String) -> Answer {
    let status = match kind {
        ErrorKind::QueueFull | ErrorKind::ShutDown => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, message)
}

/// Reports what the pool is doing.
async fn stats(State(service): State<Arc<Service>>) -> String {
    service.pool.stats().to_string()
}
