//! Lets the sides of a comparison take turns.

pub mod apart;
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

/// How much time is spent.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How often each side has its turn, if the budget lasts.
    pub turns: usize,
    /// How often each side has its turn in any case.
    pub fewest_turns: usize,
    /// After so much time no further round of a table begins.
    pub budget: Duration,
    /// How long idle pools are watched.
    pub watch: Duration,
}

impl Settings {
    /// What figures are published from.
    pub const FULL: Settings =
        Settings { turns: 41, fewest_turns: 7, budget: Duration::from_secs(15), watch: Duration::from_secs(10) };
    /// For daily use: all scenarios in less than two minutes.
    pub const SHORT: Settings =
        Settings { turns: 11, fewest_turns: 3, budget: Duration::from_secs(2), watch: Duration::from_secs(3) };
}

/// What a scenario gives its tables to.
#[derive(Debug)]
pub struct Driver {
    settings: Settings,
    show: fn(&Measured),
    dice: Dice,
    measured: Vec<Measured>,
}

impl Driver {
    /// A driver that has not run anything, and shows each table as soon as it is ready.
    pub fn new(settings: Settings, show: fn(&Measured)) -> Driver {
        Driver { settings, show, dice: Dice(0x9e37_79b9_7f4a_7c15), measured: Vec::new() }
    }

    /// How much time is spent.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// The tables since it was last asked.
    pub fn take(&mut self) -> Vec<Measured> {
        std::mem::take(&mut self.measured)
    }

    /// Lets the sides of a table take turns: every side once, then every side again, in an order that is shuffled each
    /// time. What disturbs the machine for a while disturbs all of them, and nobody always follows the same neighbour.
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
            self.dice.shuffle(&mut order);
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

/// Numbers without a pattern that matters.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn shuffle(&mut self, order: &mut [usize]) {
        for last in (1..order.len()).rev() {
            self.0 = crate::work::spin(1, self.0);
            order.swap(last, (self.0 >> 32) as usize % (last + 1));
        }
    }
}
