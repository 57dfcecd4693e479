//! The end of a wait: an instant, or never.

use std::time::{Duration, Instant};

use crate::sync::{Condvar, MutexGuard};

/// Returns the end of a wait of this length that begins now. `None` means never. It is returned too if the end is too
/// far away to be represented.
pub fn after(timeout: Option<Duration>) -> Option<Instant> {
    let timeout = timeout?;
    Instant::now().checked_add(timeout)
}

/// Returns whether a wait with this deadline must end.
pub fn has_passed(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}

/// Waits until the condition no longer holds, or the deadline has passed. Returns whether the condition no longer
/// holds.
pub fn wait_while<T>(
    changed: &Condvar,
    guard: &mut MutexGuard<'_, T>,
    deadline: Option<Instant>,
    mut condition: impl FnMut(&mut T) -> bool,
) -> bool {
    match deadline {
        None => {
            changed.wait_while(guard, condition);
            true
        }
        Some(deadline) => {
            !changed.wait_while_until(guard, &mut condition, deadline).timed_out() || !condition(&mut *guard)
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::Mutex;

    #[test]
    fn a_deadline_that_cannot_be_represented_never_passes() {
        assert_eq!(after(None), None);
        assert_eq!(after(Some(Duration::MAX)), None);
        assert!(!has_passed(None) && has_passed(after(Some(Duration::ZERO))));
    }

    #[test]
    fn a_wait_ends_at_its_deadline_or_when_the_condition_no_longer_holds() {
        let (flag, changed) = (Mutex::new(true), Condvar::new());
        let soon = after(Some(Duration::from_millis(1)));
        assert!(!wait_while(&changed, &mut flag.lock(), soon, |flag| *flag));
        assert!(wait_while(&changed, &mut flag.lock(), soon, |flag| !*flag));
        assert!(wait_while(&changed, &mut flag.lock(), None, |flag| !*flag));
    }
}
