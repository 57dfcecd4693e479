//! A comparison: its sides before, and what came out after.

use super::{Side, Summary, Target, Verdict};
use crate::{Outcome, contender::Role};

/// Sides that are measured in turns, and what is to be reached.
#[derive(Debug)]
pub struct Table {
    pub(super) title: String,
    pub(super) unit: &'static str,
    pub(super) sides: Vec<Side>,
    pub(super) targets: Vec<Target>,
    pub(super) notes: Vec<String>,
}

impl Table {
    /// A table of costs in a unit: less is better.
    pub fn new(title: impl Into<String>, unit: &'static str) -> Table {
        Table { title: title.into(), unit, sides: Vec::new(), targets: Vec::new(), notes: Vec::new() }
    }

    /// Adds a side.
    pub fn side(mut self, side: Side) -> Table {
        self.sides.push(side);
        self
    }

    /// Adds sides that were built together.
    ///
    /// # Errors
    ///
    /// If one of them could not be built.
    pub fn sides(mut self, sides: impl IntoIterator<Item = Outcome<Side>>) -> Outcome<Table> {
        for side in sides {
            self.sides.push(side?);
        }
        Ok(self)
    }

    /// Adds a side that not every machine has. Without it there is a note.
    pub fn perhaps(mut self, label: &str, side: Outcome<Side>) -> Table {
        match side {
            Ok(side) => self.side(side),
            Err(error) => {
                self.notes.push(format!("{label} is missing: {error}"));
                self
            }
        }
    }

    /// Adds what one of our sides is to reach.
    pub fn target(mut self, target: Target) -> Table {
        self.targets.push(target);
        self
    }

    /// Puts all sides that it has into the plot of its scenario, at the same place.
    pub fn plotted(mut self, x: f64) -> Table {
        self.sides = self.sides.into_iter().map(|side| side.at(x)).collect();
        self
    }

    /// Adds something to be said below the table.
    pub fn note(mut self, note: impl Into<String>) -> Table {
        self.notes.push(note.into());
        self
    }

    pub(super) fn measured(self, costs: Vec<Vec<f64>>) -> Outcome<Measured> {
        let rows = self.sides.into_iter().zip(costs);
        let rows: Vec<Row> = rows
            .map(|(side, costs)| Row {
                label: side.label,
                role: side.role,
                point: side.point,
                summary: Summary::of(costs),
            })
            .collect();
        let mut verdicts = Vec::new();
        let mut notes = self.notes;
        for target in &self.targets {
            match target.judge(&rows)? {
                Some(verdict) => verdicts.push(verdict),
                None => notes.push(format!("what {} is to be held against is missing", target.subject())),
            }
        }
        Ok(Measured { title: self.title, unit: self.unit, rows, verdicts, notes })
    }
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What was compared.
    pub title: String,
    /// What the costs are counted in.
    pub unit: &'static str,
    /// One for each side.
    pub rows: Vec<Row>,
    /// One for each target.
    pub verdicts: Vec<Verdict>,
    /// What else is to be said.
    pub notes: Vec<String>,
}

impl Measured {
    /// What the column of ratios is in relation to: what the first target names, or else the best peer, or else the
    /// first side.
    pub fn reference(&self) -> &Row {
        let of_target = self.verdicts.first().and_then(|verdict| {
            let baseline = verdict.baseline.as_ref()?;
            self.rows.iter().find(|row| row.label == *baseline)
        });
        of_target.or_else(|| best_peer(&self.rows)).unwrap_or(&self.rows[0])
    }
}

/// What came out for one side.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is called.
    pub label: String,
    /// On whose side it is.
    pub role: Role,
    /// Where it is in a plot.
    pub point: Option<(String, f64)>,
    /// Its costs.
    pub summary: Summary,
}

/// The peer with the lowest median.
pub(super) fn best_peer(rows: &[Row]) -> Option<&Row> {
    let peers = rows.iter().filter(|row| row.role == Role::Peer);
    peers.min_by(|a, b| a.summary.median.total_cmp(&b.summary.median))
}
