//! Clients that let the engine or an agent answer where they may not publish themselves.

use cluster::wire::{Ask, Peer, ToClient, pack};
use executor_core::Executor;
use test_support::DEADLINE;

use super::{LONG, Members, POOL};
use crate::{
    harness::{journal::work, load::Load, member::Site, raw::Raw},
    rows::Run,
};

/// The server does not check where an answer goes. So a client asks agents and the engine to answer where it may not
/// publish itself: to another client, to the queue as another one, and to the engine's management.
pub(super) fn elsewhere(run: &mut Run, members: &Members, site: &Site) {
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
pub(super) fn forged_frames(run: &mut Run, members: &Members, site: &Site, path: &str) {
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
    // The management answers with what is stored too, but as JSON. (It may not ask for it as it is.)
    let target = format!("ex.default.c.bob.{process}");
    let wanted = format!("{{\"last_by_subj\":\"{stored}\"}}");
    ada.publish_with_reply(&format!("$JS.API.STREAM.MSG.GET.{stream}"), &target, wanted.as_bytes());
    while admin.next_subject(&mut delivered).is_none_or(|subject| subject != target) {
        assert!(began.elapsed() < DEADLINE, "the engine has not answered what was forged");
    }
    assert_eq!(future.result(DEADLINE).expect("its outcome is its own"), 4);
    run.figure("frames that a consumer of the engine delivers in the name of others", "do not count");
}

/// The engine answers wherever a client wants. So a client lets it confirm a task of another one that it has refused,
/// and tell an agent that no one listens at the other one.
pub(super) fn of_others(run: &mut Run, members: &Members, site: &Site, path: &str) {
    let admin = Raw::connect(&site.urls, &members.admin).expect("he may connect");
    let ada = Raw::connect(&site.urls, &members.ada).expect("she may connect");
    let info = "$JS.API.STREAM.INFO.EXQ_default";
    let mut copies = admin.subscribe("ex.default.q.*.bob.*");
    let client = site.with(&members.bob).client();
    let messages = admin.messages(POOL).expect("it is there");
    assert!(messages > 0, "a bound of 0 would be none");
    admin.bound(POOL, Some(messages));

    let future = client.submit(work, (path.to_string(), 5, 0)).expect("it is accepted");
    let task = future.id();
    for _ in 0..6 {
        let (subject, reply) = admin.next_addressed(&mut copies);
        let process = subject.rsplit('.').next().expect("a subject has an end");
        let known = format!("_INBOX_bob.{process}");
        let secret = reply.strip_prefix(&known).and_then(|rest| rest.strip_suffix(&format!(".p.{task}")));
        let secret = secret.unwrap_or_else(|| panic!("{reply} is not where the client waits"));
        // What she can know.
        let all = ada.request(info, "{\"subjects_filter\":\">\"}").expect("she may ask").to_string();
        assert!(secret.len() > 32 && !subject.contains(secret) && !all.contains(secret), "{reply} can be known");
        for inbox in [format!("{known}.p.{task}"), format!("{known}.c.1")] {
            ada.publish_with_reply(info, &inbox, b"");
        }
    }
    admin.bound(POOL, None);
    assert_eq!(future.result(DEADLINE).expect("it is published again until it is stored"), 5);
    run.figure(
        "a client that wants the engine to confirm the refused task of another",
        "it is published until it is stored",
    );

    let agent = Peer::parse(client.workers()[0].name().as_bytes()).expect("it is a name");
    let (subject, _) = {
        let future = client.submit(|n: u32| n, 6).expect("it is accepted");
        assert_eq!(future.result(DEADLINE).expect("a result"), 6);
        admin.next_addressed(&mut copies)
    };
    let process = subject.rsplit('.').next().expect("a subject has an end");
    let unheard = format!("_INBOX_{}.{}.u.bob.{process}", agent.user(), agent.process());
    let mut load = Load::new(format!("{path}-unheard"));
    load.submit(&*client, 100, 5, 0);
    let mut answers = 0;
    while load.ended() < 100 {
        ada.publish_with_reply(info, &unheard, b"");
        answers += 1;
    }
    load.finish(LONG).all_done(1);
    assert!(answers > 0, "nothing was tried");
    run.figure("and to tell an agent that no one listens at another client", "all tasks of the other one run once");
}
