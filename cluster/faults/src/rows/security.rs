//! Who may connect, and what each role may do.

use std::{path::Path, time::Duration};

use cluster::{
    Provision,
    wire::{Ask, Peer, ToClient, pack},
};
use executor_core::{Error, ErrorKind, Executor};
use test_support::{DEADLINE, SharedDir};

use super::Run;
use crate::harness::{
    journal::{Journal, work},
    member::{Agent, AgentOptions, Client, Site, wait_for_agents},
    raw::Raw,
    secrets::{Authority, Credentials, TlsFiles, key},
    server::Servers,
};

/// The permissions that the documentation recommends.
const PERMISSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../permissions.conf");

/// The pool that the permissions are for.
const POOL: &str = "default";

/// What a client may not publish.
const CLIENT_MAY_NOT_PUBLISH: [&str; 30] = [
    // Tasks and frames as someone else, or as an agent.
    "ex.default.q.build.bob.x",
    "ex.default.a.worker.agent.bob.x",
    "ex.default.c.bob.x",
    "ex.default.c.ada.x",
    "ex.other.q.build.ada.x",
    "_INBOX_bob.x",
    // What others have stored.
    "$JS.API.STREAM.MSG.GET.EXQ_default",
    "$JS.API.DIRECT.GET.EXQ_default",
    "$JS.API.DIRECT.GET.EXQ_default.ex.default.q.build.bob.x",
    "$JS.API.STREAM.MSG.DELETE.EXQ_default",
    "$JS.API.STREAM.PURGE.EXQ_default",
    "$JS.API.STREAM.DELETE.EXQ_default",
    "$JS.API.STREAM.UPDATE.EXQ_default",
    "$JS.API.CONSUMER.CREATE.EXQ_default.mine",
    "$JS.API.CONSUMER.MSG.NEXT.EXQ_default.w_build",
    "$JS.API.CONSUMER.DELETE.EXQ_default.w_build",
    "$JS.ACK.EXQ_default.w_build.1.1.1.1.0",
    // Streams of its own, which could be mirrors of others.
    "$JS.API.STREAM.CREATE.MINE",
    "$JS.API.STREAM.CREATE.OBJ_EXO_default_ada",
    "$JS.API.STREAM.UPDATE.OBJ_EXO_default_ada",
    // The large values of others.
    "$O.EXO_default_bob.C.x",
    "$O.EXO_default_bob.M.x",
    "$JS.API.DIRECT.GET.OBJ_EXO_default_bob.x",
    "$JS.API.STREAM.MSG.GET.OBJ_EXO_default_bob",
    "$JS.API.CONSUMER.CREATE.OBJ_EXO_default_bob",
    "$O.EXA_default_bob.C.x",
    "$JS.API.DIRECT.GET.OBJ_EXA_default_bob.x",
    "$JS.API.STREAM.PURGE.OBJ_EXA_default_bob",
    // Outcomes of its own, and a consumer that lets the engine deliver what it has stored itself.
    "$O.EXO_default_ada.M.x",
    "$JS.API.CONSUMER.CREATE.OBJ_EXA_default_ada",
];

/// What a client may not receive.
const CLIENT_MAY_NOT_RECEIVE: [&str; 8] = [
    ">",
    "ex.>",
    "ex.default.q.>",
    "ex.default.c.bob.*",
    "ex.default.c.*.*",
    "ex.default.a.>",
    "_INBOX_bob.>",
    "$O.EXO_default_bob.>",
];

/// What an agent may not publish: it does not submit, and removes nothing but what it was given.
const AGENT_MAY_NOT_PUBLISH: [&str; 12] = [
    "ex.default.q.build.ada.x",
    "ex.default.q.build.worker.x",
    "ex.default.a.worker.agent.ada.x",
    "$JS.API.STREAM.MSG.GET.EXQ_default",
    "$JS.API.STREAM.MSG.DELETE.EXQ_default",
    "$JS.API.STREAM.PURGE.EXQ_default",
    "$JS.API.STREAM.DELETE.EXQ_default",
    "_INBOX_ada.x",
    // It reads arguments, and neither changes nor removes them, and makes no streams.
    "$O.EXA_default_ada.M.x",
    "$JS.API.STREAM.PURGE.OBJ_EXA_default_ada",
    "$JS.API.STREAM.CREATE.OBJ_EXO_default_ada",
    "$JS.API.STREAM.UPDATE.OBJ_EXO_default_ada",
];

