//! What must hold, whatever happens.

use std::time::Duration;

use proptest::{collection::vec, prelude::*};

use super::world::{AGENT_TIMING, End, World};

/// Rounds after which a world in which everything works has nothing left: a client that is gone is given up, and then
/// the outcomes for it.
const ROUNDS: u32 = 2000;

/// What may happen besides that packets arrive in any order, tasks end, and time passes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Faults {
    /// Packets are repeated.
    Repeats,
    /// Anything.
    All,
}

fn play(script: &[(u8, u16)], faults: Faults) -> World {
    let mut world = World::default();
    (0..2).for_each(|_| world.start_client());
    (0..2).for_each(|_| world.start_agent());
    for &(what, which) in script {
        let which = which as usize;
        match what {
            0..=3 => world.submit(which, (which % 3) as u32),
            4..=17 => world.arrive(which),
            18..=21 => world.finish(which, false),
            22 => world.cancel(which, which.is_multiple_of(2)),
            // A packet that is on its way for longer than the grace is as good as lost.
            23..=25 if faults == Faults::Repeats => world.wait(Duration::from_millis(1)),
            23..=25 => world.wait(Duration::from_millis(100 + which as u64 % 200)),
            26..=28 => world.repeat_packet(which),
            _ if faults == Faults::Repeats => {}
            29 | 30 => world.lose_packet(which),
            31 if which.is_multiple_of(3) => world.drop_run(which),
            31 => world.finish(which, true),
            32 => world.stop(which, (which.is_multiple_of(2)).then_some(Duration::from_secs(1))),
            33 => world.stop_or_continue_agent(which),
            34 => world.cut_or_connect_client(which),
            35 => world.lose_pulls(which),
            36 => world.engine.vanish(which),
            37 => world.wait(Duration::from_secs(which as u64 % 6)),
            38 if which.is_multiple_of(3) => world.crash_agent(which),
            38 => world.start_agent(),
            39 if which.is_multiple_of(4) => world.crash_client(which),
            39 if which % 4 == 1 => world.close(which),
            39 => world.leave(which),
            _ => (0..12).for_each(|_| world.wait(Duration::from_millis(450))),
        }
    }
    world.heal();
    let mut rounds = 0;
    while !world.is_quiet() {
        rounds += 1;
        assert!(rounds < ROUNDS, "something is left: {}", world.rest());
        world.settle();
    }
    world
}

fn scripts() -> impl Strategy<Value = Vec<(u8, u16)>> {
    vec((0..41u8, any::<u16>()), 0..250)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    /// The rules about single events are assertions of the world: a future ends once, with its own outcome; a cancelled
    /// task never runs; no attempt runs twice; no task runs more often than its retries allow.
    #[test]
    fn every_future_ends_and_nothing_is_left_whatever_happens(script in scripts()) {
        let world = play(&script, Faults::All);
        for journal in world.tasks.values().filter(|journal| world.clients.contains_key(&journal.client)) {
            match journal.end {
                Some(End::Outcome) => prop_assert!(!journal.runs.is_empty(), "an outcome without a run"),
                Some(End::Lost { attempts }) => prop_assert!(attempts <= 1 + journal.retries),
                Some(End::Cancelled) => {}
                None => prop_assert!(false, "a future has no end"),
            }
        }
    }

    #[test]
    fn without_losses_every_task_runs_once_unless_it_is_cancelled(script in scripts()) {
        let world = play(&script, Faults::Repeats);
        for journal in world.tasks.values() {
            match journal.end {
                Some(End::Outcome) => prop_assert_eq!(&journal.runs[..], [1]),
                Some(End::Cancelled) => prop_assert_eq!(&journal.runs[..], [0u32; 0]),
                end => prop_assert!(false, "it ends with {:?}", end),
            }
        }
    }
}

#[test]
fn the_time_of_a_simulation_is_enough_for_the_longest_wait() {
    let outcome_is_dropped = AGENT_TIMING.outcome_grace + AGENT_TIMING.repeat * 8 + AGENT_TIMING.client_grace * 4;
    assert!(Duration::from_millis(100) * ROUNDS > outcome_is_dropped * 3);
}
