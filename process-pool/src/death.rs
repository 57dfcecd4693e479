//! The errors about a worker that died: the facts, the likely cause, the next step.

use std::{fmt::Write as _, process::ExitStatus};

use executor_core::{Error, ErrorKind, WorkerDeath, escape};

use crate::{
    RefusedCall,
    sys::ending::{self, Cause},
    transport::Report,
    worker::{EXIT_NOT_STARTED, LINK_LOST, STACK_OVERFLOW},
};

/// How a worker ended.
#[derive(Clone, Debug)]
pub(crate) struct Death {
    /// The name of the worker.
    pub(crate) worker: String,
    pub(crate) pid: u32,
    /// The exit status, or `None` if something else in this program has reaped the process.
    pub(crate) status: Option<ExitStatus>,
    /// Why the pool has killed the worker, if it has.
    pub(crate) reason: Option<&'static str>,
    pub(crate) signs: Signs,
    /// The end of the worker's standard error since its task began, or since its last task ended if it ran none.
    pub(crate) stderr_tail: String,
    /// Whether the kernel has killed a process of this program because memory ran out, since the previous death.
    pub(crate) out_of_memory: bool,
}

/// The signs of the cause that the worker itself has recorded. An error mentions a sign only if it explains the death.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Signs {
    /// It was never ready.
    pub(crate) never_served: bool,
    /// Its stack has overflowed. `None` if it can report that only on its standard error.
    pub(crate) stack_overflowed: Option<bool>,
    /// It could neither read from its parent nor write to it. `None` if it can report that only on its standard error.
    pub(crate) link_lost: Option<bool>,
}

impl Signs {
    pub(crate) fn of(report: Option<&Report>) -> Signs {
        Signs {
            never_served: report.is_none_or(|report| !report.served()),
            stack_overflowed: report.map(Report::has_overflowed_its_stack),
            link_lost: report.map(Report::has_lost_its_link),
        }
    }
}

impl Death {
    /// Returns the error of the task that it was running.
    pub(crate) fn error(&self, task: &str) -> Error {
        let message = format!("task `{task}` was lost: {}", self.describe());
        Error::from_death(ErrorKind::WorkerDied, message, self.detail(task))
    }

    /// Returns the error of a pool that is broken because its workers die like this before they are ready.
    pub(crate) fn broken(&self, pool: &str) -> Error {
        let message = format!(
            "{pool} is broken: its workers end before they are ready, so no more are started. Fix the initializer, or the \
             code that runs before `main`, and build another pool. The last worker: {}",
            self.describe()
        );
        Error::from_death(ErrorKind::Broken, message, self.detail(""))
    }

    /// Returns `true` if another process sent it a signal that programs send to each other.
    pub(crate) fn was_killed_from_outside(&self) -> bool {
        let signal = self.status.and_then(ending::signal);
        let sent = matches!(signal.map(ending::cause), Some(Cause::Killed | Cause::Asked));
        sent && self.reason.is_none() && !self.out_of_memory && !self.has_lost_its_link()
    }

    fn detail(&self, task: &str) -> WorkerDeath {
        WorkerDeath::new(self.pid)
            .with_exit_code(self.status.and_then(|status| status.code()))
            .with_signal(self.status.and_then(ending::signal))
            .with_task(task)
            .with_stderr_tail(&self.last_lines())
            .with_refused(self.refused().as_ref().map(RefusedCall::call))
    }

