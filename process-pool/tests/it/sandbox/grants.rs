//! What is granted works, and what lies beside it does not. Each row is made without a sandbox, too.

use std::{
    fs,
    io::Write as _,
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::{
        fs::{PermissionsExt as _, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    process::Command,
};

use executor_core::{ErrorKind, Executor, Function, Payload};
use process_pool::{Network, ProcessPoolExecutor, Sandbox, Transport};

use super::{attacks::succeeds_as_nobody, pool, pool_without};
use crate::support::{builder, get};

/// Calls a function in a worker.
fn ask<A: Payload, R: Payload>(pool: &ProcessPoolExecutor, function: impl Function<A, R>, args: A) -> R {
    get(&pool.submit(function, args).expect("accepted")).expect("a result")
}

/// A row: a name, and what a task does with a directory that has the files of [`Tree`]. It returns whether it worked.
type Row = (&'static str, fn(&Path) -> bool);

fn rows(granted: bool) -> &'static [Row] {
    if granted { GRANTED } else { REFUSED }
}

const GRANTED: &[Row] = &[
    ("read a file", |root| fs::read(root.join("a/file")).is_ok()),
    ("list a directory", |root| fs::read_dir(root.join("a")).is_ok()),
    ("read below a directory", |root| fs::read(root.join("a/below/file")).is_ok()),
    ("read what may be written", |root| fs::read(root.join("b/file")).is_ok()),
    ("create, rename and remove a file", |root| {
        let (one, other) = (root.join("b/one"), root.join("b/below/other"));
        fs::write(&one, "x").and_then(|()| fs::rename(&one, &other)).and_then(|()| fs::remove_file(&other)).is_ok()
    }),
    ("create and remove a directory", |root| {
        let directory = root.join("b/directory");
        fs::create_dir(&directory).and_then(|()| fs::remove_dir(&directory)).is_ok()
    }),
    ("truncate what may be written", |root| {
        fs::OpenOptions::new().write(true).open(root.join("b/file")).and_then(|file| file.set_len(1)).is_ok()
    }),
    ("copy from one to the other", |root| {
        let copy = root.join("b/copy");
        fs::copy(root.join("a/file"), &copy).and_then(|_| fs::remove_file(copy)).is_ok()
    }),
];

const REFUSED: &[Row] = &[
    ("read beside the grants", |root| fs::read(root.join("c/file")).is_ok()),
    ("read by ..", |root| fs::read(root.join("a/../c/file")).is_ok()),
    ("read by a link", |root| fs::read(root.join("a/link")).is_ok()),
    ("read by /proc/self/root", |root| {
        fs::read(Path::new("/proc/self/root").join(root.strip_prefix("/").unwrap_or(root)).join("c/file")).is_ok()
    }),
    ("list the directory above", |root| fs::read_dir(root).is_ok()),
    ("write what may be read", |root| fs::OpenOptions::new().append(true).open(root.join("a/file")).is_ok()),
    ("truncate what may be read", |root| {
        let path = super::attacks::path(&root.join("a/file"));
        // SAFETY: the path is there.
        unsafe { libc::truncate(path.as_ptr(), 4) == 0 }
    }),
    ("open what may be read again for writing", |root| {
        use std::os::fd::AsRawFd as _;
        let Ok(file) = fs::File::open(root.join("a/file")) else { return false };
        fs::OpenOptions::new().write(true).open(format!("/proc/self/fd/{}", file.as_raw_fd())).is_ok()
    }),
    ("link out of what may be written", |root| fs::hard_link(root.join("b/file"), root.join("c/hard")).is_ok()),
    ("link into what may be written", |root| fs::hard_link(root.join("a/file"), root.join("b/hard")).is_ok()),
    ("rename out of what may be written", |root| fs::rename(root.join("b/file"), root.join("c/moved")).is_ok()),
    ("rename into what may be written", |root| fs::rename(root.join("c/file"), root.join("b/moved")).is_ok()),
    ("change permissions", |root| fs::set_permissions(root.join("b/file"), fs::Permissions::from_mode(0o600)).is_ok()),
    ("change times", |root| {
        let path = super::attacks::path(&root.join("b/file"));
        // SAFETY: the path is there, and no times are given.
        unsafe { libc::utimensat(libc::AT_FDCWD, path.as_ptr(), std::ptr::null(), 0) == 0 }
    }),
    ("make a Unix socket", |root| UnixListener::bind(root.join("b/socket")).is_ok()),
    ("make a pipe with a name", |root| {
        let path = super::attacks::path(&root.join("b/pipe"));
        // SAFETY: the path is there.
        unsafe { libc::mkfifo(path.as_ptr(), 0o600) == 0 }
    }),
    ("run a program", |_| Command::new("/bin/true").status().is_ok()),
    ("run a script", |root| Command::new(root.join("b/script")).status().is_ok()),
];

struct Tree(tempfile::TempDir);

impl Tree {
    fn new() -> Tree {
        let root = tempfile::tempdir().expect("a directory");
        for directory in ["a/below", "b/below", "c"] {
            fs::create_dir_all(root.path().join(directory)).expect("made");
        }
        for file in ["a/file", "a/below/file", "b/file", "c/file"] {
            fs::write(root.path().join(file), "some text").expect("written");
        }
        symlink("../c/file", root.path().join("a/link")).expect("made");
        let script = root.path().join("b/script");
        fs::write(&script, "#!/bin/sh\n").expect("written");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("its owner may");
        Tree(root)
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_path_buf()
    }
}

fn run(pool: &ProcessPoolExecutor, granted: bool, row: usize, tree: &Tree) -> bool {
    ask(pool, |(granted, row, root): (bool, usize, PathBuf)| (rows(granted)[row].1)(&root), (granted, row, tree.path()))
}

#[test]
fn what_is_granted_works_and_nothing_beside_it() {
    let control = pool_without();
    for granted in [true, false] {
        for (row, (name, _)) in rows(granted).iter().enumerate() {
            if !run(&control, granted, row, &Tree::new()) {
                println!("SKIPPED, because it fails without a sandbox, too: {name}");
                continue;
            }
            let tree = Tree::new();
            let sandbox = Sandbox::compute().read(tree.path().join("a")).write(tree.path().join("b"));
            let works = run(&pool(Transport::Ring, sandbox), granted, row, &tree);
            assert_eq!(works, granted, "{name}");
        }
    }
}

#[test]
fn the_system_is_readable_for_parsers() {
    let pool = pool(Transport::Ring, Sandbox::parse());
    for path in ["/usr/share/zoneinfo/UTC", "/etc/ssl/certs", "/usr/share/zoneinfo"] {
        if Path::new(path).exists() {
            assert!(ask(&pool, |path: String| fs::File::open(path).is_ok(), path.to_string()), "{path}");
        }
    }
    assert!(!ask(&pool, |()| fs::read("/etc/passwd").is_ok(), ()));
}

#[test]
fn a_granted_path_that_was_replaced_by_a_link_breaks_the_pool_instead_of_leading_out() {
    let root = tempfile::tempdir().expect("a directory");
    let (inner, secret) = (root.path().join("inner"), root.path().join("inner/deeper"));
    fs::create_dir_all(&secret).expect("made");
    let sandbox = Sandbox::compute().write(&inner).read(&secret);
    let pool = pool(Transport::Ring, sandbox);
    // A hostile task prepares the next worker.
    let replaced =
        ask(&pool, |path: PathBuf| fs::remove_dir(&path).and_then(|()| symlink("/etc", &path)).is_ok(), secret.clone());
    assert!(replaced);
    let end = pool.submit(|()| -> bool { std::process::exit(1) }, ()).expect("accepted");
    assert!(get(&end).is_err());
    let read = pool.submit(|()| fs::read("/etc/passwd").is_ok(), ()).and_then(|future| get(&future));
    let error = read.expect_err("no worker can be locked");
    assert_eq!(error.kind(), ErrorKind::Broken, "{error}");
    assert!(error.to_string().contains("replaced by a link"), "{error}");
}

#[test]
fn programs_run_in_the_same_sandbox() {
    let output = |script: String| {
        let output = Command::new("/bin/sh").args(["-c", &script]).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).map_err(|error| error.to_string())
    };
    let mut sandbox = Sandbox::compute();
    for path in ["/usr", "/bin", "/lib", "/lib64"] {
        if Path::new(path).exists() {
            sandbox = sandbox.execute(path);
        }
    }
    let (inside, outside) = (pool(Transport::Ring, sandbox), pool_without());
    assert_eq!(ask(&inside, output, "echo works".into()), Ok("works\n".into()));
    let parent = std::process::id();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().display();
    for script in [
        "cat /etc/passwd >/dev/null && echo yes".to_string(),
        format!("kill -0 {parent} && echo yes"),
        format!("echo x >{path} && echo yes"),
        "test -r /proc/1/status && cat /proc/1/status >/dev/null && echo yes".to_string(),
    ] {
        assert_eq!(ask(&outside, output, script.clone()), Ok("yes\n".into()), "the control: {script}");
        assert_ne!(ask(&inside, output, script.clone()), Ok("yes\n".into()), "{script}");
    }
}

#[test]
fn programs_end_with_their_worker() {
    let mut sandbox = Sandbox::compute();
    for path in ["/usr", "/bin", "/lib", "/lib64"] {
        if Path::new(path).exists() {
            sandbox = sandbox.execute(path);
        }
    }
    let pool = pool(Transport::Ring, sandbox);
    let start = |()| {
        let child = Command::new("setsid").args(["sleep", "1000"]).spawn();
        let child = child.or_else(|_| Command::new("sleep").arg("1000").spawn());
        child.map(|child| child.id()).map_err(|error| error.to_string())
    };
    let plain =
        |()| Command::new("sleep").arg("1000").spawn().map(|child| child.id()).map_err(|error| error.to_string());
    let _ = ask(&pool, start, ());
    let child = ask(&pool, plain, ()).expect("it starts");
    assert!(crate::support::is_alive(child));
    drop(pool);
    crate::support::wait_until("the end of the program", || !crate::support::is_alive(child));
}

#[test]
fn a_network_is_granted_by_kind_and_port() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (port, other_port) = (listener.local_addr().expect("bound").port(), other.local_addr().expect("bound").port());
    let connects = |port: u16| TcpStream::connect(("127.0.0.1", port)).is_ok();
    let listens = |()| TcpListener::bind("127.0.0.1:0").is_ok();
    let sends = |()| UdpSocket::bind("127.0.0.1:0").is_ok();
    let unix = |()| std::os::unix::net::UnixDatagram::unbound().is_ok();
    let any = pool(Transport::Ring, Sandbox::compute().network(Network::Any));
    assert!(ask(&any, connects, port) && ask(&any, connects, other_port));
    assert!(ask(&any, listens, ()) && ask(&any, sends, ()) && !ask(&any, unix, ()));
    let network = Network::Tcp { connect: vec![port], bind: Vec::new() };
    let tcp = pool(Transport::Ring, Sandbox::compute().network(network));
    assert!(ask(&tcp, connects, port) && !ask(&tcp, connects, other_port));
    assert!(!ask(&tcp, listens, ()) && !ask(&tcp, sends, ()) && !ask(&tcp, unix, ()));
    let network = Network::Tcp { connect: Vec::new(), bind: vec![0] };
    let server = pool(Transport::Ring, Sandbox::compute().network(network));
    assert!(ask(&server, listens, ()) && !ask(&server, connects, port));
}

