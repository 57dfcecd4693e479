//! Runs the example programs as a reader would, and holds them to what their first lines promise.
#![cfg(all(unix, feature = "threads", feature = "processes"))]

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Nothing here takes this long. What does is stuck, and is ended with its output in the message.
const STUCK_AFTER: Duration = Duration::from_secs(120);

const EXECUTORS: [&str; 3] = ["inline", "threads", "processes"];

mod backends {
    use super::*;

    #[test]
    fn a_path_that_does_not_exist_is_an_error_of_the_caller() {
        let ended = Run::start("backends", ["/does/not/exist"]).end();
        ended.expect_code(2);
        assert!(ended.stderr.contains("/does/not/exist: No such file or directory"), "{ended:?}");
        assert_eq!(ended.stdout, "", "no report is begun");
    }

    #[test]
    fn arguments_that_make_no_sense_are_answered_with_the_usage() {
        for mistake in [
            &["--executor", "fast"] as &[&str],
            &["--executor"],
            &["--workers", "0"],
            &["--workers", "many"],
            &["--top", "-1"],
            &["--nonsense"],
        ] {
            let ended = Run::start("backends", mistake).end();
            ended.expect_code(2);
            assert!(ended.stderr.contains("Usage: backends"), "{mistake:?}: {ended:?}");
        }
    }

    #[test]
    fn help_is_not_a_mistake() {
        let ended = Run::start("backends", ["--help"]).end();
        ended.expect_code(0);
        assert!(ended.stdout.contains("Usage: backends"), "{ended:?}");
    }

    #[test]
    fn all_executors_agree_on_a_tree_with_everything_that_is_difficult() {
        let tree = difficult_tree();
        let ended = Run::start("backends", [OsStr::new("--workers"), "3".as_ref(), tree.path().as_ref()]).end();
        ended.expect_code(0);

        assert!(ended.stdout.contains("Checked: inline, threads and processes gave identical results."), "{ended:?}");
        for (executor, workers) in EXECUTORS.into_iter().zip(["1", "3", "3"]) {
            let row = ended.row(executor);
            assert_eq!(row[1..3], [workers, "107"], "workers and files of {executor}: {ended:?}");
        }
        // 100 small files of two lines, eight words and 36 bytes, and those that are not like the others.
        assert_eq!(ended.count_of("lines"), 200 + 1);
        assert_eq!(ended.count_of("words"), 800 + 3 + 3 + 1 + 1 + 2);
        assert_eq!(ended.count_of("bytes"), 3600 + 10 + 10 + 100_000 + 100_000 + 12);
        // Those of the small files, `caf` and `s` around a byte that is no letter, and the one that a block cuts.
        assert_eq!(ended.count_of("different identifiers"), 5);
        assert_eq!(ended.row_with("x1"), ["1", "x1", "502"]);
        assert_eq!(ended.row_with("while"), ["2", "while", "102"]);
        assert_eq!(ended.row_with("cut_by_block")[2], "1");
        assert!(ended.stdout.contains("skipped: 4 "), "a pipe, and three links to directories: {ended:?}");
        assert!(ended.stdout.contains("unreadable: 2\n"), "{ended:?}");
        assert!(ended.stdout.contains("/dangling: No such file or directory"), "{ended:?}");
        assert!(ended.stdout.contains("/itself: Too many levels of symbolic links"), "{ended:?}");
    }

    #[test]
    fn equal_counts_are_listed_by_the_alphabet() {
        let tree = temporary_directory();
        fs::write(tree.path().join("source"), "beta alpha gamma gamma delta 9lives").expect("a writable directory");
        for executor in EXECUTORS {
            let arguments =
                [OsStr::new("--executor"), executor.as_ref(), "--top".as_ref(), "3".as_ref(), tree.path().as_ref()];
            let ended = Run::start("backends", arguments).end();
            ended.expect_code(0);
            let ranking: Vec<Vec<&str>> = ["gamma", "alpha", "beta"].map(|name| ended.row_with(name)).to_vec();
            assert_eq!(ranking, [["1", "gamma", "2"], ["2", "alpha", "1"], ["3", "beta", "1"]], "{ended:?}");
            assert!(!ended.stdout.contains("delta"), "only three were asked for: {ended:?}");
        }
    }

