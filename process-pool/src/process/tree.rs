//! What a process has started, wherever it has gone: into other groups, other sessions, and away from the one that
//! started it.
//!
//! A worker is the reaper of what its tasks leave behind (`PR_SET_CHILD_SUBREAPER`), so as long as it lives all of that
//! is below it in the tree of processes. Here the tree is looked through and ended. It is found in `/proc`, by the
//! parent that each process names. A process is sent its signal by descriptor, when its parent was read once more
//! behind that descriptor, so a number that has been given to another process meanwhile does not matter.
//!
//! A process to which a kill was sent starts nothing any more, and its children fall to the worker. So a look through
//! all processes that finds none that was not sent one yet has found them all, provided that the worker itself stands
//! still, or is the one that looks.
//!
//! Nothing here asks for memory: a worker looks when it may have no more of it.

use std::{
    ffi::CStr,
    fmt,
    io::Write as _,
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    fs::{CWD, Mode, OFlags, RawDir},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, getpid, kill_process, pidfd_open, pidfd_send_signal},
};

/// How many processes are ended. More would take long, and whoever has so many has the group's signal besides.
const MOST: usize = 1024;

/// How often all processes are looked through, at most.
const ROUNDS: usize = 32;

/// The processes that were found.
struct Found {
    pids: [i32; MOST],
    count: usize,
}

impl Found {
    fn has(&self, pid: i32) -> bool {
        self.pids[..self.count].contains(&pid)
    }

    /// False: there is no more room.
    fn add(&mut self, pid: i32) -> bool {
        let Some(place) = self.pids.get_mut(self.count) else { return false };
        *place = pid;
        self.count += 1;
        true
    }
}

/// What `/proc` says of a process.
struct Stat {
    state: u8,
    parent: i32,
    group: i32,
    /// When it was started, in ticks.
    started: u64,
}

impl Stat {
    /// Reads what the system writes: a number, a name, a state, the parent's number and the group's, and so on.
    fn parse(text: &[u8]) -> Option<Stat> {
        // The name is in parentheses, and may have any of them in it.
        let end = text.iter().rposition(|byte| *byte == b')')?;
        let mut fields = text.get(end + 2..)?.split(|byte| *byte == b' ');
        let state = *fields.next()?.first()?;
        let (parent, group) = (number(fields.next()?)?, number(fields.next()?)?);
        // The state is the third field of the file, and the start is the 22nd.
        let started = std::str::from_utf8(fields.nth(22 - 6)?).ok()?.parse().ok()?;
        Some(Stat { state, parent, group, started })
    }

    fn is_over(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }

    fn stands_still(&self) -> bool {
        matches!(self.state, b'T' | b't') || self.is_over()
    }
}

/// A look through the processes below one.
struct Walk<F> {
    proc: OwnedFd,
    root: i32,
    /// Whether the root still has its number, which is asked right before each signal.
    is_there: F,
    found: Found,
}

impl<F: Fn() -> bool> Walk<F> {
    fn below(root: Pid, is_there: F) -> Option<Walk<F>> {
        let found = Found { pids: [0; MOST], count: 0 };
        Some(Walk { proc: own_proc()?, root: root.as_raw_nonzero().get(), is_there, found })
    }

    /// Looks through all processes once, and calls this with each below the root that was not found before. False:
    /// there are more than there is room for.
    fn round(&mut self, mut action: impl FnMut(&Self, i32, &Stat)) -> bool {
        let Some(directory) = open_directory(&self.proc, c".") else { return true };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut entries = RawDir::new(directory, &mut buffer);
        while let Some(Ok(entry)) = entries.next() {
            let Some(pid) = number(entry.file_name().to_bytes()) else { continue };
            let Some(stat) = stat(&self.proc, pid) else { continue };
            let is_below = stat.parent == self.root || self.found.has(stat.parent);
            if is_below && !stat.is_over() && !self.found.has(pid) {
                action(self, pid, &stat);
                if !self.found.add(pid) {
                    return false;
                }
            }
        }
        true
    }

