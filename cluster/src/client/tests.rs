//! Single events, whose consequences the simulation cannot show exactly.

use std::{cell::Cell, rc::Rc};

use super::*;

#[derive(Clone, Debug, Default)]
struct Ticket {
    is_cancelled: Rc<Cell<bool>>,
}

impl Startable for Ticket {
    fn begin(&self) -> bool {
        !self.is_cancelled.get()
    }
    fn recall(&self) -> bool {
        true
    }
}

const TASK: TaskId = TaskId::from_u64(7);

fn peer(name: &str) -> Peer {
    Peer::new("worker", name).expect("a name")
}

fn ask(number: u64) -> Ask {
    Ask { task: TASK, number }
}

struct World {
    client: Client<Ticket, ()>,
    ticket: Ticket,
    now: Duration,
}

impl World {
    /// A client with a task that is in the engine's queue.
    fn new(retries: u32) -> World {
        let mut client = Client::new(Timing::default());
        let ticket = Ticket::default();
        client.connection(true);
        client.submit(TASK, ticket.clone(), retries, ());
        let mut world = World { client, ticket, now: Duration::ZERO };
        assert_eq!(world.said(), ["publish"]);
        world.client.stored(TASK);
        world
    }

    /// Returns what must be done, in short.
    fn said(&mut self) -> Vec<String> {
        let say = |action| match action {
            Action::Publish { .. } => "publish".to_string(),
            Action::Send { to, record: ToAgent::Grant { ask, attempt } } => {
                format!("grant {} to {} as {attempt}", ask.number, to.process())
            }
            Action::Send { to, record: ToAgent::Deny(ask) } => format!("deny {} to {}", ask.number, to.process()),
            Action::Send { to, record: ToAgent::Ping } => format!("ping {}", to.process()),
            Action::Send { record: ToAgent::Received(ask), .. } => format!("received {}", ask.number),
            Action::Send { record: ToAgent::Stop(ask, grace), .. } => format!("stop {} after {grace:?}", ask.number),
            Action::Complete { outcome, .. } => format!("complete {:?}", &*outcome),
            Action::Lose { loss, .. } => format!("lose after {} with {}", loss.attempts, loss.agent.process()),
            Action::Cancel(_) => "cancel".to_string(),
            Action::Discard(_) => "discard".to_string(),
            Action::Count(check) => format!("count {check}"),
        };
        self.client.take_actions().into_iter().map(say).collect()
    }

    fn receive(&mut self, from: &str, record: ToClient) -> Vec<String> {
        self.client.receive(&peer(from), record);
        self.said()
    }

    fn outcome(&mut self, from: &str, number: u64, died: bool) -> Vec<String> {
        self.receive(from, ToClient::Outcome { ask: ask(number), died, outcome: [1u8][..].into() })
    }

    /// Lets time pass in small steps, and leaves out checks of the store.
    fn wait(&mut self, milliseconds: u64) -> Vec<String> {
        for _ in 0..milliseconds / 100 {
            self.now += Duration::from_millis(100);
            self.client.tick(self.now);
        }
        self.said().into_iter().filter(|said| !said.starts_with("count")).collect()
    }
}

#[test]
fn a_task_is_granted_to_one_ask_and_the_answer_can_be_repeated() {
    let mut world = World::new(0);
    assert_eq!(world.receive("a", ToClient::Ask(ask(1))), ["grant 1 to a as 1"]);
    assert_eq!(world.receive("a", ToClient::Ask(ask(1))), ["grant 1 to a as 1"]);
    assert_eq!(world.receive("a", ToClient::Ask(ask(2))), ["deny 2 to a"]);
    assert_eq!(world.receive("b", ToClient::Ask(ask(1))), ["deny 1 to b"]);
    assert_eq!(world.client.counts(), Counts { queued: 0, granted: 1 });
    assert!(world.client.left_queue(TASK).is_none(), "it has started");
    // Another agent, or another run of the same one, has no outcome for it.
    assert_eq!(world.outcome("b", 1, false), ["received 1"]);
    assert_eq!(world.outcome("a", 2, false), ["received 2"]);
    assert_eq!(world.outcome("a", 1, false), ["received 1", "complete [1]"]);
    assert_eq!(world.outcome("a", 1, false), ["received 1"]);
    assert_eq!(world.receive("a", ToClient::Ask(ask(1))), ["deny 1 to a"]);
    assert_eq!(world.client.counts(), Counts::default());
}

#[test]
fn a_cancelled_task_is_denied_even_before_the_client_is_told() {
    let mut world = World::new(0);
    assert!(world.client.left_queue(TASK).is_some());
    assert_eq!(world.receive("a", ToClient::Ask(ask(1))), ["deny 1 to a"]);
    let mut world = World::new(0);
    world.ticket.is_cancelled.set(true);
    assert_eq!(world.receive("a", ToClient::Ask(ask(1))), ["discard", "deny 1 to a"]);
    assert!(world.client.left_queue(TASK).is_none());
}

