//! The worker's part: what takes the events and records of tasks, and sends them.
//!
//! It is installed after the initializer, so an initializer that installs a subscriber or a logger of its own works as
//! in a worker without this. While the initializer runs, its events are sent as well, unless it runs them in another
//! thread.

mod channel;
#[cfg(feature = "log")]
mod logger;
mod spans;
mod subscriber;

use std::os::fd::OwnedFd;

use tracing::{Dispatch, dispatcher};

use super::Levels;
use subscriber::Forwarder;

/// The worker's part of this module, or nothing if the program wants no events.
pub(crate) struct Forwarding(Option<Installation>);

struct Installation {
    levels: Levels,
    dispatch: Dispatch,
}

impl Forwarding {
    /// Sends what these levels allow through this pipe.
    pub(crate) fn to(pipe: Option<OwnedFd>, levels: Levels) -> Forwarding {
        let Some(pipe) = pipe.filter(|_| !levels.is_off()) else { return Forwarding(None) };
        channel::open(pipe);
        Forwarding(Some(Installation { levels, dispatch: Dispatch::new(Forwarder::new(levels.filter())) }))
    }

    /// Runs the initializer.
    pub(crate) fn during_initializer<R>(&self, code: impl FnOnce() -> R) -> R {
        match &self.0 {
            Some(installation) if installation.levels.tracing > 0 => {
                dispatcher::with_default(&installation.dispatch, code)
            }
            _ => code(),
        }
    }

    /// Makes the subscriber and the logger those of this process, unless the program's own code has set others.
    pub(crate) fn install(&mut self) {
        let Some(Installation { levels, dispatch }) = &self.0 else { return };
        if levels.tracing > 0 {
            // An error means that the initializer has installed a subscriber, which then gets the events.
            let _ = dispatcher::set_global_default(dispatch.clone());
        }
        #[cfg(feature = "log")]
        logger::install(levels.log);
    }

    /// Notes that the task with this sequence number begins.
    #[inline]
    pub(crate) fn begin_task(&self, sequence: u64) {
        if self.0.is_some() {
            channel::set_sequence(sequence);
        }
    }

    /// Notes that the task has ended.
    #[inline]
    pub(crate) fn end_task(&self) {
        self.begin_task(0);
    }
}
