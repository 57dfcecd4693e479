//! The descendants of a process, even if they have moved to other groups or sessions, or the process that started them
//! has ended.
//!
//! A worker is the reaper of the processes that its tasks leave behind (`PR_SET_CHILD_SUBREAPER`), so while it lives
//! all of them are below it in the tree of processes. The functions here search that tree in `/proc`, by the parent
//! that each process names. A process is sent its signal through a descriptor, after its parent was read once more
//! behind that descriptor, so it does not matter if the number was given to another process meanwhile.
//!
//! A process that was killed starts nothing more, and its children become children of the worker. So a search that
//! finds only processes that were already killed has found all of them, if the worker itself is stopped or performs the
//! search. For the same reason a worker without a child has nothing below it, and need not search.
//!
//! Where a worker calls this module to end its descendants, nothing allocates, because the worker may have used up its
//! memory.

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
    process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, getpid, kill_process, pidfd_open, pidfd_send_signal, waitid,
    },
};

/// How many processes one search can find. More would take long, and the signal to the group reaches most of them
/// anyway.
const MOST: usize = 1024;

/// The most rounds of searching all processes.
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

    /// Adds a process. Returns `false` if there is no space left.
    fn add(&mut self, pid: i32) -> bool {
        let Some(entry) = self.pids.get_mut(self.count) else { return false };
        *entry = pid;
        self.count += 1;
        true
    }
}

/// The facts that `/proc` lists for a process.
struct Stat {
    state: u8,
    parent: i32,
    group: i32,
    /// When it was started, in ticks.
    started: u64,
}

impl Stat {
    /// Parses a line of the system: a number, a name, a state, the parent's number, the group's number, and so on.
    fn parse(text: &[u8]) -> Option<Stat> {
        // The name is in parentheses, and may itself contain parentheses.
        let end = text.iter().rposition(|byte| *byte == b')')?;
        let mut fields = text.get(end + 2..)?.split(|byte| *byte == b' ');
        let state = *fields.next()?.first()?;
        let (parent, group) = (number(fields.next()?)?, number(fields.next()?)?);
        // The state is the third field of the file, and the start is the 22nd.
        let started = std::str::from_utf8(fields.nth(22 - 6)?).ok()?.parse().ok()?;
        Some(Stat { state, parent, group, started })
    }

    fn has_ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }

    fn is_stopped(&self) -> bool {
        matches!(self.state, b'T' | b't')
    }
}

/// A search for the processes below the root process.
struct Search<F> {
    proc: OwnedFd,
    root: i32,
    /// Whether the number still belongs to the root. It is called right before each signal.
    is_there: F,
    found: Found,
}

impl<F: Fn() -> bool> Search<F> {
    fn below(root: Pid, is_there: F) -> Option<Search<F>> {
        let found = Found { pids: [0; MOST], count: 0 };
        Some(Search { proc: own_proc()?, root: root.as_raw_nonzero().get(), is_there, found })
    }

    /// Searches all processes once, and calls `action` with each that is below the root and was not found before.
    /// Returns `false` if there are more than [`Found`] has space for.
    fn round(&mut self, mut action: impl FnMut(&Self, i32, &Stat)) -> bool {
        let Some(directory) = open_directory(&self.proc, c".") else { return true };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut entries = RawDir::new(directory, &mut buffer);
        while let Some(Ok(entry)) = entries.next() {
            let Some(pid) = number(entry.file_name().to_bytes()) else { continue };
            let Some(stat) = stat(&self.proc, pid) else { continue };
            let is_below = stat.parent == self.root || self.found.has(stat.parent);
            if is_below && !stat.has_ended() && !self.found.has(pid) {
                action(self, pid, &stat);
                if !self.found.add(pid) {
                    return false;
                }
            }
        }
        true
    }