    /// Linux has a file that reads differently every time.
    #[cfg(target_os = "linux")]
    #[test]
    fn results_that_differ_are_a_loud_failure() {
        let tree = temporary_directory();
        symlink("/proc/sys/kernel/random/uuid", tree.path().join("changing")).expect("a writable directory");
        let ended = Run::start("backends", [tree.path()]).end();
        ended.expect_code(1);
        assert!(ended.stdout.contains("FAILED"), "{ended:?}");
        assert!(!ended.stdout.contains("identical results."), "{ended:?}");
        for executor in ["threads", "processes"] {
            let difference = format!("backends: inline and {executor} differ: digest: ");
            assert!(ended.stderr.contains(&difference), "{difference}: {ended:?}");
        }
    }

    /// And one that can be opened and not be read.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_cannot_be_read_is_listed_and_not_counted() {
        let tree = temporary_directory();
        symlink("/proc/self/mem", tree.path().join("broken")).expect("a writable directory");
        let ended = Run::start("backends", [tree.path()]).end();
        ended.expect_code(0);
        assert_eq!(ended.row("processes")[2], "0", "{ended:?}");
        assert!(ended.stdout.contains("/broken: Input/output error"), "{ended:?}");
    }

    #[test]
    fn a_single_file_and_an_empty_directory_are_paths_too() {
        let tree = temporary_directory();
        let file = tree.path().join("one");
        fs::write(&file, "one\n").expect("a writable directory");
        let empty = tree.path().join("empty");
        fs::create_dir(&empty).expect("a writable directory");

        for (path, files) in [(&file, "1"), (&empty, "0")] {
            let ended = Run::start("backends", [path]).end();
            ended.expect_code(0);
            assert_eq!(ended.row("processes")[2], files, "{ended:?}");
        }
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_failure() {
        let tree = difficult_tree();
        let mut run = Run::start_without_reading("backends", [tree.path()]);
        drop(run.child.stdout.take());
        run.read();
        run.end().expect_code(0);
    }

    #[test]
    fn ctrl_c_cancels_the_rest_and_leaves_nothing_running() {
        let tree = large_tree();
        for executor in EXECUTORS {
            let arguments =
                [OsStr::new("--executor"), executor.as_ref(), "--workers".as_ref(), "2".as_ref(), tree.path().as_ref()];
            let mut run = Run::start("backends", arguments);
            run.wait_for("1 % done");
            if executor == "processes" {
                assert_eq!(run.processes().len(), 3, "the program and its workers: otherwise the last check is blind");
            }
            run.interrupt();
            let marker = run.marker.clone();
            let ended = run.end();
            ended.expect_code(130);
            assert!(ended.stdout.contains("Interrupted: "), "{ended:?}");
            assert!(ended.stdout.contains(executor), "{ended:?}");
            assert_eq!(processes_with(&marker), [0; 0], "left behind by {executor}");
        }
    }

    #[test]
    fn ctrl_c_ends_all_executors_and_not_only_the_one_that_runs() {
        let tree = large_tree();
        let mut run = Run::start("backends", [tree.path()]);
        run.wait_for("inline: 1 % done");
        run.interrupt();
        let ended = run.end();
        ended.expect_code(130);
        assert!(!ended.stderr.contains("threads: started"), "{ended:?}");
    }

    /// A hundred files that are alike, and one of each kind that a careless program trips over.
    fn difficult_tree() -> TempDir {
        let tree = temporary_directory();
        let at = |name: &str| tree.path().join(name);
        let create = |path: PathBuf, content: &[u8]| fs::write(path, content).expect("a writable directory");
        fs::create_dir_all(at("deep/er")).expect("a writable directory");
        for number in 0..100 {
            create(at(&format!("deep/er/{number}.rs")), b"while x1 x1 x1 0x1f\n12345678 x1 x1\n ");
        }
        create(at("empty"), b"");
        create(at("not-utf-8"), b"caf\xE9s \xFF\xFE 1");
        create(at("no-line-feed"), b"while x1 1");
        // Longer than the longest identifier that is counted, and cut by the end of a block.
        create(at("endless-word"), &[b'a'; 100_000]);
        let mut cut = vec![b' '; 100_000];
        cut[65_530..65_542].copy_from_slice(b"cut_by_block");
        create(at("cut"), &cut);
        create(at("windows"), b"while\r\nx1 \x0b ");
        // A name that no `str` can hold.
        let name = OsStr::from_bytes(b"name-\xFF");
        if cfg!(target_os = "linux") {
            create(tree.path().join(name), b"");
        }

        symlink("nowhere", at("dangling")).expect("a writable directory");
        symlink("itself", at("itself")).expect("a writable directory");
        symlink(".", at("loop")).expect("a writable directory");
        symlink("../..", at("deep/er/loop")).expect("a writable directory");
        symlink("/", at("root")).expect("a writable directory");
        let made = Command::new("mkfifo").arg(at("pipe")).status().expect("every Unix has mkfifo");
        assert!(made.success());
        tree
    }

    /// More than can be done while the test looks away, in little space: one file with many names.
    fn large_tree() -> TempDir {
        let tree = temporary_directory();
        let first = tree.path().join("0");
        fs::write(&first, "some words of which there are many\n".repeat(64 * 1024 / 35)).expect("a writable directory");
        for number in 1..8000 {
            fs::hard_link(&first, tree.path().join(number.to_string())).expect("a file system with hard links");
        }
        tree
    }
}

