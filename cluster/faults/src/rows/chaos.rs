//! All faults, mixed by a seed.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use test_support::{Random, wait_until};

use super::{LONG, Run};
use crate::harness::{
    frame::Kind,
    journal::Journal,
    load::Load,
    member::{Agent, AgentOptions, Client, Site},
    proxy::{Fate, Proxy},
    raw::Raw,
    server::Servers,
};

/// How many tasks are there at any time.
const TASKS: usize = 150;

/// How many attempts some tasks have. The others have one.
const ATTEMPTS: u32 = 4;

const FATES: [Fate; 4] = [Fate::Lose, Fate::Repeat, Fate::Overtaken, Fate::Delay(Duration::from_millis(400))];

/// How a task may end without a result.
const ENDS: [&str; 4] = ["WorkerDied", "Cancelled", "Terminated", "Unavailable"];

/// Row 23. It uses one server, because two faults at once take the majority of three.
pub fn chaos(run: &mut Run) {
    let mut random = run.random.fork();
    let mut world = World::start();
    let until = Instant::now() + run.chaos;
    // One load for each number of attempts, with a journal of its own.
    let mut loads = [1, ATTEMPTS].map(|attempts| Load::new(world.dir.path(&format!("attempts-{attempts}.journal"))));
    let mut stopped = [0, 0];
    let mut events = 0;
    while Instant::now() < until {
        for (load, retries) in loads.iter_mut().zip([0, ATTEMPTS - 1]) {
            while load.futures().len() - load.ended() < TASKS {
                // A full or unreachable queue is a fault too; the next round submits again.
                let milliseconds = random.below(40) as u32;
                let submitted = match random.one_in(50) {
                    true => load.submit_heavy(&*world.client, milliseconds, retries),
                    false => load.submit_one(&*world.client, milliseconds, retries),
                };
                if submitted.is_err() {
                    break;
                }
                if random.one_in(20) {
                    let future = &load.futures()[random.index(load.futures().len())];
                    if random.one_in(2) {
                        stopped[0] += usize::from(future.cancel());
                    } else {
                        stopped[1] += usize::from(future.terminate(Duration::ZERO));
                    }
                }
            }
        }
        let event = world.happen(&mut random);
        events += 1;
        if random.one_in(10) {
            eprintln!("    {events} faults, the last one: {event}; {:.0?} left", until - Instant::now());
        }
        std::thread::sleep(Duration::from_millis(100 + random.below(900)));
    }
    world.heal();
    let [once, more] = loads;
    let (once, more) = (once.finish(LONG), more.finish(LONG));
    for (summary, attempts) in [(&once, 1), (&more, ATTEMPTS as usize)] {
        assert!(summary.most <= attempts, "{summary}");
        for kind in summary.errors.keys() {
            assert!(ENDS.contains(&kind.as_str()), "{summary}: {:?}", summary.first_error);
        }
    }
    let raw = Raw::open(&world.servers.urls());
    wait_until("an empty stream", || raw.messages("faults") == Some(0));
    // Uploads that a fault has interrupted, and removals that it has lost, stay in the store until their age removes
    // them.
    let left = raw.large_values("faults", "default").unwrap_or_default();
    let minutes = run.chaos.as_secs_f64() / 60.0;
    let [cancelled, terminated] = stopped;
    run.figure(
        &format!("{minutes:.1} minutes"),
        format!(
            "{events} faults; {cancelled} tasks cancelled, {terminated} terminated; the stream is empty; {left} parts of \
             large values are left to their age"
        ),
    );
    run.figure("tasks with one attempt", once);
    run.figure(&format!("tasks with {ATTEMPTS} attempts"), more);
}

struct World {
    client: Client,
    /// What is between the client and the server, and between two of the agents and the server.
    proxies: [Proxy; 3],
    agents: Vec<Agent>,
    site: Site,
    dir: test_support::SharedDir,
    servers: Servers,
}

impl World {
    fn start() -> World {
        let servers = Servers::single("");
        let site = Site::new(servers.urls(), "faults");
        let address = servers.nodes[0].address();
        let proxies = [(); 3].map(|()| Proxy::start(&address));
        let client = Site { urls: vec![proxies[0].url()], ..site.clone() }.client();
        let mut world =
            World { client, proxies, agents: Vec::new(), site, dir: test_support::SharedDir::new(), servers };
        (0..3).for_each(|_| world.add_agent());
        world
    }