#[test]
fn a_private_directory_goes_with_its_worker() {
    let pool = pool(Transport::Ring, Sandbox::compute().tmpdir());
    let use_it = |()| {
        let directory = std::env::temp_dir();
        let path = directory.join("file");
        fs::write(&path, "x")
            .and_then(|()| fs::create_dir(directory.join("below")))
            .map_err(|error| error.to_string())?;
        Ok::<_, String>(path)
    };
    let path = ask(&pool, use_it, ()).expect("it can be written");
    assert!(path.exists());
    assert!(!ask(&pool, |path: PathBuf| fs::write(path, "x").is_ok(), std::env::temp_dir().join("beside")));
    let end = pool.submit(|()| -> bool { std::process::abort() }, ()).expect("accepted");
    assert!(get(&end).is_err());
    let second = ask(&pool, use_it, ()).expect("it can be written");
    assert_ne!(path, second, "each worker has its own");
    drop(pool);
    assert!(!path.parent().is_some_and(Path::exists) && !second.parent().is_some_and(Path::exists));
}

#[test]
fn the_environment_is_small() {
    let names = |()| {
        let mut stderr = std::io::stderr();
        let _ = stderr.write_all(b"");
        std::env::vars().map(|(name, _)| name).collect::<Vec<_>>()
    };
    let builder = builder(Transport::Ring, 1).env("GIVEN", "x").sandbox(Sandbox::compute().inherit_env("PATH"));
    let pool = builder.build().expect("this system can keep it");
    let found = ask(&pool, names, ());
    let mine = |name: &&String| !name.starts_with("LC_") && !name.starts_with("CONCURRENT_FUTURES_");
    let allowed = ["GIVEN", "PATH", "LANG", "LANGUAGE", "TZ", "RUST_BACKTRACE", "RUST_LIB_BACKTRACE", "RUST_MIN_STACK"];
    // The last is one that this test program sets before `main`.
    let allowed = [&allowed[..], &["LD_LIBRARY_PATH", "TEST_OUTPUT"]].concat();
    for name in found.iter().filter(mine) {
        assert!(allowed.contains(&name.as_str()), "{name} is in {found:?}");
    }
    assert!(found.iter().any(|name| name == "GIVEN") && found.iter().any(|name| name == "PATH"));
}

