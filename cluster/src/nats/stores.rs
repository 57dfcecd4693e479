//! Queues and buckets on a connection.

use std::{fmt, time::Duration};

use async_nats::{Client, jetstream};
use executor_core::Error;

use super::{Bucket, Engine, Lane, LaneOptions};

/// How long the thread of a connection may take to begin something.
const BEGIN: Duration = Duration::from_secs(30);

/// What makes queues and buckets on a connection.
#[derive(Clone)]
pub(crate) struct Stores {
    client: Client,
    /// One for all, because each has a task of its own.
    context: jetstream::Context,
}

impl Stores {
    pub(crate) fn new(engine: &Engine) -> Result<Stores, Error> {
        let client = engine.client();
        let begin = async move {
            let context = jetstream::new(client.clone());
            Ok(Stores { client, context })
        };
        engine.run(BEGIN, begin)
    }

    /// Returns a queue. The name has letters, digits, `-` and `_`.
    pub(crate) fn lane(&self, name: String, options: LaneOptions) -> Lane {
        Lane::new(self.client.clone(), self.context.clone(), name, options)
    }

    /// Returns a bucket. The name has letters, digits, `-` and `_`.
    pub(crate) fn bucket(&self, name: String, tells: bool, replicas: usize) -> Bucket {
        Bucket::new(self.client.clone(), self.context.clone(), name, tells, replicas)
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}
