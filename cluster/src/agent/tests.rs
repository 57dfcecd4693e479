//! Single events, whose consequences the simulation cannot show exactly.

use super::*;
use crate::wire::LONGEST_MESSAGE;

const GRANT: u32 = 1;

fn peer(name: &str) -> Peer {
    Peer::new("client", name).expect("a name")
}

fn ask(task: u64, number: u64) -> Ask {
    Ask { task: TaskId::from_u64(task), number }
}

struct World {
    agent: Agent<(), u64>,
    now: Duration,
}

impl World {
    fn new(slots: usize) -> World {
        World { agent: Agent::new(slots, LONGEST_MESSAGE, Timing::default()), now: Duration::ZERO }
    }

    /// Returns what must be done, in short.
    fn said(&mut self) -> Vec<String> {
        let say = |action| match action {
            Action::Pull(messages) => format!("pull {messages}"),
            Action::Acknowledge(delivery) => format!("acknowledge {delivery}"),
            Action::GiveBack(delivery, delay) => format!("give back {delivery} for {delay:?}"),
            Action::Send { record: ToClient::Ask(ask), .. } => format!("ask {} for {}", ask.number, ask.task),
            Action::Send { record: ToClient::Outcome { ask, died, .. }, .. } => {
                format!("outcome {}{}", ask.number, if died { " died" } else { "" })
            }
            Action::Send { record: ToClient::Returned(ask, why), .. } => format!("returned {} {why:?}", ask.number),
            Action::Send { record: ToClient::Alive, .. } => "alive".to_string(),
            Action::Run { run, attempt, .. } => format!("run {run} as {attempt}"),
            Action::Stop { run, grace } => format!("stop {run} after {grace:?}"),
            Action::Abandon { client, outcome } => format!("abandon {outcome:?} of {client}"),
        };
        self.agent.take_actions().into_iter().map(say).collect()
    }

    /// Delivers a task of the client `c`, whose delivery has the same number.
    fn deliver(&mut self, task: u64, priority: i32) -> Vec<String> {
        self.agent.deliver(peer("c"), TaskId::from_u64(task), priority, (), task);
        self.said()
    }

    fn receive(&mut self, from: &str, record: ToAgent) -> Vec<String> {
        self.agent.receive(&peer(from), record);
        self.said()
    }

    fn grant(&mut self, task: u64, number: u64) -> Vec<String> {
        self.receive("c", ToAgent::Grant { ask: ask(task, number), attempt: GRANT })
    }

    fn finish(&mut self, run: u64) -> Vec<String> {
        self.agent.finished(run, [0u8][..].into(), false, Duration::from_millis(50));
        self.said()
    }

    fn wait(&mut self, milliseconds: u64) -> Vec<String> {
        for _ in 0..milliseconds / 100 {
            self.now += Duration::from_millis(100);
            self.agent.tick(self.now);
        }
        self.said()
    }
}

#[test]
fn a_task_runs_once_it_is_granted_and_is_acknowledged_then() {
    let mut world = World::new(1);
    assert_eq!(world.wait(100), ["pull 2"]);
    assert_eq!(world.deliver(70, 0), ["ask 1 for 70"]);
    assert_eq!(world.grant(70, 1), ["acknowledge 70", "run 1 as 1"]);
    assert!(world.grant(70, 1).is_empty(), "it is repeated");
    assert!(world.receive("c", ToAgent::Deny(ask(70, 1))).is_empty(), "it is late");
    assert_eq!(world.finish(1), ["outcome 1", "pull 1"]);
    assert!(world.grant(70, 1).is_empty());
    assert!(!world.agent.is_idle());
    assert_eq!(world.receive("d", ToAgent::Received(ask(70, 1))), [""; 0], "it is another client");
    assert!(!world.agent.is_idle());
    world.receive("c", ToAgent::Received(ask(70, 1)));
    assert!(world.agent.is_idle());
}

#[test]
fn what_is_not_granted_by_its_own_client_does_not_run() {
    let mut world = World::new(1);
    world.wait(100);
    world.deliver(70, 0);
    world.deliver(71, 0);
    let forged = ToAgent::Grant { ask: ask(70, 1), attempt: 1 };
    assert_eq!(world.receive("d", forged), ["returned 1 NotStarted"]);
    assert_eq!(world.grant(99, 1), ["returned 1 NotStarted"], "it is another task");
    assert_eq!(world.grant(70, 33), ["returned 33 NotStarted"], "no one has asked");
    assert!(world.grant(71, 2).is_empty(), "it waits for a slot, and no one has asked");
    assert_eq!(world.receive("c", ToAgent::Deny(ask(70, 1))), ["acknowledge 70", "ask 2 for 71", "pull 1"]);
    assert_eq!(world.grant(70, 1), ["returned 1 NotStarted"], "it was denied");
}