#[test]
fn an_agent_that_does_not_answer_is_lost_and_costs_an_attempt() {
    let mut world = World::new(1);
    world.receive("a", ToClient::Ask(ask(1)));
    let said = world.wait(9000);
    assert_eq!(said[..2], ["ping a", "grant 1 to a as 1"]);
    assert!(!said.contains(&"publish".to_string()));
    // Any record is a sign of life.
    assert!(world.receive("a", ToClient::Alive).is_empty());
    assert!(!world.wait(9000).contains(&"publish".to_string()));
    assert!(world.wait(1500).contains(&"publish".to_string()));
    assert_eq!(world.outcome("a", 1, false), ["received 1"], "it is too late");
    assert_eq!(world.receive("b", ToClient::Ask(ask(5))), ["grant 5 to b as 2"]);
    let said = world.wait(10_500);
    assert_eq!(said.last().map(String::as_str), Some("lose after 2 with b"));
    assert_eq!(world.client.counts(), Counts::default());
}

#[test]
fn no_agent_is_lost_while_the_client_cannot_hear_it() {
    let mut world = World::new(0);
    world.receive("a", ToClient::Ask(ask(1)));
    world.client.connection(false);
    assert!(world.wait(60_000).is_empty());
    world.client.connection(true);
    assert!(world.wait(9000).iter().all(|said| !said.starts_with("lose")));
    // Its process was stopped for an hour.
    world.now += Duration::from_secs(3600);
    world.receive("a", ToClient::Alive);
    assert!(world.wait(9000).iter().all(|said| !said.starts_with("lose")));
}

#[test]
fn what_was_not_started_returns_without_costing_an_attempt_and_what_was_lost_does_not() {
    let mut world = World::new(0);
    world.receive("a", ToClient::Ask(ask(1)));
    assert!(world.receive("b", ToClient::Returned(ask(1), Returned::NotStarted)).is_empty());
    assert!(world.receive("a", ToClient::Returned(ask(9), Returned::NotStarted)).is_empty());
    assert_eq!(world.receive("a", ToClient::Returned(ask(1), Returned::NotStarted)), ["publish"]);
    assert_eq!(world.receive("a", ToClient::Ask(ask(2))), ["grant 2 to a as 1"]);
    assert_eq!(world.receive("a", ToClient::Returned(ask(2), Returned::Lost)), ["lose after 1 with a"]);
}

#[test]
fn a_death_costs_an_attempt_and_the_last_one_is_the_outcome() {
    let mut world = World::new(1);
    world.receive("a", ToClient::Ask(ask(1)));
    assert_eq!(world.outcome("a", 1, true), ["received 1", "publish"]);
    assert_eq!(world.receive("a", ToClient::Ask(ask(2))), ["grant 2 to a as 2"]);
    assert_eq!(world.outcome("a", 2, true), ["received 2", "complete [1]"]);
}

#[test]
fn a_stop_is_repeated_gets_stricter_and_ends_the_retries() {
    let mut world = World::new(5);
    assert!(!world.client.stop(TASK, None), "it is queued");
    world.receive("a", ToClient::Ask(ask(1)));
    assert!(world.client.stop(TASK, None));
    assert!(world.client.stop(TASK, Some(Duration::from_secs(5))));
    world.client.stop_all(Some(Duration::from_secs(9)));
    assert_eq!(world.said(), ["stop 1 after None", "stop 1 after Some(5s)", "stop 1 after Some(5s)"]);
    assert_eq!(world.wait(500), ["ping a", "grant 1 to a as 1", "stop 1 after Some(5s)"]);
    assert_eq!(world.outcome("a", 1, true), ["received 1", "complete [1]"]);
    // One that has not started is cancelled instead.
    let mut world = World::new(5);
    world.receive("a", ToClient::Ask(ask(1)));
    world.client.stop(TASK, None);
    assert_eq!(world.receive("a", ToClient::Returned(ask(1), Returned::NotStarted)), ["stop 1 after None", "cancel"]);
}

#[test]
fn a_closed_queue_cancels_what_is_queued_now_and_later() {
    let mut world = World::new(3);
    world.client.close_queue();
    assert_eq!(world.said(), ["cancel"]);
    let mut world = World::new(3);
    world.receive("a", ToClient::Ask(ask(1)));
    world.client.close_queue();
    assert!(world.said().is_empty(), "what runs goes on");
    assert_eq!(world.outcome("a", 1, true), ["received 1", "cancel"]);
}

