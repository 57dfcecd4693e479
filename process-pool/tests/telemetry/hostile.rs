//! Tasks that write to the pipe themselves.
#![allow(unsafe_code)]

use executor_core::Executor;
use test_support::{DEADLINE, Random};
use tracing::info;

use super::{builder, collector::Collector, on_both};

/// In a worker: the pipes that it may write to, but for its standard error.
fn pipes() -> Vec<i32> {
    let target = |descriptor: i32| std::fs::read_link(format!("/proc/self/fd/{descriptor}")).ok();
    let is_wanted = |descriptor: &i32| {
        // SAFETY: this only asks for the flags of a number, which may be no descriptor.
        let flags = unsafe { libc::fcntl(*descriptor, libc::F_GETFL) };
        let is_pipe = target(*descriptor).is_some_and(|path| path.to_string_lossy().starts_with("pipe:"));
        is_pipe && flags & libc::O_ACCMODE == libc::O_WRONLY && target(*descriptor) != target(2)
    };
    (3..100).filter(is_wanted).collect()
}

fn write_to(pipes: &[i32], bytes: &[u8]) {
    for pipe in pipes {
        // SAFETY: the buffer has that length.
        unsafe { libc::write(*pipe, bytes.as_ptr().cast(), bytes.len()) };
    }
}

#[test]
fn bytes_that_are_no_frame_cost_the_events_of_that_worker_and_nothing_else() {
    if !cfg!(target_os = "linux") {
        return;
    }
    on_both(|transport| {
        let collector = Collector::default();
        collector.with(|| {
            let pool = builder(transport).build().unwrap();
            let writes = |()| {
                info!("before");
                let pipes = pipes();
                write_to(&pipes, &[0xff; 1000]);
                (0..1000).for_each(|n| info!(n, "behind"));
                pipes.len()
            };
            assert_eq!(pool.submit(writes, ()).unwrap().result(DEADLINE).unwrap(), 1);
            assert_eq!(pool.submit(|n: u64| n + 1, 1).unwrap().result(DEADLINE).unwrap(), 2);
            pool.submit(|()| -> () { std::process::abort() }, ()).unwrap().result(DEADLINE).unwrap_err();
            pool.submit(|()| info!("the next worker"), ()).unwrap().result(DEADLINE).unwrap();
        });
        assert_eq!(collector.messages(), ["before", "the next worker"]);
        let unreadable = collector.warnings().into_iter().filter(|event| event.message.contains("no longer be read"));
        assert_eq!(unreadable.count(), 1);
        assert_eq!(collector.open_spans(), 0);
    });
}

#[test]
fn frames_of_any_content_are_counted_and_harm_nothing() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let collector = Collector::default();
    collector.with(|| {
        let pool = builder(process_pool::Transport::Ring).build().unwrap();
        let writes = |seed: u64| {
            let (pipes, mut random) = (pipes(), Random::new(seed));
            for _ in 0..2000 {
                let length = random.below(200) as usize;
                let mut frame = (length as u32).to_le_bytes().to_vec();
                frame.extend((0..length).map(|_| random.below(256) as u8));
                write_to(&pipes, &frame);
            }
            info!("it goes on");
        };
        for seed in 0..5 {
            pool.submit(writes, seed).unwrap().result(DEADLINE).unwrap();
        }
    });
    let messages = collector.messages();
    assert_eq!(messages.iter().filter(|message| *message == "it goes on").count(), 5);
    let dropped = collector.warnings().into_iter().filter(|event| event.message.starts_with("dropped ")).count();
    assert!(dropped > 0);
    assert_eq!(collector.open_spans(), 0);
}
