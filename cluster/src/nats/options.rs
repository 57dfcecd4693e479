//! Making a connection.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    io,
    sync::Arc,
    time::Duration,
};

use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, ServerAddr, rustls::crypto};
use executor_core::{Error, ErrorKind};
use tokio::{sync::watch, time::Instant};

use super::{Status, unavailable::unavailable};
use crate::{
    address::{Address, without_secret},
    server::version,
};

/// How long one attempt to connect may take.
const ATTEMPT: Duration = Duration::from_secs(5);

/// How often an idle connection is asked whether it is there. It counts as lost after three questions.
const PING: Duration = Duration::from_secs(2);

/// How long to wait between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// How many messages of one subscription may wait for the thread. More are dropped, and their senders repeat them.
const SUBSCRIPTION: usize = 1 << 17;

/// How many messages may wait to be written.
const UNWRITTEN: usize = 1 << 13;

/// Connects, and tries again until the time has run out.
pub(super) async fn connect(
    address: &Address,
    name: &str,
    within: Duration,
    status: &Arc<watch::Sender<Status>>,
) -> Result<Client, Error> {
    let servers = servers(address)?;
    let until = Instant::now() + within;
    loop {
        let attempt = options(address, name, status)?.connect(servers.as_slice());
        let error = match tokio::time::timeout_at(until, attempt).await {
            Ok(Ok(client)) => {
                version::check(&client.server_info().version)?;
                return Ok(client);
            }
            Ok(Err(error)) => error,
            Err(_) => return Err(no_server(address, within, "it does not answer")),
        };
        if let Some(error) = lasting(address, &error) {
            return Err(error);
        }
        if Instant::now() + PAUSE >= until {
            return Err(no_server(address, within, reason(&error)));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn servers(address: &Address) -> Result<Vec<ServerAddr>, Error> {
    let parse = |url: &String| {
        url.parse::<ServerAddr>().map_err(|_| {
            // The reason is left out, because it may quote the URL.
            let message = format!(
                "`{}` is not the URL of a server: it should look like `nats://10.0.0.1:4222`",
                without_secret(url)
            );
            Error::new(ErrorKind::InvalidArgument, message)
        })
    };
    address.servers.iter().map(parse).collect()
}

fn options(address: &Address, name: &str, status: &Arc<watch::Sender<Status>>) -> Result<ConnectOptions, Error> {
    // rustls panics when a program has two providers of cryptography and has chosen none. The one that exists already
    // stays.
    let _ = crypto::ring::default_provider().install_default();
    let status = status.clone();
    let mut options = ConnectOptions::new()
        .name(name)
        .custom_inbox_prefix(format!("_INBOX_{}", address.user()?))
        .connection_timeout(ATTEMPT)
        .request_timeout(Some(ATTEMPT))
        .ping_interval(PING)
        .subscription_capacity(SUBSCRIPTION)
        .client_capacity(UNWRITTEN)
        .reconnect_delay_callback(pause)
        .event_callback(move |event| {
            status.send_modify(|status| status.note(event));
            std::future::ready(())
        });
    if let Some(token) = &address.credentials.token {
        options = options.token(token.clone());
    }
    if let Some(seed) = &address.credentials.nkey {
        options = options.nkey(seed.clone());
    }
    if let Some(tls) = &address.credentials.tls {
        options = options.require_tls(true);
        for authority in tls.authorities() {
            options = options.add_root_certificates(authority.clone());
        }
        if let Some((certificate, key)) = tls.own_certificate() {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
    }
    Ok(options)
}

/// Returns how long to wait before the next attempt to connect again. Many programs lose their server at the same
/// moment, so each waits for a time of its own.
fn pause(attempt: usize) -> Duration {
    if attempt <= 1 {
        return Duration::ZERO;
    }
    let longest = PAUSE * attempt.min(10) as u32;
    let random = (RandomState::new().build_hasher().finish() >> 32) as u32;
    longest / 2 + longest.mul_f64(f64::from(random) / f64::from(u32::MAX) / 2.0)
}

/// Returns the error of what another attempt would not change.
fn lasting(address: &Address, error: &ConnectError) -> Option<Error> {
    let servers = address.shown();
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => Some(unavailable(
            &format!("the server of the cluster at {servers} refuses the credentials"),
            "check the token or the nkey, and that the server knows it",
        )),
        ConnectErrorKind::Tls => Some(unavailable(
            &format!("the connection to the cluster at {servers} cannot be encrypted"),
            format!("{}; check the files of `Tls`", reason(error)),
        )),
        _ if is_refused_by_tls(error) => Some(unavailable(
            &format!("the connection to the cluster at {servers} cannot be encrypted"),
            format!(
                "{}; check that the server speaks TLS, and that each side trusts the authority of the other's \
                 certificate",
                reason(error)
            ),
        )),
        ConnectErrorKind::ServerParse => {
            Some(Error::new(ErrorKind::InvalidArgument, format!("{servers} is not the URL of a server")))
        }
        _ => None,
    }
}

/// Returns whether a handshake has failed: rustls reports that as data that is invalid.
fn is_refused_by_tls(error: &ConnectError) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::InvalidData) {
            return true;
        }
        source = error.source();
    }
    false
}

/// Returns the innermost reason, which is the one that helps.
fn reason(error: &ConnectError) -> String {
    let mut error: &dyn std::error::Error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

fn no_server(address: &Address, within: Duration, reason: impl std::fmt::Display) -> Error {
    unavailable(
        &format!("no server of the cluster at {} could be reached within {within:?}", address.shown()),
        format!("{reason}; check the address, and start one with `nats-server -js`"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_have_a_bound() {
        assert_eq!(pause(1), Duration::ZERO);
        for attempt in [2, 5, 10, 1000] {
            let longest = PAUSE * attempt.min(10) as u32;
            assert!((longest / 2..=longest).contains(&pause(attempt)), "{attempt}");
        }
    }
}
