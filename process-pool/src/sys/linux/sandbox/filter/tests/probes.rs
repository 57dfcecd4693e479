//! Calls that show what a verdict does: at each side of every edge of its conditions.

use std::collections::{BTreeMap, BTreeSet};

use super::super::program::{Condition, Verdict};

/// Values that no condition names, with the halves of an argument and the signs of an `int` in all combinations.
const USUAL: [u64; 7] = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 32, u64::MAX];

/// More combinations than this are too many for a test. Then arguments vary one at a time, beside combinations of few.
const MOST: usize = 40_000;

/// Returns the values around the edges of a condition, and its argument.
fn edges(condition: &Condition) -> (u8, Vec<u64>) {
    let bits = |mask: u32| {
        let single = (0..32).map(|bit| 1_u32 << bit).filter(move |bit| mask & bit != 0);
        let lacking = single.clone().map(move |bit| mask & !bit);
        single.chain(lacking).chain([0, mask, !mask, u32::MAX]).flat_map(|value| {
            // The upper half does not count.
            [u64::from(value), u64::from(value) | 0xdead << 32]
        })
    };
    match condition {
        Condition::Is(argument, values) | Condition::IsNot(argument, values) => {
            let around = |value: &u32| {
                let value = u64::from(*value);
                [value.wrapping_sub(1), value, value + 1, value | 1 << 32, value ^ 1 << 31, value ^ 1 << 63]
            };
            (*argument, values.iter().flat_map(around).collect())
        }
        Condition::HasAny(argument, mask) | Condition::HasAll(argument, mask) | Condition::LacksAny(argument, mask) => {
            (*argument, bits(*mask).collect())
        }
        Condition::IsNotZero(argument) => (*argument, vec![0, 1, 1 << 31, 1 << 32, 1 << 63, u64::MAX]),
    }
}

/// Returns arguments at each side of every edge of a verdict.
pub(super) fn arguments(verdict: &Verdict) -> Vec<[u64; 6]> {
    let mut values: BTreeMap<u8, BTreeSet<u64>> = BTreeMap::new();
    for condition in verdict.rules.iter().flat_map(|rule| &rule.when) {
        let (argument, edges) = edges(condition);
        values.entry(argument).or_insert_with(|| USUAL.into()).extend(edges);
    }
    let count: usize = values.values().map(BTreeSet::len).product();
    let mut all = vec![[0; 6], [u64::MAX; 6]];
    if count <= MOST {
        all.extend(combinations(&values));
        return all;
    }
    for (argument, others) in &values {
        for value in others {
            for base in [0, 1, u64::MAX] {
                let mut arguments = [base; 6];
                arguments[usize::from(*argument)] = *value;
                all.push(arguments);
            }
        }
    }
    // Each rule is met, and missed in each of its conditions.
    for rule in &verdict.rules {
        let mut few: BTreeMap<u8, BTreeSet<u64>> = BTreeMap::new();
        for condition in &rule.when {
            let (argument, edges) = edges(condition);
            few.entry(argument).or_default().extend(edges.into_iter().take(40));
        }
        all.extend(combinations(&few).take(MOST));
    }
    all
}

fn combinations(values: &BTreeMap<u8, BTreeSet<u64>>) -> impl Iterator<Item = [u64; 6]> {
    let mut all = vec![[0; 6]];
    for (argument, values) in values {
        let with = |arguments: &[u64; 6]| {
            let mut arguments = *arguments;
            values.iter().map(move |value| {
                arguments[usize::from(*argument)] = *value;
                arguments
            })
        };
        all = all.iter().flat_map(with).collect();
    }
    all.into_iter()
}
