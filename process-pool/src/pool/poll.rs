//! Reading replies in threads that wait for something themselves; see `README.md`.

use std::io;

use executor_core::{host::Waiting, spin::SpinBudget};

use super::{
    Pool,
    ids::{Assignment, SlotId},
    reader::{Armed, ReplyReader},
    replies::Received,
};

/// How a thread stops polling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    /// With its result. Most likely it polls again soon, for its next task.
    WithResult,
    WithoutResult,
}

impl Pool {
    /// Begins to read the replies of a worker.
    pub(crate) fn open_reader(&self, slot: SlotId, reader: ReplyReader) {
        *self.readers[slot.index()].lock() = Some(reader);
    }

    /// Stops reading the replies of a worker that has died.
    pub(crate) fn close_reader(&self, slot: SlotId) {
        *self.readers[slot.index()].lock() = None;
    }

    /// Runs `action` with the reader of a worker, if there is one.
    pub(crate) fn with_reader<R>(&self, slot: SlotId, action: impl FnOnce(&mut ReplyReader) -> R) -> Option<R> {
        self.readers.get(slot.index())?.lock().as_mut().map(action)
    }

    /// Reads the bytes that have arrived from a worker, and applies the replies. The caller performs the deferred
    /// actions after it has released the reader.
    pub(crate) fn receive(&self, slot: SlotId, reader: &mut ReplyReader) -> io::Result<Received> {
        if reader.is_closed() {
            return Ok(Received { protocol_error: true, ..Received::default() });
        }
        let bytes = reader.fill()?;
        if bytes == 0 {
            return Ok(Received::default());
        }
        let _ = self.read_telemetry(slot, reader);
        let now = std::time::Instant::now();
        Ok(self.state.lock().on_replies(slot, reader, bytes, now))
    }

    /// Polls the worker that has the task for which a thread waits, until the thread's spin budget is used up and
    /// nothing more arrives. Returns `true` if the result is there.
    pub(super) fn poll_for(&self, waiting: &Waiting<'_>, budget: &mut SpinBudget) -> bool {
        let mut polled = None;
        // If the supervisor is woken in any case, this thread would compete with it for the same replies.
        let slot_of = |waiting: &Waiting<'_>| Assignment::unpack(waiting.place()).slot;
        if waiting.polls_one_of_many()
            && self.with_reader(slot_of(waiting), |reader| reader.always_wakes_supervisor()) == Some(true)
        {
            return waiting.is_ready();
        }
        loop {
            let mut progress = false;
            let found = budget.spin(|| {
                if waiting.is_ready() {
                    return true;
                }
                let slot = slot_of(waiting);
                if polled != Some(slot) {
                    if let Some(before) = polled.replace(slot) {
                        self.stop_polling(before, Leaving::WithoutResult);
                    }
                    self.with_reader(slot, ReplyReader::begin_polling);
                }
                progress |= self.poll(slot);
                waiting.is_ready()
            });
            let goes_on = progress || polled.is_some_and(|slot| !found && self.spin_in_transfer(slot));
            if found || !goes_on || waiting.has_timed_out() {
                if let Some(slot) = polled {
                    self.stop_polling(slot, if found { Leaving::WithResult } else { Leaving::WithoutResult });
                }
                return found;
            }
        }
    }

    /// Reads once what all workers have sent. It leaves their doorbells as they are, because this thread does not poll
    /// again.
    pub(super) fn poll_all(&self) {
        for slot in (0..self.readers.len()).map(SlotId::new) {
            if let Some(received) = self.try_receive(slot, |_| ()) {
                self.apply(slot, received);
            }
        }
    }

    /// Reads what a worker has sent, and sends the rest of its requests as far as there is space. Returns `true` if it
    /// has read or sent anything.
    fn poll(&self, slot: SlotId) -> bool {
        let Some(received) = self.try_receive(slot, ReplyReader::silence_doorbell) else { return false };
        let has_received = received.bytes > 0;
        self.apply(slot, received);
        has_received | self.try_send_backlog(slot)
    }

    /// Reads what a worker has sent. Returns `None` if nothing has arrived, another thread is reading, the worker has
    /// died, or only the supervisor may read.
    fn try_receive(&self, slot: SlotId, prepare: impl FnOnce(&mut ReplyReader)) -> Option<Received> {
        let mut reader = self.readers.get(slot.index())?.try_lock()?;
        let reader = reader.as_mut().filter(|reader| reader.is_open_to_all_threads())?;
        prepare(reader);
        if !reader.has_something() {
            return None;
        }
        reader.note_read_by_other();
        Some(self.receive_for_supervisor(slot, reader))
    }

