//! Targets.

use serde::{Deserialize, Serialize};

use super::{Row, table::best_peer};
use crate::Outcome;

/// An upper bound on the cost of a side.
#[derive(Clone, Debug)]
pub struct Target {
    subject: String,
    limits: Vec<Limit>,
}

/// A bound, absolute or relative to another side.
#[derive(Clone, Debug)]
pub enum Limit {
    /// A multiple of the median of another side.
    Times(f64, Baseline),
    /// A cost in the unit of the table, and its description.
    Cost(f64, &'static str),
}

/// A side that others are compared with.
#[derive(Clone, Debug)]
pub enum Baseline {
    /// The peer with the lowest median.
    BestPeer,
    /// The side with this name.
    Side(String),
    /// The side with the lowest median of those with these names.
    Cheapest(Vec<String>),
}

/// Whether a target was met.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// The side that has the target.
    pub subject: String,
    /// The description of the target.
    pub target: String,
    /// The side that it was compared with, if there is one.
    pub baseline: Option<String>,
    /// The cost in the terms of the target: a ratio, or a share of the bound.
    pub reached: String,
    /// The cost as a share of the bound; at most 1.0 if the target was met.
    pub share: f64,
}

impl Verdict {
    /// Returns whether the target was met.
    pub fn is_met(&self) -> bool {
        self.share <= 1.0
    }
}

impl Target {
    /// Creates a target: at most `times` the cost of the best peer.
    pub fn best_peer(subject: impl Into<String>, times: f64) -> Target {
        Target { subject: subject.into(), limits: vec![Limit::Times(times, Baseline::BestPeer)] }
    }

    /// Creates a target: at most `times` the cost of another side.
    pub fn times(subject: impl Into<String>, times: f64, of: impl Into<String>) -> Target {
        Target { subject: subject.into(), limits: vec![Limit::Times(times, Baseline::Side(of.into()))] }
    }

    /// Creates a target: at most `times` the cost of the cheapest of these sides, of which it may be one.
    pub fn cheapest(subject: impl Into<String>, times: f64, of: &[String]) -> Target {
        Target { subject: subject.into(), limits: vec![Limit::Times(times, Baseline::Cheapest(of.to_vec()))] }
    }

    /// Creates a target: at most `cost`.
    pub fn cost(subject: impl Into<String>, cost: f64, words: &'static str) -> Target {
        Target { subject: subject.into(), limits: vec![Limit::Cost(cost, words)] }
    }

    /// Adds another bound. The larger one counts.
    pub fn or(mut self, limit: Limit) -> Target {
        self.limits.push(limit);
        self
    }

    pub(super) fn subject(&self) -> &str {
        &self.subject
    }

    /// Returns the verdict, or `None` if the baseline was not measured.
    pub(super) fn evaluate(&self, rows: &[Row]) -> Outcome<Option<Verdict>> {
        let find = |label: &str| rows.iter().find(|row| row.label == label);
        let subject = find(&self.subject).ok_or_else(|| format!("no side is called {:?}", self.subject))?;
        let cost = subject.summary.median;
        let mut best: Option<Verdict> = None;
        for limit in &self.limits {
            let (allowed, baseline, target, reached) = match limit {
                Limit::Cost(allowed, words) => {
                    (*allowed, None, format!("at most {words}"), format!("{:.3} of it", cost / allowed))
                }
                Limit::Times(times, baseline) => {
                    let row = match baseline {
                        Baseline::BestPeer => best_peer(rows),
                        Baseline::Side(label) => find(label),
                        Baseline::Cheapest(labels) => labels
                            .iter()
                            .filter_map(|label| find(label))
                            .min_by(|a, b| a.summary.median.total_cmp(&b.summary.median)),
                    };
                    let Some(row) = row else { continue };
                    let base = row.summary.median;
                    let description = match baseline {
                        Baseline::BestPeer => format!("at most {times} of the best peer, {}", row.label),
                        Baseline::Side(label) => format!("at most {times} of {label}"),
                        Baseline::Cheapest(_) => format!("at most {times} of the cheapest, {}", row.label),
                    };
                    (times * base, Some(row.label.clone()), description, format!("{:.3}", cost / base))
                }
            };
            let share = cost / allowed;
            if best.as_ref().is_none_or(|best| share < best.share) {
                best = Some(Verdict { subject: self.subject.clone(), target, baseline, reached, share });
            }
        }
        Ok(best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{contender::Role, driver::Summary};

    fn row(label: &str, role: Role, cost: f64) -> Row {
        Row { label: label.into(), role, point: None, summary: Summary::of(vec![cost]) }
    }

    fn rows() -> [Row; 4] {
        [
            row("ours", Role::Ours, 8.0),
            row("good", Role::Peer, 10.0),
            row("bad", Role::Peer, 20.0),
            row("floor", Role::Floor, 1.0),
        ]
    }

    #[test]
    fn the_best_peer_is_neither_ours_nor_a_floor() {
        let verdict = Target::best_peer("ours", 0.75).evaluate(&rows()).unwrap().unwrap();
        assert_eq!(verdict.baseline.as_deref(), Some("good"));
        assert_eq!(verdict.reached, "0.800");
        assert!(!verdict.is_met());
    }

    #[test]
    fn of_two_bounds_the_larger_one_counts() {
        let target = Target::cost("ours", 4.0, "four").or(Limit::Times(10.0, Baseline::Side("floor".into())));
        let verdict = target.evaluate(&rows()).unwrap().unwrap();
        assert!(verdict.is_met());
        assert_eq!(verdict.target, "at most 10 of floor");
    }

    #[test]
    fn a_target_whose_baseline_was_not_measured_has_no_verdict() {
        assert!(Target::times("ours", 1.0, "absent").evaluate(&rows()).unwrap().is_none());
    }

    #[test]
    fn the_cheapest_of_named_sides_may_be_the_subject_itself() {
        let sides = ["ours", "good"].map(String::from);
        let of = |subject: &str| Target::cheapest(subject, 1.2, &sides).evaluate(&rows()).unwrap().unwrap();
        assert_eq!((of("ours").reached.as_str(), of("ours").is_met()), ("1.000", true));
        assert_eq!((of("good").reached.as_str(), of("good").is_met()), ("1.250", false));
    }

    #[test]
    fn a_target_of_an_unknown_side_is_an_error() {
        assert!(Target::best_peer("unknown", 1.0).evaluate(&rows()).is_err());
    }
}
