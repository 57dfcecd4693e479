//! A server and an agent on this machine, for one executor.

use executor_core::{Error, ErrorKind};
use process_pool::Process;
use serde::{Deserialize, Serialize};

use crate::{ServeOptions, Server, executor::events::ClientEvents, serve::serve_here};

/// A server and an agent that end with this value.
pub(crate) struct Local {
    // The fields are dropped in this order. The agent is killed.
    agent: Process<Result<(), String>>,
    server: Server,
}

/// What the agent must know. It travels in the private greeting of a process, so the token is seen by no one.
#[derive(Serialize, Deserialize)]
struct Setup {
    url: String,
    token: String,
    pool: String,
    slots: usize,
}

impl Local {
    /// Starts both.
    pub(crate) fn start(pool: &str, slots: usize) -> Result<Local, Error> {
        let server = Server::local()?;
        let setup = Setup { url: server.url(), token: server.token().to_string(), pool: pool.to_string(), slots };
        let agent = Process::builder().name("cluster-agent").daemon(true).spawn(run, setup)?;
        Ok(Local { agent, server })
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    pub(crate) fn token(&self) -> &str {
        self.server.token()
    }

    /// Fails the executor's tasks that have not started if the agent ends, because no other one will come.
    pub(crate) fn watch(&self, events: ClientEvents) {
        self.agent.future().add_done_callback(move |agent| {
            let reason = match agent.exception(None) {
                Ok(None) => "it has ended by itself".to_string(),
                Ok(Some(error)) | Err(error) => error.to_string(),
            };
            let error = Error::new(ErrorKind::NoWorkers, format!("the agent of the local cluster is gone: {reason}"));
            events.refuse(Some(error.clone()));
            events.fail_queued(&error);
        });
    }
}

fn run(setup: Setup) -> Result<(), String> {
    let Setup { url, token, pool, slots } = setup;
    let options = ServeOptions::new(url).token(token).pool(pool).slots(slots);
    serve_here(options).map_err(|error| error.to_string())
}
