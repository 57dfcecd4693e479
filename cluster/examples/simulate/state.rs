//! What a task costs the machines, for growing numbers of tasks and agents.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use cluster::{
    agent::{self, Agent},
    client::{self, Client, Startable},
    wire::{Ask, LONGEST_MESSAGE, Peer, ToAgent, ToClient},
};
use executor_core::TaskId;

/// As large as a real task is: a pointer.
struct Work(#[expect(dead_code, reason = "its size counts")] usize);

impl Startable for Work {
    fn begin(&self) -> bool {
        true
    }
    fn recall(&self) -> bool {
        true
    }
}

type Body = Arc<Vec<u8>>;

/// Returns how many bytes of memory this process has.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()));
    pages.unwrap_or_default() * 4096
}

fn agents(count: usize) -> Vec<Peer> {
    (0..count).filter_map(|at| Peer::new("worker", &at.to_string()).ok()).collect()
}

fn ask(at: usize) -> Ask {
    Ask { task: TaskId::from_u64(at as u64 + 1), number: at as u64 + 1 }
}

/// Returns nanoseconds for each of so many.
fn each(took: Duration, count: usize) -> u128 {
    took.as_nanos() / count as u128
}

fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let value = act();
    (value, began.elapsed())
}

pub fn print() {
    println!("a client: bytes for each queued task, without its own bytes; nanoseconds for each task; milliseconds");
    println!(
        "{:>9} {:>7} {:>6} {:>7} {:>7} {:>6} {:>8} {:>8} {:>9} {:>8} {:>7}",
        "tasks",
        "agents",
        "bytes",
        "submit",
        "stored",
        "grant",
        "outcome",
        "tick ms",
        "back ms",
        "count ms",
        "close ms"
    );
    for (tasks, agents) in [(1000, 1), (10_000, 10), (100_000, 100), (1_000_000, 1000), (1_000_000, 1)] {
        client_costs(tasks, agents);
    }
    println!("\nan agent: nanoseconds for each task, with 100 clients; milliseconds");
    println!("{:>7} {:>8} {:>9} {:>8}", "slots", "deliver", "finished", "tick ms");
    for slots in [4, 64, 1024] {
        agent_costs(slots);
    }
}

