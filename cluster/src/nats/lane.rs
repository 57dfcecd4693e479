//! A queue in the engine: items that are stored until one of those who take them says that it is done.

use std::time::Duration;

use async_nats::{
    Client, StatusCode,
    jetstream::{
        self, AckKind,
        consumer::{AckPolicy, PullConsumer, pull},
        message::PublishMessage,
        stream::{Config, DiscardPolicy, RetentionPolicy},
    },
};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::timeout;

use super::{
    Failure,
    ensure::{Ensure, has_name},
};

/// How long the engine may take for an answer.
const ANSWER: Duration = Duration::from_secs(5);

/// How long the engine knows the ids of items, so that an item that is sent again is stored once.
const REMEMBERED: Duration = Duration::from_secs(120);

/// How many items may be out at the same time.
const MOST_TAKEN: i64 = 1 << 16;

/// How many programs may wait for an item at the same time.
const MOST_WAITING: i64 = 1 << 13;

/// The options of a queue that is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneOptions {
    pub(crate) capacity: Option<usize>,
    /// How long an item that was taken stays away without a sign of life.
    pub(crate) lease: Duration,
    pub(crate) replicas: usize,
}

/// A queue. Items that cannot be read are put aside, into a second one of the same stream.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    client: Client,
    context: jetstream::Context,
    name: String,
    part: Part,
    options: LaneOptions,
}

/// The two halves of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Items,
    Aside,
}

/// What the engine has made of the options.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    pub(crate) lease: Duration,
    pub(crate) is_bounded: bool,
}

/// An item that is to be stored.
#[derive(Clone, Debug)]
pub(crate) struct Item(PublishMessage);

impl Item {
    /// No two items have the same id.
    pub(crate) fn new(payload: Vec<u8>, id: &str) -> Item {
        Item(PublishMessage::build().message_id(id).payload(payload.into()))
    }
}

/// An item that was delivered.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) payload: Vec<u8>,
    /// Where the engine learns what has become of it.
    pub(crate) receipt: String,
    /// Its number in the stream, which no other item has.
    pub(crate) number: u64,
    /// How many times it was delivered, with this one.
    pub(crate) times: u64,
}

/// What has become of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Done,
    GivenBack,
    /// Its holder lives, and needs more time.
    Held,
}

/// News of a queue. Some may be missing, while the connection is lost.
pub(crate) struct News(async_nats::Subscriber);

impl News {
    /// Waits until an item was removed. Several that were removed already are one piece of news.
    pub(crate) async fn next(&mut self) {
        if self.0.next().await.is_none() {
            std::future::pending::<()>().await;
        }
        while self.0.next().now_or_never().flatten().is_some() {}
    }
}

impl Lane {
    /// `name` has letters, digits, `-` and `_`.
    pub(super) fn new(client: Client, context: jetstream::Context, name: String, options: LaneOptions) -> Lane {
        Lane { client, context, name, part: Part::Items, options }
    }

    /// Returns the other part of the same queue.
    pub(crate) fn part(&self, part: Part) -> Lane {
        Lane { part, ..self.clone() }
    }

    /// Makes the stream and the consumer that are not there, and returns the options of those that are.
    pub(crate) async fn make(&self) -> Result<Made, Failure> {
        let stream = match self.context.get_stream(self.stream()).await {
            Ok(stream) => stream,
            Err(error) => match Failure::of(&error) {
                Failure::Missing => self.make_stream().await?,
                other => return Err(other),
            },
        };
        let info = stream.cached_info();
        let is_bounded = info.config.max_messages_per_subject > 0;
        let consumer: PullConsumer = match self.context.get_consumer_from_stream(self.consumer(), self.stream()).await {
            Ok(consumer) => consumer,
            Err(error) => match Failure::of(&error) {
                Failure::Missing => {
                    let made = stream.create_consumer(self.consumer_config()).await;
                    made.map_err(|error| Failure::of(&error))?
                }
                other => return Err(other),
            },
        };
        Ok(Made { lease: consumer.cached_info().config.ack_wait, is_bounded })
    }

    async fn make_stream(&self) -> Result<jetstream::stream::Stream, Failure> {
        let capacity = self.options.capacity.map(|capacity| i64::try_from(capacity).unwrap_or(i64::MAX));
        let config = Config {
            name: self.stream(),
            subjects: vec![self.subject(Part::Items), self.subject(Part::Aside)],
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            max_messages_per_subject: capacity.unwrap_or(-1),
            discard_new_per_subject: capacity.is_some(),
            duplicate_window: REMEMBERED,
            num_replicas: self.options.replicas,
            ..Config::default()
        };
        match self.context.create_stream(config).await.map_err(|error| Failure::of(&error)) {
            // Another program has made it at the same moment, with options of its own.
            Err(Failure::Exists) => self.context.get_stream(self.stream()).await.map_err(|error| Failure::of(&error)),
            other => other,
        }
    }

    fn consumer_config(&self) -> pull::Config {
        pull::Config {
            durable_name: Some(self.consumer().into()),
            filter_subject: self.subject(self.part),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.options.lease,
            max_deliver: -1,
            max_ack_pending: MOST_TAKEN,
            max_waiting: MOST_WAITING,
            ..pull::Config::default()
        }
    }

