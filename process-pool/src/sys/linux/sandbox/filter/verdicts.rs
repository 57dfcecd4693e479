//! What a process in a sandbox may call.
//!
//! A call that is in no list fails with `ENOSYS`, as on an older kernel. So libraries that try a newer call first fall
//! back to the one that they used before it existed.

use std::collections::BTreeMap;

use super::{
    calls::{
        BIRTHS, CHANGED_FILES, CHANGED_PATHS, COPIES, DESCRIPTORS, DIRECTORIES, IDENTITY, LENGTHS, MEMORY, NEWER,
        NEWER_REFUSED, PATHS, PROCESSES, REFUSED, SIGNALS, SOCKETS, THREADS, TIME,
    },
    numbers::{Call, calls, new},
    program::{self, Action, Condition, Rule, Verdict},
};
use crate::sys::policy::{Net, Policy, Refused};

/// The kernel's name of this architecture (`AUDIT_ARCH_X86_64`).
#[cfg(target_arch = "x86_64")]
pub(crate) const ARCHITECTURE: u32 = 0xc000_003e;
/// The kernel's name of this architecture (`AUDIT_ARCH_AARCH64`).
#[cfg(target_arch = "aarch64")]
pub(crate) const ARCHITECTURE: u32 = 0xc000_00b7;

/// The last argument of a call that the handler of refused calls repeats. No call with a path has six arguments, so the
/// kernel ignores it. It lets the call pass on to the means that decide about paths, and grants nothing.
pub(crate) const REPEATED: u32 = 0x5d0b_0c5a;

/// `ioctl` requests about an open descriptor that change nothing outside of the process.
const REQUESTS: [u32; 6] = [
    libc::FIONREAD as u32,
    libc::FIONBIO as u32,
    libc::FIOCLEX as u32,
    libc::FIONCLEX as u32,
    libc::TCGETS as u32,
    libc::TIOCGWINSZ as u32,
];

/// `fcntl` commands that neither make anything signal another process nor reserve memory of the user.
const COMMANDS: [u32; 14] = [
    libc::F_DUPFD as u32,
    libc::F_DUPFD_CLOEXEC as u32,
    libc::F_GETFD as u32,
    libc::F_SETFD as u32,
    libc::F_GETFL as u32,
    libc::F_SETFL as u32,
    libc::F_GETLK as u32,
    libc::F_SETLK as u32,
    libc::F_SETLKW as u32,
    libc::F_OFD_GETLK as u32,
    libc::F_OFD_SETLK as u32,
    libc::F_OFD_SETLKW as u32,
    libc::F_GETPIPE_SZ as u32,
    libc::F_GET_SEALS as u32,
];

/// `prctl` options that concern the calling thread or process alone and take no restriction away.
const OPTIONS: [u32; 15] = [
    libc::PR_SET_NAME as u32,
    libc::PR_GET_NAME as u32,
    // PR_SET_VMA, which names memory.
    0x5356_4d41,
    libc::PR_GET_DUMPABLE as u32,
    libc::PR_SET_TIMERSLACK as u32,
    libc::PR_GET_TIMERSLACK as u32,
    libc::PR_CAPBSET_READ as u32,
    libc::PR_GET_NO_NEW_PRIVS as u32,
    libc::PR_SET_NO_NEW_PRIVS as u32,
    libc::PR_GET_SECCOMP as u32,
    libc::PR_SET_THP_DISABLE as u32,
    libc::PR_GET_THP_DISABLE as u32,
    libc::PR_GET_PDEATHSIG as u32,
    libc::PR_GET_CHILD_SUBREAPER as u32,
    // PR_GET_TAGGED_ADDR_CTRL.
    56,
];

/// Advice on memory that concerns more than the process: it spoils pages of the machine, frees what others share, or
/// shares pages that are equal.
const ADVICE_REFUSED: [u32; 3] = [9, 100, 101];
const ADVICE_MERGE: u32 = 12;

const NAMESPACES: u32 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP) as u32;

const SHARED_ANONYMOUS: u32 = (libc::MAP_SHARED | libc::MAP_ANONYMOUS) as u32;

/// Socket options that load a program into the kernel: `SO_ATTACH_FILTER`, `SO_ATTACH_BPF`, and those of groups.
const SOCKET_PROGRAMS: [u32; 4] = [26, 50, 51, 52];

