use super::*;

/// Returns a word in each phase, made by the steps that lead there.
fn words() -> Vec<(&'static str, State)> {
    let after = |steps: &[fn(&State)]| {
        let state = State::new(true, false);
        steps.iter().for_each(|step| step(&state));
        state
    };
    let place: fn(&State) = |state| assert!(state.place());
    let begin: fn(&State) = |state| assert!(state.begin());
    let claim: fn(&State) = |state| assert!(state.claim());
    let start_completing: fn(&State) = |state| assert!(state.start_completing(false));
    let finish: fn(&State) = |state| assert_eq!(state.finish(End::Value), Owed::Nothing);
    let cancel: fn(&State) = |state| assert_eq!(state.cancel(), Some(Owed::Nothing));
    vec![
        ("queued", after(&[])),
        ("placed", after(&[place])),
        ("running", after(&[place, begin])),
        ("local", after(&[claim])),
        ("completing", after(&[begin, start_completing])),
        ("failing", after(&[start_completing])),
        ("finished", after(&[start_completing, finish])),
        ("cancelled", after(&[cancel])),
    ]
}

/// Returns the phases from which a step is possible.
fn possible(step: impl Fn(&State) -> bool) -> Vec<&'static str> {
    words().into_iter().filter(|(_, state)| step(state)).map(|(name, _)| name).collect()
}

#[test]
fn each_transition_starts_from_the_phases_of_the_table_only() {
    assert_eq!(possible(State::claim), ["queued"]);
    assert_eq!(possible(State::place), ["queued"]);
    assert_eq!(possible(State::begin), ["queued", "placed"]);
    assert_eq!(possible(State::recall), ["placed", "running"]);
    assert_eq!(possible(|state| matches!(state.withdraw(), Withdraw::Withdrawn(_))), ["queued"]);
    assert_eq!(possible(|state| matches!(state.withdraw(), Withdraw::Placed)), ["placed"]);
    assert_eq!(possible(|state| state.cancel().is_some()), ["queued", "placed", "running"]);
    assert_eq!(possible(|state| state.start_completing(true)), ["queued", "placed", "running"]);
    assert_eq!(possible(|state| state.start_completing(false)), ["queued", "placed", "running"]);
}

#[test]
fn each_phase_has_the_properties_of_the_table() {
    let running = ["running", "local", "completing"];
    let done = ["finished", "cancelled"];
    let owners = ["queued", "placed", "running"];
    for (name, state) in words() {
        let seen = state.snapshot();
        assert_eq!(seen.is_running(), running.contains(&name), "{name}");
        assert_eq!(seen.is_done(), done.contains(&name), "{name}");
        assert_eq!(seen.is_cancelled(), name == "cancelled", "{name}");
        assert_eq!(seen.must_be_completed_by_owner(), owners.contains(&name), "{name}");
    }
}

#[test]
fn a_task_that_never_ran_is_never_running_and_one_that_ran_is_running_until_it_is_done() {
    for (ran, running) in [(false, false), (true, true)] {
        let state = State::new(true, false);
        assert!(state.place() && state.start_completing(ran));
        assert_eq!(state.snapshot().is_running(), running);
    }
    let state = State::new(true, false);
    assert!(state.start_completing(true) && !state.snapshot().is_running(), "a queued task did not run");
}

#[test]
fn work_is_either_taken_or_claimed() {
    let state = State::new(true, false);
    assert!(state.take_work() && !state.take_work() && !state.claim());
    let state = State::new(true, false);
    assert!(state.claim() && !state.take_work());
}

#[test]
fn a_finish_sees_an_earlier_waiter_and_a_waiter_sees_an_earlier_finish() {
    let state = State::new(true, false);
    assert_eq!(state.announce_waiter(Event::Done), Announced::InTime);
    assert!(state.start_completing(false));
    assert_eq!(state.finish(End::Failed), Owed::Notification);
    for event in [Event::Done, Event::Readable] {
        assert_eq!(state.announce_waiter(event), Announced::TooLate);
    }
    let state = State::new(true, false);
    assert_eq!(state.announce_waiter(Event::Done), Announced::InTime);
    assert!(matches!(state.withdraw(), Withdraw::Withdrawn(Owed::Notification)));
}

