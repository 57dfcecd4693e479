//! Who listens to the workers.
//!
//! Each worker has an [`Ear`]: the receiving end of its link, and what has arrived and is not understood yet. Mostly
//! the supervisor listens. A thread that waits for a result listens too, for a short while before it sleeps: then the
//! result of a short task comes to the one who wants it without a third thread in between, and without a system call.
//! What it hears of other tasks on the way it passes on.
//!
//! For as long as somebody listens, workers need not ring. So whoever stops listening without having what it waits for
//! asks for the bell; one who has it mostly comes back at once with the next task, and leaves that to the supervisor,
//! who rests for a moment ([`LONG_REST`]) instead of sleeping while others listen, and asks for the bell when nobody
//! has.

use std::{
    io,
    time::{Duration, Instant},
};

use executor_core::{Error, host::Waiting, spin::SpinBudget};

use super::{Answer, Ending, Leftovers, Phase, Pool, Stage, unit::unplace};
use crate::{
    frame::{Replies, ReplyKind},
    transport::Inbox,
};

/// How long the supervisor rests where so much comes at once that being woken for each would cost more than the task.
pub(crate) const REST: Duration = Duration::from_micros(100);

/// How long it rests where others listen.
pub(crate) const LONG_REST: Duration = Duration::from_micros(300);

/// So many outcomes at once are much.
const MUCH: usize = 8;

/// See the [module](self).
pub(crate) struct Ear {
    inbox: Box<dyn Inbox>,
    replies: Replies,
    /// Whether the worker has said that it takes tasks. What it says before is the supervisor's business.
    is_ready: bool,
    /// Whether it has said something that makes no sense.
    is_spoiled: bool,
    /// Whether the bell was asked for.
    is_armed: bool,
    /// Whether somebody else than the supervisor has heard something since the supervisor last looked.
    attended: bool,
    /// How many others listen at this moment.
    attending: usize,
    /// Whether the supervisor is going to look soon, without being called.
    is_looked_after: bool,
    /// Whether the supervisor was called and left it to those who listen.
    is_left_to_others: bool,
    /// Whether nobody else may listen.
    is_the_supervisors: bool,
}

/// What was heard.
#[derive(Default)]
pub(crate) struct Heard {
    /// How many bytes have come.
    pub(crate) bytes: usize,
    /// Tasks that are done, to be [settled](Pool::settle) when nothing is locked.
    pub(crate) endings: Vec<Ending>,
    /// Whether the worker has said that it takes tasks.
    pub(crate) is_ready: bool,
    /// Why it cannot.
    pub(crate) not_ready: Option<Error>,
    /// Whether it is not to be listened to any more.
    pub(crate) nonsense: bool,
    /// Whether the supervisor has something to do about it.
    concerns_supervisor: bool,
    leftovers: Leftovers,
}

impl Ear {
    /// `longest` is how many bytes a reply may have.
    pub(crate) fn new(inbox: Box<dyn Inbox>, longest: u64) -> Ear {
        Ear {
            inbox,
            replies: Replies::up_to(longest),
            is_ready: false,
            is_spoiled: false,
            is_armed: false,
            attended: false,
            attending: 0,
            is_looked_after: false,
            is_left_to_others: false,
            is_the_supervisors: false,
        }
    }

    /// For a worker that reports nothing: the supervisor has to know how much it has written when it answers.
    pub(crate) fn keep_to_the_supervisor(&mut self) {
        self.is_the_supervisors = true;
    }

    /// Whether a part of a reply has come.
    pub(crate) fn is_in_a_reply(&self) -> bool {
        self.replies.is_in_a_reply()
    }

    /// Takes the bells that have rung, before the supervisor listens. False: others listen, so it may look again later.
    pub(crate) fn hush(&mut self) -> bool {
        self.inbox.hush();
        if std::mem::take(&mut self.attended) {
            return false;
        }
        // Not always, for whoever listens may have lost the processor.
        self.is_left_to_others = self.attending > 0 && !self.is_left_to_others;
        !self.is_left_to_others
    }

    /// Whether the supervisor, who has heard so many outcomes this time, is to look again soon, rather than to be
    /// called. Otherwise ask for the bell.
    pub(crate) fn is_to_be_looked_after(&mut self, outcomes: usize) -> bool {
        self.is_looked_after = (std::mem::take(&mut self.attended) || outcomes >= MUCH) && self.disarm();
        self.is_looked_after
    }