    /// Opens a descriptor of a process that was found below the root. If its parent has ended since, the root is its
    /// parent now.
    fn open(&self, pid: i32, seen: &Stat) -> Result<OwnedFd, Errno> {
        let descriptor = pidfd_open(Pid::from_raw(pid).ok_or(Errno::SRCH)?, PidfdFlags::empty())?;
        let is_same = |now: Stat| now.parent == seen.parent || now.parent == self.root;
        if stat(&self.proc, pid).is_some_and(is_same) && (self.is_there)() { Ok(descriptor) } else { Err(Errno::SRCH) }
    }

    fn kill(&self, pid: i32, seen: &Stat) {
        // A signal fails only if the process has ended, or belongs to another user by now.
        match (self.open(pid, seen), Pid::from_raw(pid)) {
            (Ok(descriptor), _) => _ = pidfd_send_signal(descriptor, Signal::KILL),
            // No descriptor can be opened for it, and it was there a moment ago.
            (Err(Errno::NOSYS | Errno::MFILE | Errno::NFILE), Some(pid)) if (self.is_there)() => {
                let _ = kill_process(pid, Signal::KILL);
            }
            (Err(_), _) => {}
        }
    }

    /// Returns `true` if the root cannot start processes during the search.
    fn root_is_still(&self) -> bool {
        self.root == getpid().as_raw_nonzero().get()
            || stat(&self.proc, self.root).is_none_or(|stat| stat.is_stopped() || stat.has_ended())
    }
}

/// Kills all processes below this process, which is the reaper of its descendants. A root other than the caller must
/// have been sent `SIGSTOP`.
pub(crate) fn kill_below(root: Pid, is_there: impl Fn() -> bool) {
    // A search opens a file for each process of the system. Few tasks start any, and each worker comes here at its end.
    if root == getpid() && has_no_child() {
        return;
    }
    let Some(mut search) = Search::below(root, is_there) else { return };
    for _ in 0..ROUNDS {
        let (was_still, before) = (search.root_is_still(), search.found.count);
        if !search.round(Search::kill) {
            // The processes that were found are ending, so there is space for others.
            search.found.count = 0;
        } else if search.found.count == before && was_still {
            return;
        }
    }
}

/// Returns `true` if this process has no child, not even one that has ended. If the system does not say, it may have
/// one.
fn has_no_child() -> bool {
    // Also those that tell their parent of their end by another signal than `SIGCHLD`, or by none.
    let of_all_kinds = WaitIdOptions::from_bits_retain(libc::__WALL as u32);
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT | of_all_kinds;
    matches!(waitid(WaitId::All, options), Err(Errno::CHILD))
}

/// Returns descriptors of the processes below this one. Those inside of its group are among them, because they can
/// leave it before a signal to the group reaches them, or because of that signal.
pub(crate) fn descendants(root: Pid, is_there: impl Fn() -> bool) -> Vec<OwnedFd> {
    /// The most inside and the most outside of the group. Each descriptor stays open for as long as the worker lives.
    const MOST_OF_EACH: usize = 64;
    let (mut outside, mut inside) = (Vec::new(), Vec::new());
    let Some(mut search) = Search::below(root, is_there) else { return outside };
    for _ in 0..ROUNDS {
        let before = search.found.count;
        let is_done = search.round(|search, pid, stat| {
            let found = if stat.group == search.root { &mut inside } else { &mut outside };
            if found.len() < MOST_OF_EACH {
                found.extend(search.open(pid, stat));
            }
        });
        if !is_done || search.found.count == before {
            break;
        }
    }
    outside.extend(inside);
    outside
}

/// Kills the processes that [`descendants`] has found.
pub(crate) fn kill_each(descriptors: &[OwnedFd]) {
    for descriptor in descriptors {
        // It fails only if the process has ended, or belongs to another user by now.
        let _ = pidfd_send_signal(descriptor, Signal::KILL);
    }
}

/// Calls `action` with each child of this process that has ended and was not waited for, and with the time at which it
/// was started, in ticks.
pub(crate) fn for_each_zombie(mut action: impl FnMut(Pid, u64)) {
    let Some(proc) = own_proc() else { return };
    let Some(directory) = open_directory(&proc, c".") else { return };
    let (own, mut buffer) = (getpid().as_raw_nonzero().get(), [MaybeUninit::uninit(); 4096]);
    let mut entries = RawDir::new(directory, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let Some(pid) = number(entry.file_name().to_bytes()) else { continue };
        let Some(stat) = stat(&proc, pid).filter(|stat| stat.parent == own && stat.has_ended()) else { continue };
        if let Some(pid) = Pid::from_raw(pid) {
            action(pid, stat.started);
        }
    }
}

