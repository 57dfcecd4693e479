//! Options that cannot work, and what the error says of them.

use std::{path::PathBuf, time::Duration};

use executor_core::{Error, ErrorKind};

use super::ProcessPoolBuilder;
use crate::{
    pool::MOST_WORKERS,
    start::environment,
    sys::{child, standard},
};

/// A smaller stack is not enough for what a worker does before it runs a task.
const LEAST_STACK: usize = 256 << 10;

impl ProcessPoolBuilder {
    pub(super) fn most_workers(&self) -> usize {
        self.max_workers.unwrap_or_else(|| self.scheduling.width().unwrap_or_else(num_cpus::get))
    }

    /// Returns an error that names the first option that cannot work.
    pub(super) fn check(&self) -> Result<(), Error> {
        let refuse = |message: String| Err(Error::new(ErrorKind::InvalidArgument, message));
        let at_least_one = [
            ("max_workers", self.max_workers),
            ("queue_capacity", self.limits.queue_capacity),
            ("max_tasks_per_worker", self.limits.max_tasks_per_worker),
        ];
        for (option, value) in at_least_one {
            if value == Some(0) {
                return refuse(format!("{option} must be at least 1: leave it out for the default"));
            }
        }
        let most = self.most_workers();
        if let Some(least) = self.limits.min_workers.filter(|least| *least > most) {
            return refuse(format!("min_workers must be at most max_workers, which is {most}, and not {least}"));
        }
        if self.limits.idle_timeout.is_some() && self.limits.min_workers.is_none() {
            return refuse("idle_timeout has no effect without min_workers: set both, or none".into());
        }
        if self.limits.idle_timeout == Some(Duration::ZERO) {
            return refuse("idle_timeout must be more than 0: a worker is idle for a moment between two tasks".into());
        }
        if self.max_workers.is_some_and(|workers| workers > MOST_WORKERS) {
            return refuse(format!("max_workers must be at most {MOST_WORKERS}"));
        }
        if self.memory_limit == Some(0) || self.limits.time_limit == Some(Duration::ZERO) {
            return refuse("memory_limit and time_limit must be more than 0: leave them out for none".into());
        }
        if self.name_prefix.as_ref().is_some_and(|name| name.len() > 200 || name.contains('\0')) {
            return refuse("name_prefix must have at most 200 bytes, and no zero byte".into());
        }
        if self.passed.iter().any(standard::is_standard) {
            return refuse("pass_fds cannot pass a standard descriptor: workers have their own".into());
        }
        if let Some(bytes) = self.stack_size {
            let largest = child::largest_stack();
            if bytes < LEAST_STACK || largest.is_some_and(|largest| bytes as u64 > largest) {
                let most = largest.map_or_else(|| "no limit".to_string(), |largest| format!("{largest} bytes"));
                return refuse(format!(
                    "stack_size must be at least {LEAST_STACK} bytes, and at most what `ulimit -H -s` says, which is \
                     {most} here"
                ));
            }
        }
        environment::check_variables(&self.environment)
    }
}

/// Returns the absolute path of a directory.
pub(super) fn find_directory(path: PathBuf) -> Result<PathBuf, Error> {
    let refuse = |cause: String| {
        let message = format!("current_dir cannot be {}: {cause}", path.display());
        Err(Error::new(ErrorKind::InvalidArgument, message))
    };
    match std::fs::metadata(&path).and_then(|found| Ok((found, std::path::absolute(&path)?))) {
        Ok((found, absolute)) if found.is_dir() => Ok(absolute),
        Ok(_) => refuse("it is no directory".into()),
        Err(cause) => refuse(cause.to_string()),
    }
}
