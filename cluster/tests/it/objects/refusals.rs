//! Who may not connect, or may not do something.

use std::time::Duration;

use cluster::{Client, Server};
use executor_core::ErrorKind;
use test_support::watched;

use super::{LONG, daemon::Daemon, start};

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

/// What a user may do, as the documentation has it.
const PERMISSIONS: &str = include_str!("../../../permissions-objects.conf");

#[test]
fn a_user_has_its_own_objects_and_no_others() {
    watched(|| {
        let [admin, ada] = [(); 2].map(|()| nkeys::KeyPair::new_user());
        let keys = [("ADMIN_KEY", admin.public_key()), ("ADA_KEY", ada.public_key())];
        let Some(daemon) = Daemon::configured(PERMISSIONS, &keys) else { return };
        let connect = |user: &str, key: &nkeys::KeyPair| {
            let builder = Client::builder().server(daemon.url()).user(user).nkey(key.seed().expect("a seed"));
            builder.unavailable_after(Duration::from_secs(1)).build().unwrap()
        };
        let admin = connect("admin", &admin);
        for name in ["tasks", "other"] {
            admin.queue::<u32>(name).unwrap();
        }
        for name in ["pages", "other"] {
            admin.map::<u32>(name).unwrap().insert("k", 0).unwrap();
        }
        admin.lock("other").unwrap();

        let ada = connect("ada", &ada);
        let tasks = ada.queue::<u32>("tasks").unwrap();
        (1..=3).for_each(|n| tasks.put(n).unwrap());
        assert_eq!((tasks.get(None).unwrap(), tasks.len().unwrap()), (1, 2));
        tasks.take(None).unwrap().done().unwrap();
        tasks.take(None).unwrap().give_back().unwrap();
        assert_eq!(tasks.get(None).unwrap(), 3);
        let pages = ada.map::<u32>("pages").unwrap();
        assert_eq!(pages.update("k", |n| n.map(|n| n + 1)).unwrap(), Some(1));
        assert_eq!(pages.keys().unwrap(), ["k"]);
        assert!(pages.remove("k").unwrap());
        let printer = ada.lock("printer").unwrap();
        let guard = printer.lock(None).unwrap();
        assert!(printer.lock(Duration::from_millis(10)).is_err());
        guard.unlock().unwrap();

        let refused = [
            ada.queue::<u32>("other").unwrap_err(),
            ada.queue::<u32>("new").unwrap_err(),
            ada.map::<u32>("other").unwrap_err(),
            ada.lock("other").unwrap().lock(None).unwrap_err(),
        ];
        for error in refused {
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.to_string().to_lowercase().contains("permissions violation"), "{error}");
        }
        assert_eq!(admin.map::<u32>("other").unwrap().get("k").unwrap(), Some(0));
    });
}

#[test]
fn the_documentation_has_the_permissions_that_are_tested() {
    assert!(include_str!("../../../../docs/between-machines.md").contains(PERMISSIONS));
}
