//! Simulates the protocol of a cluster with as many clients, agents and tasks as you want, under failures.
//!
//! ```sh
//! cargo run --release -p concurrent-futures-cluster --example simulate
//! cargo run --release -p concurrent-futures-cluster --example simulate -- --agents 1000 --clients 1 --tasks 1000000
//! cargo run --release -p concurrent-futures-cluster --example simulate -- --no-faults --one-by-one --mean-ms 1
//! cargo run --release -p concurrent-futures-cluster --example simulate -- --state
//! ```
//!
//! The machines of clients and agents and their frames are the real ones. Network, server and tasks are simulated, in
//! one thread and in simulated time, with the costs that were measured for the real server. Every future must end once,
//! no attempt may run twice, no task more often than its retries allow, and at the end nothing may be left: else the
//! program panics. `--state` prints what a task costs each machine, in memory and in time, for growing numbers of tasks
//! and agents.

mod faults;
mod journal;
mod node;
mod random;
mod report;
mod server;
mod state;
mod timeline;
mod world;

use std::process::ExitCode;

use crate::{
    report::Shown,
    timeline::{SECOND, Time},
    world::World,
};

#[derive(Clone, Copy, Debug)]
struct Settings {
    agents: usize,
    clients: usize,
    tasks: usize,
    slots: usize,
    /// How long a task runs on average.
    mean: Time,
    seed: u64,
    faults: bool,
    /// Whether a process handles all messages that have arrived before it sends anything.
    batches: bool,
}

impl Settings {
    /// How long the tasks take if no slot is ever free.
    fn ideal(&self) -> Time {
        (self.tasks as Time * self.mean / (self.agents * self.slots) as Time).max(SECOND)
    }
}

fn main() -> ExitCode {
    let mut settings = Settings {
        agents: 1000,
        clients: 100,
        tasks: 1_000_000,
        slots: 4,
        mean: 200_000,
        seed: 1,
        faults: true,
        batches: true,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse::<u64>().ok()).filter(|number| *number > 0);
        let is_valid = match name.as_str() {
            "--agents" => number().map(|number| settings.agents = number as usize),
            "--clients" => number().map(|number| settings.clients = number as usize),
            "--tasks" => number().map(|number| settings.tasks = number as usize),
            "--slots" => number().map(|number| settings.slots = number as usize),
            "--mean-us" => number().map(|number| settings.mean = number),
            "--mean-ms" => number().map(|number| settings.mean = number * 1000),
            "--seed" => number().map(|number| settings.seed = number),
            "--no-faults" => {
                settings.faults = false;
                Some(())
            }
            "--one-by-one" => {
                settings.batches = false;
                Some(())
            }
            "--state" => {
                state::print();
                return ExitCode::SUCCESS;
            }
            _ => None,
        };
        if is_valid.is_none() {
            eprintln!("`{name}` is not an option, or has no number; the first lines of this example list the options");
            return ExitCode::FAILURE;
        }
    }
    let mut world = World::new(settings);
    world.run();
    println!("{}", Shown(&settings, &world.report));
    ExitCode::SUCCESS
}
