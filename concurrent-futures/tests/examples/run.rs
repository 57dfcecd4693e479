//! Runs example programs.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::Instant,
};

use tempfile::TempDir;
use test_support::DEADLINE;

/// The number of the signal of Ctrl-C on every Unix.
const SIGINT: i32 = 2;

/// The environment variable by which a test finds the processes of its example.
const MARKER: &str = "CONCURRENT_FUTURES_EXAMPLE_RUN";

/// A running example. Its output arrives as events, so that a test can wait for a line.
pub struct Run {
    pub child: Child,
    pub marker: String,
    events: Receiver<Event>,
    sender: Option<Sender<Event>>,
    ended: Ended,
}

enum Event {
    Stdout(String),
    Stderr(String),
}

/// An example that has ended, with its output.
#[derive(Debug, Default)]
pub struct Ended {
    status: Option<ExitStatus>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn start<A: AsRef<OsStr>>(example: &str, arguments: impl IntoIterator<Item = A>) -> Run {
        let mut run = Run::start_without_reading(example, arguments);
        run.read();
        run
    }

    pub fn start_without_reading<A: AsRef<OsStr>>(example: &str, arguments: impl IntoIterator<Item = A>) -> Run {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let marker = format!("{}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
        let child = Command::new(binary(example))
            .args(arguments)
            .env(MARKER, &marker)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let (sender, events) = mpsc::channel();
        Run { child, marker, events, sender: Some(sender), ended: Ended::default() }
    }

    /// Reads both streams at the same time, because a program blocks forever if it fills a stream that is not read.
    pub fn read(&mut self) {
        let Some(sender) = self.sender.take() else { return };
        if let Some(stdout) = self.child.stdout.take() {
            send_lines(stdout, Event::Stdout, sender.clone());
        }
        if let Some(stderr) = self.child.stderr.take() {
            send_lines(stderr, Event::Stderr, sender);
        }
    }

    /// Waits for a line on standard error.
    pub fn wait_for(&mut self, what: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.ended.stderr.contains(what) {
            assert!(self.next_event(deadline), "ended without `{what}`: {:?}", self.ended);
        }
    }

    /// Sends the signal of Ctrl-C to the program alone, because workers have no controlling terminal.
    pub fn interrupt(&self) {
        test_support::kill(self.child.id(), SIGINT);
    }

    /// Returns the process ids of the program and its workers.
    pub fn processes(&self) -> Vec<u32> {
        processes_with(&self.marker)
    }

    /// Waits until all processes have closed both streams and the program has ended.
    pub fn end(mut self) -> Ended {
        let deadline = Instant::now() + DEADLINE;
        while self.next_event(deadline) {}
        self.ended.status = Some(self.child.wait().expect("only this test waits for the child"));
        self.ended
    }

    /// Waits for an event. Returns `false` if there are no more.
    fn next_event(&mut self, deadline: Instant) -> bool {
        match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Event::Stdout(line)) => self.ended.stdout.push_str(&line),
            Ok(Event::Stderr(line)) => self.ended.stderr.push_str(&line),
            Err(mpsc::RecvTimeoutError::Disconnected) => return false,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                // An error does not matter, because the test fails in any case.
                let _ = self.child.kill();
                panic!("no event within {DEADLINE:?}: {:?}", self.ended);
            }
        }
        true
    }
}

impl Ended {
    #[track_caller]
    pub fn expect_code(&self, code: i32) {
        assert_eq!(self.code(), Some(code), "{self:?}");
    }

    /// Returns the exit code, or `None` if it was killed.
    pub fn code(&self) -> Option<i32> {
        self.status.and_then(|status| status.code())
    }

    /// Returns the columns of the line that starts with `first`.
    #[track_caller]
    pub fn row(&self, first: &str) -> Vec<&str> {
        let row = self.stdout.lines().find(|line| line.split_whitespace().next() == Some(first));
        row.unwrap_or_else(|| panic!("no row {first}: {self:?}")).split_whitespace().collect()
    }

    #[track_caller]
    pub fn row_with(&self, column: &str) -> Vec<&str> {
        let row = self.stdout.lines().find(|line| line.split_whitespace().any(|word| word == column));
        row.unwrap_or_else(|| panic!("no row with {column}: {self:?}")).split_whitespace().collect()
    }

    #[track_caller]
    pub fn line_with(&self, what: &str) -> &str {
        let line = self.stdout.lines().find(|line| line.contains(what));
        line.unwrap_or_else(|| panic!("no line with {what}: {self:?}"))
    }

    /// Returns the number before `what` in the report.
    #[track_caller]
    pub fn count_of(&self, what: &str) -> u64 {
        let line =
            self.stdout.lines().find(|line| line.trim_start().split_once(' ').is_some_and(|(_, rest)| rest == what));
        let line = line.unwrap_or_else(|| panic!("no count of {what}: {self:?}"));
        let digits: String = line.chars().filter(char::is_ascii_digit).collect();
        digits.parse().unwrap_or_else(|_| panic!("no number: {line}"))
    }
}

fn send_lines(stream: impl Read + Send + 'static, event: fn(String) -> Event, sender: Sender<Event>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let line = line.unwrap_or_else(|error| format!("cannot be read: {error}"));
            if sender.send(event(line + "\n")).is_err() {
                // The test has ended.
                return;
            }
        }
    });
}

/// Returns the path of an example. Cargo builds the examples with the tests, unless only this test is chosen.
fn binary(example: &str) -> PathBuf {
    let this_test = env::current_exe().expect("the path of this test");
    let profile = this_test.ancestors().nth(2).expect("tests are in target/<profile>/deps");
    let path = profile.join("examples").join(example);
    assert!(
        path.exists(),
        "{} is not there: run `cargo build --examples` with the profile of this test",
        path.display()
    );
    path
}

/// Returns the processes with this marker in their environment. There are none on systems without `/proc`.
pub fn processes_with(marker: &str) -> Vec<u32> {
    let variable = format!("{MARKER}={marker}");
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| {
            // A process that has ended has no environment.
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|&byte| byte == 0).any(|entry| entry == variable.as_bytes())
        })
        .collect()
}

pub fn temporary_directory() -> TempDir {
    tempfile::Builder::new().prefix("examples-").tempdir().expect("a writable directory for temporary files")
}
