//! The rules that every back-end must follow.

use conformance::{Capabilities, Harness, Setup};
use executor_core::{Backend, Error};

use crate::loopback::Local;

/// A cluster with one agent.
struct Cluster;

impl Harness for Cluster {
    fn name(&self) -> &str {
        "a cluster in one process"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            concurrent: true,
            ordered: true,
            bounded: true,
            encodes: true,
            isolates: true,
            stops_tasks: true,
            has_handle: true,
            gives_room: true,
            ..Capabilities::NONE
        }
    }

    fn executor(&self, setup: &Setup) -> Result<Box<dyn Backend>, Error> {
        Ok(Box::new(Local::new(setup.workers, setup.queue_capacity)?))
    }
}

conformance::suite!(Cluster);
