//! A connection past the library: an administrator, or an attacker.

use std::{sync::Arc, time::Duration};

use async_nats::{Client, ConnectOptions, Event, ServerError, Subscriber};
use futures_util::StreamExt as _;
use parking_lot::{Condvar, Mutex};
use serde_json::Value;
use test_support::DEADLINE;
use tokio::runtime::Runtime;

use super::secrets::Credentials;

/// How long to wait for a message that must not come.
const SILENCE: Duration = Duration::from_millis(300);

/// A connection that can send and receive anything.
pub struct Raw {
    runtime: Runtime,
    client: Client,
    denials: Arc<Denials>,
}

#[derive(Default)]
struct Denials {
    texts: Mutex<Vec<String>>,
    changed: Condvar,
}

impl Raw {
    /// Connects.
    ///
    /// # Errors
    ///
    /// If the server refuses.
    pub fn connect(urls: &[String], credentials: &Credentials) -> Result<Raw, String> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().map_err(|error| error.to_string())?;
        let denials = Arc::new(Denials::default());
        let own = denials.clone();
        let mut options = ConnectOptions::new()
            .connection_timeout(Duration::from_secs(5))
            .request_timeout(Some(Duration::from_secs(10)))
            .custom_inbox_prefix(format!("_INBOX_{}", credentials.user()))
            .event_callback(move |event| {
                if let Event::ServerError(ServerError::Other(text)) = event {
                    own.texts.lock().push(text);
                    own.changed.notify_all();
                }
                std::future::ready(())
            });
        if let Some(seed) = &credentials.seed {
            options = options.nkey(seed.clone());
        }
        if let Some(tls) = &credentials.tls {
            options = options.require_tls(true).add_root_certificates(tls.authority.clone());
            if let Some((certificate, key)) = &tls.certificate {
                options = options.add_client_certificate(certificate.clone(), key.clone());
            }
        }
        let client = runtime.block_on(options.connect(urls)).map_err(|error| format!("{error:?}"))?;
        Ok(Raw { runtime, client, denials })
    }

    /// Connects without credentials.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    pub fn open(urls: &[String]) -> Raw {
        Raw::connect(urls, &Credentials::default()).expect("the server is there")
    }

    /// Sends a request, and returns the answer.
    ///
    /// # Errors
    ///
    /// If there is no answer.
    pub fn request(&self, subject: &str, body: &str) -> Result<Value, String> {
        let request = self.client.request(subject.to_string(), body.to_string().into());
        let message = self.runtime.block_on(request).map_err(|error| error.to_string())?;
        serde_json::from_slice(&message.payload).map_err(|error| error.to_string())
    }

    /// Sends a message, and returns when the server has read it.
    ///
    /// # Panics
    ///
    /// If the connection has ended.
    pub fn publish(&self, subject: &str, bytes: &[u8]) {
        let (subject, bytes) = (subject.to_string(), bytes.to_vec());
        self.runtime.block_on(async {
            self.client.publish(subject, bytes.into()).await.expect("the connection is open");
            self.client.flush().await.expect("the connection is open");
        });
    }

    /// Sends a message whose answer goes elsewhere, and returns when the server has read it.
    ///
    /// # Panics
    ///
    /// If the connection has ended.
    pub fn publish_with_reply(&self, subject: &str, reply: &str, bytes: &[u8]) {
        let (subject, reply, bytes) = (subject.to_string(), reply.to_string(), bytes.to_vec());
        self.runtime.block_on(async {
            self.client.publish_with_reply(subject, reply, bytes.into()).await.expect("the connection is open");
            self.client.flush().await.expect("the connection is open");
        });
    }

    /// Subscribes, and returns when the server has read that.
    ///
    /// # Panics
    ///
    /// If the connection has ended.
    pub fn subscribe(&self, subject: &str) -> Subscriber {
        let subject = subject.to_string();
        self.runtime.block_on(async {
            let subscriber = self.client.subscribe(subject).await.expect("the connection is open");
            self.client.flush().await.expect("the connection is open");
            subscriber
        })
    }

    /// Waits for a message for a moment, and returns its subject.
    pub fn next_subject(&self, subscriber: &mut Subscriber) -> Option<String> {
        let next = async { tokio::time::timeout(SILENCE, subscriber.next()).await };
        Some(self.runtime.block_on(next).ok().flatten()?.subject.to_string())
    }

    /// Waits for a message, and returns its subject and where its answer goes.
    ///
    /// # Panics
    ///
    /// If there is none before the deadline.
    pub fn next_addressed(&self, subscriber: &mut Subscriber) -> (String, String) {
        let next = async { tokio::time::timeout(DEADLINE, subscriber.next()).await };
        let message = self.runtime.block_on(next).ok().flatten().expect("a message");
        (message.subject.to_string(), message.reply.map(|reply| reply.to_string()).unwrap_or_default())
    }

    /// Waits for a message for a moment.
    pub fn next(&self, subscriber: &mut Subscriber) -> Option<Vec<u8>> {
        let next = async { tokio::time::timeout(SILENCE, subscriber.next()).await };
        let message = self.runtime.block_on(next).ok().flatten()?;
        Some(message.payload.to_vec())
    }

    /// Waits until the server has refused an action that names this.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn wait_until_denied(&self, what: &str) {
        let mut texts = self.denials.texts.lock();
        let is_it = |text: &String| text.to_lowercase().contains("permissions violation") && text.contains(what);
        while !texts.iter().any(is_it) {
            let has_timed_out = self.denials.changed.wait_for(&mut texts, DEADLINE).timed_out();
            assert!(!has_timed_out, "the server has not refused {what:?}, but {texts:?}");
        }
    }

    /// Returns what the engine says of the stream of a pool, or nothing while it does not answer.
    pub fn stream(&self, pool: &str) -> Option<Value> {
        let info = self.request(&format!("$JS.API.STREAM.INFO.EXQ_{pool}"), "").ok()?;
        info.get("state").is_some().then_some(info)
    }

    /// Returns how many messages the stream of a pool has.
    pub fn messages(&self, pool: &str) -> Option<u64> {
        self.stream(pool)?["state"]["messages"].as_u64()
    }

    /// Returns how many messages the stores for large values of a user have, which is none if there are no stores.
    pub fn large_values(&self, pool: &str, user: &str) -> Option<u64> {
        let arguments = self.store(&format!("EXA_{pool}_{user}"))?;
        let outcomes = self.store(&format!("EXO_{pool}_{user}"))?;
        Some(arguments["messages"].as_u64().unwrap_or(0) + outcomes["messages"].as_u64().unwrap_or(0))
    }

    /// Returns the state of a store for large values, which is nothing if there is none.
    pub fn store(&self, bucket: &str) -> Option<Value> {
        let info = self.request(&format!("$JS.API.STREAM.INFO.OBJ_{bucket}"), "").ok()?;
        let is_missing = info["error"]["err_code"] == 10059;
        if is_missing { Some(Value::Null) } else { info.get("state").cloned() }
    }

    /// Subscribes to what the engine answers to the user `default`.
    pub fn subscribe_to_answers(&self) -> Subscriber {
        self.subscribe("_INBOX_default.>")
    }

    /// Waits until one of these [answers](Raw::subscribe_to_answers) is that the engine has no room for something.
    ///
    /// # Panics
    ///
    /// If there is no such answer before the deadline.
    pub fn wait_until_full(&self, answers: &mut Subscriber) {
        /// The codes of the engine: the stream has its most bytes, or the server has no room.
        const FULL: [u64; 3] = [10_077, 10_047, 10_023];
        let code = |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).ok()?["error"]["err_code"].as_u64();
        let began = std::time::Instant::now();
        while !self.next(answers).and_then(code).is_some_and(|code| FULL.contains(&code)) {
            assert!(began.elapsed() < DEADLINE, "the engine has refused nothing for lack of room");
        }
    }

    /// Sets how many messages the stream of a pool may have.
    ///
    /// # Panics
    ///
    /// If the engine refuses.
    pub fn bound(&self, pool: &str, messages: Option<u64>) {
        let mut config = self.stream(pool).expect("it is there")["config"].take();
        config["max_msgs"] = messages.map_or(Value::from(-1), Value::from);
        let answer = self.request(&format!("$JS.API.STREAM.UPDATE.EXQ_{pool}"), &config.to_string());
        assert!(answer.as_ref().is_ok_and(|answer| answer["config"].is_object()), "{answer:?}");
    }

    /// Returns the name of the node that leads the stream of a pool.
    pub fn leader(&self, pool: &str) -> Option<String> {
        Some(self.stream(pool)?["cluster"]["leader"].as_str()?.to_string())
    }

    /// Returns the consumers of a pool.
    pub fn consumers(&self, pool: &str) -> Vec<String> {
        let answer = self.request(&format!("$JS.API.CONSUMER.NAMES.EXQ_{pool}"), "").unwrap_or_default();
        let names = answer["consumers"].as_array().cloned().unwrap_or_default();
        names.iter().filter_map(|name| name.as_str().map(str::to_string)).collect()
    }

    /// Deletes a consumer of a pool.
    ///
    /// # Panics
    ///
    /// As those below, if the engine refuses.
    pub fn delete_consumer(&self, pool: &str, consumer: &str) {
        self.administer(&format!("$JS.API.CONSUMER.DELETE.EXQ_{pool}.{consumer}"), "");
    }

    /// Deletes the stream of a pool.
    pub fn delete_stream(&self, pool: &str) {
        self.administer(&format!("$JS.API.STREAM.DELETE.EXQ_{pool}"), "");
    }

    /// Deletes a message, and returns whether it was there.
    pub fn delete_message(&self, pool: &str, sequence: u64) -> bool {
        let body = format!("{{\"seq\":{sequence},\"no_erase\":true}}");
        let answer = self.request(&format!("$JS.API.STREAM.MSG.DELETE.EXQ_{pool}"), &body).unwrap_or_default();
        answer["success"] == true
    }

    fn administer(&self, subject: &str, body: &str) {
        let answer = self.request(subject, body).unwrap_or_else(|error| panic!("{subject}: {error}"));
        assert!(answer["success"] == true, "{subject}: {answer}");
    }
}
