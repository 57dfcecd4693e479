//! The filter of system calls, against the verdicts that it is made from.
//!
//! An [interpreter] runs the program as the kernel does, for all numbers of calls and around every edge of the
//! conditions. `golden/` has the verdicts as text, so a change of any of them is seen; and every verdict, and every
//! rule and condition of one, is left out once, after which some call must have another answer.

mod golden;
mod interpreter;
mod probes;

use proptest::prelude::*;

use super::{
    program::{Action, Verdict},
    verdicts::{ARCHITECTURE, Table, table, unknown},
};
use crate::sys::policy::{Net, Policy, Refused};
use interpreter::{Description, Program};

/// The process that the policies of these tests lock in.
const OWN: u32 = 4242;
const CHANNEL: i32 = 5;

/// The first number of the calls of x32, a second way to call the kernel on x86-64.
const X32: u32 = 0x4000_0000;

/// The kernel's names of architectures.
const I386: u32 = 0x4000_0003;
const X86_64: u32 = 0xc000_003e;
const ARM: u32 = 0x4000_0028;
const AARCH64: u32 = 0xc000_00b7;

/// `Sandbox::compute()`, and the other policies that differ from it in one thing each, or in everything.
fn policies() -> Vec<(&'static str, Policy)> {
    let compute = Policy {
        files: false,
        writes: false,
        processes: false,
        net: Net::None,
        no_new_code: false,
        signals_are_scoped: true,
        refused: Refused::Error,
        own: OWN,
        channel: CHANNEL,
    };
    let files = Policy { files: true, ..compute };
    let all = Policy { writes: true, processes: true, net: Net::Any, no_new_code: true, ..files };
    vec![
        ("compute", compute),
        ("kill", Policy { refused: Refused::Kill, ..compute }),
        ("explain", Policy { refused: Refused::Explain, ..compute }),
        ("read", files),
        ("write", Policy { writes: true, ..files }),
        ("write, explain", Policy { writes: true, refused: Refused::Explain, ..files }),
        ("execute", Policy { processes: true, ..files }),
        ("execute, explain", Policy { processes: true, refused: Refused::Explain, ..files }),
        ("connect", Policy { net: Net::Tcp { listens: false }, ..files }),
        ("listen", Policy { net: Net::Tcp { listens: true }, ..files }),
        ("any network", Policy { net: Net::Any, ..files }),
        ("no new code", Policy { no_new_code: true, ..compute }),
        ("signals without scope", Policy { signals_are_scoped: false, ..compute }),
        ("everything", all),
        ("everything, kill", Policy { refused: Refused::Kill, ..all }),
    ]
}

fn program(table: &Table) -> Program {
    Program::check(&table.compile()).expect("the kernel takes it")
}

/// What the kernel does for an action.
fn encoded(action: Action) -> u32 {
    match action {
        Action::Allow => 0x7fff_0000,
        Action::Fail(error) => 0x0005_0000 | error as u32,
        Action::Trap => 0x0003_0000,
        Action::Kill => 0x8000_0000,
    }
}

fn call(number: u32, arguments: [u64; 6]) -> Description {
    Description { number, architecture: ARCHITECTURE, instruction_pointer: 0x1234_5678_9abc_def0, arguments }
}

fn expected(table: &Table, number: u32, arguments: [u64; 6]) -> u32 {
    encoded(table.entries.get(&number).map_or_else(unknown, |entry| entry.verdict.clone()).of(arguments))
}

/// All numbers up to one that no kernel has reached, and the edges of everything beyond.
fn numbers() -> impl Iterator<Item = u32> {
    (0..=1023).chain([1024, 4095, X32 - 1, 0x7fff_ffff, 0x8000_0000, u32::MAX])
}

#[test]
fn the_program_says_what_the_verdicts_say_for_all_numbers() {
    let arguments = [[0; 6], [1; 6], [OWN.into(); 6], [1 << 32; 6], [u64::MAX; 6], [0, 1, 2, 3, 4, 5]];
    for (name, policy) in policies() {
        let table = table(&policy);
        let program = program(&table);
        for number in numbers() {
            for arguments in arguments {
                let found = program.run(&call(number, arguments)).0;
                assert_eq!(found, expected(&table, number, arguments), "{name}: {number} with {arguments:x?}");
            }
        }
    }
}

