//! The conformance harnesses of this project's back-ends.

use std::sync::Arc;

use conformance::{Capabilities, Harness, HubAddress, Setup};
use executor_core::{Backend, Error, ErrorKind, InlineExecutor};
use process_pool::{ProcessPoolBuilder, ProcessPoolExecutor, Sandbox, Transport};
use thread_pool::{RayonExecutor, ThreadPoolExecutor};

/// The harness of `InlineExecutor`.
#[derive(Clone, Copy, Debug)]
pub struct Inline;

impl Harness for Inline {
    fn name(&self) -> &str {
        "inline"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { shares_memory: true, helps_waiters: true, has_handle: true, ..Capabilities::NONE }
    }

    fn executor(&self, _: &Setup) -> Result<Box<dyn Backend>, Error> {
        Ok(Box::new(InlineExecutor::new()))
    }
}

/// The harness of `InlineExecutor::encoding`.
#[derive(Clone, Copy, Debug)]
pub struct Encoding;

impl Harness for Encoding {
    fn name(&self) -> &str {
        "inline, encoding"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { encodes: true, ..Inline.capabilities() }
    }

    fn executor(&self, _: &Setup) -> Result<Box<dyn Backend>, Error> {
        Ok(Box::new(InlineExecutor::encoding()))
    }
}

/// The harness of `ThreadPoolExecutor`.
#[derive(Clone, Copy, Debug)]
pub struct Threads;

impl Harness for Threads {
    fn name(&self) -> &str {
        "threads"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            concurrent: true,
            ordered: true,
            prioritises: true,
            bounded: true,
            shares_memory: true,
            helps_waiters: true,
            owns_workers: true,
            has_handle: true,
            gives_room: true,
            ..Capabilities::NONE
        }
    }

    fn executor(&self, setup: &Setup) -> Result<Box<dyn Backend>, Error> {
        let mut builder = ThreadPoolExecutor::builder().max_workers(setup.workers);
        if let Some(tasks) = setup.queue_capacity {
            builder = builder.queue_capacity(tasks);
        }
        Ok(Box::new(builder.build()?))
    }
}

/// The harness of `RayonExecutor`, with a rayon pool of its own.
#[derive(Clone, Copy, Debug)]
pub struct Rayon;

impl Harness for Rayon {
    fn name(&self) -> &str {
        "rayon"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            concurrent: true,
            ordered: true,
            prioritises: true,
            shares_memory: true,
            helps_waiters: true,
            has_handle: true,
            ..Capabilities::NONE
        }
    }

    fn executor(&self, setup: &Setup) -> Result<Box<dyn Backend>, Error> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(setup.workers).build();
        let pool = pool.map_err(|error| Error::new(executor_core::ErrorKind::Other, error.to_string()))?;
        Ok(Box::new(RayonExecutor::new(Arc::new(pool))))
    }
}

/// The harness of `ProcessPoolExecutor` over a transport.
#[derive(Clone, Copy, Debug)]
pub struct Processes(pub Transport);

impl Harness for Processes {
    fn name(&self) -> &str {
        match self.0 {
            Transport::Ring => "processes on rings",
            Transport::Socket => "processes on sockets",
            _ => "processes",
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            concurrent: true,
            ordered: true,
            prioritises: true,
            bounded: true,
            encodes: true,
            isolates: true,
            stops_tasks: true,
            owns_workers: true,
            has_handle: true,
            gives_room: true,
            ..Capabilities::NONE
        }
    }

    fn executor(&self, setup: &Setup) -> Result<Box<dyn Backend>, Error> {
        Ok(Box::new(processes(self.0, setup).build()?))
    }
}

fn processes(transport: Transport, setup: &Setup) -> ProcessPoolBuilder {
    let builder = ProcessPoolExecutor::builder().max_workers(setup.workers).transport(transport);
    match setup.queue_capacity {
        Some(tasks) => builder.queue_capacity(tasks),
        None => builder,
    }
}

/// The harness of `ProcessPoolExecutor` over a transport, with workers in `Sandbox::compute()`.
///
/// Tasks cannot connect to gates there, so each worker connects before it is locked in.
#[derive(Clone, Copy, Debug)]
pub struct Contained(pub Transport);

impl Harness for Contained {
    fn name(&self) -> &str {
        match self.0 {
            Transport::Ring => "contained processes on rings",
            Transport::Socket => "contained processes on sockets",
            _ => "contained processes",
        }
    }

    fn capabilities(&self) -> Capabilities {
        Processes(self.0).capabilities()
    }

    fn executor(&self, setup: &Setup) -> Result<Box<dyn Backend>, Error> {
        let hub = HubAddress::of_this_process().map_err(|cause| Error::new(ErrorKind::Other, cause.to_string()))?;
        // A task is at one gate at a time.
        let connect = |hub: HubAddress| hub.connect(1);
        let builder = || processes(self.0, setup).try_initializer(connect, hub);
        // Workers of tests look there for what becomes of their standard error.
        match builder().sandbox(Sandbox::compute().inherit_env("TEST_OUTPUT")).build() {
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                eprintln!("not in a sandbox: {error}");
                Ok(Box::new(builder().build()?))
            }
            pool => Ok(Box::new(pool?)),
        }
    }
}
