//! Queues and stores that are full.

use cluster::Provision;
use executor_core::{ErrorKind, Executor};
use test_support::{DEADLINE, wait_until};

use super::{Cluster, LONG, Run};
use crate::harness::{
    load::Load,
    member::{Agent, Client, Site},
    raw::Raw,
    secrets::Credentials,
    server::Servers,
};

/// Row 19.
pub fn full(run: &mut Run) {
    own_queue(run);
    stream(run);
    store(run);
    large_values(run);
    outcomes_beside_arguments(run);
    too_large(run);
}

/// The bound that the client has itself.
fn own_queue(run: &mut Run) {
    let mut cluster = run.cluster(0);
    cluster.client = cluster.site.builder().queue_capacity(10).build().into();
    let client = &cluster.client;
    let futures: Vec<_> = (0..10).map(|n: u32| client.try_submit(|n| n, n).expect("there is room")).collect();
    let error = client.try_submit(|n: u32| n, 10).expect_err("it is full");
    assert_eq!(error.kind(), ErrorKind::QueueFull, "{error}");
    let agent = Agent::start(&cluster.site, &cluster.dir);
    // This one waits for room.
    assert_eq!(client.submit(|n: u32| n, 11).expect("there is room at last").result(DEADLINE).expect("a result"), 11);
    for (n, future) in futures.iter().enumerate() {
        assert_eq!(future.result(DEADLINE).expect("a result") as usize, n);
    }
    run.figure("`queue_capacity` of 10", "`QueueFull`; `submit` waits until an agent takes tasks");
    drop(agent);
}

/// The bound of the stream.
fn stream(run: &mut Run) {
    let servers = Servers::single("");
    let site = Site::new(servers.urls(), "faults");
    cluster::provision(&site.urls[0], Provision::new().pool("faults").capacity(50)).expect("an administrator may");
    let mut cluster = Cluster::over(servers, site, 0);
    let other = cluster.site.client();
    let (mut one, mut two) = (Load::new(cluster.journal("one")), Load::new(cluster.journal("two")));
    one.submit(&*cluster.client, 200, 1, 0);
    two.submit(&*other, 200, 1, 0);
    cluster.add_agent();
    let (one, two) = (one.finish(LONG), two.finish(LONG));
    one.all_done(1);
    two.all_done(1);
    run.figure("a stream for 50 tasks, two clients of 200", format!("{one}; and {two}"));
    drop(other);
}

/// The bound of the whole store of the engine.
fn store(run: &mut Run) {
    let store = "jetstream { store_dir: STORE, max_file_store: 4MB, max_memory_store: 1MB }\n";
    let servers = Servers::single_with_store(store);
    let site = Site::new(servers.urls(), "faults");
    let mut cluster = Cluster::over(servers, site, 0);
    let raw = Raw::open(&cluster.servers.urls());
    let mut answers = raw.subscribe_to_answers();
    let client: &Client = &cluster.client;
    let tasks: Vec<_> = (0..100u8)
        .map(|n| client.submit(|bytes: Vec<u8>| bytes[0], vec![n; 100_000]).expect("it is accepted"))
        .collect();
    raw.wait_until_full(&mut answers);
    cluster.add_agent();
    for (n, task) in tasks.iter().enumerate() {
        assert_eq!(task.result(LONG).expect("it runs when there is room") as usize, n);
    }
    run.figure("a store of 4 MB, 100 tasks of 100 kB", "all run when there is room");
    drop(cluster);
}

/// The bound of the store, for values that do not fit into messages.
fn large_values(run: &mut Run) {
    let store = "jetstream { store_dir: STORE, max_file_store: 12MB, max_memory_store: 1MB }\n";
    let servers = Servers::single_with_store(store);
    let site = Site::new(servers.urls(), "faults");
    let mut cluster = Cluster::over(servers, site, 0);
    let client: &Client = &cluster.client;
    let count = run.amount(12, 40) as u8;
    let tasks: Vec<_> = (0..count)
        .map(|n| client.submit(|bytes: Vec<u8>| bytes[1_999_999], vec![n; 2_000_000]).expect("it is accepted"))
        .collect();
    cluster.add_agent();
    for (n, task) in tasks.iter().enumerate() {
        assert_eq!(task.result(LONG).expect("it runs when there is room") as usize, n);
    }
    let raw = Raw::open(&cluster.servers.urls());
    wait_until("an empty store", || raw.large_values("faults", "default") == Some(0));
    run.figure(
        &format!("a store of 12 MB, {count} tasks with arguments of 2 MB"),
        "all run when there is room; nothing is left",
    );
    drop(cluster);
}

/// The length of a large argument or outcome of the cases below, in bytes.
const LARGE: usize = 900_000;

/// Returns the bounds of the cases below: four values of each kind.
fn bounded(pool: &str) -> Provision {
    Provision::new().pool(pool).large_arguments(4_000_000).large_outcomes(4_000_000)
}

