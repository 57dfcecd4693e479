//! The filter of system calls (seccomp).
//!
//! [`verdicts`] decides about each call, [`program`] turns that into a program for the kernel, and [`refusals`] reports
//! the calls that are refused.
#![allow(unsafe_code)]

mod calls;
mod numbers;
mod program;
mod refusals;
#[cfg(test)]
mod tests;
mod verdicts;

use std::io;

use libc::{sock_filter, sock_fprog};

use crate::sys::policy::Policy;

/// A filter that is not installed.
pub(super) struct Filter {
    policy: Policy,
    code: Vec<sock_filter>,
}

impl Filter {
    pub(super) fn of(policy: &Policy) -> io::Result<Filter> {
        Ok(Filter { policy: *policy, code: verdicts::table(policy).compile() })
    }

    /// Makes all threads of this process, which must have `no_new_privs`, subject to the filter.
    pub(super) fn install(&self) -> io::Result<()> {
        refusals::watch(&self.policy);
        install(&self.code)
    }
}

/// Returns an error with the reason if the kernel does not have what a filter needs.
pub(super) fn check_available() -> Result<(), String> {
    const GET_ACTION_AVAIL: libc::c_uint = 2;
    for action in [libc::SECCOMP_RET_KILL_PROCESS, libc::SECCOMP_RET_TRAP, libc::SECCOMP_RET_ERRNO] {
        // SAFETY: the kernel reads one number.
        if unsafe { libc::syscall(libc::SYS_seccomp, GET_ACTION_AVAIL, 0, &raw const action) } != 0 {
            let error = io::Error::last_os_error();
            return Err(format!("this kernel lacks filters of system calls as Linux 4.14 has them (seccomp: {error})"));
        }
    }
    Ok(())
}

fn install(code: &[sock_filter]) -> io::Result<()> {
    let length = u16::try_from(code.len()).map_err(|_| io::Error::other("the filter is too long"))?;
    let program = sock_fprog { len: length, filter: code.as_ptr().cast_mut() };
    // Without the second flag some kernels make all of the process slower, as a defence that programs can ask for by
    // themselves. Kernels before Linux 4.17 do not know it.
    let flags =
        [libc::SECCOMP_FILTER_FLAG_TSYNC | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW, libc::SECCOMP_FILTER_FLAG_TSYNC];
    let mut result = -1;
    for flags in flags {
        // SAFETY: the kernel copies the program, whose instructions are there.
        result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
        let error = io::Error::last_os_error();
        if result >= 0 || error.raw_os_error() != Some(libc::EINVAL) {
            break;
        }
    }
    match result {
        0 => Ok(()),
        -1 => Err(io::Error::last_os_error()),
        thread => Err(io::Error::other(format!(
            "thread {thread}, which the initializer or code before `main` has started, has a filter of its own"
        ))),
    }
}