/// Opens `/proc`, if it exists and shows processes by the numbers that they have in this process. A process may be in a
/// namespace of its own and see the `/proc` of another.
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
    // The numbers in each namespace between that of `/proc` and ours. Old systems lack the line.
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

/// Reads the beginning of a file, as much as the buffer has space for.
fn read<'a>(proc: &OwnedFd, path: fmt::Arguments<'_>, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut name = [0; 32];
    // The last byte stays zero, and ends the name.
    let mut space = name.get_mut(..31)?;
    space.write_fmt(path).ok()?;
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
    fn everything_below_a_process_is_killed_and_nothing_else() {
        // Prints the numbers of a child, and of a grandchild in a session of its own.
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
        let ((mut killed, below), (mut other, others)) = (start(), start());
        assert!(!has_no_child());
        let own = descendants(getpid(), || true);
        assert!(own.len() >= 6, "the shells and what they have started");
        drop(own);
        let root = Pid::from_child(&killed);
        rustix::process::kill_process(root, Signal::STOP).expect("it is there");
        kill_below(root, || true);
        let proc = own_proc().expect("a /proc");
        let lives = |pid: &i32| stat(&proc, *pid).is_some_and(|stat| !stat.has_ended());
        while below.iter().any(lives) {
            std::thread::yield_now();
        }
        assert!(lives(&root.as_raw_nonzero().get()) && others.iter().all(lives));
        for child in [&mut killed, &mut other] {
            kill_below(Pid::from_child(child), || true);
            child.kill().expect("it is there");
            child.wait().expect("it was killed");
        }
    }

    #[test]
    fn a_child_that_has_ended_counts_until_it_is_waited_for() {
        let mut child = Command::new("true").spawn().expect("starts");
        let proc = own_proc().expect("a /proc");
        while !stat(&proc, Pid::from_child(&child).as_raw_nonzero().get()).expect("it is there").has_ended() {
            std::thread::yield_now();
        }
        assert!(!has_no_child());
        child.wait().expect("it has ended");
    }

    #[test]
    fn nothing_is_killed_below_a_process_that_is_gone() {
        let mut child = Command::new("sh").args(["-c", "sleep 1000 & wait"]).spawn().expect("starts");
        let root = Pid::from_child(&child);
        let proc = own_proc().expect("a /proc");
        let mut search = Search::below(root, || true).expect("a /proc");
        while search.found.count == 0 {
            search.round(|_, _, _| {});
        }
        let below = search.found.pids[0];
        kill_below(root, || false);
        assert!(stat(&proc, below).is_some_and(|stat| !stat.has_ended()));
        kill_process(root, Signal::STOP).expect("it is there");
        kill_below(root, || true);
        child.kill().expect("it is there");
        child.wait().expect("it was killed");
    }

    #[test]
    fn the_line_of_a_process_is_parsed_whatever_its_name_is() {
        let text = b"77 (a) R 1 1 (b) S 5 6 7 0 -1 4194304 1 0 0 0 2 3 0 0 20 0 1 0 987654 1000 50";
        let stat = Stat::parse(text).expect("well formed");
        assert_eq!((stat.state, stat.parent, stat.group, stat.started), (b'S', 5, 6, 987_654));
        for length in 0..text.len() - 15 {
            assert!(Stat::parse(&text[..length]).is_none(), "{length}");
        }
    }

    #[test]
    fn a_path_that_is_too_long_is_not_read() {
        let proc = own_proc().expect("a /proc");
        assert!(read(&proc, format_args!("self/{}", "long".repeat(20)), &mut [0; 8]).is_none());
        assert!(stat(&proc, getpid().as_raw_nonzero().get()).is_some());
    }
}
