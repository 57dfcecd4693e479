//! The programs that are measured.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

/// Whose calls a program has.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Ours,
    Peer,
}

/// What the calls of a program call.
#[derive(Clone, Copy)]
pub(crate) enum Functions {
    /// Each call has a function of its own.
    Own,
    /// All calls have the same function.
    Same,
}

/// A program with this many calls.
pub(crate) struct Program {
    pub(crate) side: Side,
    pub(crate) functions: Functions,
    pub(crate) calls: usize,
    /// Where its package is.
    pub(crate) directory: PathBuf,
    /// Where it is built.
    pub(crate) target: PathBuf,
}

impl Side {
    pub(crate) fn description(self) -> &'static str {
        match self {
            Side::Ours => "ThreadPoolExecutor::submit",
            Side::Peer => "rayon spawn_fifo + oneshot",
        }
    }

    /// Returns the name of the package.
    pub(crate) fn package(self) -> &'static str {
        match self {
            Side::Ours => "sites-ours",
            Side::Peer => "sites-peer",
        }
    }

    fn dependencies(self, workspace: &Path) -> String {
        match self {
            Side::Ours => {
                let path = workspace.join("concurrent-futures");
                format!(
                    "concurrent-futures = {{ path = {path:?}, default-features = false, features = [\"threads\"] }}\n"
                )
            }
            Side::Peer => "rayon = \"1\"\noneshot = { version = \"0.2\", features = [\"std\"] }\n".to_string(),
        }
    }

    /// Returns what the calls have in common.
    fn head(self) -> &'static str {
        match self {
            Side::Ours => {
                "use concurrent_futures::{Error, Executor, Future, ThreadPoolExecutor as Pool};
                 type Handle = Future<u64>;
                 fn pool() -> Pool { Pool::new(1).expect(\"a thread\") }
                 fn result(handle: Handle) -> u64 { handle.result(None).expect(\"ran\") }\n"
            }
            Side::Peer => {
                "type Pool = rayon::ThreadPool;
                 type Error = oneshot::RecvError;
                 type Handle = oneshot::Receiver<u64>;
                 fn pool() -> Pool { rayon::ThreadPoolBuilder::new().num_threads(1).build().expect(\"a thread\") }
                 fn result(handle: Handle) -> u64 { handle.recv().expect(\"ran\") }\n"
            }
        }
    }

    /// Returns a call of this function.
    fn call(self, function: &str) -> String {
        match self {
            Side::Ours => format!("handles.push(pool.submit({function}, number)?);"),
            Side::Peer => format!(
                "let (sender, receiver) = oneshot::channel();
                 pool.spawn_fifo(move || drop(sender.send({function}(number))));
                 handles.push(receiver);"
            ),
        }
    }
}

impl Functions {
    pub(crate) fn description(self) -> &'static str {
        match self {
            Functions::Own => "each call has a function of its own",
            Functions::Same => "all calls have the same function",
        }
    }
}

impl Program {
    /// Writes the source, builds the program, and returns the seconds of processor time that this took.
    pub(crate) fn build(&self, workspace: &Path) -> io::Result<f64> {
        let (package, dependencies) = (self.side.package(), self.side.dependencies(workspace));
        fs::create_dir_all(self.directory.join("src"))?;
        let manifest = format!(
            "[package]\nname = {package:?}\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n[workspace]\n\n\
             [dependencies]\n{dependencies}\n[profile.release]\ndebug = \"line-tables-only\"\nstrip = true\n"
        );
        write_if_other(&self.directory.join("Cargo.toml"), &manifest)?;
        // The same versions of the dependencies as everything here.
        if !self.directory.join("Cargo.lock").exists() {
            fs::copy(workspace.join("Cargo.lock"), self.directory.join("Cargo.lock"))?;
        }
        fs::write(self.directory.join("src/main.rs"), self.source())?;
        let clock = Clock::start();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--release", "--quiet"]).current_dir(&self.directory);
        // The profile is that of the workspace, so the dependencies may have been built for other programs.
        cargo.env("CARGO_TARGET_DIR", &self.target).env("CARGO_INCREMENTAL", "0");
        let status = cargo.status()?;
        if !status.success() {
            return Err(io::Error::other(format!("{package} with {} calls does not build: {status}", self.calls)));
        }
        Ok(clock.seconds())
    }

    /// Returns the path of the program.
    pub(crate) fn binary(&self) -> PathBuf {
        self.target.join("release").join(self.side.package())
    }

    fn source(&self) -> String {
        let mut text = self.side.head().to_string();
        text.push_str("#[allow(dead_code)]\nfn same(number: u64) -> u64 { number ^ 7 }\n");
        // Writing to a `String` does not fail, so the results of `write!` are ignored.
        for call in 0..self.calls {
            let function = match self.functions {
                Functions::Own => format!("function_{call}"),
                Functions::Same => "same".to_string(),
            };
            if matches!(self.functions, Functions::Own) {
                let _ = writeln!(text, "fn {function}(number: u64) -> u64 {{ number ^ {call} }}");
            }
            let _ = writeln!(
                text,
                "fn site_{call}(pool: &Pool, number: u64, handles: &mut Vec<Handle>) -> Result<(), Error> {{ {} Ok(()) }}",
                self.side.call(&function)
            );
        }
        let _ = writeln!(text, "type Site = fn(&Pool, u64, &mut Vec<Handle>) -> Result<(), Error>;");
        let sites: Vec<String> = (0..self.calls).map(|call| format!("site_{call}")).collect();
        let _ = writeln!(text, "static SITES: [Site; {}] = [{}];", self.calls, sites.join(", "));
        text.push_str(
            "fn main() {
                 let (pool, mut handles) = (pool(), Vec::new());
                 SITES.iter().for_each(|site| site(&pool, 1, &mut handles).expect(\"accepted\"));
                 println!(\"{}\", handles.into_iter().map(result).sum::<u64>());
             }\n",
        );
        text
    }
}

/// Leaves a file alone that has this text, so that cargo builds only what has changed.
fn write_if_other(path: &Path, text: &str) -> io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|found| found == text) { Ok(()) } else { fs::write(path, text) }
}

/// Measures the processor time of the processes that this one waits for, or the time where the system does not tell.
struct Clock {
    start: Instant,
    processor: Option<u64>,
}

impl Clock {
    fn start() -> Clock {
        Clock { start: Instant::now(), processor: ticks_of_children() }
    }

    fn seconds(&self) -> f64 {
        match (self.processor, ticks_of_children()) {
            // Linux shows hundredths of a second to every program.
            (Some(before), Some(now)) => (now - before) as f64 / 100.0,
            _ => self.start.elapsed().as_secs_f64(),
        }
    }
}

/// Returns the processor time of all processes that this one has waited for, and of those that they have waited for.
fn ticks_of_children() -> Option<u64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program is in parentheses, and may contain spaces. The two figures are the 16th and 17th.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(13);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}