/// What an agent may not receive: it gets tasks by asking the engine alone.
const AGENT_MAY_NOT_RECEIVE: [&str; 6] =
    [">", "ex.default.q.>", "ex.default.c.>", "ex.default.a.other.>", "_INBOX_ada.>", "ex.other.>"];

struct Members {
    servers: Servers,
    authority: Authority,
    admin: Credentials,
    ada: Credentials,
    bob: Credentials,
    worker: Credentials,
}

impl Members {
    /// Starts a server with TLS and the permissions, and makes the keys of its users.
    fn new(run: &mut Run) -> Members {
        let authority = Authority::new("faults");
        let (certificate, private) = authority.certificate("server");
        let keys = [key(), key(), key(), key()];
        let tls = format!(
            "tls {{ cert_file: {certificate:?}, key_file: {private:?}, ca_file: {:?}, verify: true, timeout: 5 }}\n",
            authority.file()
        );
        // The file reads the keys of the users from the environment.
        let include = format!("{tls}include {:?}\n", relative_to_config(Path::new(PERMISSIONS)));
        let names = ["ADMIN_KEY", "ADA_KEY", "BOB_KEY", "WORKER_KEY"];
        let environment: Vec<(String, String)> =
            names.iter().zip(&keys).map(|(name, (_, public))| (name.to_string(), public.clone())).collect();
        let servers = Servers::single_in_environment(&mut run.random, &include, environment);
        let credentials = |n: usize, name: &str| Credentials {
            name: Some(name.to_string()),
            seed: Some(keys[n].0.clone()),
            tls: Some(TlsFiles { authority: authority.file(), certificate: Some(authority.certificate(name)) }),
        };
        Members {
            admin: credentials(0, "admin"),
            ada: credentials(1, "ada"),
            bob: credentials(2, "bob"),
            worker: credentials(3, "worker"),
            servers,
            authority,
        }
    }
}

/// The configuration reads included files relative to itself.
fn relative_to_config(file: &Path) -> String {
    let absolute = file.canonicalize().expect("the permissions are there");
    format!("../../../../../../../../../../..{}", absolute.display())
}

/// Row 22.
pub fn refusals(run: &mut Run) {
    let members = Members::new(run);
    let dir = SharedDir::new();
    let site = Site::new(members.servers.urls(), POOL);
    let tls = members.admin.tls.as_ref().expect("it has files");
    let provision = Provision::new()
        .pool(POOL)
        .client("ada")
        .client("bob")
        .nkey(members.admin.seed.as_ref().expect("it has a seed"));
    cluster::provision(&site.urls[0], provision.tls(tls.options())).expect("the administrator may");

    // What roles are for works.
    let agent = Agent::launch(&site.with(&members.worker), &dir, &AgentOptions::default());
    let client = site.with(&members.ada).client();
    let path = dir.path("journal");
    let sum: u32 = client.map(|n: u32| n * 2, 0..100).expect("open").map(|result| result.expect("a result")).sum();
    assert_eq!(sum, 9900);
    assert_eq!(client.submit(work, (path.clone(), 1, 0)).expect("open").result(DEADLINE).expect("a result"), 1);
    run.figure("client and agent with keys of their roles, over TLS", "work, with small values and large ones");

    let reversed = client.submit(reverse, (0..2_000_000u32).map(|n| n as u8).collect()).expect("open");
    assert_eq!(reversed.result(Duration::from_secs(20)).expect("a large value").last(), Some(&0));

    connections(run, &members, &site, &dir);
    subjects(run, &members, &site, &client, &path);
    assert_eq!(Journal::read(&path).executions(), 3, "nothing else has run");
    drop(client);
    drop(agent);
}

/// A task whose argument and outcome do not fit into messages.
fn reverse(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.reverse();
    bytes
}

fn refused(result: Result<Client, Error>) -> String {
    let Err(error) = result else { panic!("it has connected") };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    error.to_string()
}

