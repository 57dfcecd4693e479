//! The numbers of system calls.

/// A system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    name: &'static str,
    pub(crate) number: u32,
}

impl Call {
    /// Returns the call with a name of `libc`, which begins with `SYS_`.
    pub(super) const fn named(name: &'static str, number: libc::c_long) -> Call {
        Call { name, number: number as u32 }
    }

    pub(crate) fn name(self) -> &'static str {
        self.name.strip_prefix("SYS_").unwrap_or(self.name)
    }
}

/// Makes a list of calls, which have the names that `libc` has for them.
macro_rules! calls {
    ($($(#[$condition:meta])* $name:ident),* $(,)?) => {
        &[$($(#[$condition])* Call::named(stringify!($name), libc::$name)),*]
    };
}
pub(super) use calls;

/// Calls that are newer than the oldest `libc` that this crate can be built with. Their numbers are the same on every
/// architecture.
#[allow(non_upper_case_globals)]
pub(super) mod new {
    use super::Call;

    /// Makes a constant for each call.
    macro_rules! new_calls {
        ($($name:ident = $number:literal),* $(,)?) => {
            $(pub(crate) const $name: Call = Call { name: stringify!($name), number: $number };)*
        };
    }
    new_calls!(
        pidfd_send_signal = 424,
        open_tree = 428,
        move_mount = 429,
        fsopen = 430,
        fsconfig = 431,
        fsmount = 432,
        fspick = 433,
        pidfd_open = 434,
        openat2 = 437,
        pidfd_getfd = 438,
        faccessat2 = 439,
        process_madvise = 440,
        epoll_pwait2 = 441,
        mount_setattr = 442,
        quotactl_fd = 443,
        memfd_secret = 447,
        process_mrelease = 448,
        futex_waitv = 449,
        fchmodat2 = 452,
        futex_wake = 454,
        futex_wait = 455,
        futex_requeue = 456,
        statmount = 457,
        listmount = 458,
        mseal = 462,
        setxattrat = 463,
        removexattrat = 466,
        open_tree_attr = 467,
    );
}

/// Calls that `libc` does not name on every architecture.
#[allow(non_upper_case_globals)]
pub(super) mod unnamed {
    use super::Call;

    /// Makes a constant for each call, with its numbers on x86_64 and aarch64.
    macro_rules! unnamed_calls {
        ($($name:ident = $x86_64:literal, $aarch64:literal);* $(;)?) => {
            $(pub(crate) const $name: Call = Call {
                name: stringify!($name),
                number: if cfg!(target_arch = "x86_64") { $x86_64 } else { $aarch64 },
            };)*
        };
    }
    unnamed_calls!(
        renameat = 264, 38;
        getrlimit = 97, 163;
        setrlimit = 160, 164;
    );
}
