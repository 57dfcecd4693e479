//! The threads of tokio for blocking work.

use concurrent_futures::Payload;
use futures::executor::block_on;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

use super::{Contender, Role};
use crate::{Job, Outcome};

/// A runtime whose blocking threads run the tasks.
#[derive(Debug)]
pub struct Tokio(pub Runtime);

impl Contender for Tokio {
    const NAME: &'static str = "tokio spawn_blocking";
    const ROLE: Role = Role::Peer;
    type Handle<R: Payload> = JoinHandle<R>;

    fn build(width: usize) -> Outcome<Tokio> {
        Ok(Tokio(Builder::new_multi_thread().worker_threads(1).max_blocking_threads(width).build()?))
    }

    fn submit<J: Job>(&self, input: J::Input) -> JoinHandle<J::Output> {
        self.0.spawn_blocking(move || J::run(input))
    }

    fn collect<R: Payload>(handle: JoinHandle<R>) -> R {
        block_on(handle).expect("ran")
    }
}
