//! Pipes: short messages, and long ones, whose bytes lie in a file.

use executor_core::ErrorKind;

use super::queue::Item;
use crate::{
    Connection,
    faults::{
        table::{
            AFTER, At, BEFORE, Cell, Left, NO_CODE, ONE_CALL, Row,
            Who::{Consumer, Producer, Waiter, WokenWaiter},
        },
        trial::Trial,
        victim::Victim,
    },
    pipe,
};

const SENDS: [Cell; At::ALL.len()] =
    [ONE_CALL, ONE_CALL, BEFORE, AFTER, ONE_CALL, Cell::Never("the kernel waits in the same call"), NO_CODE];
const RECEIVES: [Cell; At::ALL.len()] = [ONE_CALL, ONE_CALL, ONE_CALL, AFTER, ONE_CALL, BEFORE, AFTER];
const IN_THE_CALL: Cell =
    Cell::Never("the kernel gives it the message in the call in which it sleeps; the consumer has this");

pub(super) const ROWS: &[Row] = &[
    Row::new("pipe", Producer, "sends a message", (send, check_send), SENDS),
    Row::new("pipe", Producer, "sends a message", (send, check_send), SENDS).by_the_parent(),
    Row::new("pipe", Consumer, "receives a message", (receive, check_receive), RECEIVES).panics(Left::After),
    Row::new(
        "pipe",
        Waiter,
        "waits for a message",
        (receive, check_receive),
        [ONE_CALL, ONE_CALL, ONE_CALL, ONE_CALL, ONE_CALL, BEFORE, NO_CODE],
    ),
    Row::new("pipe", WokenWaiter, "receives a message", (receive, check_receive), [IN_THE_CALL; At::ALL.len()]),
    Row::new("pipe", Producer, "sends a long message", (send_long, check_send_long), SENDS),
    Row::new(
        "pipe",
        Consumer,
        "receives a long message",
        (receive_long, check_receive_long),
        [ONE_CALL, ONE_CALL, ONE_CALL, AFTER, ONE_CALL, BEFORE, NO_CODE],
    )
    .without_descriptors(Left::After),
];

type Ends<T> = Connection<T>;

/// Returns the victim's end. The other end goes with it where the victim has made the pipe.
fn end<T: executor_core::Payload>(victim: &mut Victim) -> Ends<T> {
    let mut kept = None;
    let other = victim.object(|| {
        let (mine, other) = pipe::<T, T>().unwrap();
        kept = Some(mine);
        other
    });
    kept.unwrap_or(other)
}

/// Returns the test's end.
fn own_end<T: executor_core::Payload>(trial: &mut Trial) -> Ends<T> {
    let mut kept = None;
    let other = trial.object(|| {
        let (mine, other) = pipe::<T, T>().unwrap();
        kept = Some(mine);
        other
    });
    kept.unwrap_or(other)
}

fn send(victim: &mut Victim) {
    let end = end::<Item>(victim);
    end.send(Item(1)).unwrap();
    victim.act(|| end.send(Item(100)));
}

fn check_send(trial: &mut Trial) {
    let end = own_end::<Item>(trial);
    let left = trial.run(|_| {});
    trial.end();
    assert_eq!(end.recv(None).unwrap(), Item(1));
    if left == Left::After {
        assert_eq!(end.recv(None).unwrap(), Item(100));
    }
    check_closed(&end, Item(1));
}

/// The victim, which had the other end alone, is gone.
fn check_closed<T: executor_core::Payload>(end: &Connection<T>, value: T) {
    assert_eq!(end.recv(None).map(drop).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(end.send(value).unwrap_err().kind(), ErrorKind::Closed);
}

fn receive(victim: &mut Victim) {
    let end = end::<Item>(victim);
    victim.act(|| {
        let item = end.recv(None)?;
        end.send(item)
    });
}

fn check_receive(trial: &mut Trial) {
    let end = own_end::<Item>(trial);
    let send = |_: &Trial| end.send(Item(1)).unwrap();
    if !trial.sleeps() {
        send(trial);
    }
    trial.run(|trial| {
        if trial.goes_on() && trial.sleeps() {
            send(trial);
        }
    });
    if trial.goes_on() {
        assert_eq!(end.recv(None).unwrap(), Item(1), "it has received the first");
    }
    trial.end();
    check_closed(&end, Item(1));
}

fn send_long(victim: &mut Victim) {
    let end = end::<Vec<u8>>(victim);
    victim.act(|| end.send(vec![7; 300_000]));
}

fn check_send_long(trial: &mut Trial) {
    let end = own_end::<Vec<u8>>(trial);
    let left = trial.run(|_| {});
    trial.end();
    if left == Left::After {
        assert!(end.recv(None).unwrap() == vec![7; 300_000]);
    }
    check_closed(&end, vec![1]);
}

fn receive_long(victim: &mut Victim) {
    let end = end::<Vec<u8>>(victim);
    victim.act(|| {
        let bytes = end.recv(None)?;
        assert!(bytes == vec![7; 300_000]);
        Ok(())
    });
}

fn check_receive_long(trial: &mut Trial) {
    let end = own_end::<Vec<u8>>(trial);
    let send = |_: &Trial| end.send(vec![7; 300_000]).unwrap();
    if !trial.sleeps() {
        send(trial);
    }
    trial.run(|trial| {
        if trial.goes_on() && trial.sleeps() {
            send(trial);
        }
    });
    trial.end();
    check_closed(&end, vec![1]);
}
