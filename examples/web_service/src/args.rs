//! The command line.

use std::{ffi::OsString, time::Duration};

use lexopt::prelude::*;

/// The options.
#[derive(Debug)]
pub struct Args {
    /// The address and the port. With port 0 the system chooses one.
    pub listen: String,
    /// How many requests are computed at the same time.
    pub workers: usize,
    /// How many requests may wait for a worker. Others get 503.
    pub queue: usize,
    /// How long a request may take, including the time in the queue. Then it gets 504.
    pub time_limit: Duration,
}

pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Args, lexopt::Error> {
    let mut parsed =
        Args { listen: "127.0.0.1:8080".to_owned(), workers: 4, queue: 16, time_limit: Duration::from_secs(5) };
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("listen") => parsed.listen = parser.value()?.string()?,
            Long("workers") => parsed.workers = parser.value()?.parse()?,
            Long("queue") => parsed.queue = parser.value()?.parse()?,
            Long("time-limit-ms") => parsed.time_limit = Duration::from_millis(parser.value()?.parse()?),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(parsed)
}