mod crash_proof {
    use super::*;

    #[test]
    fn exactly_the_hostile_inputs_fail() {
        let run = Run::start("crash_proof", [""; 0]);
        let marker = run.marker.clone();
        let ended = run.end();
        ended.expect_code(0);
        for (trap, ending) in [
            ("InvalidWrite", "SIGSEGV"),
            ("EndlessLoop", "the time limit"),
            ("EndlessRecursion", "SIG"),
            ("EndlessAllocation", "the memory limit"),
            ("Abort", "SIGABRT"),
            ("Exit", "exit code 3"),
            ("Panic", "a panic"),
        ] {
            let line = ended.line_with(trap);
            assert!(line.contains(ending), "{trap}: {line}");
        }
        assert!(ended.stdout.contains("The other 40 files are right"), "{ended:?}");
        assert_eq!(processes_with(&marker), [0; 0], "left behind");
    }
}

mod swap {
    use super::*;

    #[test]
    fn every_executor_gives_the_same_answer() {
        let answers = EXECUTORS.map(|executor| {
            let ended = Run::start("swap", [executor]).end();
            ended.expect_code(0);
            ended.stdout.replace(executor, "")
        });
        assert!(answers[0].contains("230631"), "{answers:?}");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }

    #[test]
    fn an_executor_that_nobody_knows_is_an_error() {
        let ended = Run::start("swap", ["cluster"]).end();
        ended.expect_code(1);
        assert!(ended.stderr.contains("`cluster` is not an executor"), "{ended:?}");
    }

    #[test]
    fn it_is_short_enough_to_be_copied() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/swap.rs");
        let lines = fs::read_to_string(source).expect("the example's source").lines().count();
        assert!(lines < 60, "{lines} lines");
    }
}

/// The variable by which a program's own children can be told from those of other tests.
const MARKER: &str = "CONCURRENT_FUTURES_EXAMPLE_RUN";

/// An example that runs. Its output arrives as events, so a test waits for what it needs and for nothing else.
struct Run {
    child: Child,
    marker: String,
    events: Receiver<Event>,
    sender: Option<Sender<Event>>,
    ended: Ended,
}

enum Event {
    Stdout(String),
    Stderr(String),
}

#[derive(Debug, Default)]
struct Ended {
    status: Option<ExitStatus>,
    stdout: String,
    stderr: String,
}

impl Run {
    fn start<A: AsRef<OsStr>>(example: &str, arguments: impl IntoIterator<Item = A>) -> Run {
        let mut run = Run::start_without_reading(example, arguments);
        run.read();
        run
    }

