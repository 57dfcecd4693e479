//! What each user may do with queues, maps and locks, with the permissions of the documentation.

use std::{cell::RefCell, time::Duration};

use async_nats::{ConnectOptions, Event, ServerError};
use cluster::Client;
use executor_core::{Error, ErrorKind};
use nkeys::KeyPair;
use test_support::{DEADLINE, watched};
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};

use super::daemon::Daemon;

const PERMISSIONS: &str = include_str!("../../../permissions-objects.conf");

/// What none of the users may publish.
const NONE_MAY_PUBLISH: &[&str] = &[
    // Things that others have put there.
    "ex.w.other.items",
    "ex.w.other.aside",
    "ex.w.other.room",
    "$KV.EXM_other.k",
    "$KV.EXL_locks.other",
    // Reading and taking them, and reading a queue past those who take from it.
    "$JS.API.STREAM.INFO.EXW_other",
    "$JS.API.STREAM.INFO.KV_EXM_other",
    "$JS.API.STREAM.MSG.GET.EXW_other",
    "$JS.API.STREAM.MSG.GET.EXW_tasks",
    "$JS.API.STREAM.MSG.GET.KV_EXM_other",
    "$JS.API.CONSUMER.INFO.EXW_other.items",
    "$JS.API.CONSUMER.MSG.NEXT.EXW_other.items",
    "$JS.ACK.EXW_other.items.1.1.1.1.0",
    "$JS.API.CONSUMER.CREATE.EXW_tasks",
    "$JS.API.CONSUMER.CREATE.EXW_tasks.mine",
    "$JS.API.CONSUMER.CREATE.EXW_tasks.mine.ex.w.tasks.items",
    "$JS.API.CONSUMER.DURABLE.CREATE.EXW_tasks.mine",
    "$JS.API.CONSUMER.CREATE.EXW_other",
    "$JS.API.CONSUMER.CREATE.KV_EXM_other",
    "$JS.API.CONSUMER.CREATE.KV_EXL_locks",
    "$JS.API.CONSUMER.CREATE.KV_EXM_pages.mine.$KV.EXM_pages.>",
    // What lets the engine send a value, as it is, to others.
    "$JS.API.DIRECT.GET.EXW_tasks",
    "$JS.API.DIRECT.GET.KV_EXM_pages",
    "$JS.API.DIRECT.GET.KV_EXM_pages.$KV.EXM_pages.k",
    "$JS.API.DIRECT.GET.KV_EXM_other",
    "$JS.API.DIRECT.GET.KV_EXL_locks",
    // Making, changing and removing things, those that are theirs too.
    "$JS.API.STREAM.CREATE.EXW_mine",
    "$JS.API.STREAM.CREATE.KV_EXM_mine",
    "$JS.API.STREAM.UPDATE.EXW_tasks",
    "$JS.API.STREAM.DELETE.EXW_tasks",
    "$JS.API.STREAM.PURGE.EXW_tasks",
    "$JS.API.STREAM.MSG.DELETE.EXW_tasks",
    "$JS.API.STREAM.SNAPSHOT.EXW_tasks",
    "$JS.API.STREAM.LEADER.STEPDOWN.EXW_tasks",
    "$JS.API.STREAM.UPDATE.KV_EXM_pages",
    "$JS.API.STREAM.DELETE.KV_EXM_pages",
    "$JS.API.STREAM.PURGE.KV_EXM_pages",
    "$JS.API.STREAM.MSG.DELETE.KV_EXM_pages",
    "$JS.API.STREAM.DELETE.KV_EXL_locks",
    "$JS.API.STREAM.PURGE.KV_EXL_locks",
    "$JS.API.CONSUMER.DELETE.EXW_tasks.items",
    "$JS.API.CONSUMER.PAUSE.EXW_tasks.items",
    // What there is.
    "$JS.API.INFO",
    "$JS.API.STREAM.NAMES",
    "$JS.API.STREAM.LIST",
    "$JS.API.CONSUMER.NAMES.EXW_tasks",
    // Pools, and answers to others.
    "ex.default.q.build.ada.x",
    "ex.default.c.ada.x",
    "ex.default.r.ada.x",
    "$O.EXA_default_ada.M.x",
    "_INBOX_admin.x",
    "_INBOX_ada.x",
    "$SYS.REQ.ACCOUNT.CLUSTER.CONNZ",
];

/// What none of them may receive: items go to those who take them, and values to those who ask.
const NONE_MAY_RECEIVE: &[&str] = &[
    ">",
    "ex.>",
    "ex.w.>",
    "ex.w.tasks.*",
    "ex.w.tasks.items",
    "ex.w.other.room",
    "ex.k.>",
    "ex.k.EXL_locks.other",
    "$KV.>",
    "$KV.EXM_pages.>",
    "$KV.EXL_locks.printer",
    "_INBOX.>",
    "_INBOX_admin.>",
    "$JS.ACK.>",
    "$JS.EVENT.>",
];

