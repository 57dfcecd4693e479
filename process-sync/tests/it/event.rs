//! `Event`.

use std::{thread, time::Duration};

use process_sync::Event;

use crate::support::{Line, Role, child, each_harness};

pub const ROLES: &[(&str, Role)] = &[("wait for an event", wait_for_an_event), ("set an event", set_an_event)];

fn wait_for_an_event(line: &mut Line) {
    let event: Event = line.receive();
    line.mark();
    assert!(event.wait(None));
}

fn set_an_event(line: &mut Line) {
    let event: Event = line.receive();
    event.set();
}

#[test]
fn an_event_wakes_all_that_wait_and_stays_set() {
    each_harness(|harness| {
        let event = Event::new().unwrap();
        assert!(!event.is_set() && !event.wait(Duration::ZERO) && !event.wait(Duration::from_millis(5)));
        let mut waiters: Vec<_> = (0..3).map(|_| harness.start("wait for an event", &event)).collect();
        waiters.iter_mut().for_each(|waiter| waiter.line.wait_mark());
        harness.start("set an event", &event).join();
        waiters.into_iter().for_each(|waiter| waiter.join());
        assert!(event.is_set() && event.wait(Duration::ZERO) && event.wait(None));
        event.clear();
        assert!(!event.is_set() && !event.wait(Duration::ZERO));
    });
}

#[test]
fn an_event_that_is_cleared_immediately_wakes_those_that_waited() {
    let event = Event::new().unwrap();
    let waiter = thread::spawn({
        let event = event.clone();
        move || event.wait(None)
    });
    // Until the waiter is seen to sleep, more rounds do no harm.
    test_support::wait_until("the waiter", || {
        event.set();
        event.clear();
        waiter.is_finished()
    });
    assert!(waiter.join().unwrap() && !event.is_set());
}

#[test]
fn a_dead_waiter_disturbs_nobody() {
    let event = Event::new().unwrap();
    let mut dying = child("wait for an event", &event);
    dying.line.wait_mark();
    dying.kill();
    let mut waiter = child("wait for an event", &event);
    waiter.line.wait_mark();
    event.set();
    waiter.join();
}
