//! Tasks that write to the pipe themselves.
#![allow(unsafe_code)]

use executor_core::Executor;
use test_support::{Blocker, DEADLINE, Random, wait_until};
use tracing::{info, info_span};

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

fn goes_on(collector: &Collector) -> usize {
    collector.messages().iter().filter(|message| *message == "it goes on").count()
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
            // So that the queue has space for the next ones.
            wait_until("the last event", || goes_on(&collector) as u64 == seed + 1);
        }
    });
    let dropped = collector.warnings().into_iter().filter(|event| event.message.starts_with("dropped ")).count();
    assert!(dropped > 0);
    assert_eq!(collector.open_spans(), 0);
}

/// A frame without fields, in the name of the task with this sequence number.
fn frame(sequence: u64) -> Vec<u8> {
    let text = |text: &str| [&(text.len() as u16).to_le_bytes()[..], text.as_bytes()].concat();
    let callsite = [&[3][..], &[0; 4], &text("forged"), &text("forged"), &text(""), &text("")].concat();
    let length = (callsite.len() as u16).to_le_bytes();
    let body = [&[0][..], &sequence.to_le_bytes(), &length, &callsite, &text("")].concat();
    [&(body.len() as u32).to_le_bytes()[..], &body].concat()
}

#[test]
fn an_event_cannot_be_given_to_the_task_of_another_worker() {
    if !cfg!(target_os = "linux") {
        return;
    }
    const FORGED: u64 = 100;
    let collector = Collector::default();
    collector.with(|| {
        let pool = builder(process_pool::Transport::Ring).max_workers(2).build().unwrap();
        let victim = info_span!("victim").in_scope(|| Blocker::start(&pool));
        let forges = |count: u64| {
            let pipes = pipes();
            (0..count).for_each(|sequence| write_to(&pipes, &frame(sequence)));
        };
        info_span!("attacker").in_scope(|| pool.submit(forges, FORGED)).unwrap().result(DEADLINE).unwrap();
        victim.release();
    });
    let seen = collector.seen();
    assert_eq!(seen.len() as u64, FORGED);
    // All but its own number name no task.
    let own = seen.iter().filter(|event| !event.scope.is_empty());
    assert!(own.clone().all(|event| event.scope[0] == "attacker{}"));
    assert_eq!(own.count(), 1);
}
