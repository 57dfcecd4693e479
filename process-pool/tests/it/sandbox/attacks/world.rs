//! What attackers want.

use std::{
    fs,
    io::Write as _,
    net::TcpListener,
    os::linux::net::SocketAddrExt as _,
    os::unix::net::{SocketAddr, UnixDatagram, UnixListener},
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use executor_core::Executor;
use process_pool::ProcessPoolExecutor;
use serde::{Deserialize, Serialize};

use crate::support::get;

/// A word in the memory of the parent that no worker may change.
static SENTINEL: AtomicU64 = AtomicU64::new(SECRET);
const SECRET: u64 = 0x7365_6372_6574;

/// What only the parent needs. It lives as long as the program.
struct Held {
    _directory: tempfile::TempDir,
    _sibling: ProcessPoolExecutor,
    _listeners: (TcpListener, UnixListener, UnixListener, UnixDatagram),
}

static HELD: Mutex<Vec<Held>> = Mutex::new(Vec::new());

/// The things that attempts are made at, as tasks get them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct World {
    pub parent: i32,
    /// A worker of another pool, which is in no sandbox.
    pub sibling: i32,
    /// The address of a word of the parent.
    pub sentinel: u64,
    /// A directory of the same user.
    pub directory: PathBuf,
    /// A file in it with a secret.
    pub secret: PathBuf,
    pub port: u16,
    /// A Unix socket that takes connections, one for datagrams, and an abstract one.
    pub socket: PathBuf,
    pub datagrams: PathBuf,
    pub abstract_name: String,
}

impl World {
    pub fn new() -> World {
        let held = tempfile::tempdir().expect("a directory");
        let directory = held.path().to_path_buf();
        let sibling = ProcessPoolExecutor::new(1).expect("a pool");
        let pid = get(&sibling.submit(|()| std::process::id(), ()).expect("accepted")).expect("a result");
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (socket, datagrams) = (directory.join("socket"), directory.join("datagrams"));
        let abstract_name = format!("concurrent-futures-{}", directory.display());
        let address = SocketAddr::from_abstract_name(&abstract_name).expect("a name");
        let world = World {
            parent: std::process::id() as i32,
            sibling: pid as i32,
            sentinel: (&raw const SENTINEL).addr() as u64,
            secret: directory.join("secret"),
            port: tcp.local_addr().expect("bound").port(),
            socket: socket.clone(),
            datagrams: datagrams.clone(),
            abstract_name,
            directory,
        };
        let listeners = (
            tcp,
            UnixListener::bind(socket).expect("bound"),
            UnixListener::bind_addr(&address).expect("bound"),
            UnixDatagram::bind(datagrams).expect("bound"),
        );
        world.reset();
        HELD.lock().expect("not poisoned").push(Held { _directory: held, _sibling: sibling, _listeners: listeners });
        world
    }

    /// Restores what the controls have changed.
    pub fn reset(&self) {
        SENTINEL.store(SECRET, Relaxed);
        let _ = fs::remove_file(&self.secret);
        let mut file = fs::File::create(&self.secret).expect("created");
        file.write_all(b"the secret").expect("written");
        for entry in fs::read_dir(&self.directory).expect("listed").flatten() {
            let keeps = [&self.secret, &self.socket, &self.datagrams];
            if !keeps.contains(&&entry.path()) {
                let _ = fs::remove_file(entry.path()).or_else(|_| fs::remove_dir(entry.path()));
            }
        }
    }

    /// Returns an error if something was changed.
    pub fn check(&self) -> Result<(), String> {
        if SENTINEL.load(Relaxed) != SECRET {
            return Err("the memory of the parent has changed".into());
        }
        if !fs::read(&self.secret).is_ok_and(|text| text == b"the secret") {
            return Err("the secret has changed".into());
        }
        match fs::read_dir(&self.directory).expect("listed").count() {
            3 => Ok(()),
            count => Err(format!("there are {count} files in the directory, and not 3")),
        }
    }
}
