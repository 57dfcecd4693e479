//! The calls that a sandbox has refused, as workers report them on their standard error.

use executor_core::escape;
use parking_lot::Mutex;

use crate::sys::policy::BLOCKED;

/// A call that a sandbox has refused. [`ProcessPoolExecutor::refusals`](crate::ProcessPoolExecutor::refusals) returns
/// them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RefusedCall {
    call: String,
    path: Option<String>,
}

impl RefusedCall {
    /// Returns the name of the system call, such as `openat`.
    pub fn call(&self) -> &str {
        &self.call
    }

    /// Returns the path that the call had, if it had one and that is known. Control characters are escaped.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Parses a line of a worker's standard error: a call, perhaps a path in quotes, and the number of the call.
    fn parse(line: &str) -> Option<RefusedCall> {
        let text = line.strip_prefix(BLOCKED)?.trim_end().strip_suffix(')')?;
        let (text, number) = text.rsplit_once(" (system call ")?;
        number.parse::<u32>().ok()?;
        let (call, path) = match text.split_once(" \"") {
            Some((call, path)) => (call, Some(path.strip_suffix('"')?)),
            None => (text, None),
        };
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_ ".contains(&byte))
        };
        let escaped = |path: &str| escape::message(path).into_owned();
        is_name(call).then(|| RefusedCall { call: call.to_string(), path: path.map(escaped) })
    }

    /// Returns the call in the last line that reports one.
    pub(crate) fn last_in(text: &str) -> Option<RefusedCall> {
        text.lines().rev().find_map(RefusedCall::parse)
    }
}

/// The calls that the workers of a pool have reported, each once.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Vec<RefusedCall>>);

/// The most calls that are kept.
const MOST: usize = 256;

impl Refusals {
    pub(crate) fn list(&self) -> Vec<RefusedCall> {
        self.0.lock().clone()
    }

    fn add(&self, call: RefusedCall) {
        let mut list = self.0.lock();
        if list.len() < MOST && !list.contains(&call) {
            list.push(call);
        }
    }
}

/// Finds reports in what one worker writes.
#[derive(Debug)]
pub(crate) struct Scanner {
    refusals: std::sync::Arc<Refusals>,
    /// The beginning of a line.
    line: Vec<u8>,
}

impl Scanner {
    pub(crate) fn new(refusals: std::sync::Arc<Refusals>) -> Scanner {
        Scanner { refusals, line: Vec::new() }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        /// No report is longer, and the rest of a longer line is left out.
        const LONGEST: usize = 4096;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let space = LONGEST.saturating_sub(self.line.len());
            self.line.extend_from_slice(&piece[..piece.len().min(space)]);
            if piece.ends_with(b"\n") {
                let found = RefusedCall::parse(&String::from_utf8_lossy(&self.line));
                found.into_iter().for_each(|call| self.refusals.add(call));
                self.line.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(pieces: &[&str]) -> Vec<(String, Option<String>)> {
        let refusals = std::sync::Arc::new(Refusals::default());
        let mut scanner = Scanner::new(refusals.clone());
        pieces.iter().for_each(|piece| scanner.push(piece.as_bytes()));
        refusals.list().into_iter().map(|call| (call.call, call.path)).collect()
    }

    #[test]
    fn reports_are_found_in_pieces_and_listed_once() {
        let line = "blocked by the sandbox: openat \"/etc/passwd\" (system call 257)\n";
        let (first, second) = line.split_at(30);
        let found = scanned(&["page 17\n", first, second, line, "blocked by the sandbox: ptrace (system call 101)\n"]);
        assert_eq!(found, [("openat".into(), Some("/etc/passwd".into())), ("ptrace".into(), None)]);
    }

    #[test]
    fn lines_that_are_no_reports_are_ignored_and_reports_are_escaped() {
        for line in [
            "blocked by the sandbox: \n",
            "blocked by the sandbox: ptrace\n",
            "blocked by the sandbox: ptrace (system call x)\n",
            "blocked by the sandbox: open\x1b[0m (system call 2)\n",
            "x blocked by the sandbox: ptrace (system call 101)\n",
            "blocked by the sandbox: ptrace (system call 101)",
        ] {
            assert_eq!(scanned(&[line]), [], "{line:?}");
        }
        let found = scanned(&["blocked by the sandbox: open \"/\x1b]0;owned\x07\" (system call 2)\n"]);
        assert!(found[0].1.as_ref().is_some_and(|path| !path.contains('\x1b')), "{found:?}");
        assert_eq!(scanned(&["x".repeat(10_000).as_str(), "\n"]), []);
        let many: String =
            (0..1000).map(|n| format!("blocked by the sandbox: open \"/{n}\" (system call 2)\n")).collect();
        assert_eq!(scanned(&[&many]).len(), MOST);
    }
}
