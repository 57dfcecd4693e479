//! What each role may not publish and not receive.

use std::time::Duration;

use executor_core::{ErrorKind, Executor};
use test_support::DEADLINE;

use super::{Members, answers, beginning};
use crate::{
    harness::{
        journal::work,
        member::{Client, Site, wait_for_agents},
        raw::Raw,
        secrets::Credentials,
    },
    rows::Run,
};

/// What a client may not publish.
const CLIENT_MAY_NOT_PUBLISH: &[&str] = &[
    // Tasks and frames as someone else, or as an agent.
    "ex.default.q.build.bob.x",
    "ex.default.a.worker.agent.bob.x",
    "ex.default.c.bob.x",
    "ex.default.c.ada.x",
    "ex.other.q.build.ada.x",
    "ex.default.r.bob.x",
    "_INBOX_bob.x",
    "_INBOX_worker.x",
    "_INBOX_ada.x",
    // What others have stored.
    "$JS.API.STREAM.MSG.GET.EXQ_default",
    "$JS.API.DIRECT.GET.EXQ_default",
    "$JS.API.DIRECT.GET.EXQ_default.ex.default.q.build.bob.x",
    "$JS.API.STREAM.MSG.DELETE.EXQ_default",
    "$JS.API.STREAM.PURGE.EXQ_default",
    "$JS.API.STREAM.DELETE.EXQ_default",
    "$JS.API.STREAM.UPDATE.EXQ_default",
    "$JS.API.STREAM.SNAPSHOT.EXQ_default",
    "$JS.API.STREAM.RESTORE.EXQ_default",
    "$JS.API.STREAM.LEADER.STEPDOWN.EXQ_default",
    "$JS.API.STREAM.PEER.REMOVE.EXQ_default",
    "$JS.API.CONSUMER.CREATE.EXQ_default",
    "$JS.API.CONSUMER.CREATE.EXQ_default.mine",
    "$JS.API.CONSUMER.CREATE.EXQ_default.mine.ex.default.q.*.bob.*",
    "$JS.API.CONSUMER.DURABLE.CREATE.EXQ_default.mine",
    "$JS.API.CONSUMER.MSG.NEXT.EXQ_default.w_build",
    "$JS.API.CONSUMER.UNPIN.EXQ_default.w_build",
    "$JS.API.CONSUMER.PAUSE.EXQ_default.w_build",
    "$JS.API.CONSUMER.DELETE.EXQ_default.w_build",
    "$JS.API.CONSUMER.LEADER.STEPDOWN.EXQ_default.w_build",
    "$JS.ACK.EXQ_default.w_build.1.1.1.1.0",
    // Streams of its own, which could be mirrors of others.
    "$JS.API.STREAM.CREATE.MINE",
    "$JS.API.STREAM.TEMPLATE.CREATE.MINE",
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
    "$JS.API.STREAM.MSG.GET.OBJ_EXA_default_bob",
    "$JS.API.CONSUMER.CREATE.OBJ_EXA_default_bob",
    // Outcomes of its own, and what lets the engine send what this client has stored itself, as it is, to others.
    "$O.EXO_default_ada.M.x",
    "$JS.API.CONSUMER.CREATE.OBJ_EXA_default_ada",
    "$JS.API.CONSUMER.CREATE.OBJ_EXA_default_ada.mine.$O.EXA_default_ada.>",
    "$JS.API.DIRECT.GET.OBJ_EXA_default_ada",
    "$JS.API.DIRECT.GET.OBJ_EXA_default_ada.$O.EXA_default_ada.M.x",
    "$JS.API.DIRECT.GET.OBJ_EXO_default_ada",
    "$JS.API.DIRECT.GET.OBJ_EXO_default_ada.$O.EXO_default_ada.M.x",
    // The account.
    "$JS.API.ACCOUNT.PURGE.CLUSTER",
    "$SYS.REQ.ACCOUNT.CLUSTER.CONNZ",
];