    /// Returns what happened, the likely cause, and the end of its standard error.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!("worker process {} ({}) ", self.pid, self.worker);
        let signal = self.status.and_then(ending::signal);
        let code = self.status.and_then(|status| status.code());
        match (signal, code) {
            (Some(signal), _) => {
                let _ = write!(text, "was ended by signal {signal} ({})", ending::name(signal));
            }
            (None, Some(code)) => {
                let _ = write!(text, "exited with code {code}");
            }
            (None, None) => text.push_str("ended, and something else in this program took its exit status"),
        }
        if let Some(cause) = self.cause(signal, code) {
            let _ = write!(text, ": {cause}");
        }
        let last_lines = self.last_lines();
        if !last_lines.is_empty() {
            let _ = write!(text, ". The end of its standard error:\n{last_lines}");
        }
        text
    }

    /// Returns the part of its standard error that an error shows. It is escaped, so that a terminal can show it.
    fn last_lines(&self) -> String {
        escape::last_lines(&self.stderr_tail)
    }

    /// Returns the call for which its sandbox has ended it, as it says itself.
    fn refused(&self) -> Option<RefusedCall> {
        let signal = self.status.and_then(ending::signal);
        let is_refusal = signal.map(ending::cause) == Some(Cause::RefusedCall);
        if is_refusal { RefusedCall::last_in(&self.stderr_tail) } else { None }
    }

    fn has_lost_its_link(&self) -> bool {
        self.signs.link_lost.unwrap_or_else(|| self.stderr_tail.contains(LINK_LOST))
    }

    fn has_overflowed_its_stack(&self) -> bool {
        self.signs.stack_overflowed.unwrap_or_else(|| self.stderr_tail.contains(STACK_OVERFLOW))
    }

    fn cause(&self, signal: Option<i32>, code: Option<i32>) -> Option<&'static str> {
        Some(match (signal.map(ending::cause), code) {
            (Some(Cause::Killed | Cause::Asked), _) if self.reason.is_some() => return self.reason,
            (Some(Cause::Killed), _) if self.has_lost_its_link() => {
                "something in it has closed its link to this program"
            }
            (Some(Cause::Killed), _) if self.out_of_memory => {
                "out of memory, as the kernel says; use fewer workers, or a memory_limit"
            }
            (Some(Cause::Killed), _) => {
                "killed from outside, by another process or by the kernel because memory ran out"
            }
            (Some(Cause::Asked), _) => "asked to end from outside",
            (Some(Cause::MemoryAccess), _) if self.has_overflowed_its_stack() => {
                "a stack overflow, most likely a recursion without end; limit its depth"
            }
            (Some(Cause::MemoryAccess), _) => "a bad memory access, in unsafe or foreign code",
            (Some(Cause::IllegalInstruction), _) => {
                "an illegal instruction: a check of foreign code that failed, or corrupted memory"
            }
            (Some(Cause::Arithmetic), _) => "an arithmetic error in foreign code, such as a division by zero",
            (Some(Cause::Aborted), _) if self.stderr_tail.lines().any(is_failed_allocation) => {
                "probably out of memory; let the task use less memory, or raise memory_limit"
            }
            (Some(Cause::Aborted), _) => "it aborted: a panic that could not unwind, or a failed check in foreign code",
            (Some(Cause::RefusedCall), _) if self.refused().is_some() => {
                "it made a system call that its sandbox forbids; if the code is honest, grant what it needs"
            }
            (Some(Cause::RefusedCall), _) => "it made a system call that is forbidden to it",
            (Some(Cause::ClosedPipe), _) => "it wrote to a closed pipe",
            (Some(Cause::FileTooLarge), _) => "it wrote more to a file than the limit on the size of files allows",
            (Some(Cause::ProcessorTime), _) => "it used more processor time than its limit allows",
            (_, Some(EXIT_NOT_STARTED)) if self.signs.never_served => "it could not start to serve",
            (_, Some(_)) => "something in it called exit; return an error instead",
            _ => return None,
        })
    }
}

/// Returns `true` if this is a line that Rust or C++ prints before it aborts because memory ran out. Nothing else shows
/// that an abort has that cause.
fn is_failed_allocation(line: &str) -> bool {
    let bytes = line.trim().strip_prefix("memory allocation of ").and_then(|rest| rest.strip_suffix(" bytes failed"));
    bytes.is_some_and(|bytes| !bytes.is_empty() && bytes.bytes().all(|digit| digit.is_ascii_digit()))
        || line.contains("terminate called after throwing an instance of 'std::bad_alloc'")
}

/// Counts how often the kernel has killed a process in the control group of this program because memory ran out.
#[derive(Debug, Default)]
pub(crate) struct MemoryKills {
    file: Option<std::path::PathBuf>,
    seen: u64,
}

impl MemoryKills {
    pub(crate) fn watch() -> MemoryKills {
        let mut kills = MemoryKills { file: events_file(), seen: 0 };
        kills.seen = kills.read();
        kills
    }