    /// Asks for the bell. False: something has come by now.
    pub(crate) fn arm(&mut self) -> bool {
        self.is_armed = true;
        self.inbox.arm()
    }

    /// Does without the bell. False: this one rings in any case.
    fn disarm(&mut self) -> bool {
        self.is_armed = self.is_armed && !self.inbox.disarm();
        !self.is_armed
    }
}

impl Pool {
    /// Begins to listen to a worker.
    pub(crate) fn open_ear(&self, unit: usize, ear: Ear) {
        *self.ears[unit].lock() = Some(ear);
    }

    /// Does something with an ear, if there is one.
    pub(crate) fn with_ear<R>(&self, unit: usize, action: impl FnOnce(&mut Ear) -> R) -> Option<R> {
        self.ears.get(unit)?.lock().as_mut().map(action)
    }

    /// Nobody is there any more.
    pub(crate) fn close_ear(&self, unit: usize) {
        *self.ears[unit].lock() = None;
    }

    /// Takes what has come from a worker, and gives the waiting tasks to those who have room now. What is left to do is
    /// for [`act_on`](Pool::act_on), when the ear is not locked any more.
    pub(crate) fn hear(&self, unit: usize, ear: &mut Ear) -> io::Result<Heard> {
        let mut heard = Heard { nonsense: ear.is_spoiled, ..Heard::default() };
        if heard.nonsense {
            return Ok(heard);
        }
        let (into, most) = ear.replies.space();
        heard.bytes = ear.inbox.receive(into, most)?;
        if heard.bytes > 0 {
            self.understand(unit, ear, &mut heard);
        }
        Ok(heard)
    }

    /// Deals with the replies that have arrived as a whole.
    fn understand(&self, unit: usize, ear: &mut Ear, heard: &mut Heard) {
        let now = Instant::now();
        let mut state = self.state.lock();
        let (before, was_idle) = (state.units[unit].stalled(now), state.units[unit].was_idle);
        loop {
            let place = &mut state.units[unit];
            match ear.replies.cut() {
                Ok(None) => break,
                Ok(Some((reply, body))) => match reply.kind {
                    ReplyKind::Ready if ear.is_ready => heard.nonsense = true,
                    ReplyKind::Ready => {
                        heard.is_ready = true;
                        ear.is_ready = true;
                        place.was_ready = true;
                        if place.stage == Stage::Starting {
                            place.stage = Stage::Ready;
                        }
                    }
                    ReplyKind::NotReady if !place.was_ready => heard.not_ready = Some(Error::decode(&body)),
                    ReplyKind::NotReady => heard.nonsense = true,
                    kind if !place.expects(kind == ReplyKind::Outcomes) => heard.nonsense = true,
                    ReplyKind::Outcome | ReplyKind::Outcomes => match place.answered(reply.sequence, body, now) {
                        Some(Answer::Whole(job, reply)) => heard.endings.push(Ending::Reply(job.task, reply)),
                        Some(Answer::Part) => {}
                        None => heard.nonsense = true,
                    },
                },
                Err(_) => heard.nonsense = true,
            }
            if heard.nonsense {
                ear.is_spoiled = true;
                break;
            }
        }
        if let Some(begun) = ear.replies.begun()
            && let Some(memory) = state.units[unit].spare_memory(begun.sequence, begun.body)
        {
            ear.replies.lend(memory);
        }
        state.units[unit].bytes_received += heard.bytes as u64;
        if !heard.endings.is_empty() {
            heard.endings.iter().for_each(|ending| state.tally.count(ending));
            state.adapt_depth(unit, heard.endings.len(), before, was_idle);
        }
        state.dispatch(now, &mut heard.leftovers);
        let most = state.limits.max_tasks_per_worker;
        heard.concerns_supervisor =
            heard.nonsense || state.phase > Phase::Open || state.broken.is_some() || state.units[unit].is_spent(most);
        self.announce_room(&state);
    }

    /// Does what is left to do after hearing something. Nothing is locked.
    pub(crate) fn act_on(&self, unit: usize, heard: &mut Heard) {
        self.deal_with(std::mem::take(&mut heard.leftovers));
        self.settle(Some(unit), std::mem::take(&mut heard.endings));
    }