#[test]
fn one_thread_unpacks_and_notifies_the_waiters_that_were_added_meanwhile() {
    let packed = || {
        let state = State::new(true, false);
        assert_eq!(state.announce_waiter(Event::Done), Announced::InTime);
        assert!(state.start_completing(true));
        assert_eq!(state.finish(End::Packed), Owed::Notification);
        state
    };
    let state = packed();
    assert!(matches!(state.access(), Access::Unpack));
    assert!(matches!(state.access(), Access::Unpacking));
    assert_eq!(state.announce_waiter(Event::Done), Announced::TooLate, "a task that is being unpacked is done");
    let state = packed();
    assert!(matches!(state.access(), Access::Unpack));
    assert_eq!(state.unpacked(End::Value), Owed::Nothing, "the thread that finished notified earlier waiters");
    let state = packed();
    assert!(matches!(state.access(), Access::Unpack));
    assert_eq!(state.announce_waiter(Event::Readable), Announced::InTime);
    assert_eq!(state.unpacked(End::Failed), Owed::Notification);
    assert!(state.snapshot().is_failed());
    assert!(matches!(state.access(), Access::Ready(_)));
}

#[test]
fn a_value_is_either_taken_once_or_shared() {
    let state = State::new(true, false);
    assert!(state.take_value().is_ok() && state.take_value().is_err());
    state.share_value();
    assert!(state.snapshot().is_taken() && !state.snapshot().is_shared());
    let state = State::new(true, false);
    state.share_value();
    assert!(state.take_value().is_err() && state.snapshot().is_shared());
}

#[test]
fn a_reserved_output_is_read_by_no_other_thread_until_the_callbacks_have_ended() {
    let state = State::new(true, false);
    assert_eq!(state.reserve(), Ok(()));
    assert_eq!(state.reserve(), Ok(()), "there may be several callbacks");
    assert!(state.start_completing(true));
    assert_eq!(state.finish(End::Packed), Owed::Notification);
    assert!(state.snapshot().has(Event::Done) && !state.snapshot().has(Event::Readable));
    assert!(matches!(state.access(), Access::Reserved));
    assert_eq!(state.announce_waiter(Event::Readable), Announced::InTime);
    assert_eq!(state.reserve(), Err(Late::Busy));
    state.unpacked_while_reserved(End::Failed);
    assert!(state.take_value().is_err() && state.snapshot().is_failed());
    assert_eq!(state.unreserve(), Owed::Notification);
    assert!(matches!(state.access(), Access::Ready(_)));
}

#[test]
fn a_late_reservation_needs_a_value_that_no_other_thread_may_read() {
    let finished = || {
        let state = State::new(true, false);
        assert!(state.start_completing(true));
        assert_eq!(state.finish(End::Value), Owed::Nothing);
        state
    };
    let state = finished();
    assert_eq!((state.reserve(), state.reserve()), (Err(Late::Reserved), Err(Late::Busy)));
    assert_eq!((state.unreserve(), state.reserve()), (Owed::Nothing, Err(Late::Reserved)));
    let state = finished();
    assert!(state.take_value().is_ok());
    assert_eq!(state.reserve(), Err(Late::Unavailable));
    let state = finished();
    state.share_value();
    assert_eq!(state.reserve(), Err(Late::Unavailable));
}

#[test]
fn a_task_that_ran_here_ends_in_the_same_word_as_another() {
    for end in [End::Value, End::Failed, End::Panicked] {
        let words = [true, false].map(|is_local| {
            let state = State::new(true, true).in_block(Spot::from_raw((1 << Spot::BITS) - 1));
            assert!(state.claim() && !state.take_work());
            state.ask_to_stop();
            assert_eq!(state.announce_waiter(Event::Done), Announced::InTime);
            let owed = if is_local {
                state.finish_local(end)
            } else {
                Owed::by(state.0.fetch_or(DONE | end.flags(), Relaxed))
            };
            assert_eq!(owed, Owed::Notification);
            assert_eq!(state.snapshot().spot().raw(), (1 << Spot::BITS) - 1);
            state.snapshot()
        });
        assert_eq!(words[0], words[1]);
    }
}
