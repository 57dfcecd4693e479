//! Summarises turns.

use serde::{Deserialize, Serialize};

/// The distribution of the costs of a side.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The median.
    pub median: f64,
    /// The lower quartile.
    pub lower: f64,
    /// The upper quartile.
    pub upper: f64,
    /// The number of turns.
    pub turns: usize,
}

impl Summary {
    /// Summarises costs, of which there is at least one.
    pub fn of(mut costs: Vec<f64>) -> Summary {
        costs.sort_by(f64::total_cmp);
        Summary {
            median: quantile(&costs, 0.5),
            lower: quantile(&costs, 0.25),
            upper: quantile(&costs, 0.75),
            turns: costs.len(),
        }
    }
}

/// Returns the value below which this share of the sorted costs lies, interpolated between neighbours.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * position.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_of_costs_is_the_mean_of_the_middle_two() {
        let summary = Summary::of(vec![4.0, 1.0, 3.0, 2.0]);
        assert_eq!((summary.lower, summary.median, summary.upper), (1.75, 2.5, 3.25));
    }

    #[test]
    fn the_outermost_quantiles_are_the_extremes() {
        assert_eq!([0.0, 1.0].map(|share| quantile(&[1.0, 2.0, 3.0, 4.0], share)), [1.0, 4.0]);
    }

    #[test]
    fn a_single_cost_is_median_and_quartiles() {
        let summary = Summary::of(vec![7.0]);
        assert_eq!((summary.lower, summary.median, summary.upper, summary.turns), (7.0, 7.0, 7.0, 1));
    }
}
