//! Two closures that borrow, all the way down.

use std::time::Instant;

use concurrent_futures::Scope;

use super::{Scenario, WIDTH};
use crate::{
    Outcome,
    contender::{Contender, Role, rayon::Rayon, threads::Spawn},
    driver::{Driver, Side, Table, Target},
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "join",
    title: "fork and join",
    about: "A Fibonacci number by the recursion that has no other work, both calls of each level through `join`, so the \
            figure is the cost of a `join`. The floor is the same recursion on one thread.",
    plot: None,
    run,
};

const OURS: &str = "threads, Scope::join";
const RAYON: &str = "rayon join";
const NUMBER: u64 = 24;
const RESULT: u64 = 46_368;
/// The number of calls that are joined: one less than the Fibonacci number after the result.
const JOINS: u64 = 75_024;

fn run(driver: &mut Driver) -> Outcome<()> {
    let spawn = Spawn::build(WIDTH)?;
    let rayon = Rayon::build(WIDTH)?;
    let table = Table::new(format!("threads: fib({NUMBER}) with {JOINS} joins"), "ns per join")
        .side(side(OURS, Role::Ours, move || spawn.scope(|scope| forked(scope, NUMBER))))
        .side(side(RAYON, Role::Peer, move || rayon.0.install(|| joined(NUMBER))))
        .side(side("one thread", Role::Floor, || called(NUMBER)))
        .target(Target::times(OURS, 1.2, RAYON));
    driver.compare(table)
}

fn side(label: &str, role: Role, compute: impl Fn() -> u64 + 'static) -> Side {
    Side::new(label, role, move || {
        let start = Instant::now();
        let result = compute();
        let cost = start.elapsed().as_nanos() as f64 / JOINS as f64;
        assert_eq!(result, RESULT, "a contender computed a wrong number");
        cost
    })
}

fn forked(scope: &Scope<'_, '_>, n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (one, other) = scope.join(|| forked(scope, n - 1), || forked(scope, n - 2));
    one + other
}

fn joined(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (one, other) = ::rayon::join(|| joined(n - 1), || joined(n - 2));
    one + other
}

/// The hint keeps the compiler from replacing the recursion by a loop.
fn called(n: u64) -> u64 {
    if std::hint::black_box(n) < 2 { n } else { called(n - 1) + called(n - 2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_recursion() {
        fn joins(n: u64) -> u64 {
            if n < 2 { 0 } else { 1 + joins(n - 1) + joins(n - 2) }
        }
        assert_eq!((called(NUMBER), joins(NUMBER)), (RESULT, JOINS));
    }
}
