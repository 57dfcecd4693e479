//! The load of the machine while an executor runs: a speed-up means little without it.

use std::fs;

/// The processor time of the machine and of this program, from a start.
pub struct Load {
    start: Option<Times>,
}

/// Clock ticks since the machine was started. All of them have the same length.
#[derive(Clone, Copy)]
struct Times {
    /// Of each processor.
    passed: u64,
    /// Of all processors together.
    busy: u64,
    /// This program and its children that have ended.
    own: u64,
    processors: u64,
}

impl Load {
    pub fn start() -> Load {
        Load { start: Times::now() }
    }

    /// Returns how many processors other programs kept busy on average since the start, and how many there are. It
    /// counts the workers of a pool as this program only after the pool was shut down.
    ///
    /// Returns `None` on systems without `/proc`, and if no clock tick has passed.
    pub fn end(self) -> Option<(f64, u64)> {
        let (start, end) = (self.start?, Times::now()?);
        let passed = end.passed.checked_sub(start.passed).filter(|passed| *passed > 0)?;
        // The figures are rounded, so the program may seem to have used more than the machine.
        let others = end.busy.saturating_sub(start.busy).saturating_sub(end.own.saturating_sub(start.own));
        Some((others as f64 / passed as f64, end.processors))
    }
}

impl Times {
    fn now() -> Option<Times> {
        let machine = fs::read_to_string("/proc/stat").ok()?;
        let processors = machine.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu ")).count();
        let processors = u64::try_from(processors).ok().filter(|processors| *processors > 0)?;
        // user, nice, system, idle, iowait, irq, softirq, steal. Later fields are parts of the first two.
        let fields = machine.lines().next()?.split_whitespace().skip(1).take(8);
        let fields: Vec<u64> = fields.map(str::parse).collect::<Result<_, _>>().ok()?;
        let idle = fields.get(3)? + fields.get(4)?;
        let all: u64 = fields.iter().sum();

        let own = fs::read_to_string("/proc/self/stat").ok()?;
        // The name in brackets may contain spaces. utime, stime, cutime and cstime are the fields 14 to 17, and the
        // field after the name is the third.
        let (_, own) = own.rsplit_once(')')?;
        let own = own.split_whitespace().skip(11).take(4).map(str::parse::<u64>).sum::<Result<u64, _>>().ok()?;
        Some(Times { passed: all / processors, busy: all - idle, own, processors })
    }
}