/// What one who puts items and reads values may not publish.
const PUTTER_MAY_NOT_PUBLISH: &[&str] = &[
    "$JS.API.CONSUMER.MSG.NEXT.EXW_tasks.items",
    "$JS.API.CONSUMER.MSG.NEXT.EXW_tasks.aside",
    "$JS.ACK.EXW_tasks.items.1.1.1.1.0",
    "ex.w.tasks.aside",
    "ex.w.tasks.room",
    "$KV.EXM_pages.k",
    "$KV.EXL_locks.printer",
    "$JS.API.STREAM.INFO.KV_EXL_locks",
    "$JS.API.STREAM.MSG.GET.KV_EXL_locks",
];

/// What one who takes items may not publish.
const TAKER_MAY_NOT_PUBLISH: &[&str] = &[
    "ex.w.tasks.items",
    "$JS.API.CONSUMER.MSG.NEXT.EXW_tasks.aside",
    "$JS.ACK.EXW_tasks.aside.1.1.1.1.0",
    "$KV.EXM_pages.k",
    "$KV.EXL_locks.printer",
    "$JS.API.STREAM.INFO.KV_EXM_pages",
    "$JS.API.STREAM.MSG.GET.KV_EXM_pages",
    "$JS.API.CONSUMER.CREATE.KV_EXM_pages",
    "$JS.API.STREAM.MSG.GET.KV_EXL_locks",
];

/// A server, and the keys of its users.
struct Site {
    daemon: Daemon,
    keys: Vec<(&'static str, KeyPair)>,
}

impl Site {
    /// Starts a server where the administrator has made the objects.
    fn start() -> Option<Site> {
        let keys: Vec<_> = ["admin", "ada", "bob", "carl"].map(|user| (user, KeyPair::new_user())).into();
        let variables: Vec<_> =
            keys.iter().map(|(user, key)| (format!("{}_KEY", user.to_uppercase()), key.public_key())).collect();
        let variables: Vec<_> = variables.iter().map(|(name, key)| (name.as_str(), key.clone())).collect();
        let site = Site { daemon: Daemon::configured(PERMISSIONS, &variables)?, keys };
        let admin = site.connect("admin");
        for name in ["tasks", "other"] {
            admin.queue::<u32>(name).unwrap();
        }
        for name in ["pages", "other"] {
            admin.map::<u32>(name).unwrap().insert("k", 0).unwrap();
        }
        admin.lock("other").unwrap();
        Some(site)
    }

    fn seed(&self, user: &str) -> String {
        let (_, key) = self.keys.iter().find(|(name, _)| *name == user).expect("a user");
        key.seed().expect("a seed")
    }

    fn connect(&self, user: &str) -> Client {
        let builder = Client::builder().server(self.daemon.url()).user(user).nkey(self.seed(user));
        builder.unavailable_after(Duration::from_secs(1)).build().unwrap()
    }
}

/// A connection past the library.
struct Attacker {
    runtime: Runtime,
    client: async_nats::Client,
    denials: RefCell<UnboundedReceiver<String>>,
}

impl Attacker {
    fn connect(site: &Site, user: &str) -> Attacker {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (sender, denials) = unbounded_channel();
        let options = ConnectOptions::new().nkey(site.seed(user)).event_callback(move |event| {
            if let Event::ServerError(ServerError::Other(text)) = event {
                let _ = sender.send(text);
            }
            std::future::ready(())
        });
        let client = runtime.block_on(options.connect(site.daemon.url())).expect("it may connect");
        Attacker { runtime, client, denials: RefCell::new(denials) }
    }

    fn publish(&self, subject: &str, reply: Option<&str>) {
        let subject = subject.to_string();
        self.runtime.block_on(async {
            let sent = match reply {
                Some(reply) => self.client.publish_with_reply(subject, reply.to_string(), "".into()).await,
                None => self.client.publish(subject, "{}".into()).await,
            };
            sent.expect("the connection is open");
            self.client.flush().await.expect("the connection is open");
        });
    }

    fn cannot_publish(&self, subject: &str) {
        self.publish(subject, None);
        self.is_denied(&format!("Publish to \"{subject}\""));
    }

    fn cannot_receive(&self, subject: &str) {
        self.runtime.block_on(async {
            let subscriber = self.client.subscribe(subject.to_string()).await.expect("the connection is open");
            self.client.flush().await.expect("the connection is open");
            drop(subscriber);
        });
        self.is_denied(&format!("Subscription to \"{subject}\""));
    }

    fn is_denied(&self, what: &str) {
        let mut others = Vec::new();
        loop {
            let mut denials = self.denials.borrow_mut();
            let next = self.runtime.block_on(async { timeout(DEADLINE, denials.recv()).await });
            match next.ok().flatten() {
                Some(text) if text.to_lowercase().contains("permissions violation") && text.contains(what) => return,
                Some(text) => others.push(text),
                None => panic!("the server has not refused {what:?}, but {others:?}"),
            }
        }
    }
}

fn is_refused<T>(result: Result<T, Error>) {
    let Err(error) = result else { panic!("it is permitted") };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().to_lowercase().contains("permissions violation"), "{error}");
}

