//! One side of a comparison.

use std::{fmt, time::Instant};

use crate::contender::Role;

/// Somebody with the work of a scenario.
pub struct Side {
    /// What it is called; no two sides of a table are called the same.
    pub label: String,
    /// On whose side it is.
    pub role: Role,
    /// Where it is in a plot: the name of its line, and how far to the right.
    pub point: Option<(String, f64)>,
    /// Whether one turn is enough, for what is counted and not timed.
    pub once: bool,
    turn: Box<dyn FnMut() -> f64>,
}

impl Side {
    /// A side, by what it does in its turn: it answers the cost, in the unit of the table.
    pub fn new(label: impl Into<String>, role: Role, turn: impl FnMut() -> f64 + 'static) -> Side {
        Side { label: label.into(), role, point: None, once: false, turn: Box::new(turn) }
    }

    /// Puts it into the plot of its scenario.
    pub fn at(mut self, x: f64) -> Side {
        self.point = Some((self.label.clone(), x));
        self
    }

    /// Calls it something else in the table, after it was put into the plot.
    pub fn called(mut self, label: impl Into<String>) -> Side {
        self.label = label.into();
        self
    }

    /// Counts a part of the cost, or another unit.
    pub fn scaled(self, factor: f64) -> Side {
        let mut turn = self.turn;
        Side { turn: Box::new(move || turn() * factor), ..self }
    }

    /// Makes one turn of so many, whose mean it answers: for turns that are too short for the clock.
    pub fn averaged(self, rounds: u64) -> Side {
        let mut turn = self.turn;
        Side { turn: Box::new(move || (0..rounds).map(|_| turn()).sum::<f64>() / rounds as f64), ..self }
    }

    /// One turn is enough.
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

/// Does the work, which adds one to every number below `count`, checks the sum, and answers nanoseconds per task.
///
/// # Panics
///
/// If the sum is another.
pub fn per_task(count: u64, work: impl FnOnce() -> u64) -> f64 {
    let start = Instant::now();
    let sum = work();
    let cost = start.elapsed().as_nanos() as f64 / count as f64;
    assert_eq!(sum, count * (count + 1) / 2, "somebody computed something else");
    cost
}