    /// Listens on behalf of a thread that waits, for as long as its patience lasts and then for as long as something
    /// comes. True: what it waits for is there.
    pub(super) fn attend(&self, waiting: &Waiting<'_>, patience: &mut SpinBudget) -> bool {
        let mut place = None;
        // Where the supervisor is woken in any case, two that read replies are in each other's way.
        let is_superfluous = |ear: &mut Ear| !ear.inbox.can_disarm();
        if waiting.polls_one_of_many() && self.with_ear(unplace(waiting.place()).0, is_superfluous) == Some(true) {
            return waiting.is_ready();
        }
        loop {
            let mut progress = false;
            let found = patience.spin(|| {
                if waiting.is_ready() {
                    return true;
                }
                let (unit, _) = unplace(waiting.place());
                if place != Some(unit) {
                    if let Some(before) = place.replace(unit) {
                        self.stop_attending(before, false);
                    }
                    self.with_ear(unit, |ear| ear.attending += 1);
                }
                progress |= self.attend_once(unit);
                waiting.is_ready()
            });
            if found || !progress || waiting.has_timed_out() {
                if let Some(unit) = place {
                    self.stop_attending(unit, found);
                }
                return found;
            }
        }
    }

    /// Takes what all workers have said, on the way of somebody who does something else. Who is called by the next bell
    /// stays as it is, for nobody looks whether there is one.
    pub(super) fn listen_around(&self) {
        for unit in 0..self.ears.len() {
            if let Some(mut heard) = self.listen_in(unit, |_| ()) {
                self.pass_on(unit, &mut heard);
            }
        }
    }

    /// Takes what a worker has said, and sends it what it has room for. True: there was something.
    fn attend_once(&self, unit: usize) -> bool {
        let Some(mut heard) = self.listen_in(unit, |ear| {
            ear.disarm();
        }) else {
            return false;
        };
        let moved = heard.bytes > 0;
        self.pass_on(unit, &mut heard);
        moved | self.pump(unit)
    }

    fn listen_in(&self, unit: usize, prepare: impl FnOnce(&mut Ear)) -> Option<Heard> {
        // Somebody else is listening already, or it has ended.
        let mut slot = self.ears.get(unit)?.try_lock()?;
        let ear = slot.as_mut().filter(|ear| ear.is_ready && !ear.is_spoiled && !ear.is_the_supervisors)?;
        prepare(ear);
        if !ear.inbox.has_something() {
            return None;
        }
        ear.attended = true;
        // The supervisor meets the same error.
        let heard = self.hear(unit, ear);
        Some(heard.unwrap_or_else(|_| Heard { concerns_supervisor: true, ..Heard::default() }))
    }

    /// Does what somebody else than the supervisor can do, and leaves the rest to it.
    fn pass_on(&self, unit: usize, heard: &mut Heard) {
        self.act_on(unit, heard);
        if heard.concerns_supervisor {
            self.call_supervisor_to(unit);
        }
    }

    fn call_supervisor_to(&self, unit: usize) {
        self.state.lock().backlogged.push(unit);
        self.notify();
    }

    /// Sends the rest of what did not fit. True: there was room for some.
    fn pump(&self, unit: usize) -> bool {
        let Some(mut state) = self.state.try_lock() else { return false };
        let Some(place) = state.units.get_mut(unit).filter(|place| place.has_backlog()) else { return false };
        let before = place.bytes_sent;
        place.pump();
        place.bytes_sent != before
    }

    /// Asks for the bell, unless this thread is most likely back soon and the supervisor is going to look if it is not.
    fn stop_attending(&self, unit: usize, is_back_soon: bool) {
        /// What comes faster than this can take it is left to the supervisor.
        const ROUNDS: usize = 4;
        let is_looked_after = self.with_ear(unit, |ear| {
            // Another worker may have taken the place, whom nobody has listened to yet.
            ear.attending = ear.attending.saturating_sub(1);
            ear.is_looked_after
        });
        if is_back_soon && is_looked_after == Some(true) {
            return;
        }
        for _ in 0..ROUNDS {
            let heard = self.with_ear(unit, |ear| {
                if ear.is_armed || ear.arm() {
                    return None;
                }
                Some(self.hear(unit, ear).unwrap_or_else(|_| Heard { concerns_supervisor: true, ..Heard::default() }))
            });
            match heard.flatten() {
                None => {
                    let mut state = self.state.lock();
                    let place = &mut state.units[unit];
                    if place.has_backlog() && place.want_room() {
                        drop(state);
                        self.call_supervisor_to(unit);
                    }
                    return;
                }
                Some(mut heard) => self.pass_on(unit, &mut heard),
            }
        }
        self.call_supervisor_to(unit);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    };

