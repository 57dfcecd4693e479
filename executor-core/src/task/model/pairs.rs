//! Every two actors around a task, while it gets done in every way.

use std::sync::Arc;

use loom::{sync::Arc as Shared, thread};

use super::{
    actors::{Actor, Owner, Way, complete_promise, subject},
    explore, explore_less,
    journal::Journal,
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
    complete_and_view: Complete, View;
    cancel_and_view: Cancel, View;
    wait_and_view: Wait, View;
    callback_and_view: Callback, View;
    poll_and_view: Poll, View;
    drop_and_view: Drop, View;
    view_and_view: View, View;
    // Actors that stop waiting, together with one that would wake them.
    complete_and_wait_until_timeout: Complete, WaitUntilTimeout;
    complete_and_poll_once: Complete, PollOnce;
    cancel_and_wait_until_timeout: Cancel, WaitUntilTimeout;
    cancel_and_poll_once: Cancel, PollOnce;
    wait_and_poll_once: Wait, PollOnce;
    poll_and_wait_until_timeout: Poll, WaitUntilTimeout;
}

#[test]
fn no_pair_is_missing() {
    use Actor::{Callback, Cancel, Complete, Drop, Poll, View, Wait};
    let all = [Complete, Cancel, Wait, Callback, Poll, Drop, View];
    for (at, one) in all.into_iter().enumerate() {
        for other in &all[at..] {
            assert!(PAIRS.contains(&(one, *other)), "{one:?} and {other:?}");
        }
    }
}

/// Runs the pair together with the thread that completes the task, without which no wait would end. If that thread is
/// one of the pair, there are two threads, otherwise three.
fn run_pair(way: Way, one: Actor, other: Actor) {
    let beside = if one == Actor::Complete { vec![other] } else { vec![one, other] };
    let has_most_orders = beside.len() == 2
        && match way {
            Way::Local => false,
            Way::Remote => one != other && one.waits() && other.waits(),
            // These are completed by the steps of a remote one.
            Way::Promised | Way::Abandoned => true,
        };
    let model = move |journal: &Arc<Journal>| {
        let (owner, future) = subject(way, journal);
        let mut owner = Some(owner);
        // Two threads that complete a promise share it. A task has one owner.
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
                // No handle is kept until the end, so that each thread may drop the last one.
                let handle = if last { future.take() } else { future.as_ref().map(crate::Future::alias) };
                let (actor, journal, shared) = (*actor, journal.clone(), shared.clone());
                thread::spawn(move || {
                    let handle = handle.expect("only the last thread takes the future out");
                    match shared {
                        Some(promise) => complete_promise(&promise, &journal),
                        None => actor.act(handle, &journal),
                    }
                })
            })
            .collect();
        match (owner, shared) {
            (Some(owner), _) => owner.complete(way, journal),
            (None, Some(promise)) => complete_promise(&promise, journal),
            (None, None) => unreachable!("the task has an owner"),
        }
        threads.into_iter().for_each(|thread| thread.join().expect("a model does not panic"));

        let results = &journal.results;
        let expected = beside.iter().filter(|actor| actor.always_gets_a_result()).count();
        let (cancelled, ran) = (journal.cancelled.get() > 0, journal.ran.get() == 1);
        let abandoned = way == Way::Abandoned && !cancelled && !ran;
        assert_eq!([cancelled, ran, abandoned].into_iter().filter(|end| *end).count(), 1, "it ends in one way");
        assert!(results.sum() >= expected, "every waiting thread gets a result");
        let of_one_kind = [results.value.get() + results.taken.get(), results.cancelled.get(), results.broken.get()];
        for (end, results) in [ran, cancelled, abandoned].into_iter().zip(of_one_kind) {
            assert!(end || results == 0, "every thread gets the real outcome");
        }
        assert!(results.taken.get() == 0 || results.value.get() == 1, "the value was moved out before it was missing");
        assert_eq!(journal.arguments.begun(), usize::from(way != Way::Promised));
    };
    if has_most_orders { explore_less(3, model) } else { explore(3, model) }
}
