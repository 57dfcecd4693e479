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
use test_support::Random;

use crate::{Outcome, machine::pin};

/// How much time a run takes.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The number of turns of each side, if the budget is large enough.
    pub turns: usize,
    /// The number of turns of each side in any case.
    pub fewest_turns: usize,
    /// The time after which no round of a table begins.
    pub budget: Duration,
    /// The time for which idle pools are measured.
    pub watch: Duration,
    /// Whether all threads of pools are pinned to processors before a table is measured. See
    /// [`pin`](crate::machine::pin).
    pub pins: bool,
}

impl Settings {
    /// For figures that are published.
    pub const FULL: Settings = Settings {
        turns: 41,
        fewest_turns: 7,
        budget: Duration::from_secs(15),
        watch: Duration::from_secs(10),
        pins: false,
    };
    /// For daily use: all scenarios in about three minutes.
    pub const SHORT: Settings = Settings {
        turns: 11,
        fewest_turns: 3,
        budget: Duration::from_secs(2),
        watch: Duration::from_secs(3),
        pins: false,
    };
}

/// Measures the tables of scenarios.
#[derive(Debug)]
pub struct Driver {
    settings: Settings,
    show: fn(&Measured),
    random: Random,
    measured: Vec<Measured>,
}

impl Driver {
    /// Creates a driver that shows each table with `show` as soon as it is measured.
    pub fn new(settings: Settings, show: fn(&Measured)) -> Driver {
        Driver { settings, show, random: Random::new(1), measured: Vec::new() }
    }

    /// Returns how much time a run takes.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Returns the tables that were measured since the last call.
    pub fn take(&mut self) -> Vec<Measured> {
        std::mem::take(&mut self.measured)
    }

    /// Measures a table: in each round every side has a turn, in a shuffled order. So a disturbance of the machine
    /// affects all sides, and no side always follows the same one.
    ///
    /// # Errors
    ///
    /// If a target of the table names a side that it does not have, or threads cannot be pinned.
    pub fn compare(&mut self, mut table: Table) -> Outcome<()> {
        let mut costs = vec![Vec::new(); table.sides.len()];
        let mut order: Vec<usize> = (0..table.sides.len()).collect();
        let once = table.sides.iter().all(|side| side.once);
        if !once {
            for side in &mut table.sides {
                side.turn();
            }
        }
        if self.settings.pins {
            // After the first turn, because some pools start their workers only then.
            pin::all()?;
        }
        let start = Instant::now();
        for round in 0..if once { 1 } else { self.settings.turns } {
            if round >= self.settings.fewest_turns && start.elapsed() >= self.settings.budget {
                break;
            }
            shuffle(&mut order, &mut self.random);
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

fn shuffle(order: &mut [usize], random: &mut Random) {
    for last in (1..order.len()).rev() {
        order.swap(last, random.index(last + 1));
    }
}
