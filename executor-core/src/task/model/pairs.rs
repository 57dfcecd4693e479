//! Every two actors around a task, while it gets done in every way.

use loom::{sync::Arc as Shared, thread};

use super::{
    actors::{Actor, Owner, Way, keep, subject},
    explore,
};

/// One test for each pair and way.
macro_rules! pairs {
    ($($name:ident: $one:ident, $other:ident;)+) => {
        const PAIRS: &[(Actor, Actor)] = &[$((Actor::$one, Actor::$other)),+];

        pairs!(@way local, Local, $($name: $one, $other;)+);
        pairs!(@way remote, Remote, $($name: $one, $other;)+);
        pairs!(@way promised, Promised, $($name: $one, $other;)+);
        pairs!(@way abandoned, Abandoned, $($name: $one, $other;)+);
    };
    (@way $module:ident, $way:ident, $($name:ident: $one:ident, $other:ident;)+) => {
        mod $module {
            use super::{run_pair, Actor, Way};

            $(
                #[test]
                fn $name() {
                    run_pair(Way::$way, Actor::$one, Actor::$other);
                }
            )+
        }
    };
}

pairs! {
    complete_and_complete: Complete, Complete;
    complete_and_cancel: Complete, Cancel;
    complete_and_wait: Complete, Wait;
    complete_and_callback: Complete, Callback;
    complete_and_poll: Complete, Poll;
    complete_and_drop: Complete, Drop;
    cancel_and_cancel: Cancel, Cancel;
    cancel_and_wait: Cancel, Wait;
    cancel_and_callback: Cancel, Callback;
    cancel_and_poll: Cancel, Poll;
    cancel_and_drop: Cancel, Drop;
    wait_and_wait: Wait, Wait;
    wait_and_callback: Wait, Callback;
    wait_and_poll: Wait, Poll;
    wait_and_drop: Wait, Drop;
    callback_and_callback: Callback, Callback;
    callback_and_poll: Callback, Poll;
    callback_and_drop: Callback, Drop;
    poll_and_poll: Poll, Poll;
    poll_and_drop: Poll, Drop;
    drop_and_drop: Drop, Drop;
    // Actors that stop waiting, beside the one that would wake them.
    complete_and_wait_in_vain: Complete, WaitInVain;
    complete_and_poll_in_vain: Complete, PollInVain;
    cancel_and_wait_in_vain: Cancel, WaitInVain;
    cancel_and_poll_in_vain: Cancel, PollInVain;
    wait_and_poll_in_vain: Wait, PollInVain;
    poll_and_wait_in_vain: Poll, WaitInVain;
}

#[test]
fn no_pair_is_missing() {
    use Actor::{Callback, Cancel, Complete, Drop, Poll, Wait};
    let all = [Complete, Cancel, Wait, Callback, Poll, Drop];
    for (at, one) in all.into_iter().enumerate() {
        for other in &all[at..] {
            assert!(PAIRS.contains(&(one, *other)), "{one:?} and {other:?}");
        }
    }
}

/// Runs the pair beside the thread that completes the task in its own way, without which nothing would end. If that
/// thread is one of the pair there are two threads, otherwise three.
fn run_pair(way: Way, one: Actor, other: Actor) {
    let beside = if one == Actor::Complete { vec![other] } else { vec![one, other] };
    explore(3, move |journal| {
        let (owner, future) = subject(way, journal);
        let mut owner = Some(owner);
        // Two promise-keepers share the promise; of a task there is one owner.
        let shared = match owner.take() {
            Some(Owner::Promise(promise)) if beside.contains(&Actor::Complete) => Some(Shared::new(promise)),
            given => {
                owner = given;
                None
            }
        };
        let mut future = Some(future);
        let threads: Vec<_> = beside
            .iter()
            .enumerate()
            .map(|(at, actor)| {
                let last = at + 1 == beside.len();
                // No handle is kept for the end, so that each of them may be the last.
                let handle = if last { future.take() } else { future.as_ref().map(crate::Future::alias) };
                let (actor, journal, shared) = (*actor, journal.clone(), shared.clone());
                thread::spawn(move || {
                    let handle = handle.expect("only the last takes it away");
                    match shared {
                        Some(promise) => keep(&promise, &journal),
                        None => actor.act(handle, &journal),
                    }
                })
            })
            .collect();
        match (owner, shared) {
            (Some(owner), _) => owner.complete(way, journal),
            (None, Some(promise)) => keep(&promise, journal),
            (None, None) => unreachable!("the task has an owner"),
        }
        threads.into_iter().for_each(|thread| thread.join().expect("a model does not panic"));

        let told = &journal.told;
        let expected = beside.iter().filter(|actor| actor.is_told()).count();
        let (cancelled, ran) = (journal.cancelled.get() > 0, journal.ran.get() == 1);
        let abandoned = way == Way::Abandoned && !cancelled && !ran;
        assert_eq!([cancelled, ran, abandoned].into_iter().filter(|end| *end).count(), 1, "it ends in one way");
        assert!(told.sum() >= expected, "every waiting thread is told");
        let of_one_kind = [told.value.get() + told.taken.get(), told.cancelled.get(), told.broken.get()];
        for (end, told) in [ran, cancelled, abandoned].into_iter().zip(of_one_kind) {
            assert!(end || told == 0, "every thread is told what happened");
        }
        assert!(told.taken.get() == 0 || told.value.get() == 1, "a value is only gone after it was moved out");
        assert_eq!(journal.arguments.begun(), usize::from(way != Way::Promised));
    });
}