/// Who cannot connect at all.
fn connections(run: &mut Run, members: &Members, site: &Site, dir: &SharedDir) {
    let foreign = Authority::new("foreign");
    let files = members.ada.tls.clone().expect("it has files");
    let cases = [
        ("a key that the server does not know", Credentials { seed: Some(key().0), ..members.ada.clone() }),
        ("no key", Credentials { seed: None, ..members.ada.clone() }),
        ("plain text", Credentials { tls: None, ..members.ada.clone() }),
        (
            "no certificate",
            Credentials { tls: Some(TlsFiles { certificate: None, ..files.clone() }), ..members.ada.clone() },
        ),
        (
            "the certificate of another authority",
            Credentials {
                tls: Some(TlsFiles { certificate: Some(foreign.certificate("ada")), ..files.clone() }),
                ..members.ada.clone()
            },
        ),
        (
            "a server of another authority",
            Credentials { tls: Some(TlsFiles { authority: foreign.file(), ..files }), ..members.ada.clone() },
        ),
    ];
    for (case, credentials) in cases {
        let builder = site.with(&credentials).builder().start_timeout(Duration::from_secs(5));
        let message = refused(builder.build().map(|executor| Client::from(Ok(executor))));
        let seed = credentials.seed.unwrap_or_default();
        assert!(seed.is_empty() || !message.contains(&seed), "the message shows the key");
        run.figure(case, format!("`Unavailable`: {}", beginning(&message)));
    }
    let unknown = Credentials { seed: Some(key().0), ..members.worker.clone() };
    let mut agent = Agent::launch(&site.with(&unknown), dir, &AgentOptions::default());
    let status = agent.process.wait(DEADLINE);
    assert!(!status.success() && agent.process.says().contains("Unavailable"), "{}", agent.process.says());
    run.figure("an agent whose key the server does not know", "`serve` returns `Unavailable`");
    assert!(members.authority.file().exists());
}

