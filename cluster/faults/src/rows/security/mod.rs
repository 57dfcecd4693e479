//! Who may connect, and what each role may do.

mod answers;
mod subjects;

use std::{path::Path, time::Duration};

use cluster::Provision;
use executor_core::{Error, ErrorKind, Executor};
use test_support::{DEADLINE, SharedDir};

use self::subjects::subjects;
use super::{LONG, Run};
use crate::harness::{
    journal::{Journal, work},
    member::{Agent, AgentOptions, Client, Site},
    secrets::{Authority, Credentials, TlsFiles, key},
    server::Servers,
};

/// The permissions that the documentation recommends.
const PERMISSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../permissions.conf");

/// The pool that the permissions are for.
const POOL: &str = "default";

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
    fn new() -> Members {
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
        let servers = Servers::single_in_environment(&include, environment);
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
    let members = Members::new();
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
    assert_eq!(Journal::read(&path).executions(), 4, "nothing else has run");
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