    use parking_lot::Mutex;

    use super::{
        super::{Limits, Unit},
        *,
    };
    use crate::frame::Reply;

    /// What a worker has said, and whether it would ring.
    #[derive(Clone, Default)]
    struct Link {
        said: Arc<Mutex<Vec<u8>>>,
        rings: Arc<AtomicBool>,
    }

    impl Link {
        fn say_ready(&self) {
            let ready = Reply { kind: ReplyKind::Ready, sequence: 0, body: 0 };
            self.said.lock().extend_from_slice(&ready.to_bytes());
        }

        /// Something that does not change anything: a part of a reply.
        fn say_something(&self) {
            self.said.lock().push(0);
        }

        fn rings(&self) -> bool {
            self.rings.load(Relaxed)
        }
    }

    impl Inbox for Link {
        fn receive(&mut self, into: &mut Vec<u8>, most: usize) -> io::Result<usize> {
            let mut said = self.said.lock();
            let count = said.len().min(most);
            into.extend(said.drain(..count));
            Ok(count)
        }

        fn hush(&mut self) {}

        fn arm(&mut self) -> bool {
            self.rings.store(true, Relaxed);
            self.said.lock().is_empty()
        }

        fn can_disarm(&self) -> bool {
            true
        }

        fn disarm(&mut self) -> bool {
            self.rings.store(false, Relaxed);
            true
        }

        fn has_something(&self) -> bool {
            !self.said.lock().is_empty()
        }
    }

    /// A pool with one worker, that is ready and would ring.
    fn pool() -> (Arc<Pool>, Link) {
        let pool = Pool::new("pool".into(), Limits::default(), vec![Unit::new("unit".into())]).expect("it can be made");
        let link = Link::default();
        pool.open_ear(0, Ear::new(Box::new(link.clone()), u64::MAX));
        link.say_ready();
        let heard = pool.with_ear(0, |ear| pool.hear(0, ear)).expect("it has an ear").expect("it listens");
        assert!(heard.is_ready && pool.with_ear(0, Ear::arm) == Some(true));
        (pool, link)
    }

    #[test]
    fn who_listens_on_the_way_leaves_the_bell_as_it_is() {
        let (pool, link) = pool();
        link.say_something();
        pool.listen_around();
        assert!(link.rings() && !link.has_something());
    }

    #[test]
    fn who_stops_listening_without_its_result_asks_for_the_bell() {
        let (pool, link) = pool();
        assert!(!pool.attend_once(0) && !link.rings());
        link.say_something();
        assert!(pool.attend_once(0) && !link.rings());
        link.say_something();
        pool.stop_attending(0, false);
        assert!(link.rings() && !link.has_something());
    }

    #[test]
    fn who_has_its_result_leaves_the_bell_to_a_supervisor_that_looks_and_to_no_other() {
        let (pool, link) = pool();
        for is_looked_after in [true, false] {
            link.say_something();
            pool.attend_once(0);
            assert_eq!(pool.with_ear(0, |ear| ear.is_to_be_looked_after(0)), Some(true));
            // When nobody has listened meanwhile the supervisor asks for the bell itself.
            if !is_looked_after {
                assert_eq!(pool.with_ear(0, |ear| ear.is_to_be_looked_after(0)), Some(false));
            }
            pool.stop_attending(0, true);
            assert_eq!(link.rings(), !is_looked_after);
        }
    }

    #[test]
    fn a_bell_is_left_to_others_once() {
        let (pool, _) = pool();
        let hush = || pool.with_ear(0, Ear::hush) == Some(true);
        assert!(hush());
        pool.with_ear(0, |ear| ear.attending = 1);
        assert_eq!([hush(), hush(), hush()], [false, true, false]);
    }
}