/// Returns what a message says before it says what to do, without addresses.
fn beginning(message: &str) -> String {
    let text = message.split(';').next().unwrap_or(message);
    let words = text.split(' ').map(|word| if word.contains("127.0.0.1") { "…" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// What those who may connect may not do.
fn subjects(run: &mut Run, members: &Members, site: &Site, client: &Client, path: &str) {
    let roles: [(&str, &Credentials, &[&str], &[&str]); 2] = [
        ("a client", &members.ada, &CLIENT_MAY_NOT_PUBLISH, &CLIENT_MAY_NOT_RECEIVE),
        ("an agent", &members.worker, &AGENT_MAY_NOT_PUBLISH, &AGENT_MAY_NOT_RECEIVE),
    ];
    for (role, credentials, publish, receive) in roles {
        let raw = Raw::connect(&site.urls, credentials).expect("it may connect");
        for subject in publish {
            raw.publish(subject, b"{}");
            raw.wait_until_denied(&format!("Publish to \"{subject}\""));
        }
        for subject in receive {
            raw.subscribe(subject);
            raw.wait_until_denied(&format!("Subscription to \"{subject}\""));
        }
        run.figure(role, format!("{} subjects to publish and {} to receive refused", publish.len(), receive.len()));
    }
    // What another client receives while tasks run: nothing.
    let bob = Raw::connect(&site.urls, &members.bob).expect("he may connect");
    let mut subscriptions =
        ["ex.default.c.ada.*", "_INBOX_ada.>", "ex.default.q.*.ada.*", ">"].map(|subject| bob.subscribe(subject));
    let own = bob.subscribe("ex.default.c.bob.*");
    assert_eq!(client.submit(work, (path.to_string(), 2, 0)).expect("open").result(DEADLINE).expect("a result"), 2);
    for subscription in &mut subscriptions {
        assert_eq!(bob.next(subscription), None, "he receives what is for another");
    }
    drop(own);
    run.figure("another client that subscribes to all of it while a task runs", "receives nothing");

    answers_elsewhere(run, members, site);

    forged_frames(run, members, site, path);

    // An agent's key does not submit.
    let result = site.with(&members.worker).builder().start_timeout(Duration::from_secs(5)).build();
    let error = match result {
        Err(error) => error,
        Ok(executor) => {
            let executor = Client::from(Ok(executor));
            let error = executor
                .submit(work, (path.to_string(), 3, 0))
                .and_then(|future| future.result(Duration::from_secs(60)))
                .expect_err("it may not");
            std::mem::forget(executor);
            error
        }
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    run.figure("a client with the key of an agent", format!("`Unavailable`: {}", beginning(&error.to_string())));
    wait_for_agents(client, 1);
}

/// The server does not check where an answer goes. So a client asks agents and the engine to answer where it may not
/// publish itself: to another client, to the queue as another one, and to the engine's management.
fn answers_elsewhere(run: &mut Run, members: &Members, site: &Site) {
    let ada = Raw::connect(&site.urls, &members.ada).expect("she may connect");
    let admin = Raw::connect(&site.urls, &members.admin).expect("he may connect");
    let targets = [
        "_INBOX_bob.process.p.1",
        "ex.default.c.bob.process",
        "ex.default.q.build.bob.process",
        "ex.default.a.worker.agent.bob.process",
        "$JS.API.STREAM.PURGE.EXQ_default",
        "$JS.API.STREAM.DELETE.EXQ_default",
    ];
    let mut everything = admin.subscribe(">");
    for target in targets {
        ada.publish_with_reply("ex.default.r.ada.process", target, b"");
    }
    // The last one may be answered, and after it everything was answered.
    ada.publish_with_reply("ex.default.r.ada.process", "_INBOX_ada.process", b"");
    let began = std::time::Instant::now();
    let mut answered = Vec::new();
    while !answered.iter().any(|subject| subject == "_INBOX_ada.process") {
        assert!(began.elapsed() < DEADLINE, "no agent answers: {answered:?}");
        answered.extend(admin.next_subject(&mut everything));
    }
    let misled: Vec<_> = answered.iter().filter(|subject| targets.contains(&subject.as_str())).collect();
    assert!(misled.is_empty(), "an agent has answered at {misled:?}");
    run.figure("a client that wants agents to answer elsewhere", "they answer only its own inbox");

    // What the engine itself answers has no rights there.
    (0..3).for_each(|_| ada.publish("ex.default.q.none.ada.process", b"1"));
    for operation in ["PURGE", "DELETE"] {
        let target = format!("$JS.API.STREAM.{operation}.EXQ_default");
        ada.publish_with_reply("ex.default.q.none.ada.process", &target, b"2");
        ada.publish_with_reply("$JS.API.STREAM.INFO.EXQ_default", &target, b"");
    }
    // The engine has done all of that before it stores and confirms this.
    let stored = ada.request("ex.default.q.none.ada.process", "3").expect("it is stored");
    assert!(stored["seq"].is_u64(), "{stored}");
    assert_eq!(admin.messages(POOL), Some(6), "the engine has removed messages for a client");
    run.figure("a client that wants the engine to answer its own management", "nothing is removed");
}

/// A consumer of the engine delivers to any subject. So a client lets its task return frames, which are among its large
/// outcomes then, and a consumer deliver them to another client, in the name of the agent that runs its task. (What
/// agents subscribe to has wildcards, and consumers do not deliver to those.)
fn forged_frames(run: &mut Run, members: &Members, site: &Site, path: &str) {
    let admin = Raw::connect(&site.urls, &members.admin).expect("he may connect");
    let ada = Raw::connect(&site.urls, &members.ada).expect("she may connect");
    let stream = "OBJ_EXO_default_ada";

    // The victim: a task of bob that runs.
    let mut queue = admin.subscribe("ex.default.q.*.bob.*");
    let client = site.with(&members.bob).client();
    let future = client.submit(work, (path.to_string(), 4, 2000)).expect("it is accepted");
    let subject = admin.next_subject(&mut queue).expect("the task is published");
    let process = subject.rsplit('.').next().expect("a subject has an end");
    test_support::wait_until("the task", || future.running());
    let agent = Peer::parse(client.workers()[0].name().as_bytes()).expect("it is a name");

    // Every run that it can be.
    let asks: Vec<Ask> = (1..200).map(|number| Ask { task: future.id(), number }).collect();
    let outcomes: Vec<ToClient> =
        asks.iter().map(|ask| ToClient::Outcome { ask: *ask, died: false, outcome: vec![0].into() }).collect();
    let mut delivered = admin.subscribe("ex.default.c.>");
    let stored = "$O.EXO_default_ada.M.x";
    // An agent stores what the task returns; here the administrator does.
    pack(&agent, &outcomes).iter().for_each(|frame| admin.publish(stored, frame));
    let consumer = format!(
        "{{\"stream_name\":\"{stream}\",\"config\":{{\"name\":\"forger\",\"ack_policy\":\"none\",\
         \"filter_subject\":\"{stored}\",\"deliver_subject\":\"ex.default.c.bob.{process}\"}}}}"
    );
    let made = ada.request(&format!("$JS.API.CONSUMER.CREATE.{stream}.forger.{stored}"), &consumer);
    assert!(made.as_ref().is_ok_and(|made| made["config"].is_object()), "{made:?}");
    // The server does deliver it, with the subject that it was stored with.
    let began = std::time::Instant::now();
    while admin.next_subject(&mut delivered).is_none_or(|subject| subject != stored) {
        assert!(began.elapsed() < DEADLINE, "the engine has not delivered what was forged");
    }
    assert_eq!(future.result(DEADLINE).expect("its outcome is its own"), 4);
    run.figure("frames that a consumer of the engine delivers in the name of others", "do not count");
}
