//! Many turns in a few numbers.

/// What is known of the costs of a side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Half of the turns cost less.
    pub median: f64,
    /// A quarter of the turns cost less.
    pub lower: f64,
    /// A quarter of the turns cost more.
    pub upper: f64,
    /// The cheapest turn.
    pub lowest: f64,
    /// The dearest turn.
    pub highest: f64,
    /// How many turns there were.
    pub turns: usize,
}

impl Summary {
    /// Sums up costs, of which there is at least one.
    pub fn of(mut costs: Vec<f64>) -> Summary {
        costs.sort_by(f64::total_cmp);
        Summary {
            median: quantile(&costs, 0.5),
            lower: quantile(&costs, 0.25),
            upper: quantile(&costs, 0.75),
            lowest: quantile(&costs, 0.0),
            highest: quantile(&costs, 1.0),
            turns: costs.len(),
        }
    }
}

/// The value below which a share of the sorted costs lies, between neighbours in proportion.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        let summary = Summary::of(vec![4.0, 1.0, 3.0, 2.0]);
        assert_eq!((summary.lowest, summary.median, summary.highest), (1.0, 2.5, 4.0));
        assert_eq!((summary.lower, summary.upper), (1.75, 3.25));
    }

    #[test]
    fn one_turn_is_all_there_is() {
        let summary = Summary::of(vec![7.0]);
        assert_eq!((summary.lower, summary.median, summary.upper, summary.turns), (7.0, 7.0, 7.0, 1));
    }
}