    fn start_without_reading<A: AsRef<OsStr>>(example: &str, arguments: impl IntoIterator<Item = A>) -> Run {
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

    /// Reads both streams at once, because a program that fills the one while the other is read would wait for ever.
    fn read(&mut self) {
        let Some(sender) = self.sender.take() else { return };
        if let Some(stdout) = self.child.stdout.take() {
            send_lines(stdout, Event::Stdout, sender.clone());
        }
        if let Some(stderr) = self.child.stderr.take() {
            send_lines(stderr, Event::Stderr, sender);
        }
    }

    /// Waits for a line on standard error.
    fn wait_for(&mut self, what: &str) {
        let deadline = Instant::now() + STUCK_AFTER;
        while !self.ended.stderr.contains(what) {
            assert!(self.next_event(deadline), "ended without `{what}`: {:?}", self.ended);
        }
    }

    /// As Ctrl-C does it, but for this one process: the workers are not the terminal's to interrupt.
    fn interrupt(&self) {
        let kill = format!("kill -INT {}", self.child.id());
        let killed = Command::new("sh").args(["-c", &kill]).status().expect("every Unix has sh");
        assert!(killed.success());
    }

    /// The process ids of the program and its workers.
    fn processes(&self) -> Vec<u32> {
        processes_with(&self.marker)
    }

    /// Waits until both streams are closed, by the program and by everybody who inherited them, and for its exit.
    fn end(mut self) -> Ended {
        let deadline = Instant::now() + STUCK_AFTER;
        while self.next_event(deadline) {}
        self.ended.status = Some(self.child.wait().expect("a child that nobody else waits for"));
        self.ended
    }

    /// False: there will be no more.
    fn next_event(&mut self, deadline: Instant) -> bool {
        match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Event::Stdout(line)) => self.ended.stdout.push_str(&line),
            Ok(Event::Stderr(line)) => self.ended.stderr.push_str(&line),
            Err(mpsc::RecvTimeoutError::Disconnected) => return false,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                // It is stuck already; whether it can be killed changes nothing about the verdict.
                let _ = self.child.kill();
                panic!("stuck: {:?}", self.ended);
            }
        }
        true
    }
}

impl Ended {
    #[track_caller]
    fn expect_code(&self, code: i32) {
        assert_eq!(self.status.and_then(|status| status.code()), Some(code), "{self:?}");
    }

    /// The columns of the line that starts with `first`.
    #[track_caller]
    fn row(&self, first: &str) -> Vec<&str> {
        let row = self.stdout.lines().find(|line| line.split_whitespace().next() == Some(first));
        row.unwrap_or_else(|| panic!("no row {first}: {self:?}")).split_whitespace().collect()
    }

    #[track_caller]
    fn row_with(&self, column: &str) -> Vec<&str> {
        let row = self.stdout.lines().find(|line| line.split_whitespace().any(|word| word == column));
        row.unwrap_or_else(|| panic!("no row with {column}: {self:?}")).split_whitespace().collect()
    }

    #[track_caller]
    fn line_with(&self, what: &str) -> &str {
        let line = self.stdout.lines().find(|line| line.contains(what));
        line.unwrap_or_else(|| panic!("no line with {what}: {self:?}"))
    }

    /// The number before `what` in the list of findings.
    #[track_caller]
    fn count_of(&self, what: &str) -> u64 {
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
                // The test is over, and so is the interest in the rest.
                return;
            }
        }
    });
}

/// Cargo builds the examples whenever it builds the tests, unless it is told to build this test and nothing else.
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

/// The processes that have this run's marker in their environment. Elsewhere than on Linux: none that we know of.
fn processes_with(marker: &str) -> Vec<u32> {
    let variable = format!("{MARKER}={marker}");
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| {
            // A process that is gone by now has no environment.
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|&byte| byte == 0).any(|entry| entry == variable.as_bytes())
        })
        .collect()
}

fn temporary_directory() -> TempDir {
    tempfile::Builder::new().prefix("examples-").tempdir().expect("a writable directory for temporary files")
}
