//! From verdicts on system calls to a program for the kernel.
//!
//! The program is a search tree over the numbers of calls, whose leaves check arguments. So every way through it is
//! short, and a call that is allowed whatever its arguments are costs nothing: the kernel finds those out once.

use libc::sock_filter;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Allow,
    /// It is not made and fails with this error.
    Fail(i32),
    /// It is not made, and the thread gets `SIGSYS`.
    Trap,
    /// It is not made, and the process is killed.
    Kill,
}

/// Whether an argument of a call has a property. Except in [`IsNotZero`](Condition::IsNotZero), only the lower 32 bits
/// of an argument count, as they do for the kernel, which takes an `int` there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Is(u8, Vec<u32>),
    IsNot(u8, Vec<u32>),
    /// At least one of these bits is set.
    HasAny(u8, u32),
    /// All of these bits are set.
    HasAll(u8, u32),
    /// At least one of these bits is not set.
    LacksAny(u8, u32),
    /// Any of all 64 bits is set.
    IsNotZero(u8),
}

/// What happens to a call that meets all conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) when: Vec<Condition>,
    pub(crate) then: Action,
}

/// What happens to the calls of one number: what the first rule says whose conditions are met, or else the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) rules: Vec<Rule>,
    pub(crate) otherwise: Action,
}

impl Verdict {
    pub(crate) fn always(action: Action) -> Verdict {
        Verdict { rules: Vec::new(), otherwise: action }
    }

    /// Returns what happens to a call with these arguments.
    #[cfg(test)]
    pub(crate) fn of(&self, arguments: [u64; 6]) -> Action {
        let meets = |rule: &&Rule| rule.when.iter().all(|condition| condition.is_met(arguments));
        self.rules.iter().find(meets).map_or(self.otherwise, |rule| rule.then)
    }
}

impl Condition {
    /// Returns `true` if a call with these arguments meets the condition.
    #[cfg(test)]
    pub(crate) fn is_met(&self, arguments: [u64; 6]) -> bool {
        let low = |argument: u8| arguments[usize::from(argument)] as u32;
        match self {
            Condition::Is(argument, values) => values.contains(&low(*argument)),
            Condition::IsNot(argument, values) => !values.contains(&low(*argument)),
            Condition::HasAny(argument, bits) => low(*argument) & bits != 0,
            Condition::HasAll(argument, bits) => low(*argument) & bits == *bits,
            Condition::LacksAny(argument, bits) => low(*argument) & bits != *bits,
            Condition::IsNotZero(argument) => arguments[usize::from(*argument)] != 0,
        }
    }
}

impl Action {
    fn encoded(self) -> u32 {
        match self {
            Action::Allow => libc::SECCOMP_RET_ALLOW,
            Action::Fail(error) => libc::SECCOMP_RET_ERRNO | error as u32,
            Action::Trap => libc::SECCOMP_RET_TRAP,
            Action::Kill => libc::SECCOMP_RET_KILL_PROCESS,
        }
    }
}

/// Where a jump of a condition leads.
#[derive(Clone, Copy)]
enum To {
    Next,
    /// Past this many instructions.
    Past(u8),
    /// To the end of the condition, which is met.
    Met,
    /// To the next rule.
    NotMet,
}

/// An instruction of a condition, before it is known where the condition ends.
enum Step {
    Plain(sock_filter),
    Jump { code: u32, value: u32, yes: To, no: To },
}

fn statement(code: u32, value: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k: value }
}

fn jump(code: u32, value: u32, yes: usize, no: usize) -> sock_filter {
    sock_filter { code: (libc::BPF_JMP | code | libc::BPF_K) as u16, jt: yes as u8, jf: no as u8, k: value }
}

/// Loads a word of the kernel's description of the call (`struct seccomp_data`).
fn load(offset: u32) -> sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

fn give(action: Action) -> sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, action.encoded())
}

const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

/// Returns the offsets of the lower and the upper half of an argument.
fn halves(argument: u8) -> (u32, u32) {
    let first = 16 + 8 * u32::from(argument);
    if cfg!(target_endian = "little") { (first, first + 4) } else { (first + 4, first) }
}