    /// A descriptor of a process that was found below the root. Its parent may have ended since, and then it fell to
    /// the root.
    fn handle(&self, pid: i32, seen: &Stat) -> Result<OwnedFd, Errno> {
        let handle = pidfd_open(Pid::from_raw(pid).ok_or(Errno::SRCH)?, PidfdFlags::empty())?;
        let is_same = |now: Stat| now.parent == seen.parent || now.parent == self.root;
        if stat(&self.proc, pid).is_some_and(is_same) && (self.is_there)() { Ok(handle) } else { Err(Errno::SRCH) }
    }

    fn kill(&self, pid: i32, seen: &Stat) {
        // The only failures of a signal are that the process has ended, or is somebody else's by now.
        match (self.handle(pid, seen), Pid::from_raw(pid)) {
            (Ok(handle), _) => _ = pidfd_send_signal(handle, Signal::KILL),
            // There is no descriptor to be had for it, and it was there a moment ago.
            (Err(Errno::NOSYS | Errno::MFILE | Errno::NFILE), Some(pid)) if (self.is_there)() => {
                let _ = kill_process(pid, Signal::KILL);
            }
            (Err(_), _) => {}
        }
    }

    fn root_stands_still(&self) -> bool {
        self.root == getpid().as_raw_nonzero().get()
            || stat(&self.proc, self.root).is_none_or(|stat| stat.stands_still())
    }
}

/// Kills everything below this process. One that is not the caller has to be sent `SIGSTOP` before.
pub(crate) fn end_below(root: Pid, is_there: impl Fn() -> bool) {
    let Some(mut walk) = Walk::below(root, is_there) else { return };
    for _ in 0..ROUNDS {
        let (stood_still, before) = (walk.root_stands_still(), walk.found.count);
        if !walk.round(Walk::kill) {
            // Those are on their way out, and others can be found now.
            walk.found.count = 0;
        } else if walk.found.count == before && stood_still {
            return;
        }
    }
}

/// The processes below this one that its group's signal would not reach, by descriptor.
pub(crate) fn outside_of_group(root: Pid, is_there: impl Fn() -> bool) -> Vec<OwnedFd> {
    /// Each is a descriptor for as long as the worker lives.
    const FEW: usize = 64;
    let mut outside = Vec::new();
    let Some(mut walk) = Walk::below(root, is_there) else { return outside };
    for _ in 0..ROUNDS {
        let before = walk.found.count;
        let is_done = walk.round(|walk, pid, stat| {
            if stat.group != walk.root
                && outside.len() < FEW
                && let Ok(handle) = walk.handle(pid, stat)
            {
                outside.push(handle);
            }
        });
        if !is_done || walk.found.count == before {
            break;
        }
    }
    outside
}

/// Ends what [`outside_of_group`] has found.
pub(super) fn end_each(handles: &[OwnedFd]) {
    for handle in handles {
        // The only failures are that it has ended, or is somebody else's by now.
        let _ = pidfd_send_signal(handle, Signal::KILL);
    }
}

/// Calls this with each child of this process that has ended and that no one has waited for, and with the time at which
/// it was started, in ticks.
pub(crate) fn for_each_corpse(mut action: impl FnMut(Pid, u64)) {
    let Some(proc) = own_proc() else { return };
    let Some(directory) = open_directory(&proc, c".") else { return };
    let (own, mut buffer) = (getpid().as_raw_nonzero().get(), [MaybeUninit::uninit(); 4096]);
    let mut entries = RawDir::new(directory, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let Some(pid) = number(entry.file_name().to_bytes()) else { continue };
        if let Some(stat) = stat(&proc, pid).filter(|stat| stat.parent == own && stat.is_over())
            && let Some(pid) = Pid::from_raw(pid)
        {
            action(pid, stat.started);
        }
    }
}

/// `/proc`, if it is there and shows the processes by the numbers that they have here. A process may be in a namespace
/// of its own and see the `/proc` of another.
fn own_proc() -> Option<OwnedFd> {
    let proc = open_directory(CWD, c"/proc")?;
    let mut buffer = [0; 4096];
    let status = read(&proc, format_args!("self/status"), &mut buffer)?;
    let is_own = |text: &[u8]| {
        let mut numbers = text.split(u8::is_ascii_whitespace).filter(|text| !text.is_empty());
        let own = numbers.next().and_then(number) == Some(getpid().as_raw_nonzero().get());
        own && numbers.next().is_none()
    };
    let line = |name: &[u8]| status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(name));
    // The numbers in each namespace between that of `/proc` and ours. Old systems do not tell.
    is_own(line(b"NSpid:").or_else(|| line(b"Tgid:"))?).then_some(proc)
}