    /// Reads for a thread that cannot handle errors of the link. The supervisor gets the same error again.
    fn receive_for_supervisor(&self, slot: SlotId, reader: &mut ReplyReader) -> Received {
        let received = self.receive(slot, reader);
        received.unwrap_or_else(|_| Received { concerns_supervisor: true, ..Received::default() })
    }

    /// Does what a thread other than the supervisor can do, and leaves the rest to the supervisor.
    fn apply(&self, slot: SlotId, received: Received) {
        self.perform(received.deferred);
        if received.concerns_supervisor {
            self.call_supervisor_to(slot);
        }
    }

    fn call_supervisor_to(&self, slot: SlotId) {
        self.state.lock().for_supervisor.push(slot);
        self.notify();
    }

    /// Sends the rest of a request as long as the worker takes it, up to a bound, and leaves what remains to the
    /// supervisor. The caller holds no lock.
    ///
    /// Waking the supervisor takes longer than the worker needs to take what its link holds.
    pub(super) fn send_unsent(&self, slot: SlotId) {
        /// What a thread that submits sends at most. What takes longer is done while the thread goes on.
        const MOST: u64 = 1 << 20;
        let sent = || self.state.lock().worker(slot).map(|worker| (worker.bytes_sent(), worker.has_backlog()));
        let Some((before, mut is_unsent)) = sent() else { return };
        if !self.is_supervisor() {
            while is_unsent && SpinBudget::in_transfer().spin(|| self.try_send_backlog(slot)) {
                let Some((bytes, has_backlog)) = sent() else { return };
                is_unsent = has_backlog;
                // By now the slot may have another worker, which has sent less.
                if bytes.saturating_sub(before) > MOST {
                    break;
                }
            }
        }
        if is_unsent {
            self.call_supervisor_to(slot);
        }
    }

    /// Spins until more of a reply arrives of which a part has arrived. Returns `false` if there is no such reply, or
    /// nothing more arrives for a while.
    pub(crate) fn spin_in_transfer(&self, slot: SlotId) -> bool {
        let is_awaited = |reader: &mut ReplyReader| {
            reader.is_open_to_all_threads() && !reader.always_wakes_supervisor() && reader.is_in_a_reply()
        };
        self.with_reader(slot, is_awaited) == Some(true)
            && SpinBudget::in_transfer().spin(|| self.with_reader(slot, |reader| reader.has_something()) == Some(true))
    }

    /// Sends the rest of the requests, unless the pool is busy. Returns `true` if there was space for a part.
    fn try_send_backlog(&self, slot: SlotId) -> bool {
        let Some(mut state) = self.state.try_lock() else { return false };
        let Some(worker) = state.worker_mut(slot).filter(|worker| worker.has_backlog()) else { return false };
        let before = worker.bytes_sent();
        // The rest is sent at the next poll.
        let _ = worker.send_backlog();
        worker.bytes_sent() != before
    }

    /// Arms the doorbell, unless the supervisor reads at a timer and this thread is likely to poll again before that.
    ///
    /// It leaves the replies and the doorbell of a worker that only the supervisor reads as they are: a thread that
    /// waits for a task without a worker has polled the first slot, whose worker may not be ready yet.
    fn stop_polling(&self, slot: SlotId, leaving: Leaving) {
        /// Replies that arrive faster than this thread reads them are left to the supervisor after this many rounds.
        const ROUNDS: usize = 4;
        let supervisor_reads = self.with_reader(slot, ReplyReader::end_polling) == Some(true);
        if leaving == Leaving::WithResult && supervisor_reads {
            return;
        }
        for _ in 0..ROUNDS {
            let received = self.with_reader(slot, |reader| {
                if !reader.is_open_to_all_threads() || reader.ensure_armed() == Armed::Yes {
                    return None;
                }
                Some(self.receive_for_supervisor(slot, reader))
            });
            match received.flatten() {
                None => return self.stop_sending(slot),
                Some(received) => self.apply(slot, received),
            }
        }
        self.call_supervisor_to(slot);
    }