#[test]
fn a_user_has_its_own_objects_and_no_others() {
    watched(|| {
        let Some(site) = Site::start() else { return };
        let ada = site.connect("ada");
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

        is_refused(ada.queue::<u32>("other"));
        is_refused(ada.queue::<u32>("new"));
        is_refused(ada.map::<u32>("other"));
        is_refused(ada.lock("other").unwrap().lock(None));
        assert_eq!(site.connect("admin").map::<u32>("other").unwrap().get("k").unwrap(), Some(0));
    });
}

#[test]
fn one_puts_and_reads_and_another_takes() {
    watched(|| {
        let Some(site) = Site::start() else { return };
        let (bob, carl) = (site.connect("bob"), site.connect("carl"));
        let (puts, takes) = (bob.queue::<u32>("tasks").unwrap(), carl.queue::<u32>("tasks").unwrap());
        (1..=3).for_each(|n| puts.put(n).unwrap());
        assert_eq!(takes.get(None).unwrap(), 1);
        takes.take(None).unwrap().give_back().unwrap();
        takes.take(None).unwrap().done().unwrap();
        assert_eq!((takes.len().unwrap(), puts.len().unwrap()), (1, 1));
        let pages = bob.map::<u32>("pages").unwrap();
        assert_eq!((pages.get("k").unwrap(), pages.keys().unwrap()), (Some(0), vec!["k".to_string()]));
        // An item of another type is put aside by the one who takes it.
        bob.queue::<String>("tasks").unwrap().put("text".to_string()).unwrap();
        assert_eq!(takes.get(None).unwrap(), 3);
        assert_eq!(takes.get(None).unwrap_err().kind(), ErrorKind::Decode);
        let aside = site.connect("admin").queue::<u32>("tasks").unwrap().aside::<String>().unwrap();
        assert_eq!(aside.get(None).unwrap(), "text");

        is_refused(pages.insert("k", 1));
        is_refused(bob.lock("printer"));
        is_refused(site.connect("carl").queue::<u32>("tasks").unwrap().put(1));
        is_refused(carl.map::<u32>("pages"));
    });
}

#[test]
fn the_server_refuses_everything_else() {
    watched(|| {
        let Some(site) = Site::start() else { return };
        for (user, own) in [("ada", &[][..]), ("bob", PUTTER_MAY_NOT_PUBLISH), ("carl", TAKER_MAY_NOT_PUBLISH)] {
            let attacker = Attacker::connect(&site, user);
            let inboxes = ["ada", "bob", "carl"].iter().filter(|other| **other != user);
            let inboxes: Vec<_> = inboxes.map(|other| format!("_INBOX_{other}.>")).collect();
            NONE_MAY_PUBLISH.iter().chain(own).for_each(|subject| attacker.cannot_publish(subject));
            NONE_MAY_RECEIVE.iter().for_each(|subject| attacker.cannot_receive(subject));
            inboxes.iter().for_each(|subject| attacker.cannot_receive(subject));
        }
        assert_eq!(site.connect("admin").map::<u32>("other").unwrap().get("k").unwrap(), Some(0));
    });
}

/// The engine answers wherever the one who asks wants the answer, even where that user may not publish. That is text
/// which is no value of anyone, and the documentation says what it can do.
#[test]
fn answers_of_the_engine_are_no_values_and_hold_no_lock() {
    watched(|| {
        let Some(site) = Site::start() else { return };
        let admin = site.connect("admin");
        let (queue, map, lock) =
            (admin.queue::<u32>("other").unwrap(), admin.map::<u32>("other").unwrap(), admin.lock("other").unwrap());
        let attacker = Attacker::connect(&site, "ada");
        let guard = lock.lock(None).unwrap();
        for target in ["ex.w.other.items", "$KV.EXM_other.k", "$KV.EXL_locks.other"] {
            attacker.publish("$JS.API.STREAM.INFO.EXW_tasks", Some(target));
        }
        test_support::wait_until("the answer", || queue.len().unwrap() == 1);
        queue.put(7).unwrap();
        assert_eq!(queue.get(None).unwrap_err().kind(), ErrorKind::Decode);
        assert_eq!(queue.get(None).unwrap(), 7);
        test_support::wait_until("the answer", || map.get("k").is_err_and(|error| error.kind() == ErrorKind::Decode));
        map.insert("k", 1).unwrap();
        assert_eq!(map.get("k").unwrap(), Some(1));
        // The holder has lost it, and the next one is known by a higher token.
        let next = lock.lock(None).unwrap();
        assert!(next.token() > guard.token());
        assert_eq!(guard.unlock().unwrap_err().kind(), ErrorKind::InvalidState);
    });
}

#[test]
fn the_documentation_has_the_permissions_that_are_tested() {
    assert!(include_str!("../../../../docs/between-machines.md").contains(PERMISSIONS));
}