/// Checks as an ordinary user that the removal of a private directory follows no link.
pub fn removes_directories_as_nobody() {
    super::attacks::become_nobody();
    let kept = tempfile::tempdir().expect("a directory");
    let victim = kept.path().join("victim");
    fs::write(&victim, "x").expect("written");
    fs::set_permissions(&victim, fs::Permissions::from_mode(0o400)).expect("its owner may");
    let pool = pool(Transport::Ring, Sandbox::compute().tmpdir());
    let prepare = |victim: PathBuf| {
        let directory = std::env::temp_dir();
        let (open, closed) = (directory.join("open"), directory.join("closed"));
        for directory in [&open, &closed] {
            fs::create_dir(directory).expect("made");
            symlink(&victim, directory.join("link")).expect("made");
            symlink(victim.parent().expect("it has one"), directory.join("other link")).expect("made");
        }
        for (directory, mode) in [(open, 0o500), (closed, 0o000)] {
            let directory = fs::File::open(directory).expect("opened");
            // SAFETY: the descriptor is open.
            assert_eq!(unsafe { libc::fchmod(std::os::fd::AsRawFd::as_raw_fd(&directory), mode) }, 0);
        }
        directory
    };
    let directory = ask(&pool, prepare, victim.clone());
    drop(pool);
    assert!(!directory.exists(), "it is removed");
    assert_eq!(fs::metadata(&victim).expect("it is there").permissions().mode() & 0o777, 0o400);
}

#[test]
fn the_removal_of_a_private_directory_follows_no_link() {
    succeeds_as_nobody("removes_directories_as_nobody");
}