#[test]
fn the_program_says_what_the_verdicts_say_at_the_edges_of_arguments() {
    for (name, policy) in policies() {
        let table = table(&policy);
        let program = program(&table);
        let mut checked = 0;
        for (number, entry) in &table.entries {
            for arguments in probes::arguments(&entry.verdict) {
                let found = program.run(&call(*number, arguments)).0;
                let wanted = encoded(entry.verdict.of(arguments));
                assert_eq!(found, wanted, "{name}: {} with {arguments:x?}", entry.call.name());
                checked += 1;
            }
        }
        assert!(checked > 5 * table.entries.len(), "{name}: {checked} calls were checked");
    }
}

#[test]
fn calls_of_another_architecture_end_the_process() {
    for (name, policy) in policies() {
        let program = program(&table(&policy));
        for architecture in [I386, X86_64, ARM, AARCH64, 0, u32::MAX] {
            if architecture == ARCHITECTURE {
                continue;
            }
            for number in numbers() {
                let call = Description { architecture, ..call(number, [0; 6]) };
                assert_eq!(program.run(&call).0, encoded(Action::Kill), "{name}: {architecture:#x}, {number}");
            }
        }
    }
}

#[test]
fn calls_of_x32_do_not_exist() {
    for (name, policy) in policies() {
        let program = program(&table(&policy));
        for number in (0..=1023).map(|number| X32 | number) {
            let found = program.run(&call(number, [0; 6])).0;
            assert_eq!(found, encoded(Action::Fail(libc::ENOSYS)), "{name}: {number:#x}");
        }
    }
}

#[test]
fn every_verdict_rule_and_condition_matters() {
    for (name, policy) in policies() {
        let table = table(&policy);
        for (number, entry) in &table.entries {
            let probes = probes::arguments(&entry.verdict);
            let differs = |without: &Verdict| probes.iter().any(|probe| without.of(*probe) != entry.verdict.of(*probe));
            let what = |part: &str| format!("{name}: {part} of {} ({number}) makes no difference", entry.call.name());
            assert!(differs(&unknown()), "{}", what("the verdict"));
            for (at, rule) in entry.verdict.rules.iter().enumerate() {
                let mut without = entry.verdict.clone();
                without.rules.remove(at);
                assert!(differs(&without), "{}", what(&format!("rule {at}")));
                for condition in 0..rule.when.len() {
                    let mut without = entry.verdict.clone();
                    without.rules[at].when.remove(condition);
                    assert!(differs(&without), "{}", what(&format!("condition {condition} of rule {at}")));
                }
            }
        }
    }
}

#[test]
fn a_table_without_one_verdict_makes_another_program() {
    let policy = policies()[0].1;
    let full = table(&policy);
    let numbers: Vec<u32> = full.entries.keys().copied().collect();
    for number in numbers {
        let mut less = table(&policy);
        let entry = less.entries.remove(&number).expect("it is in the table");
        let program = program(&less);
        let differs = |probe: &[u64; 6]| program.run(&call(number, *probe)).0 != expected(&full, number, *probe);
        assert!(probes::arguments(&entry.verdict).iter().any(differs), "without {}", entry.call.name());
    }
}

#[test]
fn no_way_through_a_program_is_long() {
    for (name, policy) in policies() {
        let table = table(&policy);
        let program = program(&table);
        let longest = numbers().map(|number| program.run(&call(number, [0; 6])).1).max();
        // A tree of 400 numbers is nine deep, and the longest list of values has about thirty.
        assert!(longest < Some(80) && program.len() < 1200, "{name}: {longest:?} of {}", program.len());
    }
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let net = prop_oneof![Just(Net::None), any::<bool>().prop_map(|listens| Net::Tcp { listens }), Just(Net::Any),];
    let refused = prop_oneof![Just(Refused::Error), Just(Refused::Explain), Just(Refused::Kill)];
    let flags = any::<[bool; 5]>();
    (flags, net, refused, 1..1_u32 << 22, 3..100).prop_map(|(flags, net, refused, own, channel)| {
        let [files, writes, processes, no_new_code, signals_are_scoped] = flags;
        Policy { files, writes, processes, net, no_new_code, signals_are_scoped, refused, own, channel }
    })
}

fn any_argument() -> impl Strategy<Value = u64> {
    prop_oneof![0..70_u64, any::<u32>().prop_map(u64::from), any::<u64>(), (0..64_u32).prop_map(|bit| 1 << bit)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn any_program_says_what_its_verdicts_say(
        policy in any_policy(),
        calls in proptest::collection::vec((0..500_u32, proptest::array::uniform6(any_argument())), 200),
    ) {
        let table = table(&policy);
        let program = program(&table);
        for (number, arguments) in calls {
            prop_assert_eq!(program.run(&call(number, arguments)).0, expected(&table, number, arguments));
        }
    }
}
