//! Attempts in sandboxes that grant something, each with its control.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    net::TcpListener,
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixDatagram, UnixListener},
    },
    path::PathBuf,
};

use executor_core::Executor as _;
use process_pool::{Network, ProcessPoolExecutor, Refusal, Sandbox, Transport};
use serde::{Deserialize, Serialize};

use super::{super::Outcome, Got, files, new_code, sockets};
use crate::{
    programs,
    sandbox::attacks::{Reply, become_nobody, is_right, outcome_of, over_both_transports, succeeds_as_nobody},
    support::{builder, get},
};

/// A name, and what it got.
pub type Row = (&'static str, fn(&Tree) -> Got);

/// What attempts are made at, as tasks get it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tree {
    pub root: PathBuf,
    pub parent: u32,
    /// A port to which connections are granted, and another one.
    pub granted: u16,
    pub port: u16,
}

/// What only the parent needs.
struct Held {
    _root: tempfile::TempDir,
    _sockets: (TcpListener, TcpListener, UnixListener, UnixDatagram),
}

impl Tree {
    fn new() -> (Tree, Held) {
        let held = tempfile::tempdir().expect("a directory");
        let root = held.path().to_path_buf();
        for directory in ["a/below", "b/below", "c/below"] {
            fs::create_dir_all(root.join(directory)).expect("made");
        }
        for file in ["a/file", "a/below/file", "b/file"] {
            fs::write(root.join(file), "some text").expect("written");
        }
        fs::write(root.join("a/script"), "#!/bin/sh\n").expect("written");
        fs::set_permissions(root.join("a/script"), fs::Permissions::from_mode(0o755)).expect("its owner may");
        let listen = || TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = |listener: &TcpListener| listener.local_addr().expect("bound").port();
        let (one, other) = (listen(), listen());
        let (granted, port) = (port(&one), port(&other));
        let connections = UnixListener::bind(root.join("b/socket")).expect("bound");
        let datagrams = UnixDatagram::bind(root.join("datagrams")).expect("bound");
        let tree = Tree { root, parent: std::process::id(), granted, port };
        fs::write(tree.root.join("c/file"), tree.secret()).expect("written");
        (tree, Held { _root: held, _sockets: (one, other, connections, datagrams) })
    }

    /// The text of the file that may not be read.
    pub fn secret(&self) -> String {
        format!("the secret of {}", self.parent)
    }

    /// Returns an error if something beside `b` was changed.
    fn check(&self) -> Result<(), String> {
        let text = |name: &str| fs::read_to_string(self.root.join(name)).unwrap_or_default();
        if text("c/file") != self.secret() || text("a/file") != "some text" {
            return Err("a file has changed".into());
        }
        let count = |name: &str| fs::read_dir(self.root.join(name)).map_or(0, Iterator::count);
        match (count("a"), count("c")) {
            (3, 2) => Ok(()),
            counts => Err(format!("there are {counts:?} files in a and c")),
        }
    }
}

/// A sandbox, and what is attempted in it.
type Ground = (&'static str, fn(&Tree) -> Sandbox, &'static [Row]);

const GROUNDS: &[Ground] = &[
    ("files", |tree| Sandbox::compute().read(tree.root.join("a")).write(tree.root.join("b")), files::ROWS),
    ("no new code", |tree| Sandbox::compute().no_new_code().write(tree.root.join("b")), new_code::ROWS),
    (
        "one port",
        |tree| Sandbox::compute().network(Network::Tcp { connect: vec![tree.granted], bind: Vec::new() }),
        sockets::ROWS,
    ),
    ("all networks", |_| Sandbox::compute().network(Network::Any), sockets::ROWS_OF_ANY),
    (
        "all networks and files",
        |tree| Sandbox::compute().network(Network::Any).write(tree.root.join("b")),
        sockets::ROWS_OF_ANY,
    ),
];

fn pool(transport: Transport, sandbox: Option<Sandbox>) -> ProcessPoolExecutor {
    let builder = builder(transport, 1);
    let builder = match sandbox {
        Some(sandbox) => builder.sandbox(sandbox.inherit_env("TEST_OUTPUT")),
        None => builder,
    };
    builder.build().expect("this system can keep it")
}

fn run(pool: &ProcessPoolExecutor, ground: usize, row: usize, tree: &Tree) -> Outcome {
    let attempt = |(ground, row, tree): (usize, usize, Tree)| (GROUNDS[ground].2[row].1)(&tree);
    outcome_of(pool.submit(attempt, (ground, row, tree.clone())).and_then(|future| get(&future)))
}

fn attack(transport: Transport) {
    let (mut wrong, mut skipped) = (String::new(), BTreeMap::new());
    let control = pool(transport, None);
    for (ground, (name, _, rows)) in GROUNDS.iter().enumerate() {
        for (row, (attempt, _)) in rows.iter().enumerate() {
            let (tree, _held) = Tree::new();
            match run(&control, ground, row, &tree) {
                Outcome::Got(_) => {}
                outcome => _ = skipped.insert((ground, row), format!("{name}: {attempt}: {outcome:?}")),
            }
        }
    }
    drop(control);
    let mut made = 0;
    for (ground, (name, sandbox, rows)) in GROUNDS.iter().enumerate() {
        for refusal in [Refusal::Error, Refusal::Explain, Refusal::Kill] {
            let (mut tree, mut held) = Tree::new();
            let mut inside = pool(transport, Some(sandbox(&tree).on_refusal(refusal)));
            for (row, (attempt, _)) in rows.iter().enumerate().filter(|(row, _)| !skipped.contains_key(&(ground, *row)))
            {
                made += 1;
                let outcome = run(&inside, ground, row, &tree);
                let harm = tree.check();
                // What a filter says about families and protocols that are not granted.
                let unknown = [libc::EPROTONOSUPPORT, libc::EAFNOSUPPORT].map(Outcome::Failed).contains(&outcome);
                if !(unknown || is_right(Reply::Stopped, refusal, &outcome)) || harm.is_err() {
                    let _ = writeln!(wrong, "{refusal:?}, {name}: {attempt}: {outcome:?}, {harm:?}");
                    (tree, held) = Tree::new();
                    inside = pool(transport, Some(sandbox(&tree).on_refusal(refusal)));
                }
            }
            let answer = inside.submit(|n: u64| n + 1, 41).and_then(|future| get(&future));
            assert_eq!(answer.expect("the pool goes on"), 42);
            drop(held);
        }
    }
    println!("{transport:?}: {} attempts were made in each mode", made / 3);
    skipped.values().for_each(|text| println!("SKIPPED, because it fails without a sandbox, too: {text}"));
    assert!(wrong.is_empty(), "{transport:?}: some attempts were not refused as they must be:\n{wrong}");
}

/// The program that attacks over both transports.
pub fn attacks() {
    over_both_transports(attack);
}

/// The same as an ordinary user.
pub fn attacks_as_nobody() {
    become_nobody();
    attacks();
}

#[test]
fn no_attempt_gets_more_than_was_granted() {
    print!("{}", programs::succeeds("attacks_grants", &[]));
}

#[test]
fn no_attempt_of_an_ordinary_user_gets_more_than_was_granted() {
    succeeds_as_nobody("attacks_grants_as_nobody");
}