/// The flags of the type of a socket that say nothing about its protocol.
const SOCKET_FLAGS: [u32; 4] = {
    let (close, now) = (libc::SOCK_CLOEXEC as u32, libc::SOCK_NONBLOCK as u32);
    [0, close, now, close | now]
};

/// A call with its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) call: Call,
    pub(crate) verdict: Verdict,
}

/// The verdicts on all known calls, by number.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) entries: BTreeMap<u32, Entry>,
}

impl Table {
    fn set(&mut self, call: Call, verdict: Verdict) {
        self.entries.insert(call.number, Entry { call, verdict });
    }

    fn set_all(&mut self, calls: &[Call], action: Action) {
        calls.iter().for_each(|call| self.set(*call, Verdict::always(action)));
    }

    /// Returns the program that enforces the verdicts.
    pub(crate) fn compile(&self) -> Vec<libc::sock_filter> {
        let verdicts = self.entries.values().map(|entry| (entry.call.number, &entry.verdict));
        program::compile(ARCHITECTURE, verdicts, &unknown())
    }

    /// Sets the verdict on a call that is allowed unless one of these rules applies.
    fn allow_unless(&mut self, call: Call, rules: Vec<Rule>) {
        self.set(call, Verdict { rules, otherwise: Action::Allow });
    }
}

/// What happens to a call of a number that is in no list.
pub(crate) fn unknown() -> Verdict {
    Verdict::always(Action::Fail(libc::ENOSYS))
}

/// Returns the verdicts for a policy.
pub(crate) fn table(policy: &Policy) -> Table {
    let refusal = match policy.refused {
        Refused::Error => Action::Fail(libc::EPERM),
        Refused::Explain | Refused::Kill => Action::Trap,
    };
    let mut table = Table::default();
    for calls in [REFUSED, NEWER_REFUSED, CHANGED_FILES] {
        table.set_all(calls, refusal);
    }
    for calls in [DESCRIPTORS, LENGTHS, MEMORY, THREADS, SIGNALS, TIME, IDENTITY, NEWER] {
        table.set_all(calls, Action::Allow);
    }
    add_paths(&mut table, policy, refusal);
    add_processes(&mut table, policy, refusal);
    add_memory(&mut table, policy, refusal);
    add_clocks(&mut table, policy, refusal);
    add_descriptors(&mut table, policy, refusal);
    add_network(&mut table, policy, refusal);
    table
}

fn call(name: &'static str, number: libc::c_long) -> Call {
    Call::named(name, number)
}

fn when(condition: Condition, then: Action) -> Rule {
    Rule { when: vec![condition], then }
}

fn add_paths(table: &mut Table, policy: &Policy, refusal: Action) {
    // In a program that was started the handler is gone, and the signal would be its end.
    let is_explained = policy.refused == Refused::Explain && !policy.processes;
    let first_trap = || match is_explained {
        true => vec![when(Condition::IsNot(5, vec![REPEATED]), Action::Trap)],
        false => Vec::new(),
    };
    let looks = if policy.files { Action::Allow } else { Action::Fail(libc::EACCES) };
    for call in PATHS.iter().flat_map(|(calls, _)| *calls) {
        table.set(*call, Verdict { rules: first_trap(), otherwise: looks });
    }
    table.set_all(DIRECTORIES, looks);
    for call in CHANGED_PATHS.iter().flat_map(|(calls, _)| *calls) {
        match policy.writes {
            true => table.set(*call, Verdict { rules: first_trap(), otherwise: Action::Allow }),
            false => table.set(*call, Verdict::always(refusal)),
        }
    }
    if policy.writes {
        table.set_all(CHANGED_FILES, Action::Allow);
        table.set_all(COPIES, Action::Allow);
        refuse_rights_of_owners(table);
    }
}