fn open_directory(at: impl AsFd, path: &CStr) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(at, path, flags, Mode::empty()).ok()
}

fn stat(proc: &OwnedFd, pid: i32) -> Option<Stat> {
    let mut buffer = [0; 512];
    Stat::parse(read(proc, format_args!("{pid}/stat"), &mut buffer)?)
}

/// The beginning of a file, as much as there is room for.
fn read<'a>(proc: &OwnedFd, path: fmt::Arguments<'_>, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut name = [0; 32];
    // One byte stays zero, and ends it.
    let mut room = name.get_mut(..31)?;
    room.write_fmt(path).ok()?;
    let name = CStr::from_bytes_until_nul(&name).ok()?;
    let file = rustix::fs::openat(proc, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match rustix::io::read(&file, rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    buffer.get(..filled)
}

fn number(text: &[u8]) -> Option<i32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read as _,
        process::{Command, Stdio},
    };

    use super::*;

    #[test]
    fn everything_below_a_process_is_ended_and_nothing_else() {
        // A child, and a grandchild in a session of its own, whose numbers it prints.
        let script = "sleep 1000 & echo $!; setsid sh -c 'echo $$; exec sleep 1000' & wait";
        let start = || {
            let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().expect("starts");
            let (mut text, mut out) = (String::new(), child.stdout.take().expect("asked for"));
            while text.lines().count() < 2 || !text.ends_with('\n') {
                let mut byte = [0];
                out.read_exact(&mut byte).expect("it writes two lines");
                text.push(byte[0].into());
            }
            let pids: Vec<i32> = text.lines().map(|line| line.parse().expect("a number")).collect();
            (child, pids)
        };
        let ((mut ended, below), (mut other, others)) = (start(), start());
        let outside = outside_of_group(getpid(), || true);
        assert!(!outside.is_empty(), "the sessions of their own");
        drop(outside);
        let root = Pid::from_child(&ended);
        rustix::process::kill_process(root, Signal::STOP).expect("it is there");
        end_below(root, || true);
        let proc = own_proc().expect("a /proc");
        let lives = |pid: &i32| stat(&proc, *pid).is_some_and(|stat| !stat.is_over());
        while below.iter().any(lives) {
            std::thread::yield_now();
        }
        assert!(lives(&root.as_raw_nonzero().get()) && others.iter().all(lives));
        for child in [&mut ended, &mut other] {
            end_below(Pid::from_child(child), || true);
            child.kill().expect("it is there");
            child.wait().expect("it was killed");
        }
    }

    #[test]
    fn nothing_is_ended_below_a_process_that_is_gone() {
        let mut child = Command::new("sh").args(["-c", "sleep 1000 & wait"]).spawn().expect("starts");
        let root = Pid::from_child(&child);
        let proc = own_proc().expect("a /proc");
        let mut walk = Walk::below(root, || true).expect("a /proc");
        while walk.found.count == 0 {
            walk.round(|_, _, _| {});
        }
        let below = walk.found.pids[0];
        end_below(root, || false);
        assert!(stat(&proc, below).is_some_and(|stat| !stat.is_over()));
        kill_process(root, Signal::STOP).expect("it is there");
        end_below(root, || true);
        child.kill().expect("it is there");
        child.wait().expect("it was killed");
    }

    #[test]
    fn what_the_system_says_of_a_process_is_read_whatever_its_name_is() {
        let text = b"77 (a) R 1 1 (b) S 5 6 7 0 -1 4194304 1 0 0 0 2 3 0 0 20 0 1 0 987654 1000 50";
        let stat = Stat::parse(text).expect("well formed");
        assert_eq!((stat.state, stat.parent, stat.group, stat.started), (b'S', 5, 6, 987_654));
        for length in 0..text.len() - 15 {
            assert!(Stat::parse(&text[..length]).is_none(), "{length}");
        }
    }

    #[test]
    fn a_path_that_is_too_long_is_no_file() {
        let proc = own_proc().expect("a /proc");
        assert!(read(&proc, format_args!("self/{}", "long".repeat(20)), &mut [0; 8]).is_none());
        assert!(stat(&proc, getpid().as_raw_nonzero().get()).is_some());
    }
}