fn steps(condition: &Condition) -> Vec<Step> {
    let load_low = |argument: &u8| Step::Plain(load(halves(*argument).0));
    let and = |bits: u32| Step::Plain(statement(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, bits));
    let compare = |value: u32, yes: To, no: To| Step::Jump { code: libc::BPF_JEQ, value, yes, no };
    match condition {
        Condition::Is(argument, values) => {
            let last = values.len().saturating_sub(1);
            let step =
                |(at, value): (usize, &u32)| compare(*value, To::Met, if at == last { To::NotMet } else { To::Next });
            std::iter::once(load_low(argument)).chain(values.iter().enumerate().map(step)).collect()
        }
        Condition::IsNot(argument, values) => {
            let step = |value: &u32| compare(*value, To::NotMet, To::Next);
            std::iter::once(load_low(argument)).chain(values.iter().map(step)).collect()
        }
        Condition::HasAny(argument, bits) => {
            vec![load_low(argument), Step::Jump { code: libc::BPF_JSET, value: *bits, yes: To::Met, no: To::NotMet }]
        }
        Condition::HasAll(argument, bits) => vec![load_low(argument), and(*bits), compare(*bits, To::Met, To::NotMet)],
        Condition::LacksAny(argument, bits) => {
            vec![load_low(argument), and(*bits), compare(*bits, To::NotMet, To::Met)]
        }
        Condition::IsNotZero(argument) => vec![
            load_low(argument),
            compare(0, To::Next, To::Past(2)),
            Step::Plain(load(halves(*argument).1)),
            compare(0, To::NotMet, To::Met),
        ],
    }
}

fn rule(rule: &Rule) -> Vec<sock_filter> {
    let conditions: Vec<Vec<Step>> = rule.when.iter().map(steps).collect();
    let length: usize = conditions.iter().map(Vec::len).sum();
    let mut code = Vec::with_capacity(length + 1);
    let mut end = 0;
    for condition in conditions {
        end += condition.len();
        for step in condition {
            let next = code.len() + 1;
            let distance = |to: To| match to {
                To::Next => 0,
                To::Past(count) => usize::from(count),
                To::Met => end - next,
                // Past the instruction that gives the action.
                To::NotMet => length + 1 - next,
            };
            code.push(match step {
                Step::Plain(instruction) => instruction,
                Step::Jump { code, value, yes, no } => jump(code, value, distance(yes), distance(no)),
            });
        }
    }
    code.push(give(rule.then));
    code
}

fn leaf(verdict: &Verdict) -> Vec<sock_filter> {
    let mut code: Vec<sock_filter> = verdict.rules.iter().flat_map(rule).collect();
    code.push(give(verdict.otherwise));
    code
}

/// Returns the code for ranges of numbers, each of which begins at its number and has one verdict.
fn tree(ranges: &[(u32, &Verdict)]) -> Vec<sock_filter> {
    if let [(_, verdict)] = ranges {
        return leaf(verdict);
    }
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let first_high = high[0].0;
    let (low, high) = (tree(low), tree(high));
    let mut code = match low.len() {
        // The distance of a conditional jump has eight bits.
        0..=255 => vec![jump(libc::BPF_JGE, first_high, low.len(), 0)],
        length => {
            let far = statement(libc::BPF_JMP | libc::BPF_JA, length as u32);
            vec![jump(libc::BPF_JGE, first_high, 0, 1), far]
        }
    };
    code.extend(low);
    code.extend(high);
    code
}

/// Returns the program for these verdicts, which are in the order of their numbers. All other numbers get `unknown`,
/// and a call of another architecture kills the process.
pub(crate) fn compile<'a>(
    architecture: u32,
    verdicts: impl Iterator<Item = (u32, &'a Verdict)>,
    unknown: &'a Verdict,
) -> Vec<sock_filter> {
    let mut ranges: Vec<(u32, &Verdict)> = Vec::new();
    let mut next = 0;
    let mut add = |number: u32, verdict: &'a Verdict| {
        if ranges.last().is_none_or(|(_, last)| *last != verdict) {
            ranges.push((number, verdict));
        }
    };
    for (number, verdict) in verdicts {
        if number > next {
            add(next, unknown);
        }
        add(number, verdict);
        next = number + 1;
    }
    add(next, unknown);
    let is_native = jump(libc::BPF_JEQ, architecture, 1, 0);
    let mut code = vec![load(ARCHITECTURE), is_native, give(Action::Kill), load(NUMBER)];
    code.extend(tree(&ranges));
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_say_what_their_rules_say() {
        let rule = |when: Vec<Condition>, then| Rule { when, then };
        let verdict = Verdict {
            rules: vec![
                rule(vec![Condition::Is(0, vec![1, 2]), Condition::IsNotZero(1)], Action::Kill),
                rule(vec![Condition::LacksAny(2, 6)], Action::Trap),
            ],
            otherwise: Action::Allow,
        };
        assert_eq!(verdict.of([1, 1 << 40, 6, 0, 0, 0]), Action::Kill);
        assert_eq!(verdict.of([1, 0, 6, 0, 0, 0]), Action::Allow);
        assert_eq!(verdict.of([3, 1, 2, 0, 0, 0]), Action::Trap);
        // The kernel looks at the lower half of an `int`.
        assert_eq!(verdict.of([1 << 32 | 2, 1, 6, 0, 0, 0]), Action::Kill);
    }
}
