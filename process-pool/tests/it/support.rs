//! What several of the tests need: watchdogs, and ways to meet a task that runs in another process.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::fs::OpenOptionsExt as _,
    },
    panic::resume_unwind,
    path::Path,
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use executor_core::{Error, Executor, Future};
use process_pool::{ProcessPoolBuilder, ProcessPoolExecutor, Transport};
use tempfile::TempDir;

/// Longer than anything takes on the busiest machine: a test that reaches it hangs.
pub const HANGS: Duration = Duration::from_secs(100);

/// Runs a test over each transport, on a thread of its own, and says which one it was that failed or hung.
pub fn on_both(test: fn(Transport)) {
    for transport in [Transport::Ring, Transport::Socket] {
        on(transport, test);
    }
}

/// Runs a test over one transport.
pub fn on(transport: Transport, test: fn(Transport)) {
    let (done, over) = channel();
    let thread = thread::spawn(move || {
        test(transport);
        let _ = done.send(());
    });
    if over.recv_timeout(HANGS + HANGS / 2) == Err(RecvTimeoutError::Timeout) {
        panic!("the test hangs with {transport:?}");
    }
    if let Err(panic) = thread.join() {
        eprintln!("the test failed with {transport:?}");
        resume_unwind(panic);
    }
}

pub fn builder(transport: Transport, workers: usize) -> ProcessPoolBuilder {
    ProcessPoolExecutor::builder().transport(transport).max_workers(workers)
}

pub fn pool(transport: Transport, workers: usize) -> ProcessPoolExecutor {
    builder(transport, workers).build().expect("a pool")
}

/// Waits until something is so, which it is to become soon.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < HANGS, "{what} does not come about");
        thread::park_timeout(Duration::from_micros(200));
    }
}

/// Gives a pool the time to see that what runs are no short tasks, behind which others may wait. More time changes
/// nothing.
pub fn let_them_be_long() {
    let start = Instant::now();
    wait_until("some milliseconds", || start.elapsed() > Duration::from_millis(5));
}

/// A result that is to come.
pub fn get<T: Send + 'static>(future: &Future<T>) -> Result<T, Error> {
    future.result(HANGS)
}

/// Waits until all workers are there and have answered.
pub fn warm_up(pool: &ProcessPoolExecutor, workers: usize) {
    let dir = Meeting::new();
    let gates: Vec<Gate> = (0..workers).map(|number| Gate::start(pool, &dir, &format!("warm{number}"))).collect();
    gates.into_iter().for_each(Gate::finish);
}

/// A directory in which processes leave each other signs.
pub struct Meeting(TempDir);

impl Meeting {
    pub fn new() -> Meeting {
        Meeting(TempDir::new().expect("a directory"))
    }

    /// The name of a file in it, to be passed to a task.
    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("text").to_string()
    }

    pub fn has(&self, name: &str) -> bool {
        Path::new(&self.path(name)).exists()
    }

    pub fn put(&self, name: &str) {
        fs::write(self.path(name), "").expect("written");
    }

    pub fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_string).collect()
    }

    pub fn numbers(&self, name: &str) -> Vec<u32> {
        self.lines(name).iter().map(|line| line.parse().expect("a number")).collect()
    }
}

/// In a task: leaves a sign.
pub fn put(path: &str) {
    fs::write(path, "").expect("written");
}

/// In a task: adds a line, whole, also if several processes do so at once.
pub fn add_line(path: &str, line: impl ToString) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("opens");
    file.write_all(format!("{}\n", line.to_string()).as_bytes()).expect("written");
}

/// In a task: waits for a sign.
pub fn wait_for(path: &str) {
    wait_until(path, || Path::new(path).exists());
}

/// In a task: says that it runs, and goes on when it is let.
pub fn pass_gate(path: String) -> u32 {
    put(&format!("{path}.runs"));
    wait_for(&format!("{path}.open"));
    std::process::id()
}

/// Goes on for ever.
pub fn never_ends(path: String) {
    put(&path);
    loop {
        thread::park_timeout(Duration::from_secs(1));
    }
}

/// A task that runs until it is let go.
pub struct Gate {
    path: GatePath,
    pub future: Future<u32>,
}

struct GatePath(String);

impl Gate {
    pub fn submit(pool: &ProcessPoolExecutor, meeting: &Meeting, name: &str) -> Gate {
        let path = meeting.path(name);
        let future = pool.submit(pass_gate, path.clone()).expect("accepted");
        Gate { path: GatePath(path), future }
    }

    /// It runs when this returns.
    pub fn start(pool: &ProcessPoolExecutor, meeting: &Meeting, name: &str) -> Gate {
        let gate = Gate::submit(pool, meeting, name);
        gate.wait();
        gate
    }

    pub fn wait(&self) {
        wait_for(&format!("{}.runs", self.path.0));
    }

    pub fn open(&self) {
        self.path.open();
    }

    pub fn finish(self) {
        self.open();
        get(&self.future).expect("passed");
    }
}

impl GatePath {
    fn open(&self) {
        // It fails only where a test has failed, and its directory is gone.
        let _ = fs::write(format!("{}.open", self.0), "");
    }
}

/// A test that fails must not wait for its own gates when its pool is dropped.
impl Drop for GatePath {
    fn drop(&mut self) {
        self.open();
    }
}

#[allow(unsafe_code)]
pub fn kill(pid: u32, signal: i32) {
    // SAFETY: a system call without pointers, on a process that a test has started.
    unsafe { libc::kill(pid.cast_signed(), signal) };
}

/// Whether a process is there, and is not a corpse that nobody has taken away yet.
pub fn is_alive(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    !matches!(state, Some('Z' | 'X') | None)
}

/// Opens a terminal and returns its master and its slave. Both are closed on exec from the start: a program that another
/// thread starts at this moment would otherwise keep the master, and the slave would not notice that it is closed here.
#[allow(unsafe_code)]
pub fn terminal() -> (File, OwnedFd) {
    let open = |path: &str| {
        let flags = libc::O_NOCTTY | libc::O_CLOEXEC;
        File::options().read(true).write(true).custom_flags(flags).open(path).expect("a terminal")
    };
    let master = open("/dev/ptmx");
    let mut name = [0; 64];
    // SAFETY: the descriptor is open, and the name is written to a valid place of the length that is passed.
    let name = unsafe {
        assert_eq!(libc::grantpt(master.as_raw_fd()), 0);
        assert_eq!(libc::unlockpt(master.as_raw_fd()), 0);
        assert_eq!(libc::ptsname_r(master.as_raw_fd(), name.as_mut_ptr(), name.len()), 0);
        std::ffi::CStr::from_ptr(name.as_ptr())
    };
    let slave = open(name.to_str().expect("a path"));
    (master, slave.into())
}

/// The processes whose parent this is, corpses included.
pub fn children() -> Vec<u32> {
    let own = std::process::id();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("a /proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse::<u32>().ok());
        if parent == Some(own) {
            found.push(pid);
        }
    }
    found
}

pub fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").expect("a /proc").count()
}

pub fn threads() -> usize {
    fs::read_dir("/proc/self/task").expect("a /proc").count()
}
