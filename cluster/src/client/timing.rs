//! How long a client waits for what.

use std::time::Duration;

/// How long a client waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// An agent that does not answer for so long is lost, with the tasks that it has.
    pub grace: Duration,
    /// An agent that has tasks, and has sent nothing for so long, is asked whether it is there.
    pub ping: Duration,
    /// A task is published again if the engine does not confirm it for so long.
    pub publish_again: Duration,
    /// How often the client looks for tasks that have vanished from the engine's queue. It must be longer than an agent
    /// keeps a message, and than the engine waits for an acknowledgement.
    pub check_store: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            grace: Duration::from_secs(10),
            ping: Duration::from_millis(500),
            publish_again: Duration::from_secs(2),
            check_store: Duration::from_secs(30),
        }
    }
}
