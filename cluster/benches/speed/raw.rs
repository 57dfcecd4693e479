//! The engine alone: publish, pull, acknowledge.

use std::{
    process::Child,
    time::{Duration, Instant},
};

use async_nats::{ConnectOptions, Subscriber, jetstream};
use cluster::Server;
use executor_core::Error;
use futures_util::StreamExt as _;
use tokio::runtime::{Builder, Runtime};

use crate::{
    Measured, measured,
    processes::{cpu, failed, start},
};

const STREAM: &str = "RAW";
const SUBJECT: &str = "raw.tasks";
const DONE: &str = "raw.done";

/// How many confirmations may be awaited, and how many messages are pulled at a time.
const WINDOW: usize = 1024;
const BATCH: usize = 256;

/// Publishes, and hears from the process that pulls.
pub struct Client {
    runtime: Runtime,
    connection: Connection,
    url: String,
    token: String,
    agent: Child,
    server: u32,
}

/// What a client sends and hears by.
struct Connection {
    client: async_nats::Client,
    confirmed: Subscriber,
    done: Subscriber,
}

impl Connection {
    async fn open(url: &str, token: &str) -> Result<Connection, Error> {
        let client = options(token).connect(url).await.map_err(failed)?;
        let confirmed = client.subscribe("raw.confirmed").await.map_err(failed)?;
        let done = client.subscribe(DONE).await.map_err(failed)?;
        client.flush().await.map_err(failed)?;
        Ok(Connection { client, confirmed, done })
    }
}

fn options(token: &str) -> ConnectOptions {
    ConnectOptions::new().token(token.to_string()).subscription_capacity(1 << 17).client_capacity(8192)
}

impl Client {
    pub fn start(server: &Server) -> Result<Client, Error> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (url, token) = (server.url(), server.token().to_string());
        let connection = runtime.block_on(async {
            let connection = Connection::open(&url, &token).await?;
            let context = jetstream::new(connection.client.clone());
            let stream = jetstream::stream::Config {
                name: STREAM.into(),
                subjects: vec![SUBJECT.into()],
                retention: jetstream::stream::RetentionPolicy::WorkQueue,
                duplicate_window: Duration::from_millis(100),
                ..Default::default()
            };
            let stream = context.create_stream(stream).await.map_err(failed)?;
            let consumer = jetstream::consumer::pull::Config { durable_name: Some("w".into()), ..Default::default() };
            stream.create_consumer(consumer).await.map_err(failed)?;
            Ok::<_, Error>(connection)
        })?;
        let agent = start(&["raw-agent", &url, &token])?;
        let mut all = Client { runtime, connection, url, token, agent, server: server.pid() };
        // The first answer says that it is there.
        all.reply()?;
        Ok(all)
    }

    /// Returns the process that pulls.
    pub fn agent(&self) -> u32 {
        self.agent.id()
    }

    /// Publishes so many messages, and waits until all are acknowledged. The process that pulls says so at the end.
    ///
    /// Between two measurements nothing drives the connection. The server takes it for dead after some seconds, and
    /// what is published then is lost. So each measurement has a connection of its own, made before it begins.
    pub fn tasks(&mut self, count: u64) -> Result<Measured, Error> {
        self.connection = self.runtime.block_on(Connection::open(&self.url, &self.token))?;
        let before = (cpu(self.server), cpu(std::process::id()));
        let began = Instant::now();
        let Client { runtime, connection: Connection { client, confirmed, done }, .. } = self;
        runtime.block_on(async {
            let mut waiting = 0;
            for n in 0..count {
                let mut payload = n.to_le_bytes();
                // The last one is answered.
                payload[7] = u8::from(n + 1 == count);
                let payload = payload.to_vec().into();
                client.publish_with_reply(SUBJECT, "raw.confirmed", payload).await.map_err(failed)?;
                waiting += 1;
                while waiting >= WINDOW {
                    confirmed.next().await;
                    waiting -= 1;
                }
            }
            while waiting > 0 {
                confirmed.next().await;
                waiting -= 1;
            }
            done.next().await;
            Ok::<_, Error>(())
        })?;
        Ok(measured(began.elapsed(), before, self.server, count))
    }

    /// Publishes one message, which is delivered, acknowledged and answered.
    pub fn reply(&mut self) -> Result<(), Error> {
        let Client { runtime, connection: Connection { client, confirmed, done }, .. } = self;
        runtime.block_on(async {
            let payload = vec![0, 0, 0, 0, 0, 0, 0, 1].into();
            client.publish_with_reply(SUBJECT, "raw.confirmed", payload).await.map_err(failed)?;
            confirmed.next().await;
            done.next().await;
            Ok(())
        })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

/// Pulls and acknowledges, for ever.
pub fn be_agent(url: &str, token: &str) -> Result<(), Error> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let client = options(token).connect(url).await.map_err(failed)?;
        let mut messages = client.subscribe("raw.pulled").await.map_err(failed)?;
        let next = format!("$JS.API.CONSUMER.MSG.NEXT.{STREAM}.w");
        let request = format!("{{\"batch\":{BATCH},\"expires\":20000000000}}");
        let pull = async || client.publish_with_reply(next.clone(), "raw.pulled", request.clone().into()).await;
        pull().await.map_err(failed)?;
        let mut left = BATCH;
        while let Some(message) = messages.next().await {
            let Some(reply) = message.reply else {
                // The request has ended.
                left = BATCH;
                pull().await.map_err(failed)?;
                continue;
            };
            client.publish(reply, "".into()).await.map_err(failed)?;
            if message.payload.get(7) == Some(&1) {
                client.publish(DONE, "".into()).await.map_err(failed)?;
            }
            left -= 1;
            // The next batch is requested before this one ends.
            if left == BATCH / 2 {
                left += BATCH;
                pull().await.map_err(failed)?;
            }
        }
        Ok(())
    })
}
