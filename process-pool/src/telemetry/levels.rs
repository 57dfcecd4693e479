//! Which events and records the program wants from a worker.

use tracing::{Level, level_filters::LevelFilter};

/// The most verbose levels that reach the program's subscriber and its logger: 0 for none, then from errors to traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Levels {
    pub(super) tracing: u8,
    pub(super) log: u8,
}

/// The number of the most verbose level.
const TRACE: u8 = 5;

impl Levels {
    /// Returns what this program wants now. This calls neither the subscriber nor the logger.
    pub(super) fn of_program() -> Levels {
        Levels { tracing: number_of_filter(LevelFilter::current()), log: wanted_records() }
    }

    pub(crate) fn is_off(self) -> bool {
        self == Levels::default()
    }

    /// Returns the levels as they are in the greeting.
    pub(crate) fn to_byte(self) -> u8 {
        self.tracing | self.log << 4
    }

    /// Reads what [`to_byte`](Levels::to_byte) has written.
    pub(crate) fn from_byte(byte: u8) -> Levels {
        Levels { tracing: (byte & 0xf).min(TRACE), log: (byte >> 4).min(TRACE) }
    }

    pub(super) fn filter(self) -> LevelFilter {
        level_of(self.tracing).map_or(LevelFilter::OFF, LevelFilter::from_level)
    }
}

#[cfg(feature = "log")]
fn wanted_records() -> u8 {
    log::max_level() as u8
}

#[cfg(not(feature = "log"))]
fn wanted_records() -> u8 {
    0
}

fn number_of_filter(filter: LevelFilter) -> u8 {
    filter.into_level().map_or(0, |level| number_of(&level))
}

/// Returns the number of a level: 1 for errors, up to 5 for traces.
pub(super) fn number_of(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => TRACE,
    }
}

/// Reverses [`number_of`].
pub(super) fn level_of(number: u8) -> Option<Level> {
    match number {
        1 => Some(Level::ERROR),
        2 => Some(Level::WARN),
        3 => Some(Level::INFO),
        4 => Some(Level::DEBUG),
        TRACE => Some(Level::TRACE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_back_and_no_byte_is_out_of_range() {
        for (tracing, log) in [(0, 0), (3, 0), (0, 5), (5, 5), (1, 2)] {
            let levels = Levels { tracing, log };
            assert_eq!(Levels::from_byte(levels.to_byte()), levels);
            assert_eq!(levels.is_off(), tracing + log == 0);
        }
        for byte in 0..=u8::MAX {
            let levels = Levels::from_byte(byte);
            assert!(levels.tracing <= TRACE && levels.log <= TRACE);
        }
        assert_eq!(Levels { tracing: 3, log: 0 }.filter(), LevelFilter::INFO);
        assert_eq!(Levels::default().filter(), LevelFilter::OFF);
    }
}
