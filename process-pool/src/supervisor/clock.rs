//! Handling due timers, and noticing that this program was stopped.

use std::time::{Duration, Instant};

use super::{Event, Supervisor};
use crate::pool::{Timer, WorkerId};

/// If the supervisor looks at the clock this much too late, this whole program was most likely stopped: by `SIGSTOP`, a
/// frozen control group, or a machine that was suspended or moved. While workers have tasks, it wakes up at least once
/// a second, so that it notices every longer pause.
const LATE: Duration = Duration::from_millis(100);

impl Supervisor {
    /// Looks at the clock, and postpones deadlines by the time during which this program was stopped. The supervisor
    /// should have looked at `due`.
    pub(super) fn give_back_since(&mut self, due: Instant) -> Instant {
        let now = Instant::now();
        let late = now.saturating_duration_since(due);
        if late >= LATE {
            self.pool.state.lock().give_back(due, late);
        }
        self.looked_at = now;
        now
    }

    /// Looks at the clock again. The steps between two looks take far less than [`LATE`]. If one takes longer, tasks
    /// are given that time too.
    pub(super) fn look(&mut self) -> Instant {
        self.give_back_since(self.looked_at)
    }

    /// Looks at the clock after a wait that began at the last look, and that should have ended at `due` or when
    /// something happened.
    pub(super) fn look_after_wait(&mut self, due: Option<Instant>) {
        // Another thread may have set an earlier timer meanwhile.
        let due = due.into_iter().chain(self.pool.state.lock().timers.next()).min();
        self.give_back_since(due.map_or_else(Instant::now, |due| due.max(self.looked_at)));
    }

    pub(super) fn handle_due_timers(&mut self) {
        let now = self.look();
        loop {
            let due = self.pool.state.lock().timers.due(now);
            match due {
                Some(timer) => self.handle(Event::Due(timer)),
                None => return,
            }
        }
    }

    pub(super) fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::LinkClosed(id) => self.on_link_timeout(id),
            Timer::Restart(slot) => self.fill_now(slot),
            Timer::Line(id) => self.flush_line(id),
            Timer::Logs => self.check_paused_logs(),
            Timer::Callbacks => self.pool.retry_callbacks(),
            _ => {
                let mut is_in_a_reply = false;
                if let Some(slot) = timer.slot_to_read() {
                    self.read_replies(slot);
                    is_in_a_reply = self.pool.with_reader(slot, |reader| reader.is_in_a_reply()) == Some(true);
                }
                let now = self.look();
                let deferred = self.pool.state.lock().on_timer(timer, is_in_a_reply, now);
                self.pool.perform(deferred);
            }
        }
    }

    /// Kills a worker that closed its link and has not ended since.
    fn on_link_timeout(&mut self, id: WorkerId) {
        let is_there = self.pool.state.lock().worker_by_id(id).is_some();
        if is_there {
            self.declare_broken(id.slot);
        }
    }
}