/// Refuses to write a file with which any program on the machine runs with the rights of the worker's user or group.
/// This fails in every mode, because the handler of refused calls must not repeat such a call.
fn refuse_rights_of_owners(table: &mut Table) {
    let fails = Action::Fail(libc::EPERM);
    let rights = |mode: u8| Condition::HasAny(mode, libc::S_ISUID | libc::S_ISGID);
    // Without one of these flags there is no mode, and the argument may be anything.
    let creates =
        |flags: u8| Condition::HasAny(flags, libc::O_CREAT as u32 | (libc::O_TMPFILE & !libc::O_DIRECTORY) as u32);
    let mut refuse = |call: Call, when: Vec<Condition>| {
        if let Some(entry) = table.entries.get_mut(&call.number) {
            entry.verdict.rules.insert(0, Rule { when, then: fails });
        }
    };
    refuse(call("openat", libc::SYS_openat), vec![creates(2), rights(3)]);
    #[cfg(target_arch = "x86_64")]
    refuse(call("open", libc::SYS_open), vec![creates(1), rights(2)]);
    #[cfg(target_arch = "x86_64")]
    refuse(call("creat", libc::SYS_creat), vec![rights(1)]);
    refuse(call("fchmod", libc::SYS_fchmod), vec![rights(1)]);
    // This leaves a device behind.
    refuse(call("renameat2", libc::SYS_renameat2), vec![Condition::HasAny(4, libc::RENAME_WHITEOUT)]);
    // Its mode is in memory, which a filter does not see. Libraries fall back to `openat`.
    table.entries.remove(&new::openat2.number);
}

fn add_processes(table: &mut Table, policy: &Policy, refusal: Action) {
    let own = policy.own;
    let fails = Action::Fail(libc::EPERM);
    let clone = call("clone", libc::SYS_clone);
    table.set_all(BIRTHS, fails);
    if policy.processes {
        table.set_all(PROCESSES, Action::Allow);
        // A process that leaves the group of the worker would outlive it, and shells try that.
        table.set_all(calls![SYS_setpgid, SYS_setsid], fails);
        // With CLONE_PARENT the new process would be a child of the program that has the pool.
        let flags = NAMESPACES | libc::CLONE_PARENT as u32 | libc::CLONE_PTRACE as u32;
        table.allow_unless(clone, vec![when(Condition::HasAny(0, flags), fails)]);
    } else {
        // The lifeline ends the process and its group.
        let targets = vec![own, own.wrapping_neg(), 0];
        table.allow_unless(call("kill", libc::SYS_kill), vec![when(Condition::IsNot(0, targets), refusal)]);
        table.allow_unless(call("tgkill", libc::SYS_tgkill), vec![when(Condition::IsNot(0, vec![own]), refusal)]);
        // The C library musl signals its threads with this call. It names a thread alone, and so also those of others.
        let tkill = call("tkill", libc::SYS_tkill);
        match cfg!(target_env = "musl") && policy.signals_are_scoped {
            true => table.set(tkill, Verdict::always(Action::Allow)),
            false => table.allow_unless(tkill, vec![when(Condition::IsNot(0, vec![own]), refusal)]),
        }
        let not_a_thread = when(Condition::LacksAny(0, libc::CLONE_THREAD as u32), fails);
        table.allow_unless(clone, vec![not_a_thread, when(Condition::HasAny(0, NAMESPACES), fails)]);
    }
    // The handler of refused calls stays. A shell sets all signals that it inherits, so this must not be fatal.
    let sigaction = call("rt_sigaction", libc::SYS_rt_sigaction);
    table.allow_unless(sigaction, vec![when(Condition::Is(0, vec![libc::SIGSYS as u32]), fails)]);
    // Which other processes there are is not told.
    let others = || vec![when(Condition::IsNot(0, vec![0, own]), Action::Fail(libc::EPERM))];
    if !policy.processes {
        table.allow_unless(call("getpgid", libc::SYS_getpgid), others());
        table.allow_unless(call("getsid", libc::SYS_getsid), others());
    } else {
        table.set_all(calls![SYS_getpgid, SYS_getsid], Action::Allow);
    }
    table.allow_unless(call("get_robust_list", libc::SYS_get_robust_list), others());
    let priority = vec![when(Condition::IsNot(0, vec![0]), fails), when(Condition::IsNot(1, vec![0, own]), fails)];
    table.allow_unless(call("getpriority", libc::SYS_getpriority), priority);
    // Limits are read, of the process itself. Programs lower their limits at their start, and bear it if they cannot.
    let limits = if policy.processes { fails } else { refusal };
    let rules = vec![when(Condition::IsNot(0, vec![0, own]), limits), when(Condition::IsNotZero(2), limits)];
    table.allow_unless(call("prlimit64", libc::SYS_prlimit64), rules);
    let mut options = OPTIONS.to_vec();
    if policy.processes {
        options.push(libc::PR_SET_PDEATHSIG as u32);
    }
    table.allow_unless(call("prctl", libc::SYS_prctl), vec![when(Condition::IsNot(0, options), refusal)]);
}