#[test]
fn the_highest_priority_is_asked_for_first_and_then_the_oldest() {
    let mut world = World::new(1);
    world.wait(100);
    world.deliver(1, 0);
    for (task, priority) in [(2, 0), (3, 5), (4, 0), (5, 5)] {
        assert!(world.deliver(task, priority).is_empty());
    }
    let mut order = Vec::new();
    for (task, number) in [(1, 1), (3, 3), (5, 5), (2, 2), (4, 4)] {
        world.grant(task, number);
        order.extend(world.finish(number).into_iter().filter(|said| said.starts_with("ask")));
    }
    assert_eq!(order, ["ask 3 for 3", "ask 5 for 5", "ask 2 for 2", "ask 4 for 4"]);
}

#[test]
fn questions_and_outcomes_are_repeated_and_a_message_goes_back_in_time() {
    let mut world = World::new(1);
    world.wait(100);
    world.deliver(70, 0);
    let said = world.wait(7900);
    assert_eq!(said, ["ask 1 for 70"; 7]);
    assert_eq!(world.wait(200), ["give back 70 for 0ns", "pull 1"]);
    world.deliver(70, 0);
    world.grant(70, 2);
    world.finish(2);
    assert_eq!(world.wait(20_000), ["outcome 2"; 4], "with longer and longer pauses");
}

#[test]
fn an_outcome_that_no_one_takes_is_dropped_and_its_task_counts_as_lost() {
    let mut world = World::new(1);
    world.wait(100);
    world.deliver(70, 0);
    world.grant(70, 1);
    world.finish(1);
    world.wait(60_000);
    world.receive("c", ToAgent::Ping);
    world.wait(100_000);
    assert!(!world.agent.is_idle(), "its client was there a moment ago");
    world.wait(30_000);
    assert!(world.agent.is_idle());
    assert_eq!(world.grant(70, 1), ["returned 1 Lost"]);
    assert_eq!(world.receive("c", ToAgent::Ping), ["alive"]);
}

#[test]
fn the_tasks_of_a_client_that_is_gone_are_given_back_and_later_dropped() {
    let mut world = World::new(1);
    world.wait(100);
    for _ in 0..7 {
        world.deliver(70, 0);
        world.agent.unreachable(&peer("c"));
        assert_eq!(world.said(), ["give back 70 for 4s", "pull 1"]);
        world.wait(4000);
    }
    world.wait(3000);
    world.deliver(70, 0);
    world.agent.unreachable(&peer("c"));
    assert_eq!(world.said(), ["acknowledge 70", "pull 1"]);
    // It is back.
    world.receive("c", ToAgent::Ping);
    world.deliver(70, 0);
    world.agent.unreachable(&peer("c"));
    assert_eq!(world.said(), ["give back 70 for 4s", "pull 1"]);
}

#[test]
fn a_stop_counts_once_unless_it_is_stricter() {
    let mut world = World::new(1);
    world.wait(100);
    world.deliver(70, 0);
    let stop = |world: &mut World, grace: Option<u64>| {
        world.receive("c", ToAgent::Stop(ask(70, 1), grace.map(Duration::from_secs)))
    };
    assert!(stop(&mut world, None).is_empty(), "it does not run");
    world.grant(70, 1);
    assert_eq!(stop(&mut world, None), ["stop 1 after None"]);
    assert!(stop(&mut world, None).is_empty());
    assert_eq!(stop(&mut world, Some(9)), ["stop 1 after Some(9s)"]);
    assert!(stop(&mut world, None).is_empty());
    assert!(stop(&mut world, Some(9)).is_empty());
    assert_eq!(stop(&mut world, Some(1)), ["stop 1 after Some(1s)"]);
}

#[test]
fn a_run_that_the_executor_drops_has_not_started_and_never_does() {
    let mut world = World::new(1);
    world.wait(100);
    world.deliver(70, 0);
    world.grant(70, 1);
    world.agent.not_started(1);
    assert_eq!(world.said(), ["returned 1 NotStarted", "pull 1"]);
    assert!(world.agent.is_idle());
    assert_eq!(world.grant(70, 1), ["returned 1 NotStarted"]);
    world.agent.not_started(1);
    assert!(world.said().is_empty() && world.finish(1).is_empty());
}

#[test]
fn an_agent_that_leaves_gives_back_what_has_not_started() {
    let mut world = World::new(1);
    world.wait(100);
    world.deliver(70, 0);
    world.grant(70, 1);
    world.deliver(71, 0);
    world.agent.leave();
    assert_eq!(world.said(), ["give back 71 for 0ns"]);
    assert_eq!(world.deliver(72, 0), ["give back 72 for 0ns"]);
    assert_eq!(world.finish(1), ["outcome 1"]);
    world.receive("c", ToAgent::Received(ask(70, 1)));
    assert!(world.agent.is_idle() && world.wait(1000).is_empty());
}

