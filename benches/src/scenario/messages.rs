//! Messages to another process.

use std::time::Instant;

use super::{Bars, Plot, Scenario, objects};
use crate::{
    Outcome,
    contender::{
        Role,
        companion::{Companion, Line},
        messages::{Channel, Crossbeam, Ipc, Message, Pipe, Queues, SeqPacket},
    },
    driver::{Driver, Side, Table, Target},
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "messages",
    title: "messages to another process",
    about: "One process sends messages, and another receives them; or two send and two receive. A message of 8 bytes is a \
            number, a longer one is bytes. The clock runs until the last message was received. Peers that stay in one \
            process have threads instead.",
    plot: Some(Plot::Bars(Bars {
        title: "time per message to another process (shorter is better)",
        tables: 3,
        nanoseconds: 1.0,
    })),
    run,
};

const QUEUE: &str = "multiprocessing.Queue";
const PIPE: &str = "multiprocessing.Pipe";
const KIB: usize = 1 << 10;

/// How many messages of 8 bytes are sent in a turn. Waking the receiver at the beginning has no effect.
const COUNT: u64 = 20_000;

fn run(driver: &mut Driver) -> Outcome<()> {
    let table = one_way::<u64>("8 bytes", 8, COUNT)?
        .side(threads::<Queues<u64>, u64>(8, COUNT)?.renamed(between_threads()))
        .target(Target::times(Queues::<u64>::NAME, 0.02, QUEUE))
        .target(Target::times(Queues::<u64>::NAME, 0.1, Ipc::<u64>::NAME))
        .target(Target::times(Queues::<u64>::NAME, 0.15, SeqPacket::<u64>::NAME))
        .target(Target::times(Queues::<u64>::NAME, 2.0, Crossbeam::<u64>::NAME))
        .target(Target::times(Pipe::<u64>::NAME, 1.3, SeqPacket::<u64>::NAME))
        .target(Target::times(Pipe::<u64>::NAME, 0.3, PIPE));
    driver.compare(table)?;

    let table = one_way::<Vec<u8>>("1 KiB", KIB, COUNT)?.target(Target::times(Queues::<Vec<u8>>::NAME, 0.05, QUEUE));
    driver.compare(table)?;
    let table =
        one_way::<Vec<u8>>("64 KiB", 64 * KIB, COUNT / 20)?.target(Target::times(Queues::<Vec<u8>>::NAME, 0.12, QUEUE));
    driver.compare(table)?;

    let (two, one) = ("Queue, 2 send and 2 receive", "Queue, 1 sends and 1 receives");
    let table = Table::new("8 bytes, two processes send and two receive", "ns per message")
        .side(many_processes()?.renamed(two))
        .side(processes::<Queues<u64>, u64>(8, COUNT)?.renamed(one))
        .side(many_threads()?)
        .target(Target::times(two, 0.02, QUEUE))
        .target(Target::times(two, 1.5, one));
    driver.compare(objects::side(table, QUEUE, &format!("many Queue 8 {COUNT}"), COUNT))
}

fn between_threads() -> String {
    format!("{}, between threads", Queues::<u64>::NAME)
}

fn one_way<M: Message>(words: &str, size: usize, count: u64) -> Outcome<Table> {
    let mut table = Table::new(format!("{words} to another process"), "ns per message").sides([
        processes::<Queues<M>, M>(size, count),
        processes::<Pipe<M>, M>(size, count),
        processes::<Ipc<M>, M>(size, count),
        threads::<Crossbeam<M>, M>(size, count),
        processes::<SeqPacket<M>, M>(size, count),
    ])?;
    for kind in ["Queue", "SimpleQueue", "Pipe"] {
        let name = format!("multiprocessing.{kind}");
        table = objects::side(table, &name, &format!("put {kind} {size} {count}"), count);
    }
    Ok(table)
}

