use super::*;

/// A word in each phase, by the steps that lead there.
fn words() -> Vec<(&'static str, State)> {
    let after = |steps: &[fn(&State)]| {
        let state = State::new(true);
        steps.iter().for_each(|step| step(&state));
        state
    };
    let place: fn(&State) = |state| assert!(state.place());
    let begin: fn(&State) = |state| assert!(state.begin());
    let claim: fn(&State) = |state| assert!(state.claim());
    let settle: fn(&State) = |state| assert!(state.start_completing(false));
    let finish: fn(&State) = |state| assert!(!state.finish(End::Value));
    let cancel: fn(&State) = |state| assert_eq!(state.cancel(), Some(false));
    vec![
        ("queued", after(&[])),
        ("placed", after(&[place])),
        ("running", after(&[place, begin])),
        ("here", after(&[claim])),
        ("settling", after(&[begin, settle])),
        ("resolving", after(&[settle])),
        ("finished", after(&[settle, finish])),
        ("cancelled", after(&[cancel])),
    ]
}

/// From which phases a step can be made.
fn possible(step: impl Fn(&State) -> bool) -> Vec<&'static str> {
    words().into_iter().filter(|(_, state)| step(state)).map(|(name, _)| name).collect()
}

#[test]
fn each_step_is_possible_from_the_phases_of_the_table_and_from_no_other() {
    assert_eq!(possible(State::claim), ["queued"]);
    assert_eq!(possible(State::place), ["queued"]);
    assert_eq!(possible(State::begin), ["queued", "placed"]);
    assert_eq!(possible(State::recall), ["placed", "running"]);
    assert_eq!(possible(|state| matches!(state.withdraw(), Withdraw::Won { .. })), ["queued"]);
    assert_eq!(possible(|state| matches!(state.withdraw(), Withdraw::Placed)), ["placed"]);
    assert_eq!(possible(|state| state.cancel().is_some()), ["queued", "placed", "running"]);
    assert_eq!(possible(|state| state.start_completing(true)), ["queued", "placed", "running"]);
    assert_eq!(possible(|state| state.start_completing(false)), ["queued", "placed", "running"]);
}

#[test]
fn each_phase_looks_as_the_table_says() {
    let running = ["running", "here", "settling"];
    let done = ["finished", "cancelled"];
    let owners = ["queued", "placed", "running"];
    for (name, state) in words() {
        let seen = state.snapshot();
        assert_eq!(seen.is_running(), running.contains(&name), "{name}");
        assert_eq!(seen.is_done(), done.contains(&name), "{name}");
        assert_eq!(seen.is_cancelled(), name == "cancelled", "{name}");
        assert_eq!(seen.is_up_to_its_owner(), owners.contains(&name), "{name}");
    }
}

#[test]
fn what_never_ran_never_looks_as_if_it_did_and_what_ran_does_so_to_its_end() {
    for (ran, running) in [(false, false), (true, true)] {
        let state = State::new(true);
        assert!(state.place() && state.start_completing(ran));
        assert_eq!(state.snapshot().is_running(), running);
    }
    let state = State::new(true);
    assert!(state.start_completing(true) && !state.snapshot().is_running(), "nobody ran what was in the queue");
}

#[test]
fn work_that_was_taken_is_not_claimed_and_claimed_work_is_not_taken() {
    let state = State::new(true);
    assert!(state.take_work() && !state.take_work() && !state.claim());
    let state = State::new(true);
    assert!(state.claim() && !state.take_work());
}

#[test]
fn of_announcing_and_finishing_the_later_one_sees_the_earlier_one() {
    let state = State::new(true);
    assert!(state.announce(Event::Done) && state.start_completing(false));
    assert!(state.finish(End::Failed), "somebody waits");
    assert!(!state.announce(Event::Done) && !state.announce(Event::Readable), "it is done");
    let state = State::new(true);
    assert!(state.announce(Event::Done));
    assert!(matches!(state.withdraw(), Withdraw::Won { waited: true }));
}

#[test]
fn unpacking_is_done_by_one_and_announced_to_those_who_came_for_it() {
    let packed = || {
        let state = State::new(true);
        assert!(state.announce(Event::Done) && state.start_completing(true));
        assert!(state.finish(End::Packed { failed: false }));
        state
    };
    let state = packed();
    assert!(matches!(state.access(), Access::Unpack));
    assert!(matches!(state.access(), Access::Unpacking));
    assert!(!state.announce(Event::Done), "it is done while it is unpacked");
    let state = packed();
    assert!(matches!(state.access(), Access::Unpack));
    assert!(!state.unpacked(End::Value), "who came before was notified by the one who finished");
    let state = packed();
    assert!(matches!(state.access(), Access::Unpack));
    assert!(state.announce(Event::Readable));
    assert!(state.unpacked(End::Failed) && state.snapshot().is_failed());
    assert!(matches!(state.access(), Access::Ready(_)));
}

#[test]
fn a_value_is_either_taken_once_or_shared() {
    let state = State::new(true);
    assert!(state.take() && !state.take());
    state.share();
    assert!(state.snapshot().is_taken() && !state.snapshot().is_shared());
    let state = State::new(true);
    state.share();
    assert!(!state.take() && state.snapshot().is_shared());
}
