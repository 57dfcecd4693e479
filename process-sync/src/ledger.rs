//! A monitor with a list of the processes that hold something of the object: permits, a reader's place, items.
//!
//! What a dead process held is found by the threads that wait for it.

use bytemuck::{cast_slice, cast_slice_mut};
use executor_core::Error;
use smallvec::SmallVec;

use crate::{
    errors,
    monitor::{Entered, Monitor},
    object::Object,
    roster::Member,
    sleep::EventCount,
};

/// How many processes can hold something of one object at the same time.
const MOST: usize = 500;
/// The number of a process, and how much it holds.
type Entry = [u32; 2];

/// The place of a ledger in the memory of an object. The first of its state's words is the number of entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ledger<const N: usize>
where
    [u64; N]: bytemuck::Pod,
{
    monitor: Monitor<[u64; N]>,
}

const ENTRIES: usize = 0;

impl<const N: usize> Ledger<N>
where
    [u64; N]: bytemuck::Pod,
{
    pub(crate) const fn at(at: usize) -> Ledger<N> {
        Ledger { monitor: Monitor::with_further(at, MOST * size_of::<Entry>()) }
    }

    /// Returns the offset after the ledger.
    pub(crate) const fn end(self) -> usize {
        self.monitor.end()
    }

    #[inline(always)]
    pub(crate) fn open(self, object: &Object) -> Opened<'_, N> {
        let entered = self.monitor.enter_unread(&object.memory, &object.member);
        let mut opened = Opened { entered, holders: Holders(SmallVec::new()), object };
        opened.read();
        opened
    }

    /// Opens it for a change. In contrast to [`open`](Ledger::open), the state is never moved.
    #[inline(always)]
    pub(crate) fn change<R>(self, object: &Object, change: impl FnOnce(&mut Opened<'_, N>) -> R) -> R {
        let entered = self.monitor.enter_unread(&object.memory, &object.member);
        let mut opened = Opened { entered, holders: Holders(SmallVec::new()), object };
        opened.read();
        change(&mut opened)
    }

    /// Does what [`Kind::on_death`](crate::object::Kind::on_death) says, for the ledger and the threads that wait.
    pub(crate) fn on_death(self, object: &Object, events: &[EventCount]) {
        self.monitor.on_death(&object.memory, &object.member);
        events.iter().for_each(|events| events.notify_all(&object.memory));
    }

    /// Returns the words of the state as they were at one instant.
    pub(crate) fn look(self, object: &Object) -> [u64; N] {
        self.monitor.look(&object.memory, &object.member)
    }
}

/// The possession of a ledger.
#[derive(Debug)]
pub(crate) struct Opened<'a, const N: usize>
where
    [u64; N]: bytemuck::Pod,
{
    entered: Entered<'a, [u64; N]>,
    pub(crate) holders: Holders,
    object: &'a Object,
}

impl<const N: usize> Opened<'_, N>
where
    [u64; N]: bytemuck::Pod,
{
    #[inline(always)]
    fn read(&mut self) {
        self.entered.read();
        // A wild write may claim more.
        let count = usize::try_from(self.entered.state[ENTRIES]).unwrap_or(MOST).min(MOST);
        if count > 0 {
            self.read_holders(count);
        }
    }

    #[inline(never)]
    fn read_holders(&mut self, count: usize) {
        self.holders.0.resize(count, [0; 2]);
        self.entered.read_further(cast_slice_mut(&mut self.holders.0));
    }

    /// Returns a word of the state. The first is not for callers.
    #[inline(always)]
    pub(crate) fn word(&mut self, index: usize) -> &mut u64 {
        debug_assert!(index != ENTRIES);
        &mut self.entered.state[index]
    }

    /// Makes the changes count.
    #[inline(always)]
    pub(crate) fn commit(&mut self) {
        self.entered.state[ENTRIES] = self.holders.0.len() as u64;
        self.entered.commit_with(cast_slice(&self.holders.0));
    }

    /// Enters that this process holds so many more.
    ///
    /// # Errors
    ///
    /// If too many processes hold something already.
    pub(crate) fn add(&mut self, count: u32) -> Result<(), Error> {
        let member = &self.object.member;
        if self.holders.add(member.number(), count) {
            return Ok(());
        }
        // Dead ones make room.
        self.holders.sweep(member);
        if self.holders.add(member.number(), count) {
            return Ok(());
        }
        let message = format!("more than {MOST} processes hold a {}", self.object.name());
        Err(errors::invalid_state(message))
    }
}

/// The processes that hold something.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holders(SmallVec<[Entry; 4]>);

impl Holders {
    fn add(&mut self, number: u32, count: u32) -> bool {
        if let Some([_, held]) = self.0.iter_mut().find(|[holder, _]| *holder == number) {
            *held = held.saturating_add(count);
            return true;
        }
        let has_room = self.0.len() < MOST;
        if has_room {
            self.0.push([number, count]);
        }
        has_room
    }

    /// Removes so much of what a process holds. Returns `true` if it held that much.
    pub(crate) fn remove(&mut self, number: u32, count: u32) -> bool {
        let Some(index) = self.0.iter().position(|[holder, held]| *holder == number && *held >= count) else {
            return false;
        };
        self.0[index][1] -= count;
        if self.0[index][1] == 0 {
            self.0.swap_remove(index);
        }
        true
    }

    /// Removes one from any process that holds something. Returns `true` if there is one.
    pub(crate) fn remove_any(&mut self) -> bool {
        let any = self.0.first().map(|[number, _]| *number);
        any.is_some_and(|number| self.remove(number, 1))
    }

    /// Returns how much all processes hold.
    pub(crate) fn total(&self) -> u64 {
        self.0.iter().map(|[_, held]| u64::from(*held)).sum()
    }

    /// Removes dead processes, and returns how much they held.
    pub(crate) fn sweep(&mut self, member: &Member) -> u64 {
        let mut lost = 0;
        self.0.retain(|[number, held]| {
            let is_alive = member.is_alive(*number);
            lost += if is_alive { 0 } else { u64::from(*held) };
            is_alive
        });
        lost
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_processes_hold_adds_up_and_is_lost_with_the_dead() {
        let member = Member::home().expect("a home");
        let dead = member.number() + 1_000_000;
        let mut holders = Holders::default();
        assert!(holders.add(member.number(), 2) && holders.add(dead, 3) && holders.add(dead, 1));
        assert_eq!(holders.total(), 6);
        assert!(!holders.remove(member.number(), 3) && holders.remove(member.number(), 1));
        assert_eq!((holders.sweep(&member), holders.total()), (4, 1));
        assert!(holders.remove_any() && !holders.remove_any());
    }

    #[test]
    fn there_is_room_for_a_limited_number_of_processes() {
        let mut holders = Holders::default();
        assert!((1..=MOST as u32).all(|number| holders.add(number, 1)));
        assert!(!holders.add(MOST as u32 + 1, 1) && holders.add(1, 1));
    }
}