fn processes<C: Channel<M, Address: concurrent_futures::Payload>, M: Message>(
    size: usize,
    count: u64,
) -> Outcome<Side> {
    let (listening, address) = C::listen()?;
    let receiver =
        Companion::process(|((address, count), line)| receive_all::<C, M>(address, count, line), (address, count))?;
    sender::<C, M>(listening, receiver, size, count)
}

fn threads<C: Channel<M>, M: Message>(size: usize, count: u64) -> Outcome<Side>
where
    C::Address: 'static,
{
    let (listening, address) = C::listen()?;
    let receiver = Companion::thread(move |line| receive_all::<C, M>(address, count, line))?;
    sender::<C, M>(listening, receiver, size, count)
}

fn sender<C: Channel<M>, M: Message>(
    listening: C::Listening,
    mut receiver: Companion,
    size: usize,
    count: u64,
) -> Outcome<Side> {
    let mut channel = C::accept(listening)?;
    let mut message = M::of(size);
    Ok(Side::new(C::NAME, C::ROLE, move || {
        let start = Instant::now();
        receiver.go();
        send_all(&mut channel, &mut message, count);
        let sum = receiver.done();
        let cost = start.elapsed().as_nanos() as f64 / count as f64;
        assert_eq!(sum, sum_to(count), "other messages arrived");
        cost
    }))
}

fn send_all<C: Channel<M>, M: Message>(channel: &mut C, message: &mut M, count: u64) {
    for number in 0..count {
        message.set(number);
        channel.send(message);
    }
}

/// Receives so many messages in each turn, and reports the sum of their numbers.
fn receive_all<C: Channel<M>, M: Message>(address: C::Address, count: u64, line: Line) {
    let mut channel = C::connect(address);
    line.serve(|| (0..count).map(|_| channel.receive().number()).sum());
}

fn sum_to(count: u64) -> u64 {
    count * (count - 1) / 2
}

/// Two senders and two receivers.
fn side(name: &str, role: Role, mut receivers: [Companion; 2], mut senders: [Companion; 2]) -> Side {
    Side::new(name, role, move || {
        let start = Instant::now();
        receivers.iter_mut().chain(&mut senders).for_each(Companion::go);
        senders.iter_mut().for_each(|sender| assert_eq!(sender.done(), 0));
        let sum: u64 = receivers.iter_mut().map(Companion::done).sum();
        let cost = start.elapsed().as_nanos() as f64 / COUNT as f64;
        assert_eq!(sum, 2 * sum_to(COUNT / 2), "other messages arrived");
        cost
    })
}

fn many_processes() -> Outcome<Side> {
    type Contender = Queues<u64>;
    let (ours, address) = Contender::listen()?;
    let receiver = || {
        Companion::process(|(address, line)| receive_all::<Contender, u64>(address, COUNT / 2, line), address.clone())
    };
    let receivers = [receiver()?, receiver()?];
    let sender = || {
        Companion::process(
            |(address, line)| send_half::<Contender>(&mut Contender::connect(address), line),
            ours.address(),
        )
    };
    Ok(side(Contender::NAME, Contender::ROLE, receivers, [sender()?, sender()?]))
}

fn many_threads() -> Outcome<Side> {
    type Contender = Crossbeam<u64>;
    let (ours, address) = Contender::listen()?;
    let receiver = || {
        let address = address.clone();
        Companion::thread(|line| receive_all::<Contender, u64>(address, COUNT / 2, line))
    };
    let receivers = [receiver()?, receiver()?];
    let sender = || {
        let mut ours = ours.clone();
        Companion::thread(move |line| send_half::<Contender>(&mut ours, line))
    };
    Ok(side(Contender::NAME, Contender::ROLE, receivers, [sender()?, sender()?]))
}

/// Sends half of the messages in each turn.
fn send_half<C: Channel<u64>>(channel: &mut C, line: Line) {
    line.serve(|| {
        send_all(channel, &mut 0, COUNT / 2);
        0
    });
}
