//! Systems that lack a part of a sandbox. A filter of the test itself takes it away, as containers and old kernels do.

use std::{
    fs, io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    thread,
};

use executor_core::{ErrorKind, Executor};
use process_pool::{Layer, LayerState, Network, ProcessPoolExecutor, Sandbox};

use crate::{programs, support::get};

/// Makes calls of this number fail with an error in this process and all that it starts, or calls
/// [`answer_version`] about them.
fn take_away(call: libc::c_long, action: u32) -> Option<OwnedFd> {
    let load = |offset| libc::sock_filter { code: 0x20, jt: 0, jf: 0, k: offset };
    let give = |action| libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: action };
    let is_call = libc::sock_filter { code: 0x15, jt: 0, jf: 1, k: call as u32 };
    let code = [load(0), is_call, give(action), give(libc::SECCOMP_RET_ALLOW)];
    let program = libc::sock_fprog { len: code.len() as u16, filter: code.as_ptr().cast_mut() };
    const NEW_LISTENER: libc::c_ulong = 1 << 3;
    let flags = if action == libc::SECCOMP_RET_USER_NOTIF { NEW_LISTENER } else { 0 };
    // SAFETY: the kernel copies the program, and returns a descriptor if a listener is asked for.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let result = libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program);
        assert!(result >= 0, "{}", io::Error::last_os_error());
        (flags != 0).then(|| OwnedFd::from_raw_fd(result as i32))
    }
}

fn fails(error: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | error as u32
}

/// Answers the question for the version of Landlock in the place of the kernel, and lets all other calls pass.
fn answer_version(listener: OwnedFd, version: i64) {
    // SAFETY: both structures consist of numbers, and the requests read and write them alone.
    thread::spawn(move || unsafe {
        loop {
            let mut asked: libc::seccomp_notif = std::mem::zeroed();
            if libc::ioctl(listener.as_raw_fd(), 0xc050_2100_u32 as libc::Ioctl, &raw mut asked) != 0 {
                continue;
            }
            const VERSION: u64 = 1;
            let is_question = asked.data.args[2] == VERSION;
            let mut reply: libc::seccomp_notif_resp = std::mem::zeroed();
            reply.id = asked.id;
            (reply.val, reply.flags) = if is_question { (version, 0) } else { (0, 1) };
            libc::ioctl(listener.as_raw_fd(), 0xc018_2101_u32 as libc::Ioctl, &raw mut reply);
        }
    });
}

fn built(sandbox: Sandbox) -> Result<ProcessPoolExecutor, executor_core::Error> {
    let sandbox = sandbox.inherit_env("TEST_OUTPUT");
    ProcessPoolExecutor::builder().max_workers(1).sandbox(sandbox).build()
}

fn reads(pool: &ProcessPoolExecutor, path: &str) -> bool {
    let read = |path: String| fs::read(path).is_ok();
    get(&pool.submit(read, path.to_string()).expect("accepted")).expect("a result")
}

/// Checks what a system without Landlock keeps.
pub fn has_no_landlock() {
    take_away(libc::SYS_landlock_create_ruleset, fails(libc::ENOSYS));
    let pool = built(Sandbox::compute()).expect("the filter suffices");
    let status = pool.sandbox_status().expect("it has a sandbox");
    for layer in [Layer::Files, Layer::Network, Layer::Signals] {
        assert!(matches!(status.layer(layer), LayerState::Missing(_)), "{layer}: {status:?}");
    }
    assert_eq!(status.layer(Layer::SystemCalls), &LayerState::InForce);
    assert!(!status.is_complete() && !reads(&pool, "/etc/passwd"));
    for sandbox in [
        Sandbox::compute().read("/usr"),
        Sandbox::compute().tmpdir(),
        Sandbox::compute().network(Network::Tcp { connect: vec![1], bind: Vec::new() }),
    ] {
        let error = built(sandbox.clone()).expect_err("it needs Landlock");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("Landlock ABI") && error.to_string().contains("files"), "{error}");
        let status = sandbox.best_effort().check().expect("what there is");
        assert!(matches!(status.layer(Layer::Files), LayerState::Missing(_)));
    }
}

