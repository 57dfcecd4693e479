//! The logger of a worker, which sends every record.

use std::sync::OnceLock;

use log::{LevelFilter, Log, Metadata, Record};

use super::{
    super::wire::{Callsite, Kind, Value, Writer, bounded},
    channel,
};

/// See the [module](self).
struct Logger {
    level: LevelFilter,
}

static LOGGER: OnceLock<Logger> = OnceLock::new();

/// Makes this the logger of the process, for records of this level and those above, unless there is another one.
pub(super) fn install(level: u8) {
    let Some(level) = LevelFilter::iter().nth(level.into()).filter(|level| *level > LevelFilter::Off) else { return };
    // An error means that the initializer has installed a logger, which then gets the records.
    if log::set_logger(LOGGER.get_or_init(|| Logger { level })).is_ok() {
        log::set_max_level(level);
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.level
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let callsite = Callsite {
            level: record.level() as u8,
            name: "log record",
            target: record.target(),
            file: record.file(),
            line: record.line(),
            module_path: record.module_path(),
            fields: vec!["message"],
        };
        let mut writer = Writer::new(Kind::Record, channel::sequence(), &callsite, "");
        let text = bounded(record.args(), writer.space());
        writer.add(0, &Value::Debug(text.into()));
        channel::send(&writer.finish());
    }

    fn flush(&self) {}
}