fn add_memory(table: &mut Table, policy: &Policy, refusal: Action) {
    // Memory that can be shared does not count towards the limit of a worker.
    let mut mapping = vec![when(Condition::HasAll(3, SHARED_ANONYMOUS), refusal)];
    let mut protection = Vec::new();
    if policy.no_new_code {
        let is_code = || when(Condition::HasAny(2, libc::PROT_EXEC as u32), refusal);
        mapping.push(is_code());
        protection.push(is_code());
    }
    table.allow_unless(call("mmap", libc::SYS_mmap), mapping);
    table.allow_unless(call("mprotect", libc::SYS_mprotect), protection.clone());
    table.allow_unless(call("pkey_mprotect", libc::SYS_pkey_mprotect), protection);
    let advice = vec![
        when(Condition::Is(2, ADVICE_REFUSED.to_vec()), refusal),
        when(Condition::Is(2, vec![ADVICE_MERGE]), Action::Fail(libc::EINVAL)),
    ];
    table.allow_unless(call("madvise", libc::SYS_madvise), advice);
}

/// Lets the clocks of the system and of the process itself be read. The clock of another process tells that there is
/// such a process, and how long it has computed.
fn add_clocks(table: &mut Table, policy: &Policy, refusal: Action) {
    // What the kernel adds to the inverted number of a process for each of its three clocks. A thread's clock has
    // another bit, and the kernel finds only threads of the process itself.
    const OF_THREAD: u32 = 4;
    let own =
        [0, policy.own].into_iter().flat_map(|process| (0..3).map(move |clock| (!process << 3) | clock)).collect();
    let of_other = Rule {
        when: vec![Condition::HasAny(0, 1 << 31), Condition::LacksAny(0, OF_THREAD), Condition::IsNot(0, own)],
        then: if policy.processes { Action::Fail(libc::EPERM) } else { refusal },
    };
    for call in calls![SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep] {
        table.allow_unless(*call, vec![of_other.clone()]);
    }
}

fn add_descriptors(table: &mut Table, policy: &Policy, refusal: Action) {
    // The channel keeps its number, because messages may be received from that number. It is open in programs that the
    // worker starts, too. These calls fail in every mode: a worker that ends closes what it has.
    let fails = Action::Fail(libc::EPERM);
    let channel = policy.channel as u32;
    table.allow_unless(call("close", libc::SYS_close), vec![when(Condition::Is(0, vec![channel]), fails)]);
    for call in calls![
        SYS_dup3,
        #[cfg(target_arch = "x86_64")]
        SYS_dup2,
    ] {
        table.allow_unless(*call, vec![when(Condition::Is(1, vec![channel]), fails)]);
    }
    let closes_later = |command: u32| Rule {
        when: vec![Condition::Is(0, vec![channel]), Condition::Is(1, vec![command])],
        then: fails,
    };
    let requests = vec![closes_later(libc::FIOCLEX as u32), when(Condition::IsNot(1, REQUESTS.to_vec()), refusal)];
    table.allow_unless(call("ioctl", libc::SYS_ioctl), requests);
    let signals_when_ready = Rule {
        when: vec![Condition::Is(1, vec![libc::F_SETFL as u32]), Condition::HasAny(2, libc::O_ASYNC as u32)],
        then: refusal,
    };
    let commands = vec![
        closes_later(libc::F_SETFD as u32),
        when(Condition::IsNot(1, COMMANDS.to_vec()), refusal),
        signals_when_ready,
    ];
    table.allow_unless(call("fcntl", libc::SYS_fcntl), commands);
    // With this flag a pipe receives notifications of the kernel.
    let notifies = when(Condition::HasAny(1, libc::O_EXCL as u32), refusal);
    table.allow_unless(call("pipe2", libc::SYS_pipe2), vec![notifies]);
    // Through a datagram socket messages could be sent to any Unix socket, by its path.
    let connected = [libc::SOCK_STREAM, libc::SOCK_SEQPACKET];
    let kinds = connected.iter().flat_map(|kind| SOCKET_FLAGS.map(|flags| *kind as u32 | flags)).collect();
    let pair =
        vec![when(Condition::IsNot(0, vec![libc::AF_UNIX as u32]), refusal), when(Condition::IsNot(1, kinds), refusal)];
    table.allow_unless(call("socketpair", libc::SYS_socketpair), pair);
}

