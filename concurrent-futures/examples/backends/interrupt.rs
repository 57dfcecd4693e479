//! Ctrl-C: the first cancels the waiting tasks, the second ends the program immediately.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use concurrent_futures::{Backend, Shutdown};

/// The exit code that a shell expects of a program that Ctrl-C ended: 128 plus the number of SIGINT.
const INTERRUPTED: i32 = 130;

#[derive(Clone, Default)]
pub struct Interrupt {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    requested: AtomicBool,
    /// The executor whose waiting tasks Ctrl-C cancels.
    executor: Mutex<Option<Arc<dyn Backend>>>,
}

impl Interrupt {
    pub fn listen() -> Result<Interrupt, ctrlc::Error> {
        let interrupt = Interrupt::default();
        let in_handler = interrupt.clone();
        // The handler runs in a thread of its own and not in the signal handler, so it may lock and wait.
        ctrlc::set_handler(move || {
            if in_handler.shared.requested.swap(true, Ordering::SeqCst) {
                process::exit(INTERRUPTED);
            }
            in_handler.cancel_waiting();
        })?;
        Ok(interrupt)
    }

    pub fn requested(&self) -> bool {
        self.shared.requested.load(Ordering::SeqCst)
    }

    /// Makes Ctrl-C cancel the waiting tasks of `executor` immediately, and not only when the next result arrives.
    pub fn cancels(&self, executor: Option<Arc<dyn Backend>>) {
        // The value is valid even if the lock is poisoned.
        *self.shared.executor.lock().unwrap_or_else(PoisonError::into_inner) = executor;
        // Ctrl-C may have been pressed before this call.
        if self.requested() {
            self.cancel_waiting();
        }
    }

    fn cancel_waiting(&self) {
        let executor = self.shared.executor.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(executor) = executor {
            executor.close(Shutdown::CancelPending);
        }
    }
}
