//! What is to be reached.

use super::{Row, table::best_peer};
use crate::Outcome;

/// What a side may cost at most.
#[derive(Clone, Debug)]
pub struct Target {
    subject: String,
    limits: Vec<Limit>,
}

/// A bound, absolute or in relation to another side.
#[derive(Clone, Debug)]
pub enum Limit {
    /// So many times the median of another side.
    Times(f64, Baseline),
    /// So much, in the unit of the table; and in words.
    Cost(f64, &'static str),
}

/// A side that others are held against.
#[derive(Clone, Debug)]
pub enum Baseline {
    /// Whichever peer has the lowest median.
    BestPeer,
    /// The side of this name.
    Side(String),
}

/// Whether a target is reached.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Who was held against it.
    pub subject: String,
    /// What was to be reached, in words.
    pub target: String,
    /// The side that it was held against, if there is one.
    pub baseline: Option<String>,
    /// What the subject costs, in the terms of the target: a ratio, or a share of the bound.
    pub reached: String,
    /// The cost as a share of what is allowed: up to 1.0 it is reached.
    pub share: f64,
}

impl Verdict {
    /// Whether the target is reached.
    pub fn is_met(&self) -> bool {
        self.share <= 1.0
    }
}

impl Target {
    /// The subject costs at most so many times what the best peer does.
    pub fn best_peer(subject: impl Into<String>, times: f64) -> Target {
        Target { subject: subject.into(), limits: vec![Limit::Times(times, Baseline::BestPeer)] }
    }

    /// The subject costs at most so many times what another side does.
    pub fn times(subject: impl Into<String>, times: f64, of: impl Into<String>) -> Target {
        Target { subject: subject.into(), limits: vec![Limit::Times(times, Baseline::Side(of.into()))] }
    }

    /// The subject costs at most so much.
    pub fn cost(subject: impl Into<String>, cost: f64, words: &'static str) -> Target {
        Target { subject: subject.into(), limits: vec![Limit::Cost(cost, words)] }
    }

    /// Allows another bound, if that is more.
    pub fn or(mut self, limit: Limit) -> Target {
        self.limits.push(limit);
        self
    }

    pub(super) fn subject(&self) -> &str {
        &self.subject
    }

    /// None: a side that it needs did not take part.
    pub(super) fn judge(&self, rows: &[Row]) -> Outcome<Option<Verdict>> {
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
                    };
                    let Some(row) = row else { continue };
                    let base = row.summary.median;
                    let words = match baseline {
                        Baseline::BestPeer => format!("at most {times} of the best peer, {}", row.label),
                        Baseline::Side(label) => format!("at most {times} of {label}"),
                    };
                    (times * base, Some(row.label.clone()), words, format!("{:.3}", cost / base))
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
        let verdict = Target::best_peer("ours", 0.75).judge(&rows()).unwrap().unwrap();
        assert_eq!(verdict.baseline.as_deref(), Some("good"));
        assert_eq!(verdict.reached, "0.800");
        assert!(!verdict.is_met());
    }

    #[test]
    fn of_two_bounds_the_larger_holds() {
        let target = Target::cost("ours", 4.0, "four").or(Limit::Times(10.0, Baseline::Side("floor".into())));
        let verdict = target.judge(&rows()).unwrap().unwrap();
        assert!(verdict.is_met());
        assert_eq!(verdict.target, "at most 10 of floor");
    }

    #[test]
    fn a_target_without_its_baseline_is_not_judged() {
        assert!(Target::times("ours", 1.0, "absent").judge(&rows()).unwrap().is_none());
    }

    #[test]
    fn a_target_of_nobody_is_an_error() {
        assert!(Target::best_peer("nobody", 1.0).judge(&rows()).is_err());
    }
}
