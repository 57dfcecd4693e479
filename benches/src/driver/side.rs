//! One side of a comparison.

use std::{fmt, time::Instant};

use crate::contender::Role;

/// A contender, and its work in a scenario.
pub struct Side {
    /// The name, unique within a table.
    pub label: String,
    /// Whether it is one of our pools, a peer or a floor.
    pub role: Role,
    /// The point in a plot: the name of the line, and the x coordinate.
    pub point: Option<(String, f64)>,
    /// Whether one turn is enough, because the figure is counted and not timed.
    pub once: bool,
    turn: Box<dyn FnMut() -> f64>,
}

impl Side {
    /// Creates a side. `turn` does the work once and returns its cost in the unit of the table.
    pub fn new(label: impl Into<String>, role: Role, turn: impl FnMut() -> f64 + 'static) -> Side {
        Side { label: label.into(), role, point: None, once: false, turn: Box::new(turn) }
    }

    /// Adds the side to the plot of its scenario.
    pub fn at(mut self, x: f64) -> Side {
        self.point = Some((self.label.clone(), x));
        self
    }

    /// Renames the side in the table, but not in the plot.
    pub fn renamed(mut self, label: impl Into<String>) -> Side {
        self.label = label.into();
        self
    }

    /// Multiplies the cost.
    pub fn scaled(self, factor: f64) -> Side {
        let mut turn = self.turn;
        Side { turn: Box::new(move || turn() * factor), ..self }
    }

    /// Makes one turn of `rounds` turns, with their mean as its cost, if a turn is too short for the clock.
    pub fn averaged(self, rounds: u64) -> Side {
        let mut turn = self.turn;
        Side { turn: Box::new(move || (0..rounds).map(|_| turn()).sum::<f64>() / rounds as f64), ..self }
    }

    /// Marks the side as one that needs a single turn.
    pub fn once(mut self) -> Side {
        self.once = true;
        self
    }

    pub(super) fn turn(&mut self) -> f64 {
        (self.turn)()
    }
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Side").field("label", &self.label).field("role", &self.role).finish_non_exhaustive()
    }
}

/// Runs `work`, which adds one to every number below `count`, checks the sum, and returns nanoseconds per task.
///
/// # Panics
///
/// If the sum is wrong.
pub fn per_task(count: u64, work: impl FnOnce() -> u64) -> f64 {
    let start = Instant::now();
    let sum = work();
    let cost = start.elapsed().as_nanos() as f64 / count as f64;
    assert_eq!(sum, count * (count + 1) / 2, "a contender computed a wrong sum");
    cost
}