fn client_costs(tasks: usize, agent_count: usize) {
    let peers = agents(agent_count);
    let body: Body = Arc::new(vec![0; 100]);
    let before = resident();
    let mut client: Client<Work, Body> = Client::new(client::Timing::default());
    let mut now = Duration::ZERO;
    client.connection(true);
    let mut unconfirmed = Vec::new();
    let publishes = |client: &mut Client<Work, Body>| -> Vec<TaskId> {
        let publish = |action| match action {
            client::Action::Publish { task, .. } => Some(task),
            _ => None,
        };
        client.take_actions().into_iter().filter_map(publish).collect()
    };
    let ((), submit) = timed(|| {
        for at in 0..tasks {
            client.submit(ask(at).task, Work(at), 0, body.clone());
            unconfirmed.extend(publishes(&mut client));
        }
    });
    let bytes = resident().saturating_sub(before) / tasks as u64;
    let ((), stored) = timed(|| {
        // What is published depends on what was confirmed.
        while let Some(task) = unconfirmed.pop() {
            client.stored(task);
            unconfirmed.extend(publishes(&mut client));
        }
    });
    let half = tasks / 2;
    let mut longest = Duration::ZERO;
    let mut tick = |client: &mut Client<Work, Body>| {
        now += Duration::from_millis(100);
        let ((), took) = timed(|| client.tick(now));
        longest = longest.max(took);
        black_box(client.take_actions());
    };
    // An agent has at most 33 tasks for each slot.
    let (mut grant, mut outcome) = (Duration::ZERO, Duration::ZERO);
    let granted: Vec<usize> = (0..half).collect();
    for some in granted.chunks(agent_count * 132) {
        let ((), took) = timed(|| {
            for &at in some {
                client.receive(&peers[at % agent_count], ToClient::Ask(ask(at)));
                black_box(client.take_actions());
            }
        });
        grant += took;
        (0..10).for_each(|_| tick(&mut client));
        let ((), took) = timed(|| {
            for &at in some {
                let outcome = ToClient::Outcome { ask: ask(at), died: false, outcome: [0u8; 8][..].into() };
                client.receive(&peers[at % agent_count], outcome);
                black_box(client.take_actions());
            }
        });
        outcome += took;
    }
    let (actions, back) = timed(|| {
        client.connection(false);
        client.connection(true);
        client.take_actions()
    });
    drop(actions);
    let ((), count) = timed(|| {
        client.tick(now + Duration::from_millis(100));
        let numbers: Vec<u64> = client
            .take_actions()
            .into_iter()
            .filter_map(|action| if let client::Action::Count(number) = action { Some(number) } else { None })
            .collect();
        numbers.into_iter().for_each(|number| client.counted(number, 0));
        black_box(client.take_actions());
    });
    let (actions, close) = timed(|| {
        client.close_queue();
        client.take_actions()
    });
    drop(actions);
    let ms = |took: Duration| took.as_secs_f64() * 1e3;
    println!(
        "{tasks:>9} {agent_count:>7} {bytes:>6} {:>7} {:>7} {:>6} {:>8} {:>8.2} {:>9.2} {:>8.2} {:>7.1}",
        each(submit, tasks),
        each(stored, tasks),
        each(grant, half),
        each(outcome, half),
        ms(longest),
        ms(back),
        ms(count),
        ms(close)
    );
}

fn agent_costs(slots: usize) {
    let clients: Vec<Peer> = (0..100).filter_map(|at| Peer::new("user", &at.to_string()).ok()).collect();
    let mut agent: Agent<Body, u64> = Agent::new(slots, LONGEST_MESSAGE, agent::Timing::default());
    let body: Body = Arc::new(vec![0; 100]);
    let (mut deliver, mut finished, mut longest) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let mut now = Duration::ZERO;
    let (mut delivered, mut ran) = (0usize, 0usize);
    let mut due = 0;
    while ran < 200_000 {
        let (actions, took) = timed(|| {
            for _ in 0..due {
                let client = clients[delivered % clients.len()].clone();
                agent.deliver(client, ask(delivered).task, 0, body.clone(), delivered as u64);
                delivered += 1;
            }
            agent.take_actions()
        });
        deliver += took;
        due = 0;
        let mut actions = actions;
        // Everything is answered immediately, until there is nothing to answer.
        while !actions.is_empty() {
            let ((), took) = timed(|| {
                for action in std::mem::take(&mut actions) {
                    match action {
                        agent::Action::Send { to, record: ToClient::Ask(ask) } => {
                            agent.receive(&to, ToAgent::Grant { ask, attempt: 1 });
                        }
                        agent::Action::Send { to, record: ToClient::Outcome { ask, .. } } => {
                            agent.receive(&to, ToAgent::Received(ask));
                        }
                        agent::Action::Run { run, .. } => {
                            ran += 1;
                            agent.finished(run, [0u8; 8][..].into(), false, Duration::from_micros(1));
                        }
                        agent::Action::Pull(messages) => due += messages,
                        _ => {}
                    }
                }
                actions = agent.take_actions();
            });
            finished += took;
        }
        now += Duration::from_millis(1);
        let ((), took) = timed(|| agent.tick(now));
        longest = longest.max(took);
        for action in agent.take_actions() {
            if let agent::Action::Pull(messages) = action {
                due += messages;
            }
        }
    }
    println!(
        "{slots:>7} {:>8} {:>9} {:>8.3}",
        each(deliver, delivered),
        each(finished, ran),
        longest.as_secs_f64() * 1e3
    );
}
