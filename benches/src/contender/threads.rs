//! Our thread pool, through each of its two entry points.

use std::ops::Deref;

use concurrent_futures::{Executor, Future, Payload, ThreadPoolExecutor};

use super::{Contender, Role};
use crate::{Job, Outcome};

/// Submits through [`Executor::submit`], which every back-end has.
#[derive(Debug)]
pub struct Submit(pub ThreadPoolExecutor);

/// Submits through [`ThreadPoolExecutor::spawn`], which takes any closure.
#[derive(Debug)]
pub struct Spawn(pub ThreadPoolExecutor);

impl Contender for Submit {
    const NAME: &'static str = "threads, submit";
    const ROLE: Role = Role::Ours;
    type Handle<R: Payload> = Future<R>;

    fn build(width: usize) -> Outcome<Submit> {
        Ok(Submit(ThreadPoolExecutor::new(width)?))
    }

    fn submit<J: Job>(&self, input: J::Input) -> Future<J::Output> {
        self.0.submit(J::run, input).expect("accepted")
    }

    fn collect<R: Payload>(handle: Future<R>) -> R {
        handle.result(None).expect("ran")
    }
}

impl Contender for Spawn {
    const NAME: &'static str = "threads, spawn";
    const ROLE: Role = Role::Ours;
    type Handle<R: Payload> = Future<R>;

    fn build(width: usize) -> Outcome<Spawn> {
        Ok(Spawn(ThreadPoolExecutor::new(width)?))
    }

    fn submit<J: Job>(&self, input: J::Input) -> Future<J::Output> {
        self.0.spawn(move || J::run(input)).expect("accepted")
    }

    fn collect<R: Payload>(handle: Future<R>) -> R {
        handle.result(None).expect("ran")
    }
}

impl Deref for Submit {
    type Target = ThreadPoolExecutor;

    fn deref(&self) -> &ThreadPoolExecutor {
        &self.0
    }
}

impl Deref for Spawn {
    type Target = ThreadPoolExecutor;

    fn deref(&self) -> &ThreadPoolExecutor {
        &self.0
    }
}
