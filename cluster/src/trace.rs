//! Events for `tracing`, with the feature of that name.
//!
//! A subscriber is user code: it may be slow, panic, or use the same executor. So events of an executor are reported by
//! its thread for callbacks, and those of an agent by the thread that serves.

/// The events of an executor or an agent.
#[derive(Debug)]
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "nothing is reported without the feature"))]
pub(crate) enum Event {
    /// The executor is connected, for the first time or again.
    Connected { pool: String },
    /// The connection is lost.
    Disconnected { pool: String, reason: String },
    /// The executor refuses or fails tasks.
    Refused { pool: String, reason: String },
    /// A task was lost with its agent.
    TaskLost { task: u64, name: String, agent: String, attempts: u32 },
    /// The agent takes tasks.
    Serving { agent: String, pool: String, slots: usize },
    /// The agent takes no more tasks, because it was told to end, or for this reason.
    Leaving { agent: String, reason: Option<String> },
    /// The agent has ended, with all tasks done or not.
    Left { agent: String, is_idle: bool },
}

impl Event {
    /// Tells the subscriber. The caller holds no lock.
    #[cfg(feature = "tracing")]
    pub(crate) fn report(self) {
        executor_core::host::contain(|| self.tell());
    }

    #[cfg(not(feature = "tracing"))]
    pub(crate) fn report(self) {}

    #[cfg(feature = "tracing")]
    fn tell(&self) {
        use tracing::{info, warn};
        match self {
            Event::Connected { pool } => info!(target: "cluster", pool, "connected"),
            Event::Disconnected { pool, reason } => warn!(target: "cluster", pool, reason, "connection lost"),
            Event::Refused { pool, reason } => warn!(target: "cluster", pool, reason, "tasks refused"),
            Event::TaskLost { task, name, agent, attempts } => {
                warn!(target: "cluster", task, name, agent, attempts, "task lost");
            }
            Event::Serving { agent, pool, slots } => info!(target: "cluster", agent, pool, slots, "agent serves"),
            Event::Leaving { agent, reason: Some(reason) } => warn!(target: "cluster", agent, reason, "agent leaves"),
            Event::Leaving { agent, reason: None } => info!(target: "cluster", agent, "agent leaves"),
            Event::Left { agent, is_idle: true } => info!(target: "cluster", agent, "agent has left"),
            Event::Left { agent, is_idle: false } => warn!(target: "cluster", agent, "agent has stopped its tasks"),
        }
    }
}

/// Returns whether anyone may want such events. This calls no subscriber.
pub(crate) fn is_wanted() -> bool {
    #[cfg(feature = "tracing")]
    return tracing::level_filters::LevelFilter::current() >= tracing::Level::WARN;
    #[cfg(not(feature = "tracing"))]
    false
}