#[test]
fn what_the_engine_does_not_confirm_is_published_again() {
    let mut world = World::new(0);
    assert!(world.wait(20_000).is_empty(), "it is stored");
    let mut client: Client<Ticket, ()> = Client::new(Timing::default());
    client.submit(TASK, Ticket::default(), 0, ());
    let mut world = World { client, ticket: Ticket::default(), now: Duration::ZERO };
    assert!(world.wait(5000).is_empty(), "it is not connected");
    world.client.connection(true);
    assert_eq!(world.said(), ["publish"]);
    assert_eq!(world.wait(4100), ["publish", "publish"]);
    world.client.connection(false);
    world.client.connection(true);
    assert_eq!(world.said(), ["publish"]);
}

#[test]
fn a_task_that_has_vanished_from_the_store_is_published_again() {
    let mut world = World::new(0);
    let check = |world: &mut World| {
        world.now += Duration::from_millis(100);
        world.client.connection(false);
        world.client.connection(true);
        world.client.tick(world.now);
        world.said()
    };
    assert_eq!(check(&mut world), ["count 1"]);
    world.client.counted(1, 1);
    assert!(world.said().is_empty());
    assert_eq!(check(&mut world), ["count 2"]);
    world.client.counted(1, 0);
    assert!(world.said().is_empty(), "it is the answer to another question");
    world.client.counted(2, 0);
    world.client.counted(2, 0);
    assert_eq!(world.said(), ["publish"]);
    // It is not confirmed, so it is not missed, but published again by itself.
    assert_eq!(check(&mut world), ["publish", "count 3"]);
    world.client.counted(3, 0);
    assert!(world.said().is_empty());
}

#[test]
fn a_task_that_younger_ones_overtake_is_published_again_and_no_other() {
    let timing = Timing::default();
    let mut client: Client<Ticket, ()> = Client::new(timing);
    client.connection(true);
    let task = |n: u64| TaskId::from_u64(n);
    let mut now = Duration::ZERO;
    // Each is confirmed before the next one is published.
    for n in 0..10 {
        client.submit(task(n), Ticket::default(), 0, ());
        client.stored(task(n));
    }
    let _ = client.take_actions();
    // The engine delivers 0 to 6, but 2 and 3 have vanished.
    for n in [0, 1, 4, 5, 6] {
        client.receive(&peer("a"), ToClient::Ask(Ask { task: task(n), number: n }));
    }
    let mut published = Vec::new();
    let mut checks = 0;
    while checks < 4 {
        now += Duration::from_millis(100);
        client.receive(&peer("a"), ToClient::Alive);
        client.tick(now);
        for action in client.take_actions() {
            match action {
                Action::Publish { task, .. } => {
                    published.push((checks, task.as_u64()));
                    client.stored(task);
                }
                Action::Count(_) => checks += 1,
                _ => {}
            }
        }
    }
    // The first check sees that younger ones were delivered, and the second one that the older ones are not there yet.
    assert_eq!(published, [(2, 2), (2, 3)]);
    assert!(now > timing.check_store * 2);
}

#[test]
fn many_tasks_are_published_a_few_at_a_time_and_those_of_a_high_priority_first() {
    #[derive(Debug)]
    struct Urgent(i32);
    impl Startable for Urgent {
        fn begin(&self) -> bool {
            true
        }
        fn recall(&self) -> bool {
            true
        }
        fn priority(&self) -> i32 {
            self.0
        }
    }
    fn published(client: &mut Client<Urgent, ()>) -> Vec<u64> {
        let number = |action| match action {
            Action::Publish { task, .. } => Some(task.as_u64()),
            _ => None,
        };
        client.take_actions().into_iter().filter_map(number).collect()
    }
    let mut client: Client<Urgent, ()> = Client::new(Timing::default());
    for n in 0..10_000 {
        client.submit(TaskId::from_u64(n), Urgent((n / 5000) as i32), 0, ());
    }
    assert!(published(&mut client).is_empty(), "there is no connection");
    client.connection(true);
    let first = published(&mut client);
    assert!(first.len() < 200 && first.iter().copied().eq(5000..5000 + first.len() as u64), "{first:?}");
    // The engine has no room for the last one, and confirms the others.
    let (last, others) = first.split_last().expect("some were published");
    client.refused(TaskId::from_u64(*last));
    others.iter().for_each(|task| client.stored(TaskId::from_u64(*task)));
    let next = published(&mut client);
    assert_eq!(next.first(), Some(last));
    // A new connection repeats what was not confirmed, in the same order.
    client.connection(false);
    client.connection(true);
    let again = published(&mut client);
    assert!(again.starts_with(&next), "{again:?}");
    assert_eq!(client.counts().queued, 10_000);
}