fn add_network(table: &mut Table, policy: &Policy, refusal: Action) {
    let sendto = call("sendto", libc::SYS_sendto);
    let has_address = || when(Condition::IsNotZero(4), refusal);
    // A connection that begins with its first message is not seen by the means that know about ports.
    let connects = |flags: u8| when(Condition::HasAny(flags, libc::MSG_FASTOPEN as u32), refusal);
    let recvmsg = call("recvmsg", libc::SYS_recvmsg);
    if policy.net == Net::None {
        table.allow_unless(sendto, vec![has_address()]);
        // The list of processes of shared objects, and items of a queue with descriptors, are messages that stay in
        // their socket. Looking at one finds what was sent to this process on purpose, as on the channel.
        let looks = (libc::MSG_PEEK | libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC) as u32;
        let takes_from_others =
            vec![Condition::IsNot(0, vec![policy.channel as u32]), Condition::IsNot(2, vec![looks])];
        table.allow_unless(recvmsg, vec![Rule { when: takes_from_others, then: refusal }]);
        return;
    }
    table.set_all(SOCKETS, Action::Allow);
    table.set(recvmsg, Verdict::always(Action::Allow));
    let programs = Rule {
        when: vec![Condition::Is(1, vec![libc::SOL_SOCKET as u32]), Condition::Is(2, SOCKET_PROGRAMS.to_vec())],
        then: refusal,
    };
    table.allow_unless(call("setsockopt", libc::SYS_setsockopt), vec![programs]);
    // The C library tries netlink and Unix sockets when it looks up names.
    let other_family =
        when(Condition::IsNot(0, vec![libc::AF_INET as u32, libc::AF_INET6 as u32]), Action::Fail(libc::EAFNOSUPPORT));
    let kinds = |kinds: &[i32]| {
        let values = kinds.iter().flat_map(|kind| SOCKET_FLAGS.map(|flags| *kind as u32 | flags)).collect();
        when(Condition::IsNot(1, values), refusal)
    };
    let protocols = |protocols: &[i32]| {
        let values = protocols.iter().map(|protocol| *protocol as u32).collect();
        when(Condition::IsNot(2, values), Action::Fail(libc::EPROTONOSUPPORT))
    };
    let socket = call("socket", libc::SYS_socket);
    let (sendmsg, sendmmsg) = (call("sendmsg", libc::SYS_sendmsg), call("sendmmsg", libc::SYS_sendmmsg));
    match policy.net {
        Net::Tcp { listens } => {
            let rules = vec![other_family, kinds(&[libc::SOCK_STREAM]), protocols(&[0, libc::IPPROTO_TCP])];
            table.allow_unless(socket, rules);
            table.allow_unless(sendto, vec![has_address(), connects(3)]);
            table.allow_unless(sendmsg, vec![connects(2)]);
            table.allow_unless(sendmmsg, vec![connects(3)]);
            if !listens {
                // A socket without an address gets one when it listens, which the means that know about ports miss.
                table.set_all(calls![SYS_listen, SYS_bind, SYS_accept, SYS_accept4], refusal);
            }
        }
        _ => {
            let known = [0, libc::IPPROTO_TCP, libc::IPPROTO_UDP, libc::IPPROTO_ICMP, libc::IPPROTO_ICMPV6];
            let rules = vec![other_family, kinds(&[libc::SOCK_STREAM, libc::SOCK_DGRAM]), protocols(&known)];
            table.allow_unless(socket, rules);
            for call in [sendto, sendmsg, sendmmsg] {
                table.set(call, Verdict::always(Action::Allow));
            }
        }
    }
}
