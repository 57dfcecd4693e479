//! A program that runs, from its start to its end.

use std::{
    io,
    os::{
        fd::OwnedFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{self, Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use executor_core::{Error, ErrorKind, task};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};

use crate::{Command, Output, guard::Guard, parent_death, pipes::Pipes};

/// How often a task looks whether it was asked to stop. Nothing wakes it for that.
const LOOK: Duration = Duration::from_millis(50);

/// How often the end of the program is looked for on a system without descriptors of processes.
const LOOK_FOR_END: Duration = Duration::from_millis(10);

/// See the [module](self).
pub(crate) struct Program {
    child: Child,
    /// The leader of its group, in a worker process. Otherwise the program leads it.
    guard: Option<Guard>,
    /// A descriptor that becomes ready to read when the program ends, if the system has such descriptors.
    end: Option<OwnedFd>,
    pipes: Pipes,
    name: String,
    timeout: Option<Duration>,
    deadline: Option<Instant>,
    grace: Duration,
    stage: Stage,
    /// Whether it was reaped. Until then its number, and that of its group, belong to no other.
    is_reaped: bool,
}

enum Stage {
    Running,
    /// It was asked to end, and is killed at this time. It returns this error.
    Stopping {
        kill_at: Instant,
        error: Error,
    },
    /// It has ended by itself, and its output may be held open until this time.
    Ended {
        leave_at: Instant,
    },
}

impl Program {
    pub(crate) fn start(command: Command) -> Result<Program, Error> {
        let name = command.program.to_string_lossy().into_owned();
        let output = || if command.capture { Stdio::piped() } else { Stdio::inherit() };
        let mut start = process::Command::new(&command.program);
        start
            .args(&command.args)
            .envs(command.env.iter().map(|(key, value)| (key, value)))
            .stdin(if command.input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(output())
            .stderr(output())
            .process_group(0);
        if let Some(directory) = &command.current_dir {
            start.current_dir(directory);
        }
        let failed = |cause: &io::Error| {
            let at = command.current_dir.as_ref().map_or_else(String::new, |directory| format!(" in {directory:?}"));
            let advice = match cause.kind() {
                io::ErrorKind::NotFound if command.current_dir.is_some() => "; check both paths",
                io::ErrorKind::NotFound => "; check its name, and whether it is in `PATH`",
                io::ErrorKind::PermissionDenied => "; check that it may be executed",
                _ => "",
            };
            Error::new(ErrorKind::Other, format!("the program `{name}` could not be started{at}: {cause}{advice}"))
        };
        // A thread of a pool may end before the program does, and its process does not.
        let guard = if task::current().is_some_and(|context| context.is_remote()) {
            parent_death::follow(&mut start);
            Guard::start().map_err(|cause| failed(&cause))?
        } else {
            None
        };
        if let Some(guard) = &guard {
            start.process_group(guard.group().as_raw_pid());
        }
        let mut child = start.spawn().map_err(|cause| failed(&cause))?;
        let pipes = Pipes::of(&mut child, command.input.clone().unwrap_or_default());
        let mut program = Program {
            end: open(&child),
            guard,
            child,
            pipes: Pipes::default(),
            timeout: command.timeout,
            // A time that the clock cannot represent never comes.
            deadline: command.timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            grace: command.grace,
            stage: Stage::Running,
            is_reaped: false,
            name: name.clone(),
        };
        program.pipes = pipes.map_err(|cause| failed(&cause))?;
        Ok(program)
    }

    /// Waits for the end of the program, and serves it until then.
    pub(crate) fn finish(mut self) -> Result<Output, Error> {
        loop {
            self.pipes.serve();
            let now = Instant::now();
            self.look_for_stop(now);
            let has_ended = self.has_ended();
            match &self.stage {
                Stage::Running if has_ended => {
                    self.stage = Stage::Ended { leave_at: after(now, self.grace) };
                    // Its output may have ended before, so nothing more may come that would end a wait.
                    continue;
                }
                Stage::Running => {}
                Stage::Stopping { kill_at, error } if has_ended || now >= *kill_at => {
                    let error = error.clone();
                    // What the program has left in its group ends too.
                    self.signal(Signal::KILL);
                    self.reap();
                    return Err(error);
                }
                Stage::Stopping { .. } => {}
                Stage::Ended { leave_at } if self.pipes.output_has_ended() || now >= *leave_at => {
                    // What was written before the program ended is in the pipes by now.
                    self.pipes.serve();
                    return self.output();
                }
                Stage::Ended { .. } => {}
            }
            self.wait(now);
        }
    }

    /// Stops the program if its time is over, or if the task that runs it was asked to stop.
    fn look_for_stop(&mut self, now: Instant) {
        if matches!(self.stage, Stage::Stopping { .. }) {
            return;
        }
        let is_late = matches!(self.stage, Stage::Running) && self.deadline.is_some_and(|deadline| now >= deadline);
        let (kind, why) = if task::current().is_some_and(|context| context.is_cancelled()) {
            (ErrorKind::Terminated, "was stopped because its task was terminated".to_string())
        } else if is_late {
            let limit = self.timeout.unwrap_or_default();
            (
                ErrorKind::TimeLimit,
                format!(
                    "ran longer than its time limit of {limit:?} and was stopped; \
                     if it was making progress, give it more time"
                ),
            )
        } else {
            return;
        };
        let error = Error::new(kind, format!("the program `{}` {why}", self.name));
        self.signal(Signal::TERM);
        self.stage = Stage::Stopping { kill_at: after(now, self.grace), error };
    }

    /// Waits until something happens or is due.
    fn wait(&self, now: Instant) {
        let due = match &self.stage {
            Stage::Running => self.deadline,
            Stage::Stopping { kill_at, .. } => Some(*kill_at),
            Stage::Ended { leave_at } => Some(*leave_at),
        };
        let is_running = !matches!(self.stage, Stage::Ended { .. });
        let looks = task::current().is_some().then_some(LOOK);
        let looks_for_end = (is_running && self.end.is_none()).then_some(LOOK_FOR_END);
        let due = due.map(|due| due.saturating_duration_since(now));
        let timeout = [due, looks, looks_for_end].into_iter().flatten().min();
        let mut watched = Vec::with_capacity(4);
        self.pipes.watch(&mut watched);
        if let Some(end) = self.end.as_ref().filter(|_| is_running) {
            watched.push(PollFd::new(end, PollFlags::IN));
        }
        // A time that does not fit is as good as none.
        let time = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut watched, time.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            // There is no memory, or the limit of descriptors is lower than their number now. Either may change.
            Err(_) => thread::sleep(timeout.unwrap_or(LOOK).min(LOOK)),
        }
    }

    /// Returns `true` if the program has ended. It is not reaped here, so its group can still be signalled.
    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(Pid::from_child(&self.child)), options) {
            Ok(status) => status.is_some(),
            Err(Errno::INTR) => false,
            // Something else in this process has reaped it.
            Err(_) => true,
        }
    }

    fn signal(&self, signal: Signal) {
        // It fails only if no process of the group is left.
        let group = self.guard.as_ref().map_or_else(|| Pid::from_child(&self.child), Guard::group);
        let _ = kill_process_group(group, signal);
    }

    fn reap(&mut self) -> Option<process::ExitStatus> {
        self.is_reaped = true;
        self.child.wait().ok()
    }

    fn output(mut self) -> Result<Output, Error> {
        let Some(status) = self.reap() else {
            let message = format!("the exit code of `{}` is not known: something else has waited for it", self.name);
            return Err(Error::new(ErrorKind::Other, message));
        };
        let exit_code = status.code().unwrap_or_else(|| -status.signal().unwrap_or(0));
        let stdout = std::mem::take(&mut self.pipes.from_stdout);
        let stderr = std::mem::take(&mut self.pipes.from_stderr);
        Ok(Output { exit_code, stdout, stderr })
    }
}

impl Drop for Program {
    /// Ends a program that could not be served.
    fn drop(&mut self) {
        if !self.is_reaped {
            self.signal(Signal::KILL);
            self.reap();
        }
    }
}

/// Returns the time after a pause, or one that is far away if the clock cannot represent it.
fn after(now: Instant, pause: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(1 << 30);
    now.checked_add(pause).unwrap_or_else(|| now + FAR)
}

fn open(child: &Child) -> Option<OwnedFd> {
    #[cfg(target_os = "linux")]
    return rustix::process::pidfd_open(Pid::from_child(child), rustix::process::PidfdFlags::empty()).ok();
    #[cfg(not(target_os = "linux"))]
    {
        let _ = child;
        None
    }
}
