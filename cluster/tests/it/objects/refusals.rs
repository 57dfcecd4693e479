//! Who may not connect, or may not do something.

use std::time::Duration;

use cluster::{Client, Server};
use executor_core::ErrorKind;
use test_support::watched;

use super::{LONG, start};

#[test]
fn a_wrong_token_is_refused_and_shown_nowhere() {
    watched(|| {
        let Some((server, _client)) = start(LONG) else { return };
        for token in [None, Some(""), Some("wr0ng")] {
            let error = Client::connect(server.url(), token).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            let text = error.to_string();
            assert!(text.contains("refuses the credentials") && !text.contains("wr0ng"), "{text}");
        }
    });
}

#[test]
fn options_that_are_never_valid_are_refused_before_any_connection() {
    let builder = || Client::builder().server("nats://127.0.0.1:1");
    for builder in [
        Client::builder(),
        builder().lease(Duration::from_millis(999)),
        builder().replicas(0),
        builder().replicas(6),
        builder().user("a.b"),
        builder().token("a").nkey("b"),
        Client::builder().server("http://a b"),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }
}

#[test]
fn a_server_that_is_not_there_is_an_error_in_time() {
    watched(|| {
        let builder = Client::builder().server("nats://127.0.0.1:1").start_timeout(Duration::from_millis(200));
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("nats://127.0.0.1:1"), "{error}");
    });
}

#[test]
fn a_name_that_is_too_long_is_refused() {
    watched(|| {
        let Some((_server, client)) = start(LONG) else { return };
        let name = "x".repeat(201);
        let errors = [client.queue::<u32>(&name).err(), client.map::<u32>(&name).err(), client.lock(&name).err()]
            .map(Option::unwrap);
        assert!(errors.iter().all(|error| error.kind() == ErrorKind::InvalidArgument));
        let name = "x".repeat(200);
        client.queue::<u32>(&name).unwrap().put(1).unwrap();
        client.map::<u32>(&name).unwrap().insert("k", 1).unwrap();
    });
}

#[test]
fn a_server_that_runs_is_no_address_for_another() {
    watched(|| {
        let Some((server, _client)) = start(LONG) else { return };
        let address = format!("127.0.0.1:{}", server.port());
        assert_eq!(Server::start(&address, "token").unwrap_err().kind(), ErrorKind::Unavailable);
    });
}