    /// Makes sure that the rest of the requests is sent once there is space.
    fn stop_sending(&self, slot: SlotId) {
        let mut state = self.state.lock();
        let Some(worker) = state.worker_mut(slot) else { return };
        if worker.has_backlog() && worker.request_doorbell_for_space() {
            drop(state);
            self.call_supervisor_to(slot);
        }
    }
}
#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    };

    use executor_core::codec::handles::Handles;
    use parking_lot::Mutex;

    use super::{
        super::{
            Limits,
            reader::{AfterRead, OnDoorbell},
        },
        *,
    };
    use crate::{
        frame::{Reply, ReplyKind, Request, RequestKind},
        sys::child::Process,
        telemetry::Telemetry,
        transport::{Claims, Inbox, Outbox},
    };

    const SLOT: SlotId = SlotId::FIRST;

    /// The sending end of a link that has space for so many bytes, and takes one at a time, or as many as the second
    /// number.
    struct LittleSpace(usize, usize);

    impl Outbox for LittleSpace {
        fn send(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize> {
            let count = self.0.min(first.len() + second.len()).min(self.1);
            self.0 -= count;
            Ok(count)
        }

        fn ring_doorbell(&mut self) {}

        fn want_room(&mut self) -> bool {
            false
        }

        fn claims(&self) -> Option<&dyn Claims> {
            None
        }
    }

    /// The bytes that a worker has sent, and whether it would ring.
    #[derive(Clone, Default)]
    struct Link {
        sent: Arc<Mutex<Vec<u8>>>,
        rings: Arc<AtomicBool>,
    }

    impl Link {
        fn send(&self, kind: ReplyKind) {
            let reply = Reply { kind, sequence: 0, body: 0 };
            self.sent.lock().extend_from_slice(&reply.to_bytes());
        }

        /// Sends a part of a reply, which changes nothing.
        fn send_part(&self) {
            self.sent.lock().push(0);
        }

        fn rings(&self) -> bool {
            self.rings.load(Relaxed)
        }
    }

    impl Inbox for Link {
        fn receive(&mut self, into: &mut Vec<u8>, most: usize) -> io::Result<usize> {
            let mut sent = self.sent.lock();
            let count = sent.len().min(most);
            into.extend(sent.drain(..count));
            Ok(count)
        }

        fn receive_in(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let mut sent = self.sent.lock();
            let count = sent.len().min(into.len());
            into[..count].copy_from_slice(&sent[..count]);
            sent.drain(..count);
            Ok(count)
        }

        fn drain_doorbell(&mut self) {}

        fn arm(&mut self) -> bool {
            self.rings.store(true, Relaxed);
            self.sent.lock().is_empty()
        }

        fn can_disarm(&self) -> bool {
            true
        }

        fn disarm(&mut self) -> bool {
            self.rings.store(false, Relaxed);
            true
        }

        fn has_something(&self) -> bool {
            !self.sent.lock().is_empty()
        }
    }

    /// Makes a pool with one worker, which is not ready.
    fn pool_that_starts() -> (Arc<Pool>, Link) {
        pool_with(Box::new(LittleSpace(0, 1)))
    }

    fn pool_with(outbox: Box<dyn Outbox>) -> (Arc<Pool>, Link) {
        let pool = Pool::new("pool".into(), Limits::default(), 1, Telemetry::default()).expect("it can be made");
        let link = Link::default();
        pool.state.lock().attach(SLOT, Process::nonexistent(), outbox);
        pool.open_reader(SLOT, ReplyReader::new(Box::new(link.clone()), u64::MAX));
        (pool, link)
    }

    /// Makes a pool with one worker, which is ready and would ring.
    fn pool() -> (Arc<Pool>, Link) {
        let (pool, link) = pool_that_starts();
        link.send(ReplyKind::Ready);
        let received = pool.with_reader(SLOT, |reader| pool.receive(SLOT, reader));
        assert!(received.expect("it has a reader").expect("it reads").became_ready);
        assert_eq!(pool.with_reader(SLOT, ReplyReader::arm), Some(Armed::Yes));
        (pool, link)
    }

    #[test]
    fn polling_all_workers_leaves_doorbells_as_they_are() {
        let (pool, link) = pool();
        link.send_part();
        pool.poll_all();
        assert!(link.rings() && !link.has_something());
    }

    #[test]
    fn a_thread_that_stops_polling_without_its_result_arms_the_doorbell() {
        let (pool, link) = pool();
        assert!(!pool.poll(SLOT) && !link.rings());
        link.send_part();
        assert!(pool.poll(SLOT) && !link.rings());
        link.send_part();
        pool.stop_polling(SLOT, Leaving::WithoutResult);
        assert!(link.rings() && !link.has_something());
    }

    #[test]
    fn a_thread_with_its_result_leaves_the_doorbell_disarmed_only_if_the_supervisor_reads() {
        let (pool, link) = pool();
        let choose_after_read = || pool.with_reader(SLOT, |reader| reader.choose_after_read(0, 0));
        for supervisor_reads in [true, false] {
            link.send_part();
            pool.poll(SLOT);
            assert_eq!(choose_after_read(), Some(AfterRead::ReadAgain));
            // The supervisor arms the doorbell itself if no other thread has read since.
            if !supervisor_reads {
                assert_eq!(choose_after_read(), Some(AfterRead::ArmDoorbell));
            }
            pool.stop_polling(SLOT, Leaving::WithResult);
            assert_eq!(link.rings(), !supervisor_reads);
        }
    }

    #[test]
    fn what_a_worker_reports_while_it_starts_is_left_to_the_supervisor() {
        // A task without a worker names the first slot, so a thread that waits for it polls a worker that starts.
        for kind in [ReplyKind::Ready, ReplyKind::NotReady] {
            let (pool, link) = pool_that_starts();
            link.send(kind);
            assert!(!pool.poll(SLOT));
            for leaving in [Leaving::WithoutResult, Leaving::WithResult] {
                pool.stop_polling(SLOT, leaving);
            }
            pool.poll_all();
            let received = pool.with_reader(SLOT, |reader| pool.receive(SLOT, reader));
            let received = received.expect("it has a reader").expect("it reads");
            let is_ready = kind == ReplyKind::Ready;
            assert_eq!((received.became_ready, received.declined.is_some()), (is_ready, !is_ready), "{kind:?}");
        }
    }

    #[test]
    fn a_thread_spins_for_the_rest_of_a_reply_and_for_no_other() {
        let (pool, link) = pool();
        link.send_part();
        assert!(!pool.spin_in_transfer(SLOT), "nothing of it was read, so it may be complete");
        assert!(pool.poll(SLOT) && !pool.spin_in_transfer(SLOT), "nothing more has arrived");
        link.send_part();
        assert!(pool.spin_in_transfer(SLOT));
    }

    #[test]
    fn what_a_link_did_not_take_is_sent_while_there_is_space_and_left_to_the_supervisor_otherwise() {
        for (space, is_left) in [(1 << 10, false), (3, true)] {
            let (pool, _) = pool_with(Box::new(LittleSpace(space, 1)));
            pool.state.lock().worker_mut(SLOT).expect("a worker").retire();
            pool.send_unsent(SLOT);
            let mut state = pool.state.lock();
            assert_eq!(state.worker_mut(SLOT).expect("a worker").has_backlog(), is_left);
            assert_eq!(state.for_supervisor.contains(&SLOT), is_left);
        }
    }

    #[test]
    fn a_thread_sends_a_mebibyte_at_most_of_what_a_link_did_not_take() {
        const PIECE: usize = 256 << 10;
        for (length, is_left) in [(3 * PIECE, false), (9 * PIECE, true)] {
            let (pool, _) = pool_with(Box::new(LittleSpace(usize::MAX, PIECE)));
            let request = Request::bare(RequestKind::Initialize);
            let body = vec![0; length];
            pool.state.lock().worker_mut(SLOT).expect("a worker").send_initializer(
                &request,
                &body,
                &Handles::default(),
            );
            pool.send_unsent(SLOT);
            let mut state = pool.state.lock();
            let worker = state.worker_mut(SLOT).expect("a worker");
            assert_eq!(worker.has_backlog(), is_left);
            assert!(worker.bytes_sent() <= (1 << 20) + 2 * PIECE as u64);
            assert_eq!(state.for_supervisor.contains(&SLOT), is_left);
        }
    }

    #[test]
    fn no_two_doorbells_in_a_row_are_left_to_polling_threads() {
        let (pool, _) = pool();
        let ring = || pool.with_reader(SLOT, ReplyReader::drain_doorbell).expect("it has a reader");
        assert_eq!(ring(), OnDoorbell::Read);
        pool.with_reader(SLOT, ReplyReader::begin_polling);
        assert_eq!([ring(), ring(), ring()], [OnDoorbell::ReadLater, OnDoorbell::Read, OnDoorbell::ReadLater]);
    }
}
