//! Futures of the parent in a forked child. This is a separate binary, because a fork copies only the thread of the
//! test, and no other thread of the binary.
#![cfg(unix)]
#![allow(unsafe_code)]

use executor_core::{ErrorKind, Executor, InlineExecutor, MapOptions, ReturnWhen, as_completed, fork, promise, wait};

/// Runs code in a forked child, and returns whether it ended without a panic.
fn in_a_child(code: impl FnOnce()) -> bool {
    // SAFETY: the child only runs the closure, which starts no thread and takes no lock that another thread may hold,
    // and then calls `_exit`.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "the system refuses to fork");
    if child == 0 {
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(code)).is_ok();
        // SAFETY: `_exit` ends the child without running the parent's exit handlers.
        unsafe { libc::_exit(if ended { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: `status` is valid for writes.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    waited == child && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}

#[test]
fn waiting_for_a_future_of_the_parent_is_an_error_in_a_forked_child() {
    let born = fork::generation();
    let (promise, future) = promise::<u64>();
    let (completed, done) = executor_core::promise::<u64>();
    completed.set_result(5).expect("pending");
    assert!(in_a_child(move || {
        assert_eq!(born.check().expect_err("forked").kind(), ErrorKind::Broken);
        assert_eq!(future.result(None).expect_err("forked").kind(), ErrorKind::Broken);
        assert_eq!(future.exception(None).expect_err("forked").kind(), ErrorKind::Broken);
        let waited = wait([future, done], None, ReturnWhen::AllCompleted);
        assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
        let kinds = as_completed(waited.done.into_iter().chain(waited.not_done), None)
            .map(|future| future.map(|future| future.result(None).ok()).map_err(|error| error.kind()));
        assert_eq!(kinds.collect::<Vec<_>>(), [Ok(Some(5)), Err(ErrorKind::Broken)]);
    }));
    assert!(born.check().is_ok(), "the parent is not affected");
    promise.set_result(1).expect("the child had a copy");
}

#[test]
fn a_map_of_the_parent_ends_with_an_error_in_a_forked_child() {
    struct Never(std::sync::Mutex<Vec<executor_core::Task>>);
    impl executor_core::Backend for Never {
        fn schedule(&self, task: executor_core::Task) -> Result<(), executor_core::Error> {
            self.0.lock().expect("no panic while it is locked").push(task);
            Ok(())
        }
        fn close(&self, _: executor_core::Shutdown) {}
        fn join(&self, _: Option<std::time::Duration>) -> bool {
            true
        }
        fn max_workers(&self) -> usize {
            1
        }
    }
    for options in [MapOptions::new(), MapOptions::new().unordered()] {
        let back_end = Never(std::sync::Mutex::default());
        let mut map = back_end.map_with(options, |n: u64| n, 0..3u64).expect("accepted");
        assert!(in_a_child(move || {
            assert_eq!(map.next().expect("an item").expect_err("forked").kind(), ErrorKind::Broken);
            assert!(map.next().is_none());
        }));
    }
}

#[test]
fn an_executor_of_the_child_works() {
    assert!(in_a_child(|| {
        let future = InlineExecutor::new().submit(|n: u64| n + 1, 1).expect("accepted");
        assert_eq!(future.result(None).expect("a value"), 2);
    }));
}

/// Set in the program that a test starts, which is this one.
const FORKS_DURING_FIRST_USE: &str = "EXECUTOR_CORE_FORKS_DURING_FIRST_USE";

/// Forks while another thread uses the library for the first time, if it is started by the test below.
#[test]
fn forks_during_the_first_use() {
    if std::env::var_os(FORKS_DURING_FIRST_USE).is_none() {
        return;
    }
    let barrier = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            barrier.wait();
            fork::generation()
        });
        barrier.wait();
        assert!(in_a_child(|| {
            // SAFETY: this is a system call without pointers. It ends a child that waits forever.
            unsafe { libc::alarm(60) };
            assert!(fork::generation().check().is_ok());
        }));
    });
}

#[test]
fn a_child_that_is_forked_during_the_first_use_does_not_wait() {
    for _ in 0..200 {
        let mut program = std::process::Command::new(std::env::current_exe().expect("the path of this program"));
        program.args(["--exact", "forks_during_the_first_use", "--test-threads=1"]).env(FORKS_DURING_FIRST_USE, "");
        let output = program.output().expect("the program starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn a_handle_of_the_parent_is_a_copy_in_a_forked_child() {
    use std::{
        io::{Read, Write},
        os::{fd::AsFd, unix::net::UnixStream},
    };

    use executor_core::codec::handles::{Handle, find};

    let (mut reader, writer) = UnixStream::pair().expect("a pair");
    let handle = Handle::new(writer.into());
    let copy = handle.clone();
    assert!(in_a_child(move || {
        assert!(find(copy.name()).is_none(), "the names of the parent are not the child's");
        let file = copy.as_fd().try_clone_to_owned().expect("a descriptor");
        std::fs::File::from(file).write_all(b"x").expect("written");
        // Neither locks anything that a thread of the parent may have held.
        drop((copy, handle));
        let own = Handle::new(UnixStream::pair().expect("a pair").1.into());
        assert!(find(own.name()).is_some());
    }));
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("read");
    assert_eq!(text, "x", "the child's copies are closed");
}