    /// Agents reach the server directly, or by one of two proxies.
    fn add_agent(&mut self) {
        let number = self.agents.len() % 3;
        let site = match number {
            0 => self.site.clone(),
            _ => Site { urls: vec![self.proxies[number].url()], ..self.site.clone() },
        };
        self.agents.push(Agent::launch(&site, &self.dir, &AgentOptions::default()));
    }

    /// Makes a fault happen, and returns its name. What it breaks is whole again when it returns, but for messages.
    fn happen(&mut self, random: &mut Random) -> &'static str {
        let time = Duration::from_millis(random.below(5000));
        match random.below(11) {
            0 => {
                self.servers.nodes[0].kill();
                std::thread::sleep(time / 2);
                self.servers.nodes[0].start();
                "the server is killed"
            }
            1 => {
                self.servers.nodes[0].terminate();
                self.servers.nodes[0].start();
                "the server is restarted"
            }
            2 => {
                self.servers.nodes[0].stop();
                std::thread::sleep(time);
                self.servers.nodes[0].go_on();
                "the server is stopped"
            }
            3 => {
                let agent = random.index(self.agents.len());
                self.agents.remove(agent);
                self.add_agent();
                "an agent is killed"
            }
            4 => {
                let agent = &self.agents[random.index(self.agents.len())];
                agent.stop();
                std::thread::sleep(time);
                agent.go_on();
                "an agent is stopped"
            }
            5 => {
                // It gives back what has not started, and ends.
                let agent = random.index(self.agents.len());
                self.agents[agent].process.signal_alone(Signal::TERM);
                self.agents[agent].process.wait(LONG);
                self.agents.remove(agent);
                self.add_agent();
                "an agent leaves"
            }
            6 => {
                let proxy = &self.proxies[random.index(3)];
                proxy.cut();
                std::thread::sleep(time);
                proxy.heal();
                "traffic is cut off"
            }
            7 => {
                self.proxies[random.index(3)].reset();
                "connections are reset"
            }
            8 => {
                let mut own = random.fork();
                let is_on = random.one_in(2);
                self.proxies[random.index(3)].set_rule(move |message| {
                    let is_one = is_on && Kind::ALL.iter().any(|kind| message.is(*kind));
                    if is_one && own.one_in(6) { own.choose(&FATES) } else { Fate::Pass }
                });
                "messages are lost, doubled, late and overtaken"
            }
            9 => {
                let journal =
                    Journal::read(&self.dir.path(random.choose(&["attempts-1.journal", "attempts-4.journal"])));
                let running = journal.starts.iter().filter(|(task, _)| !journal.ends.contains_key(task));
                if let Some(pid) =
                    running.flat_map(|(_, executions)| executions).map(|execution| execution.pid).next_back()
                {
                    // It may be gone, and it was a process of ours.
                    if let Some(pid) = Pid::from_raw(pid.cast_signed()).filter(|_| is_ours(pid)) {
                        let _ = kill_process(pid, Signal::KILL);
                    }
                }
                "the process of a task is killed"
            }
            _ => {
                if let Ok(raw) = Raw::connect(&self.servers.urls(), &Default::default()) {
                    match random.below(3) {
                        0 => raw.consumers("faults").iter().for_each(|name| raw.delete_consumer("faults", name)),
                        _ => {
                            let state = raw.stream("faults").unwrap_or_default();
                            let first = state["state"]["first_seq"].as_u64().unwrap_or(1);
                            for number in (first..first + 10).step_by(2) {
                                // It may be gone already.
                                let _ = raw.delete_message("faults", number);
                            }
                        }
                    }
                }
                "messages or the consumer are deleted"
            }
        }
    }

    /// Ends all faults.
    fn heal(&self) {
        for proxy in &self.proxies {
            proxy.set_rule(|_| Fate::Pass);
            proxy.heal();
        }
    }
}

/// Returns whether a process runs this program, so that no number that was given anew is killed.
fn is_ours(pid: u32) -> bool {
    let own = std::fs::read_link("/proc/self/exe").ok();
    own.is_some() && std::fs::read_link(format!("/proc/{pid}/exe")).ok() == own
}
