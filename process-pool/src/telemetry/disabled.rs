//! What the rest of the crate calls when the feature `tracing` is off. The compiler removes all of it.

use std::{fs::File, os::fd::OwnedFd, sync::Arc};

use super::Pipe;

/// Which events and records the program wants: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Levels(());

impl Levels {
    #[inline(always)]
    pub(crate) fn is_off(self) -> bool {
        true
    }

    #[inline(always)]
    pub(crate) fn to_byte(self) -> u8 {
        0
    }

    #[inline(always)]
    pub(crate) fn from_byte(_: u8) -> Levels {
        Levels(())
    }
}

/// A pool's part of this module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Telemetry(());

impl Telemetry {
    #[inline(always)]
    pub(crate) fn to_caller() -> Telemetry {
        Telemetry(())
    }

    #[inline(always)]
    pub(crate) fn levels(&self) -> Levels {
        Levels(())
    }

    #[inline(always)]
    pub(crate) fn begin_task(&self) -> TaskTelemetry {
        TaskTelemetry(())
    }

    #[inline(always)]
    pub(crate) fn schedule(&self, _: impl FnOnce(Telemetry) -> bool) -> bool {
        true
    }

    #[inline(always)]
    pub(crate) fn deliver(&self) -> bool {
        false
    }
}

/// What an event of a task is given: nothing.
pub(crate) struct TaskSpan;

/// A task's part of this module.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskTelemetry(());

impl TaskTelemetry {
    #[inline(always)]
    pub(crate) fn share(&self, _: impl FnOnce() -> (u64, String)) -> Option<Arc<TaskSpan>> {
        None
    }
}

/// The reader of a worker's pipe.
#[derive(Debug, Default)]
pub(crate) struct Reader(());

impl Reader {
    #[inline(always)]
    pub(crate) fn new(_: Option<&Arc<File>>, _: &str, _: &Telemetry) -> Reader {
        Reader(())
    }

    #[inline(always)]
    pub(crate) fn read(&mut self, _: impl FnMut(u64) -> Option<Arc<TaskSpan>>) -> Pipe {
        Pipe::Closed
    }

    #[inline(always)]
    pub(crate) fn finish(&mut self) {}
}

/// The worker's part of this module.
pub(crate) struct Forwarding;

impl Forwarding {
    #[inline(always)]
    pub(crate) fn to(_: Option<OwnedFd>, _: Levels) -> Forwarding {
        Forwarding
    }

    #[inline(always)]
    pub(crate) fn during_initializer<R>(&self, code: impl FnOnce() -> R) -> R {
        code()
    }

    #[inline(always)]
    pub(crate) fn install(&mut self) {}

    #[inline(always)]
    pub(crate) fn begin_task(&self, _: u64) {}

    #[inline(always)]
    pub(crate) fn end_task(&self) {}
}