/// Arguments have no room that outcomes need: two clients of one user and one of another have far more arguments than
/// there is room for, and each outcome is as large.
fn outcomes_beside_arguments(run: &mut Run) {
    let servers = Servers::single("");
    let site = Site::new(servers.urls(), "faults");
    let options = bounded("faults").client("default").client("bob");
    cluster::provision(&site.urls[0], options).expect("an administrator may");
    let mut cluster = Cluster::over(servers, site, 0);
    let raw = Raw::open(&cluster.servers.urls());
    let second = cluster.site.client();
    let bob = Credentials { name: Some("bob".into()), ..Credentials::default() };
    let bob = cluster.site.with(&bob).client();
    let count = run.amount(8, 30) as u8;
    let clients: [&Client; 3] = [&cluster.client, &second, &bob];
    let mut answers = raw.subscribe_to_answers();
    let submit = |client: &Client, n: u8| client.submit(reverse, (n, vec![n; LARGE])).expect("it is accepted");
    let tasks: Vec<_> = clients.iter().flat_map(|client| (0..count).map(|n| (n, submit(client, n)))).collect();
    raw.wait_until_full(&mut answers);
    let bytes = |bucket: &str| raw.store(bucket).and_then(|state| state["bytes"].as_u64());
    let full = bytes("EXA_faults_default").expect("the store is there");
    assert!(full > 3_000_000 && full <= 4_000_000, "{full}");
    cluster.add_agent();
    for (n, task) in &tasks {
        let outcome = task.result(LONG).expect("its outcome has room");
        assert!(outcome.0 == *n && outcome.1.len() == LARGE && outcome.1.iter().all(|byte| byte == n));
    }
    wait_until("empty stores", || {
        raw.large_values("faults", "default") == Some(0) && raw.large_values("faults", "bob") == Some(0)
    });
    run.figure(
        &format!("three clients, each with {count} arguments and outcomes of 0.9 MB, in stores of 4 MB for each kind"),
        "all have their outcomes; nothing is left",
    );
    drop((second, bob));
}

/// What is larger than its store is refused at once, and what almost fills it is not.
fn too_large(run: &mut Run) {
    /// What a store of so many bytes has room for, but for what the library counts for the descriptions of a value.
    const BOUND: u64 = 2_000_000;
    const FITS: usize = 1_990_000;
    let servers = Servers::single("");
    let site = Site::new(servers.urls(), "faults");
    let options = Provision::new().pool("faults").client("default");
    let bounded = options.clone().large_arguments(BOUND).large_outcomes(BOUND);
    cluster::provision(&site.urls[0], bounded).expect("an administrator may");
    let mut cluster = Cluster::over(servers, site, 0);
    cluster.add_agent();
    let raw = Raw::open(&cluster.servers.urls());
    let client: &Client = &cluster.client;
    for length in [FITS, FITS / 2] {
        let outcome = client.submit(reverse, (1, vec![1; length])).expect("it is accepted").result(LONG);
        assert_eq!(outcome.expect("it fits").1.len(), length);
    }
    let argument = client.submit(|bytes: Vec<u8>| bytes.len(), vec![1; 2_000_001]).expect("it is accepted");
    let outcome = client.submit(|length: usize| vec![1_u8; length], 2_000_001).expect("it is accepted");
    let mut shown = Vec::new();
    for (error, store, option) in [
        (argument.exception(DEADLINE), "`EXA_faults_default`", "large_arguments"),
        (outcome.exception(DEADLINE), "`EXO_faults_default`", "large_outcomes"),
    ] {
        let error = error.expect("it ends").expect("it does not fit");
        assert_eq!(error.kind(), ErrorKind::Encode, "{error}");
        let text = error.to_string();
        assert!([store, "2000000 bytes", option].iter().all(|part| text.contains(part)), "{text}");
        shown.push(text);
    }
    // Others are not harmed, and an administrator may change his mind.
    assert_eq!(client.submit(|n: u32| n, 7).expect("open").result(DEADLINE).expect("a result"), 7);
    let more = options.large_arguments(2 * BOUND).large_outcomes(2 * BOUND);
    cluster::provision(&cluster.site.urls[0], more).expect("an administrator may");
    let outcome = client.submit(reverse, (1, vec![1; 2_000_001])).expect("it is accepted").result(LONG);
    assert_eq!(outcome.expect("it fits").1.len(), 2_000_001);
    wait_until("empty stores", || raw.large_values("faults", "default") == Some(0));
    run.figure("an argument, or an outcome, of more than its whole store", "`Encode` at once, until it has more room");

    // A queue of few bytes is a full queue, and no room at all is refused.
    let no_room = cluster::provision(&cluster.site.urls[0], Provision::new().pool("none").large_outcomes(0));
    assert_eq!(no_room.expect_err("it is nothing").kind(), ErrorKind::InvalidArgument);
    let no_room = Provision::new().pool("none").client("default").large_outcomes(1 << 50);
    let error = cluster::provision(&cluster.site.urls[0], no_room).expect_err("no disk is so large");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("`EXO_none_default`"), "{error}");
    run.figure("a store that the engine cannot promise", "`provision` is `Unavailable`, and names the store");
}

/// A task whose outcome is as large as its argument.
fn reverse((n, mut bytes): (u8, Vec<u8>)) -> (u8, Vec<u8>) {
    bytes.reverse();
    (n, bytes)
}
