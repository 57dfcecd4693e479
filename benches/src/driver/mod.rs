//! Runs comparisons: the sides of a table take turns.

pub mod probe;
mod side;
mod statistics;
mod table;
mod target;

use std::time::{Duration, Instant};

pub use side::{Side, per_task};
pub use statistics::Summary;
pub use table::{Measured, Row, Table};
pub use target::{Baseline, Limit, Target, Verdict};

use crate::Outcome;

/// How much time a run takes.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The number of turns of each side, if the budget lasts.
    pub turns: usize,
    /// The number of turns of each side in any case.
    pub fewest_turns: usize,
    /// The time after which no further round of a table begins.
    pub budget: Duration,
    /// The time for which idle pools are watched.
    pub watch: Duration,
}

impl Settings {
    /// For figures that are published.
    pub const FULL: Settings =
        Settings { turns: 41, fewest_turns: 7, budget: Duration::from_secs(15), watch: Duration::from_secs(10) };
    /// For daily use: all scenarios in less than two minutes.
    pub const SHORT: Settings =
        Settings { turns: 11, fewest_turns: 3, budget: Duration::from_secs(2), watch: Duration::from_secs(3) };
}

/// Measures the tables of scenarios.
#[derive(Debug)]
pub struct Driver {
    settings: Settings,
    show: fn(&Measured),
    shuffler: Shuffler,
    measured: Vec<Measured>,
}

impl Driver {
    /// Creates a driver that shows each table with `show` as soon as it is measured.
    pub fn new(settings: Settings, show: fn(&Measured)) -> Driver {
        Driver { settings, show, shuffler: Shuffler(0x9e37_79b9_7f4a_7c15), measured: Vec::new() }
    }

    /// Returns how much time a run takes.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Returns the tables that were measured since the last call.
    pub fn take(&mut self) -> Vec<Measured> {
        std::mem::take(&mut self.measured)
    }

    /// Measures a table: every side has a turn, then every side again, in an order that is shuffled for each round. So
    /// a disturbance of the machine affects all sides, and no side always follows the same one.
    ///
    /// # Errors
    ///
    /// If a target of the table names a side that it does not have.
    pub fn compare(&mut self, mut table: Table) -> Outcome<()> {
        let mut costs = vec![Vec::new(); table.sides.len()];
        let mut order: Vec<usize> = (0..table.sides.len()).collect();
        let once = table.sides.iter().all(|side| side.once);
        if !once {
            for side in &mut table.sides {
                side.turn();
            }
        }
        let start = Instant::now();
        for round in 0..if once { 1 } else { self.settings.turns } {
            if round >= self.settings.fewest_turns && start.elapsed() >= self.settings.budget {
                break;
            }
            self.shuffler.shuffle(&mut order);
            for &index in &order {
                costs[index].push(table.sides[index].turn());
            }
        }
        let measured = table.measured(costs)?;
        (self.show)(&measured);
        self.measured.push(measured);
        Ok(())
    }
}

/// A source of pseudo-random numbers for shuffling.
#[derive(Debug)]
struct Shuffler(u64);

impl Shuffler {
    fn shuffle(&mut self, order: &mut [usize]) {
        for last in (1..order.len()).rev() {
            self.0 = crate::work::spin(1, self.0);
            order.swap(last, (self.0 >> 32) as usize % (last + 1));
        }
    }
}