#[test]
fn pulls_that_ended_are_made_up_for() {
    let mut world = World::new(2);
    assert_eq!(world.wait(100), ["pull 4"]);
    assert!(world.wait(1000).is_empty());
    world.agent.pulls_ended(3);
    assert_eq!(world.wait(100), ["pull 3"]);
    world.agent.pulls_ended(99);
    assert_eq!(world.wait(100), ["pull 4"]);
}

#[test]
fn an_outcome_that_is_too_long_becomes_an_error_that_says_what_to_do() {
    let mut world = World::new(1);
    world.wait(100);
    world.deliver(70, 0);
    world.grant(70, 1);
    world.agent.finished(1, vec![0; LONGEST_MESSAGE - FRAME_OVERHEAD + 1].into(), false, Duration::ZERO);
    let Some(Action::Send { record: ToClient::Outcome { outcome: sent, .. }, .. }) =
        world.agent.take_actions().into_iter().next()
    else {
        panic!("an outcome")
    };
    assert!(outcome::is_error(&sent) && sent.len() < 1000);
}

#[test]
fn outcomes_that_no_client_takes_do_not_fill_the_memory() {
    let mut world = World::new(1);
    world.wait(100);
    let long = vec![0; 1_000_000];
    let mut tasks = 0;
    while world.deliver(tasks + 1, 0).iter().any(|said| said.starts_with("ask")) {
        tasks += 1;
        world.grant(tasks, tasks);
        world.agent.finished(tasks, long[..].into(), false, Duration::from_millis(50));
    }
    assert_eq!(tasks, (MOST_KEPT / 1_000_000) as u64 + 1);
    assert!(world.wait(100).iter().all(|said| !said.starts_with("pull")));
    world.receive("c", ToAgent::Received(ask(1, 1)));
    assert!(world.receive("c", ToAgent::Ping).contains(&"alive".to_string()));
    assert!(world.agent.asked == 1, "there is room again");
}

#[test]
fn what_an_outcome_has_in_a_store_is_removed_when_its_client_is_gone() {
    let mut world = World::new(1);
    world.wait(100);
    for task in [70, 71] {
        world.deliver(task, 0);
        world.grant(task, task - 69);
    }
    world.finish(1);
    world.grant(71, 2);
    world.agent.finished(2, [7_u8, 2][..].into(), false, Duration::from_millis(50));
    world.receive("c", ToAgent::Received(ask(70, 1)));
    let said = world.wait(200_000);
    let abandoned: Vec<_> = said.iter().filter(|said| said.starts_with("abandon")).collect();
    assert!(
        abandoned.len() == 1 && abandoned[0].contains("2 bytes") && abandoned[0].ends_with("client.c"),
        "{abandoned:?}"
    );
    assert!(world.agent.is_idle());
    assert_eq!(world.grant(71, 2), ["returned 2 Lost"]);
}

#[test]
fn an_agent_that_has_nothing_and_remembers_no_client_needs_no_time() {
    let mut world = World::new(1);
    assert_eq!(world.wait(100), ["pull 2"]);
    assert!(!world.agent.needs_time());
    world.agent.pulls_ended(2);
    assert!(world.agent.needs_time(), "it asks again");
    assert_eq!(world.wait(100), ["pull 2"]);
    assert!(!world.agent.needs_time());
    world.deliver(70, 0);
    assert!(world.agent.needs_time());
    world.grant(70, 1);
    world.finish(1);
    world.receive("c", ToAgent::Received(ask(70, 1)));
    assert!(world.agent.is_idle() && world.agent.needs_time(), "it remembers the client");
    world.wait(120_000);
    assert!(!world.agent.needs_time());
}

#[test]
fn short_tasks_are_asked_for_many_at_a_time() {
    let mut world = World::new(2);
    let asks = |said: Vec<String>| said.into_iter().filter(|said| said.starts_with("ask")).count();
    let finish = |world: &mut World, number| {
        world.grant(number, number);
        world.agent.finished(number, [0u8][..].into(), false, Duration::from_micros(1));
        asks(world.said())
    };
    world.wait(100);
    for number in 1..=100 {
        assert_eq!(asks(world.deliver(number, 0)), 1);
        finish(&mut world, number);
    }
    // The slots, and 128 ahead for each.
    let (most, part) = (2 * 129, 2 * 128 / ASKS);
    let asked: usize = (101..=600).map(|number| asks(world.deliver(number, 0))).sum();
    assert_eq!(asked, most - part + 1, "there is not much room for more");
    assert_eq!(finish(&mut world, 101), part);
    let later: Vec<usize> = (102..=102 + part as u64).map(|number| finish(&mut world, number)).collect();
    assert_eq!(later.iter().filter(|asks| **asks > 0).collect::<Vec<_>>(), [&part]);
}