    /// Returns `true` if the kernel has killed a process since the last call.
    pub(crate) fn take_new(&mut self) -> bool {
        let now = self.read();
        let more = now > self.seen;
        self.seen = now;
        more
    }

    fn read(&self) -> u64 {
        let text = self.file.as_ref().and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok());
        count.unwrap_or(0)
    }
}

/// Returns the file with the counters of the control group (version 2), if there is one.
fn events_file() -> Option<std::path::PathBuf> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let file = std::path::Path::new("/sys/fs/cgroup").join(own).join("memory.events");
    file.exists().then_some(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    fn death(raw_status: i32, stderr_tail: &str) -> Death {
        let status = Some(ExitStatus::from_raw(raw_status));
        let (signs, stderr_tail) = (Signs { stack_overflowed: Some(false), ..Signs::default() }, stderr_tail.into());
        Death { worker: "parser_0".into(), pid: 7, status, reason: None, signs, stderr_tail, out_of_memory: false }
    }

    #[test]
    fn a_signal_is_named_with_its_likely_cause_and_the_stderr_tail() {
        let error = death(libc::SIGSEGV, "parsing page 3").error("parse");
        let text = error.to_string();
        for part in
            ["`parse`", "worker process 7 (parser_0)", "signal 11 (SIGSEGV)", "bad memory access", "parsing page 3"]
        {
            assert!(text.contains(part), "{part:?} is missing in {text:?}");
        }
        let death = error.worker_death().expect("a death");
        assert_eq!((death.pid(), death.signal(), death.exit_code()), (7, Some(libc::SIGSEGV), None));
        assert_eq!((death.task(), death.stderr_tail()), ("parse", "parsing page 3"));
    }

    #[test]
    fn a_refused_call_is_named_if_the_worker_has_named_it() {
        let words = "page 3\nblocked by the sandbox: ptrace (system call 101)\n";
        let error = death(libc::SIGSYS, words).error("parse");
        assert!(error.to_string().contains("its sandbox forbids"), "{error}");
        assert_eq!(error.worker_death().and_then(WorkerDeath::refused), Some("ptrace"));
        // Without the words nothing is known, and the words explain no other end.
        for (signal, words) in [(libc::SIGSYS, ""), (libc::SIGSEGV, words)] {
            let error = death(signal, words).error("parse");
            assert_eq!(error.worker_death().and_then(WorkerDeath::refused), None);
            assert!(!error.to_string().contains("its sandbox forbids"), "{error}");
        }
    }

    #[test]
    fn an_exit_code_is_not_mistaken_for_a_signal() {
        let error = death(7 << 8, "").error("parse");
        assert!(error.to_string().contains("exited with code 7"));
        assert_eq!(error.worker_death().expect("a death").exit_code(), Some(7));
    }

    #[test]
    fn a_failed_allocation_is_not_mistaken_for_another_abort() {
        let text = |raw_status, stderr| death(raw_status, stderr).error("t").to_string();
        let failed = "memory allocation of 8 bytes failed";
        assert!(text(libc::SIGABRT, failed).contains("out of memory"));
        assert!(text(libc::SIGABRT, "").contains("aborted"));
        for stderr in ["memory allocation of the parser took 5 ms", "the memory allocation of 8 bytes failed once"] {
            assert!(text(libc::SIGABRT, stderr).contains("aborted"), "{stderr}");
        }
        // A failed allocation ends in an abort, so it explains no other end.
        assert!(text(libc::SIGSEGV, failed).contains("bad memory access"));
        assert!(text(3 << 8, failed).contains("called exit"));
    }

    #[test]
    fn what_a_task_prints_is_not_mistaken_for_what_its_worker_reports() {
        let text = |raw_status, stderr: &str| {
            let mut death = death(raw_status, stderr);
            death.signs.link_lost = Some(false);
            death.error("t").to_string()
        };
        assert!(text(libc::SIGSEGV, "it has overflowed its stack").contains("bad memory access"));
        assert!(text(libc::SIGABRT, "it has overflowed its stack").contains("aborted"));
        assert!(text(libc::SIGKILL, LINK_LOST).contains("killed from outside"));
        assert!(text(EXIT_NOT_STARTED << 8, "a worker could not start").contains("called exit"));
    }
}
