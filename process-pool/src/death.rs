//! What is said of a worker that died: the facts, the likely cause, the next step.

use std::{fmt::Write as _, os::unix::process::ExitStatusExt, process::ExitStatus};

use executor_core::{Error, ErrorKind, WorkerDeath};

use crate::worker::{EXIT_NOT_STARTED, LINK_LOST};

/// How a worker ended.
#[derive(Clone, Debug)]
pub(crate) struct Death {
    /// The worker's name.
    pub(crate) worker: String,
    pub(crate) pid: u32,
    /// None: something else in this program has reaped it.
    pub(crate) status: Option<ExitStatus>,
    /// Why the pool itself has killed it.
    pub(crate) reason: Option<&'static str>,
    /// What an error shows of its standard error.
    pub(crate) last_lines: String,
    /// More of its standard error, in which the cause may be found.
    pub(crate) last_words: String,
    /// Whether the kernel has killed something of this program's for want of memory since the last time somebody asked.
    pub(crate) out_of_memory: bool,
}

impl Death {
    /// The error of the task that it was running.
    pub(crate) fn error(&self, task: &str) -> Error {
        let message = format!("task `{task}` was lost: {}", self.describe());
        Error::from_death(ErrorKind::WorkerDied, message, self.detail(task))
    }

    /// The reason of a pool that is broken because its workers end like this before they are ready.
    pub(crate) fn broken(&self, pool: &str) -> Error {
        let message = format!(
            "{pool} is broken: its workers end before they are ready, so none is started any more. Mend the initializer, or \
             what runs before `main`, and build another pool. The last of them: {}",
            self.describe()
        );
        Error::from_death(ErrorKind::Broken, message, self.detail(""))
    }

    /// Whether it was sent a signal that programs send to each other, and not by its pool.
    pub(crate) fn was_killed_from_outside(&self) -> bool {
        let signal = self.status.and_then(|status| status.signal());
        let sent = matches!(signal, Some(libc::SIGKILL | libc::SIGTERM | libc::SIGINT | libc::SIGHUP));
        sent && self.reason.is_none() && !self.out_of_memory && !self.last_words.contains(LINK_LOST)
    }

    fn detail(&self, task: &str) -> WorkerDeath {
        WorkerDeath::new(self.pid)
            .with_exit_code(self.status.and_then(|status| status.code()))
            .with_signal(self.status.and_then(|status| status.signal()))
            .with_task(task)
            .with_stderr_tail(&self.last_lines)
    }

    /// What happened, the likely cause, and its last words.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!("worker process {} ({}) ", self.pid, self.worker);
        let signal = self.status.and_then(|status| status.signal());
        let code = self.status.and_then(|status| status.code());
        match (signal, code) {
            (Some(signal), _) => {
                let _ = write!(text, "was ended by signal {signal} ({})", signal_name(signal));
            }
            (None, Some(code)) => {
                let _ = write!(text, "exited with code {code}");
            }
            (None, None) => text.push_str("ended, and something else in this program took its exit status"),
        }
        if let Some(cause) = self.cause(signal, code) {
            let _ = write!(text, ": {cause}");
        }
        if !self.last_lines.is_empty() {
            let _ = write!(text, ". Its last words:\n{}", self.last_lines);
        }
        text
    }

    fn cause(&self, signal: Option<i32>, code: Option<i32>) -> Option<&'static str> {
        let said = |words: &str| self.last_words.contains(words);
        Some(match (signal, code) {
            (Some(libc::SIGKILL), _) if self.reason.is_some() => return self.reason,
            (Some(libc::SIGKILL), _) if said(LINK_LOST) => "something in it has closed its link to this program",
            _ if said("memory allocation of") => "probably out of memory; give it less, or a higher memory_limit",
            (Some(libc::SIGKILL), _) if self.out_of_memory => {
                "out of memory, as the kernel says; use fewer workers, or a memory_limit"
            }
            (Some(libc::SIGKILL), _) => "killed from outside, by somebody or by the kernel for want of memory",
            (Some(libc::SIGTERM | libc::SIGINT | libc::SIGHUP), _) => "asked to end from outside",
            _ if said(crate::worker::STACK_OVERFLOW) => {
                "a stack overflow, most likely a recursion without end; limit its depth"
            }
            (Some(libc::SIGSEGV | libc::SIGBUS), _) => "a bad memory access, in unsafe or foreign code",
            (Some(libc::SIGILL | libc::SIGTRAP), _) => {
                "an illegal instruction: a check of foreign code that failed, or corrupted memory"
            }
            (Some(libc::SIGFPE), _) => "an arithmetic error in foreign code, such as a division by zero",
            (Some(libc::SIGABRT), _) => "it aborted: a panic that could not unwind, or a failed check in foreign code",
            (Some(libc::SIGPIPE), _) => "it wrote to a closed pipe",
            (_, Some(EXIT_NOT_STARTED)) => "it could not start to serve",
            (_, Some(101)) => {
                "a panic ended the process; is it compiled with panic = \"abort\", or did a thread call exit?"
            }
            (_, Some(_)) => "something in it called exit; return an error instead",
            _ => return None,
        })
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGSYS => "SIGSYS",
        _ => "a signal of the program's own",
    }
}

/// Counts how often the kernel has killed for want of memory, in the control group that this program is in.
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

    /// Whether there was one since this was last asked.
    pub(crate) fn was_one(&mut self) -> bool {
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

/// The counters of the control group, version 2. Where there is none, nothing is known.
fn events_file() -> Option<std::path::PathBuf> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let file = std::path::Path::new("/sys/fs/cgroup").join(own).join("memory.events");
    file.exists().then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn death(raw_status: i32, last_lines: &str) -> Death {
        let status = Some(ExitStatus::from_raw(raw_status));
        Death {
            worker: "parser_0".into(),
            pid: 7,
            status,
            reason: None,
            last_lines: last_lines.into(),
            last_words: last_lines.into(),
            out_of_memory: false,
        }
    }

    #[test]
    fn a_signal_is_named_with_its_likely_cause_and_the_last_words() {
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
    fn an_exit_code_is_told_from_a_signal() {
        let error = death(7 << 8, "").error("parse");
        assert!(error.to_string().contains("exited with code 7"));
        assert_eq!(error.worker_death().expect("a death").exit_code(), Some(7));
    }

    #[test]
    fn a_failed_allocation_is_told_from_another_abort() {
        assert!(
            death(libc::SIGABRT, "memory allocation of 8 bytes failed")
                .error("t")
                .to_string()
                .contains("out of memory")
        );
        assert!(death(libc::SIGABRT, "").error("t").to_string().contains("aborted"));
    }
}
