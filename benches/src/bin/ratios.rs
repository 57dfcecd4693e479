//! Lets the contenders take turns in one run, and prints the median cost of a task and its ratio to the first peer.

use std::time::Instant;

use benches::contender::{self, Contender};

const WORKERS: usize = 2;
const TURNS: usize = 31;

fn main() -> Result<(), concurrent_futures::Error> {
    procspawn::init();
    println!("{WORKERS} workers, medians of {TURNS} turns, nanoseconds per task (lowest to highest)");
    report("threads", &contender::threads(WORKERS)?, 20_000, 1_000);
    // No more at once: procspawn holds descriptors for every task that is not collected, and panics when they run out.
    report("processes", &contender::processes(WORKERS)?, 2_000, 200);
    Ok(())
}

fn report(group: &str, contenders: &[Box<dyn Contender>], many: u64, few: u64) {
    table(&format!("{group}: submit {many}, then collect"), contenders, many, |contender| {
        contender.submit_then_collect(many)
    });
    table(&format!("{group}: one at a time"), contenders, few, |contender| contender.one_at_a_time(few));
}

/// Every contender once, then every contender again: what disturbs the machine for a while disturbs all of them.
fn table(title: &str, contenders: &[Box<dyn Contender>], count: u64, run: impl Fn(&dyn Contender) -> u64) {
    let expected = count * (count + 1) / 2;
    let mut costs = vec![Vec::new(); contenders.len()];
    for turn in 0..=TURNS {
        for (contender, costs) in contenders.iter().zip(&mut costs) {
            let start = Instant::now();
            let sum = run(&**contender);
            let cost = start.elapsed().as_nanos() as f64 / count as f64;
            assert_eq!(sum, expected, "{} computed something else", contender.name());
            // The first turn warms up.
            if turn > 0 {
                costs.push(cost);
            }
        }
    }
    println!("\n{title}");
    let medians: Vec<f64> = costs.iter_mut().map(|costs| median(costs)).collect();
    let peer = medians.last().copied().unwrap_or(f64::NAN);
    for ((contender, costs), median) in contenders.iter().zip(&costs).zip(&medians) {
        let (low, high) = (costs[0], costs[costs.len() - 1]);
        println!("  {:32} {median:>10.0}  ({low:.0} to {high:.0})  ratio {:.3}", contender.name(), median / peer);
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