/// What a client may not receive.
const CLIENT_MAY_NOT_RECEIVE: &[&str] = &[
    ">",
    "ex.>",
    "ex.default.q.>",
    "ex.default.c.bob.*",
    "ex.default.c.*.*",
    "ex.default.a.>",
    "ex.default.r.>",
    "ex.*.c.ada.*",
    "_INBOX_bob.>",
    "_INBOX_worker.>",
    "_INBOX.>",
    "$O.EXO_default_bob.>",
    "$O.EXA_default_bob.>",
    "$JS.ACK.>",
    "$JS.EVENT.>",
];

/// What an agent may not publish: it does not submit, and removes nothing but what it was given.
const AGENT_MAY_NOT_PUBLISH: &[&str] = &[
    "ex.default.q.build.ada.x",
    "ex.default.q.build.worker.x",
    "ex.default.a.worker.agent.ada.x",
    "ex.default.r.ada.x",
    "ex.other.c.ada.x",
    "$JS.API.STREAM.INFO.EXQ_default",
    "$JS.API.STREAM.MSG.GET.EXQ_default",
    "$JS.API.DIRECT.GET.EXQ_default",
    "$JS.API.STREAM.MSG.DELETE.EXQ_default",
    "$JS.API.STREAM.PURGE.EXQ_default",
    "$JS.API.STREAM.DELETE.EXQ_default",
    "$JS.API.STREAM.UPDATE.EXQ_default",
    "$JS.API.STREAM.CREATE.MINE",
    "$JS.API.CONSUMER.DELETE.EXQ_default.w_build",
    "$JS.API.CONSUMER.PAUSE.EXQ_default.w_build",
    "$JS.API.CONSUMER.MSG.NEXT.EXQ_other.w_build",
    "$JS.API.CONSUMER.CREATE.EXQ_other.w_build.x",
    "$JS.ACK.EXQ_other.w_build.1.1.1.1.0",
    "_INBOX_ada.x",
    // It reads arguments, and neither changes nor removes them, and makes no streams.
    "$O.EXA_default_ada.M.x",
    "$JS.API.STREAM.PURGE.OBJ_EXA_default_ada",
    "$JS.API.STREAM.CREATE.OBJ_EXO_default_ada",
    "$JS.API.STREAM.UPDATE.OBJ_EXO_default_ada",
    "$JS.API.STREAM.DELETE.OBJ_EXO_default_ada",
    "$JS.API.CONSUMER.CREATE.OBJ_EXO_default_ada",
    "$JS.API.STREAM.MSG.GET.OBJ_EXA_other_ada",
    // What would let the engine send what is stored, as it is, to others: an agent could submit a task in that way.
    "$JS.API.DIRECT.GET.OBJ_EXA_default_ada",
    "$JS.API.DIRECT.GET.OBJ_EXA_default_ada.$O.EXA_default_ada.M.x",
    "$JS.API.DIRECT.GET.OBJ_EXO_default_ada",
    "$JS.API.DIRECT.GET.OBJ_EXO_default_ada.$O.EXO_default_ada.M.x",
    "$SYS.REQ.ACCOUNT.CLUSTER.CONNZ",
];

/// What an agent may not receive: it gets tasks by asking the engine alone.
const AGENT_MAY_NOT_RECEIVE: &[&str] = &[
    ">",
    "ex.default.q.>",
    "ex.default.c.>",
    "ex.default.a.>",
    "ex.default.a.other.>",
    "_INBOX_ada.>",
    "_INBOX.>",
    "ex.other.>",
    "$O.>",
    "$JS.ACK.>",
];

/// What those who may connect may not do.
pub(super) fn subjects(run: &mut Run, members: &Members, site: &Site, client: &Client, path: &str) {
    let roles: [(&str, &Credentials, &[&str], &[&str]); 2] = [
        ("a client", &members.ada, CLIENT_MAY_NOT_PUBLISH, CLIENT_MAY_NOT_RECEIVE),
        ("an agent", &members.worker, AGENT_MAY_NOT_PUBLISH, AGENT_MAY_NOT_RECEIVE),
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

    answers::elsewhere(run, members, site);
    answers::forged_frames(run, members, site, path);
    answers::of_others(run, members, site, path);

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