    /// Stores an item. One that the engine already has under its id is not stored again.
    pub(crate) async fn put(&self, item: &Item) -> Result<(), Failure> {
        let sent = self.context.send_publish(self.subject(self.part), item.0.clone()).await;
        sent.map_err(|error| Failure::of_publish(&error))?.await.map_err(|error| Failure::of_publish(&error))?;
        Ok(())
    }

    /// Waits for an item, at most for this time. Zero only looks.
    pub(crate) async fn take(&self, wait: Duration) -> Result<Option<Delivery>, Failure> {
        // An inbox of its own: the engine delivers nothing to one that is gone.
        let away = |error: &dyn std::fmt::Display| Failure::Away(error.to_string());
        let inbox = self.client.new_inbox();
        let mut answers = self.client.subscribe(inbox.clone()).await.map_err(|error| away(&error))?;
        let request = if wait.is_zero() {
            "{\"batch\":1,\"no_wait\":true}".to_string()
        } else {
            format!("{{\"batch\":1,\"expires\":{}}}", wait.as_nanos())
        };
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", self.stream(), self.consumer());
        self.client.publish_with_reply(subject, inbox, request.into()).await.map_err(|error| away(&error))?;
        let Ok(answer) = timeout(wait + ANSWER, answers.next()).await else { return Err(away(&"it does not answer")) };
        let message = answer.ok_or_else(|| away(&"the connection is closed"))?;
        let text = message.description.clone().unwrap_or_default();
        match message.status {
            None | Some(StatusCode::OK) => {}
            Some(StatusCode::NOT_FOUND | StatusCode::TIMEOUT) => return Ok(None),
            Some(StatusCode::NO_RESPONDERS) => return Err(Failure::Missing),
            Some(StatusCode::REQUEST_TERMINATED) => return Err(Failure::Away(text)),
            Some(status) => return Err(Failure::Refused(format!("{} {text}", status.as_u16()))),
        }
        let message = jetstream::Message { message, context: self.context.clone() };
        let (number, times) = match message.info() {
            Ok(info) => (info.stream_sequence, info.delivered.unsigned_abs()),
            Err(error) => return Err(Failure::Refused(error.to_string())),
        };
        let receipt = message.reply.as_ref().map(ToString::to_string).unwrap_or_default();
        Ok(Some(Delivery { payload: message.message.payload.into(), receipt, number, times }))
    }

    /// Tells the engine what has become of an item, and waits until it has noted that.
    pub(crate) async fn tell(&self, receipt: &str, word: Word) -> Result<(), Failure> {
        let answer = self.client.request(receipt.to_string(), word.kind().into()).await;
        answer.map(drop).map_err(|error| Failure::of_request(&error))
    }

    /// Tells the engine what has become of an item, without waiting. It may be called anywhere, and may be lost.
    pub(crate) fn tell_now(&self, receipt: &str, word: Word) {
        // It is ready immediately, unless thousands of messages wait for a connection.
        let _ = self.client.publish(receipt.to_string(), word.kind().into()).now_or_never();
    }

    /// Returns how many items this part has, those that are leased included.
    ///
    /// The stream counts them, because it has an item before the put of that item ends. A consumer learns of it some
    /// time later, so a wait for the last item could end although there is one.
    pub(crate) async fn count(&self) -> Result<usize, Failure> {
        let stream = self.context.get_stream_no_info(self.stream()).await.map_err(|error| Failure::of(&error))?;
        let counts = stream.info_with_subjects(self.subject(self.part)).await;
        // The filter is one subject, which is missing if it has no item.
        match counts.map_err(|error| Failure::of(&error))?.next().await {
            Some(Ok((_, count))) => Ok(count),
            Some(Err(error)) => Err(Failure::of(&error)),
            None => Ok(0),
        }
    }

    /// Follows the removal of items.
    pub(crate) async fn news(&self) -> Result<News, Failure> {
        let news = self.client.subscribe(self.removals()).await;
        news.map(News).map_err(|error| Failure::Away(error.to_string()))
    }

    /// Tells those who wait for room, or for the last item, that an item was removed.
    pub(crate) fn tell_removal(&self) {
        let _ = self.client.publish(self.removals(), "".into()).now_or_never();
    }

    /// Returns the longest message, in bytes.
    pub(crate) fn longest(&self) -> usize {
        self.client.max_payload()
    }

    fn stream(&self) -> String {
        format!("EXW_{}", self.name)
    }

    fn consumer(&self) -> &'static str {
        match self.part {
            Part::Items => "items",
            Part::Aside => "aside",
        }
    }

    fn subject(&self, part: Part) -> String {
        match part {
            Part::Items => format!("ex.w.{}.items", self.name),
            Part::Aside => format!("ex.w.{}.aside", self.name),
        }
    }

    fn removals(&self) -> String {
        format!("ex.w.{}.room", self.name)
    }
}

impl Ensure for Lane {
    async fn ensure(&self) -> Result<(), Failure> {
        self.make().await.map(drop)
    }

    fn is_named_in(&self, denial: &str) -> bool {
        has_name(denial, &self.stream()) || has_name(denial, &format!("ex.w.{}", self.name))
    }
}

impl Word {
    fn kind(self) -> AckKind {
        match self {
            Word::Done => AckKind::Ack,
            Word::GivenBack => AckKind::Nak(None),
            Word::Held => AckKind::Progress,
        }
    }
}
