//! What is counted, and how it is shown.

use std::{fmt, time::Duration};

use cluster::wire::{ToAgent, ToClient};

use crate::{
    Settings,
    timeline::{SECOND, Time, ToServer},
};

#[derive(Default)]
pub struct Report {
    pub time: Time,
    pub last_end: Time,
    pub real: Duration,
    /// Processor time of the machines, with their frames.
    pub client: Duration,
    pub agent: Duration,
    pub longest_tick: Duration,
    pub runs: u64,
    pub outcomes: u64,
    pub lost: u64,
    pub cancelled: u64,
    pub deleted: u64,
    pub stops: u64,
    pub deliveries: u64,
    pub peak_stream: usize,
    pub peak_client: usize,
    pub peak_agent: usize,
    pub longest_wait: Time,
    pub bytes_to_agents: u64,
    bytes_to_clients: u64,
    publishes: u64,
    counts: u64,
    pulls: u64,
    acknowledgements: u64,
    given_back: u64,
    frames_to_agents: u64,
    frames_to_clients: u64,
    asks: u64,
    outcomes_sent: u64,
    returned: u64,
    alive: u64,
    grants: u64,
    denials: u64,
    received: u64,
    pings: u64,
}

impl Report {
    pub fn count_sent(&mut self, what: &ToServer) {
        match what {
            ToServer::Publish(_) => self.publishes += 1,
            ToServer::Count(_) => self.counts += 1,
            ToServer::Pull { .. } => self.pulls += 1,
            ToServer::Acknowledge(_) => self.acknowledgements += 1,
            ToServer::GiveBack(..) => self.given_back += 1,
            ToServer::Frame(crate::timeline::Node::Agent(_), _) => self.frames_to_agents += 1,
            ToServer::Frame(crate::timeline::Node::Client(_), _) => self.frames_to_clients += 1,
        }
    }

    pub fn count_records_to_client(&mut self, frame: &[u8], records: &[ToClient]) {
        self.bytes_to_clients += frame.len() as u64;
        for record in records {
            match record {
                ToClient::Ask(_) => self.asks += 1,
                ToClient::Outcome { .. } => self.outcomes_sent += 1,
                ToClient::Returned(..) => self.returned += 1,
                ToClient::Alive => self.alive += 1,
            }
        }
    }

    pub fn count_record_to_agent(&mut self, record: &ToAgent) {
        match record {
            ToAgent::Grant { .. } => self.grants += 1,
            ToAgent::Deny(_) => self.denials += 1,
            ToAgent::Ping => self.pings += 1,
            ToAgent::Received(_) => self.received += 1,
            ToAgent::Stop(..) => {}
        }
    }
}

/// A report with what it is about.
pub struct Shown<'a>(pub &'a Settings, pub &'a Report);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown(settings, report) = self;
        let tasks = settings.tasks as f64;
        let each = |count: u64| count as f64 / tasks;
        let seconds = report.time as f64 / SECOND as f64;
        let ideal = settings.ideal() as f64 / SECOND as f64;
        writeln!(
            f,
            "{} agents of {} slots, {} clients, {} tasks of {} ms, {}, {}",
            settings.agents,
            settings.slots,
            settings.clients,
            settings.tasks,
            settings.mean as f64 / 1000.0,
            if settings.faults { "with faults" } else { "without faults" },
            if settings.batches { "messages handled together" } else { "messages handled one at a time" },
        )?;
        let mut row = |name: &str, value: String| writeln!(f, "  {name:<52} {value}");
        row(
            "simulated time: last result, nothing left, ideal",
            format!("{:.1} s, {seconds:.1} s, {ideal:.1} s", report.last_end as f64 / SECOND as f64),
        )?;
        row(
            "results, lost, cancelled, runs",
            format!("{}, {}, {}, {}", report.outcomes, report.lost, report.cancelled, report.runs),
        )?;
        row(
            "messages deleted, published, delivered",
            format!("{}, {}, {}", report.deleted, report.publishes, report.deliveries),
        )?;
        row(
            "for each task: published, delivered, acknowledged",
            format!(
                "{:.3}, {:.3}, {:.3}",
                each(report.publishes),
                each(report.deliveries),
                each(report.acknowledgements)
            ),
        )?;
        row(
            "for each task: pulls, given back, counts",
            format!("{:.3}, {:.4}, {:.6}", each(report.pulls), each(report.given_back), each(report.counts)),
        )?;
        row(
            "for each task: frames to clients, to agents",
            format!("{:.3}, {:.3}", each(report.frames_to_clients), each(report.frames_to_agents)),
        )?;
        row(
            "for each task: bytes to clients, to agents",
            format!("{:.0}, {:.0}", each(report.bytes_to_clients), each(report.bytes_to_agents)),
        )?;
        row(
            "for each task: asks, outcomes, returned, alive",
            format!(
                "{:.3}, {:.3}, {:.4}, {:.4}",
                each(report.asks),
                each(report.outcomes_sent),
                each(report.returned),
                each(report.alive)
            ),
        )?;
        row(
            "for each task: grants, denials, received, pings",
            format!(
                "{:.3}, {:.3}, {:.3}, {:.4}",
                each(report.grants),
                each(report.denials),
                each(report.received),
                each(report.pings)
            ),
        )?;
        row(
            "most messages: in the stream, at a client, at an agent",
            format!("{}, {}, {}", report.peak_stream, report.peak_client, report.peak_agent),
        )?;
        row(
            "longest time that a request waited for the stream",
            format!("{:.1} ms", report.longest_wait as f64 / 1000.0),
        )?;
        row(
            "processor time for each task: client, agent",
            format!(
                "{:.2} us, {:.2} us",
                report.client.as_secs_f64() * 1e6 / tasks,
                report.agent.as_secs_f64() * 1e6 / tasks
            ),
        )?;
        row("longest tick of a client", format!("{:.1} ms", report.longest_tick.as_secs_f64() * 1e3))?;
        row("real time of the simulation", format!("{:.1} s", report.real.as_secs_f64()))
    }
}
