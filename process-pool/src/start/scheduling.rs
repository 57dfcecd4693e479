//! When and where workers run: their niceness and their processors.

use std::io;

use executor_core::{Error, ErrorKind};

use crate::sys::{
    child,
    scheduling::{Processors, may_have_niceness},
};

/// What a builder asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct SchedulingOptions {
    /// How much nicer than this program.
    pub(crate) nice: Option<i32>,
    pub(crate) cpus: Option<Vec<usize>>,
}

/// What each worker is started with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scheduling {
    /// The niceness itself, so that a worker that replaces another one is as nice, even if this program is nicer by
    /// then.
    pub(crate) niceness: Option<i32>,
    pub(crate) processors: Option<Processors>,
}

/// The least and the greatest niceness of a process.
const LEAST: i32 = -20;
const GREATEST: i32 = 19;

impl SchedulingOptions {
    /// Returns how many processors the workers have, if it was said which ones.
    pub(crate) fn width(&self) -> Option<usize> {
        let mut cpus = self.cpus.clone()?;
        cpus.sort_unstable();
        cpus.dedup();
        Some(cpus.len())
    }

    /// Checks that workers can have what is asked for.
    pub(crate) fn resolve(&self) -> Result<Scheduling, Error> {
        let niceness = self.nice.map(niceness).transpose()?;
        let processors = self.cpus.as_deref().map(processors).transpose()?;
        Ok(Scheduling { niceness, processors })
    }
}

fn niceness(increment: i32) -> Result<i32, Error> {
    let refuse = |cause: &dyn std::fmt::Display| {
        Error::new(ErrorKind::InvalidArgument, format!("nice cannot be {increment}: {cause}"))
    };
    let own = child::own_niceness().map_err(|cause| refuse(&cause))?;
    let niceness = own.saturating_add(increment).clamp(LEAST, GREATEST);
    // A process may always become nicer.
    if niceness >= own || may_have_niceness(niceness).map_err(|cause| refuse(&cause))? {
        return Ok(niceness);
    }
    Err(refuse(&format!(
        "this program has niceness {own} and may not start workers with {niceness}, which is less nice: give it \
         CAP_SYS_NICE, or raise `ulimit -e`"
    )))
}

fn processors(numbers: &[usize]) -> Result<Processors, Error> {
    let refuse = |message: String| Err(Error::new(ErrorKind::InvalidArgument, message));
    if numbers.is_empty() {
        return refuse("cpus must name at least one processor: leave it out for all".into());
    }
    match Processors::unusable(numbers) {
        Ok(unusable) if unusable.is_empty() => {}
        Ok(unusable) => {
            let listed: Vec<String> = unusable.iter().map(ToString::to_string).collect();
            return refuse(format!(
                "cpus cannot be {numbers:?}: this program may not use {}: it does not exist, is off, or belongs to \
                 another container (`nproc --all` says how many there are)",
                listed.join(", ")
            ));
        }
        Err(cause) if cause.kind() == io::ErrorKind::Unsupported => {
            let message = "cpus needs Linux: this system cannot restrict a process to some processors";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        Err(cause) => return Err(Error::new(ErrorKind::Other, format!("cpus could not be checked: {cause}"))),
    }
    let no_such = |number| format!("cpus cannot have {number}: no processor has this number");
    Processors::new(numbers).map_err(|number| Error::new(ErrorKind::InvalidArgument, no_such(number)))
}
