//! A message to another process, and its reply.

use std::time::Instant;

use concurrent_futures::Payload;

use super::{Scenario, objects};
use crate::{
    Outcome,
    contender::{
        companion::{Companion, Line},
        messages::{Channel, Ipc, Pipe, Queues, SeqPacket},
    },
    driver::{Driver, Side, Table, Target},
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "reply",
    title: "a message there and back",
    about: "One process sends a number, and waits until another process has sent it back.",
    plot: None,
    run,
};

const QUEUE: &str = "multiprocessing.Queue";

const COUNT: u64 = 1000;

fn run(driver: &mut Driver) -> Outcome<()> {
    let mut table = Table::new("8 bytes there and back", "ns")
        .sides([side::<Queues<u64>>(), side::<Pipe<u64>>(), side::<Ipc<u64>>(), side::<SeqPacket<u64>>()])?
        .target(Target::times(Queues::<u64>::NAME, 0.2, QUEUE))
        .target(Target::times(Queues::<u64>::NAME, 1.0, SeqPacket::<u64>::NAME));
    for kind in ["Queue", "SimpleQueue", "Pipe"] {
        table = objects::side(table, &format!("multiprocessing.{kind}"), &format!("back {kind} {COUNT}"), COUNT);
    }
    driver.compare(table)
}

fn side<C: Channel<u64, Address: Payload>>() -> Outcome<Side> {
    let (listening, address) = C::listen()?;
    let mut companion = Companion::process(|(address, line)| send_back::<C>(address, line), address)?;
    let mut channel = C::accept(listening)?;
    Ok(Side::new(C::NAME, C::ROLE, move || {
        companion.go();
        let start = Instant::now();
        for number in 0..COUNT {
            channel.send(&number);
            assert_eq!(channel.receive(), number, "another message came back");
        }
        let cost = start.elapsed().as_nanos() as f64 / COUNT as f64;
        companion.done();
        cost
    }))
}

fn send_back<C: Channel<u64>>(address: C::Address, line: Line) {
    let mut channel = C::connect(address);
    line.serve(|| {
        for _ in 0..COUNT {
            let message = channel.receive();
            channel.send(&message);
        }
        0
    });
}
