//! Why the engine has not done something.

use std::{error::Error, fmt};

use async_nats::{
    RequestError, RequestErrorKind,
    jetstream::{
        self,
        context::{
            CreateStreamError, CreateStreamErrorKind, GetStreamError, GetStreamErrorKind, PublishError,
            PublishErrorKind,
        },
        stream::{ConsumerError, ConsumerErrorKind, LastRawMessageError, LastRawMessageErrorKind},
    },
};

/// The codes of JetStream that mean something here.
mod code {
    /// A stream of this name exists, with another configuration.
    pub(super) const STREAM_EXISTS: u64 = 10058;
    pub(super) const STREAM_MISSING: u64 = 10059;
    pub(super) const CONSUMER_MISSING: u64 = 10014;
    /// The bound of the stream, or of its server's disk.
    pub(super) const STORE_FULL: [u64; 3] = [10077, 10047, 10023];
    /// Another message came first. A stream with replicas says the second to most of those who are late.
    pub(super) const LATE: [u64; 2] = [10071, 10164];
    /// There is no leader at the moment, or JetStream starts, or the same message was sent before and the replicas have
    /// not agreed on it yet.
    pub(super) const NOT_READY: [u64; 6] = [10008, 10039, 10075, 10076, 10118, 10158];
}

/// Why the engine has not done something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It cannot be reached, does not answer, or has no leader at the moment. Whether it has done it is not known.
    Away(String),
    /// There is no such stream or consumer, or no server that leads it.
    Missing,
    /// Another message came first.
    Late,
    /// The stream, or the disk of its server, is full.
    Full(String),
    /// It exists with another configuration.
    Exists,
    /// It refuses that for another reason.
    Refused(String),
}

impl Failure {
    /// Returns the failure that an error of the client means.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Failure {
        let mut reason = Some(error);
        while let Some(one) = reason {
            if let Some(answer) = answer(one) {
                return Failure::of_answer(&answer);
            }
            reason = one.source();
        }
        Failure::Away(error.to_string())
    }

    fn of_answer(error: &jetstream::Error) -> Failure {
        match error.error_code().0 {
            code::STREAM_EXISTS => Failure::Exists,
            code::STREAM_MISSING | code::CONSUMER_MISSING => Failure::Missing,
            full if code::STORE_FULL.contains(&full) => Failure::Full(error.to_string()),
            late if code::LATE.contains(&late) => Failure::Late,
            not_ready if code::NOT_READY.contains(&not_ready) => Failure::Away(error.to_string()),
            _ if error.code() == 503 => Failure::Away(error.to_string()),
            _ => Failure::Refused(error.to_string()),
        }
    }

    /// Returns the failure of a request.
    pub(super) fn of_request(error: &RequestError) -> Failure {
        match error.kind() {
            RequestErrorKind::MaxPayloadExceeded | RequestErrorKind::InvalidSubject => {
                Failure::Refused(error.to_string())
            }
            // Nothing listens on a subject of JetStream that has no such stream, and none during an election.
            _ => Failure::Away(error.to_string()),
        }
    }

    /// Returns the failure of a message that was to be stored.
    pub(super) fn of_publish(error: &PublishError) -> Failure {
        match error.kind() {
            PublishErrorKind::WrongLastSequence => Failure::Late,
            PublishErrorKind::MaxPayloadExceeded => Failure::Refused(error.to_string()),
            PublishErrorKind::StreamNotFound => Failure::Missing,
            _ => Failure::of(error),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Away(reason) | Failure::Full(reason) | Failure::Refused(reason) => f.write_str(reason),
            Failure::Missing => f.write_str("it does not exist, or has no leader"),
            Failure::Late => f.write_str("another program was faster"),
            Failure::Exists => f.write_str("it exists with other options"),
        }
    }
}

/// Returns what JetStream has answered, if this is an error with its answer.
fn answer(error: &(dyn Error + 'static)) -> Option<jetstream::Error> {
    if let Some(error) = error.downcast_ref::<jetstream::Error>() {
        return Some(error.clone());
    }
    if let Some(GetStreamErrorKind::JetStream(answer)) = error.downcast_ref().map(GetStreamError::kind) {
        return Some(answer);
    }
    if let Some(CreateStreamErrorKind::JetStream(answer)) = error.downcast_ref().map(CreateStreamError::kind) {
        return Some(answer);
    }
    if let Some(ConsumerErrorKind::JetStream(answer)) = error.downcast_ref().map(ConsumerError::kind) {
        return Some(answer);
    }
    if let Some(LastRawMessageErrorKind::JetStream(answer)) = error.downcast_ref().map(LastRawMessageError::kind) {
        return Some(answer);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_possible_later_is_no_refusal() {
        let failure = |code: u64, number: u64| {
            let answer = format!(r#"{{"code":{code},"err_code":{number},"description":"why"}}"#);
            Failure::of(&serde_json::from_str::<jetstream::Error>(&answer).expect("it is an answer"))
        };
        // The first copy of a message is on its way to the replicas; the cluster has no leader; another code of 503.
        for (code, number) in [(409, 10158), (503, 10008), (503, 99)] {
            assert!(matches!(failure(code, number), Failure::Away(_)), "{number}");
        }
        assert!(matches!(failure(400, 10071), Failure::Late));
        assert!(matches!(failure(400, 99), Failure::Refused(_)));
    }
}