/// Checks what Debian 12 has (ABI 2), and Ubuntu 24.04 (ABI 4).
pub fn has_old_landlock() {
    let present = Sandbox::compute().check().expect("this system can keep it");
    if matches!(present.layer(Layer::Files), LayerState::Missing(_)) {
        return println!("SKIPPED: this system has no Landlock");
    }
    let listener = take_away(libc::SYS_landlock_create_ruleset, libc::SECCOMP_RET_USER_NOTIF).expect("a listener");
    let abi = std::env::var(VERSION).expect("set").parse().expect("a number");
    answer_version(listener, abi);
    let pool = built(Sandbox::compute()).expect("the filter suffices");
    let status = pool.sandbox_status().expect("it has a sandbox");
    assert_eq!(status.layer(Layer::Files), &LayerState::InForce, "in force wherever it is present: {status:?}");
    assert_eq!(status.layer(Layer::Network) == &LayerState::InForce, abi >= 4, "{status:?}");
    assert!(matches!(status.layer(Layer::Signals), LayerState::Missing(_)));
    assert!(!reads(&pool, "/etc/passwd"));
    let read = built(Sandbox::compute().read("/etc/hostname"));
    let error = match (abi >= 3, read) {
        (true, read) => {
            let pool = read.expect("the version suffices");
            assert!(reads(&pool, "/etc/hostname") && !reads(&pool, "/etc/passwd"));
            built(Sandbox::compute().execute("/usr")).expect_err("it needs ABI 6")
        }
        (false, read) => read.expect_err("it needs ABI 3"),
    };
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains(&format!("it has ABI {abi}")), "{error}");
}

/// The variable with the version that the system pretends to have.
const VERSION: &str = "SANDBOX_TEST_VERSION";

/// Checks that a system without filters keeps nothing.
pub fn has_no_filters() {
    take_away(libc::SYS_seccomp, fails(libc::ENOSYS));
    let error = built(Sandbox::compute()).expect_err("it needs filters");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("system calls"), "{error}");
    let pool = built(Sandbox::compute().best_effort()).expect("built");
    let status = pool.sandbox_status().expect("it has a sandbox");
    assert!(matches!(status.layer(Layer::SystemCalls), LayerState::Missing(_)), "{status:?}");
    assert!(!reads(&pool, "/etc/passwd"), "Landlock is in force");
}

/// Checks that it works where an older container's filter is in force, which knows neither of these.
pub fn is_in_a_container() {
    take_away(436, fails(libc::EPERM));
    take_away(libc::SYS_unshare, fails(libc::EPERM));
    take_away(435, fails(libc::ENOSYS));
    let pool = built(Sandbox::compute()).expect("it needs none of these");
    assert!(!reads(&pool, "/etc/passwd"));
    let pool = built(Sandbox::compute().namespaces()).expect("only a worker finds out");
    let error = pool.submit(|n: u64| n, 1).and_then(|future| get(&future)).expect_err("no namespaces");
    assert_eq!(error.kind(), ErrorKind::Broken);
    assert!(error.to_string().contains("namespaces"), "{error}");
}

/// Checks that a worker that cannot be locked is never ready, although the program that builds the pool could be.
pub fn loses_landlock_later() {
    let sandbox = Sandbox::compute().read("/etc/hostname");
    sandbox.check().expect("this system can keep it");
    let take = |()| drop(take_away(libc::SYS_landlock_restrict_self, fails(libc::ENOSYS)));
    let builder = ProcessPoolExecutor::builder().max_workers(1).sandbox(sandbox).initializer(take, ());
    let pool = builder.build().expect("the parent has everything");
    let error = pool.submit(|n: u64| n, 1).and_then(|future| get(&future)).expect_err("it is not locked");
    assert_eq!(error.kind(), ErrorKind::Broken, "{error}");
    assert!(error.to_string().contains("could not be locked"), "{error}");
}

#[test]
fn without_landlock_the_filter_keeps_what_compute_promises() {
    programs::succeeds("has_no_landlock", &[]);
}

#[test]
fn with_an_old_landlock_a_grant_needs_what_it_needs() {
    for version in ["1", "2", "3", "4", "5"] {
        programs::succeeds("has_old_landlock", &[(VERSION, version)]);
    }
}

#[test]
fn without_filters_there_is_no_sandbox() {
    programs::succeeds("has_no_filters", &[]);
}

#[test]
fn a_sandbox_fits_into_a_container() {
    programs::succeeds("is_in_a_container", &[]);
}

#[test]
fn a_worker_that_lacks_a_layer_is_never_ready() {
    programs::succeeds("loses_landlock_later", &[]);
}
