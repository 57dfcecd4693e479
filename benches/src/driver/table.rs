//! A comparison, before and after it is measured.

use serde::{Deserialize, Serialize};

use super::{Side, Summary, Target, Verdict};
use crate::{Outcome, contender::Role};

/// Sides that are measured in turns, and their targets.
#[derive(Debug)]
pub struct Table {
    pub(super) title: String,
    pub(super) unit: &'static str,
    pub(super) sides: Vec<Side>,
    pub(super) targets: Vec<Target>,
    pub(super) notes: Vec<String>,
}

impl Table {
    /// Creates a table of costs in a unit. Less is better.
    pub fn new(title: impl Into<String>, unit: &'static str) -> Table {
        Table { title: title.into(), unit, sides: Vec::new(), targets: Vec::new(), notes: Vec::new() }
    }

    /// Adds a side.
    pub fn side(mut self, side: Side) -> Table {
        self.sides.push(side);
        self
    }

    /// Adds sides.
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

    /// Adds a side that some machines lack. If it is missing, a note is added instead.
    pub fn optional_side(mut self, label: &str, side: Outcome<Side>) -> Table {
        match side {
            Ok(side) => self.side(side),
            Err(error) => {
                self.notes.push(format!("{label} is missing: {error}"));
                self
            }
        }
    }

    /// Adds a target of one of our sides.
    pub fn target(mut self, target: Target) -> Table {
        self.targets.push(target);
        self
    }

    /// Adds all present sides to the plot of the scenario, at the same x coordinate.
    pub fn plotted(mut self, x: f64) -> Table {
        self.sides = self.sides.into_iter().map(|side| side.at(x)).collect();
        self
    }

    /// Adds a note below the table.
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
            match target.evaluate(&rows)? {
                Some(verdict) => verdicts.push(verdict),
                None => notes.push(format!("the baseline of {} is missing", target.subject())),
            }
        }
        Ok(Measured { title: self.title, unit: self.unit.to_string(), rows, verdicts, notes })
    }
}

/// A measured table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// What was compared.
    pub title: String,
    /// The unit of the costs.
    pub unit: String,
    /// One for each side.
    pub rows: Vec<Row>,
    /// One for each target.
    pub verdicts: Vec<Verdict>,
    /// Notes below the table.
    pub notes: Vec<String>,
}

impl Measured {
    /// Returns the row that ratios refer to: the baseline of the first target, else the best peer, else the first row.
    pub fn reference(&self) -> &Row {
        let of_target = self.verdicts.first().and_then(|verdict| {
            let baseline = verdict.baseline.as_ref()?;
            self.rows.iter().find(|row| row.label == *baseline)
        });
        of_target.or_else(|| best_peer(&self.rows)).unwrap_or(&self.rows[0])
    }
}

/// The measured costs of a side.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The name.
    pub label: String,
    /// Whether it is one of our pools, a peer or a floor.
    pub role: Role,
    /// The point in a plot.
    pub point: Option<(String, f64)>,
    /// The costs.
    pub summary: Summary,
}

/// Returns the peer with the lowest median.
pub(super) fn best_peer(rows: &[Row]) -> Option<&Row> {
    let peers = rows.iter().filter(|row| row.role == Role::Peer);
    peers.min_by(|a, b| a.summary.median.total_cmp(&b.summary.median))
}
