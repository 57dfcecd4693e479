//! How long a worker looks for work before it lies down.

use std::{hint, thread, time::Duration};

/// The number of looks, which follows what looking has brought lately.
///
/// Falling asleep and being woken costs two system calls and some ten microseconds. A worker whose next task usually comes
/// sooner saves them by looking a little longer, and one that usually sleeps long stops looking early.
#[derive(Debug)]
pub(crate) struct Patience {
    looks: u32,
    most: u32,
}

/// Takes about as long as being woken does.
const LEAST: u32 = 16;
const MOST: u32 = 128;
/// As long as falling asleep and being woken take, on a machine where they take long.
const SHORT_SLEEP: Duration = Duration::from_micros(50);
/// From this look on, the processor is offered to other threads between them, which may be those that submit.
const POLITE_FROM: u32 = 4;

impl Patience {
    pub(crate) fn new() -> Patience {
        // With one processor, whoever is to submit cannot run while this looks.
        let alone = thread::available_parallelism().is_ok_and(|processors| processors.get() == 1);
        Patience { looks: LEAST, most: if alone { LEAST } else { MOST } }
    }

    /// How often to look.
    pub(crate) fn looks(&self) -> u32 {
        self.looks
    }

    /// Lets a little time pass after a look.
    pub(crate) fn pause(&self, look: u32) {
        if look < POLITE_FROM {
            for _ in 0..1 << look {
                hint::spin_loop();
            }
        } else {
            thread::yield_now();
        }
    }

    /// Looking has found something.
    pub(crate) fn paid_off(&mut self) {
        self.looks = (self.looks * 2).min(self.most);
    }

    /// It found nothing, and then the worker slept for so long. After a short sleep, a little more of it would have paid
    /// off.
    pub(crate) fn slept(&mut self, time: Duration) {
        if time < SHORT_SLEEP {
            self.paid_off();
        } else {
            self.looks = (self.looks / 2).max(LEAST);
        }
    }
}
