//! What goes wrong, and when.

use crate::{
    random::Random,
    timeline::{SECOND, Time},
    world::World,
};

#[derive(Clone, Copy)]
pub enum Fault {
    /// An agent is killed, and another one joins later.
    Crash,
    /// An agent leaves gracefully, and another one joins.
    Leave,
    Join,
    /// The process of an agent stops for a while.
    Stop,
    /// A client loses its connection for a while.
    Cut,
    Reconnect(usize),
    /// A client is killed.
    CrashClient,
    /// Someone deletes messages of the stream: single ones.
    Delete,
    /// Someone deletes all messages of a client.
    Purge,
    /// A user cancels tasks.
    Cancel,
    /// The server is down for a while.
    Down,
    Up,
    /// The stream has no leader for a while.
    Election,
    Elected,
}

/// How likely a message is to be lost or repeated, while there are faults.
pub const LOST: f64 = 0.001;
pub const REPEATED: f64 = 0.001;

/// Distributes faults over a span of time.
pub fn plan(random: &mut Random, span: Time, agents: usize, clients: usize) -> Vec<(Time, Fault)> {
    let mut all = Vec::new();
    // In the whole run a tenth of the agents crash, a tenth leave and a tenth stop.
    let some = (agents / 10).max(1);
    for fault in [Fault::Crash, Fault::Leave, Fault::Stop] {
        all.extend((0..some).map(|_| (random.below(span), fault)));
    }
    all.extend((0..(clients / 4).max(1)).map(|_| (random.below(span), Fault::Cut)));
    if clients > 1 {
        all.extend((0..(clients / 50).max(1)).map(|_| (random.below(span), Fault::CrashClient)));
    }
    all.extend((0..200).map(|_| (random.below(span), Fault::Delete)));
    all.extend((0..200).map(|_| (random.below(span), Fault::Cancel)));
    let (quarter, half) = (span / 4, span / 2);
    all.extend([(quarter, Fault::Down), (quarter + 2 * SECOND, Fault::Up)]);
    all.extend([(half, Fault::Election), (half + 5 * SECOND, Fault::Elected), (half + quarter, Fault::Purge)]);
    all
}

impl World {
    pub fn fail(&mut self, fault: Fault) {
        match fault {
            Fault::Crash => {
                if let Some(agent) = self.any_agent() {
                    self.agents[agent].is_alive = false;
                    self.server.forget_pulls_of(agent);
                    self.in_seconds(2, Fault::Join);
                }
            }
            Fault::Leave => {
                if let Some(agent) = self.any_agent() {
                    self.agents[agent].machine.leave();
                    self.act_for_agent(agent, 0);
                    self.in_seconds(0, Fault::Join);
                }
            }
            Fault::Join => self.start_agent(),
            Fault::Stop => {
                if let Some(agent) = self.any_agent() {
                    // Some are back before anyone misses them.
                    let span = (1 + self.random.below(20)) * SECOND;
                    self.agents[agent].stopped_until = self.timeline.now() + span;
                    self.report.stops += 1;
                }
            }
            Fault::Cut => {
                if let Some(client) = self.any_client() {
                    self.connect(client, false);
                    let span = 1 + self.random.below(15);
                    self.in_seconds(span, Fault::Reconnect(client));
                }
            }
            Fault::Reconnect(client) => self.connect(client, !self.server.is_down),
            Fault::CrashClient => {
                if let Some(client) = self.any_client() {
                    self.clients[client].is_alive = false;
                    self.clients[client].is_connected = false;
                }
            }
            Fault::Delete => {
                let place = self.random.below(self.server.ever() + 1);
                if let Some(id) = self.server.message_near(place) {
                    self.server.remove(id);
                    self.report.deleted += 1;
                }
            }
            Fault::Purge => {
                if let Some(client) = self.any_client() {
                    for id in self.server.messages_of(client) {
                        self.server.remove(id);
                        self.report.deleted += 1;
                    }
                }
            }
            Fault::Cancel => {
                for _ in 0..10 {
                    let task = self.random.below(self.settings.tasks as u64) as usize;
                    self.cancel(task);
                }
            }
            Fault::Down => {
                self.server.is_down = true;
                self.server.forget_pulls();
                (0..self.clients.len()).for_each(|client| self.connect(client, false));
            }
            Fault::Up => {
                self.server.is_down = false;
                (0..self.clients.len()).for_each(|client| self.connect(client, true));
                self.lose_all_pulls();
            }
            Fault::Election => {
                self.server.has_no_leader = true;
                self.server.forget_pulls();
                self.lose_all_pulls();
            }
            Fault::Elected => {
                self.server.has_no_leader = false;
                self.lose_all_pulls();
            }
        }
    }

    fn in_seconds(&mut self, seconds: u64, fault: Fault) {
        let at = self.timeline.now() + seconds * SECOND;
        self.timeline.add(at, crate::timeline::Event::Fails(fault));
    }

    fn any_agent(&mut self) -> Option<usize> {
        let start = self.random.below(self.agents.len() as u64) as usize;
        (0..self.agents.len()).map(|at| (start + at) % self.agents.len()).find(|at| self.agents[*at].is_alive)
    }

    fn any_client(&mut self) -> Option<usize> {
        let start = self.random.below(self.clients.len() as u64) as usize;
        (0..self.clients.len()).map(|at| (start + at) % self.clients.len()).find(|at| self.clients[*at].is_alive)
    }

    fn lose_all_pulls(&mut self) {
        for agent in 0..self.agents.len() {
            if self.agents[agent].is_alive {
                self.agents[agent].lose_pulls();
                self.act_for_agent(agent, 0);
            }
        }
    }
}
