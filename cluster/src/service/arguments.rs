//! The large arguments of an agent's runs.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use executor_core::{Error, codec::Bytes};

use crate::wire::{Peer, Reference};

/// How many bytes the arguments of runs may have together, besides one of any size. Other runs wait.
const MOST_USED: u64 = if cfg!(test) { 1000 } else { 512 << 20 };

/// How many bytes are kept because several tasks have them, and for how long after their last use.
const MOST_KEPT: u64 = if cfg!(test) { 1000 } else { 256 << 20 };
const KEPT_FOR: Duration = Duration::from_secs(30);

/// A value of a client's user, by its name in the store.
type Name = (Peer, String);

/// The large arguments of an agent's runs: which are fetched, which wait because there are too many, and which are kept
/// for other tasks. `J` is what a run is started with.
pub(super) struct Arguments<J> {
    /// The runs that have a large argument, until they end.
    runs: HashMap<u64, Run<J>>,
    used: u64,
    waiting: VecDeque<u64>,
    /// What is being fetched, with the runs that wait for it.
    fetching: HashMap<Name, Vec<u64>>,
    kept: HashMap<Name, Kept>,
    kept_bytes: u64,
}

struct Run<J> {
    name: Name,
    reference: Reference,
    /// `None` once it was started.
    job: Option<J>,
    is_waiting: bool,
}

struct Kept {
    bytes: Arc<Bytes>,
    used: Instant,
}

/// What must be done for a run.
#[derive(Debug)]
pub(super) enum Step<J> {
    /// Fetch its argument, and call [`Arguments::fetched`].
    Fetch(Peer, Reference),
    /// Start it with this argument, and call [`Arguments::ended`] when it has ended.
    Start(J, Arc<Bytes>),
    /// The store does not have its argument, so it was not started.
    Return(u64),
    /// Its argument cannot be had.
    Fail(J, Error),
}

impl<J> Default for Arguments<J> {
    fn default() -> Arguments<J> {
        Arguments {
            runs: HashMap::new(),
            used: 0,
            waiting: VecDeque::new(),
            fetching: HashMap::new(),
            kept: HashMap::new(),
            kept_bytes: 0,
        }
    }
}

impl<J> Arguments<J> {
    /// A run needs an argument.
    #[must_use = "the run waits for these steps"]
    pub(super) fn need(&mut self, run: u64, job: J, client: Peer, reference: Reference) -> Vec<Step<J>> {
        let name = (client, reference.name.clone());
        self.runs.insert(run, Run { name, reference, job: Some(job), is_waiting: true });
        self.waiting.push_back(run);
        self.begin_waiting()
    }

    /// An argument was fetched, or cannot be.
    #[must_use = "runs wait for these steps"]
    pub(super) fn fetched(
        &mut self,
        client: Peer,
        reference: &Reference,
        result: Result<Option<Bytes>, Error>,
    ) -> Vec<Step<J>> {
        let name = (client, reference.name.clone());
        let runs = self.fetching.remove(&name).unwrap_or_default();
        if let Ok(Some(bytes)) = result {
            let bytes = Arc::new(bytes);
            if reference.is_shared {
                self.keep(name, bytes.clone());
            }
            let start = |run| Some(Step::Start(self.runs.get_mut(&run)?.job.take()?, bytes.clone()));
            return runs.into_iter().filter_map(start).collect();
        }
        let mut steps = Vec::new();
        for run in runs {
            let Some(job) = self.runs.get_mut(&run).and_then(|run| run.job.take()) else { continue };
            steps.push(match &result {
                Err(error) => Step::Fail(job, error.clone()),
                Ok(_) => Step::Return(run),
            });
            steps.extend(self.ended(run));
        }
        steps
    }

    /// Gives up a run that was not started. Returns whether there is such a one.
    pub(super) fn give_up(&mut self, run: u64) -> Option<Vec<Step<J>>> {
        self.runs.get(&run)?.job.as_ref()?;
        Some(self.ended(run))
    }

    /// A run has ended, or never began.
    #[must_use = "other runs wait for these steps"]
    pub(super) fn ended(&mut self, run: u64) -> Vec<Step<J>> {
        let Some(ended) = self.runs.remove(&run) else { return Vec::new() };
        if ended.is_waiting {
            self.waiting.retain(|other| *other != run);
        } else {
            self.used -= ended.reference.length;
        }
        self.begin_waiting()
    }

    /// Returns whether something is kept that must be dropped some time.
    pub(super) fn keeps_any(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Drops what was kept and not used for long.
    pub(super) fn forget(&mut self, now: Instant) {
        let kept_bytes = &mut self.kept_bytes;
        self.kept.retain(|_, kept| {
            let is_used = now.saturating_duration_since(kept.used) < KEPT_FOR;
            *kept_bytes -= if is_used { 0 } else { kept.bytes.len() as u64 };
            is_used
        });
    }

    /// Begins the runs for whose arguments there is room.
    fn begin_waiting(&mut self) -> Vec<Step<J>> {
        let mut steps = Vec::new();
        while let Some(number) = self.waiting.front().copied() {
            let Some(run) = self.runs.get_mut(&number) else {
                self.waiting.pop_front();
                continue;
            };
            if self.used > 0 && self.used + run.reference.length > MOST_USED {
                break;
            }
            self.waiting.pop_front();
            self.used += run.reference.length;
            run.is_waiting = false;
            if let Some(kept) = self.kept.get_mut(&run.name) {
                kept.used = Instant::now();
                let start = run.job.take().map(|job| Step::Start(job, kept.bytes.clone()));
                steps.extend(start);
                continue;
            }
            match self.fetching.get_mut(&run.name) {
                Some(runs) => runs.push(number),
                None => {
                    self.fetching.insert(run.name.clone(), vec![number]);
                    steps.push(Step::Fetch(run.name.0.clone(), run.reference.clone()));
                }
            }
        }
        steps
    }

    fn keep(&mut self, name: Name, bytes: Arc<Bytes>) {
        let length = bytes.len() as u64;
        if length > MOST_KEPT {
            return;
        }
        while self.kept_bytes + length > MOST_KEPT {
            let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(name, _)| name.clone());
            let Some(oldest) = oldest.and_then(|name| self.kept.remove(&name)) else { break };
            self.kept_bytes -= oldest.bytes.len() as u64;
        }
        self.kept_bytes += length;
        self.kept.insert(name, Kept { bytes, used: Instant::now() });
    }
}

#[cfg(test)]
mod tests {
    use executor_core::ErrorKind;

    use super::*;

    fn client() -> Peer {
        Peer::new("ada", "c1").expect("a name")
    }

    fn value(name: &str, length: u64, is_shared: bool) -> Reference {
        Reference { name: name.into(), length, is_shared }
    }

    fn said(steps: Vec<Step<u64>>) -> Vec<String> {
        let say = |step| match step {
            Step::Fetch(_, reference) => format!("fetch {}", reference.name),
            Step::Start(run, bytes) => format!("start {run} with {}", bytes.len()),
            Step::Return(run) => format!("return {run}"),
            Step::Fail(run, error) => format!("fail {run}: {error}"),
        };
        steps.into_iter().map(say).collect()
    }

    fn bytes(length: u64) -> Result<Option<Bytes>, Error> {
        Ok(Some(vec![7; length as usize].into()))
    }

    #[test]
    fn an_argument_is_fetched_once_for_the_runs_that_need_it_at_the_time_and_kept_if_it_is_shared() {
        let mut arguments = Arguments::default();
        let shared = value("s", 100, true);
        assert_eq!(said(arguments.need(1, 1, client(), shared.clone())), ["fetch s"]);
        assert!(said(arguments.need(2, 2, client(), shared.clone())).is_empty());
        let started = said(arguments.fetched(client(), &shared, bytes(100)));
        assert_eq!(started, ["start 1 with 100", "start 2 with 100"]);
        assert_eq!(said(arguments.need(3, 3, client(), shared.clone())), ["start 3 with 100"]);
        // Another client's value of that name is another value.
        let other = Peer::new("bob", "c1").expect("a name");
        assert_eq!(said(arguments.need(4, 4, other, shared.clone())), ["fetch s"]);
        arguments.forget(Instant::now() + KEPT_FOR);
        assert_eq!((arguments.kept.len(), arguments.kept_bytes), (0, 0));
        // One that no other task has is not kept.
        let single = value("x", 100, false);
        assert_eq!(said(arguments.need(5, 5, client(), single.clone())), ["fetch x"]);
        assert_eq!(said(arguments.fetched(client(), &single, bytes(100))), ["start 5 with 100"]);
        assert!(arguments.kept.is_empty());
    }

    #[test]
    fn runs_wait_while_others_use_too_much() {
        let mut arguments = Arguments::default();
        let large = |name| value(name, MOST_USED / 2 + 1, false);
        assert_eq!(said(arguments.need(1, 1, client(), value("huge", MOST_USED * 9, false))), ["fetch huge"]);
        assert!(said(arguments.need(2, 2, client(), large("a"))).is_empty());
        assert!(said(arguments.need(3, 3, client(), large("b"))).is_empty());
        assert_eq!(said(arguments.ended(1)), ["fetch a"]);
        // It is stopped before it was started, and another one that waits.
        assert!(said(arguments.need(4, 4, client(), large("c"))).is_empty());
        assert!(arguments.give_up(3).is_some_and(|steps| steps.is_empty()));
        assert_eq!(said(arguments.give_up(2).expect("it has not started")), ["fetch c"]);
        assert!(said(arguments.fetched(client(), &large("a"), bytes(1))).is_empty(), "no one wants it any more");
        assert_eq!(said(arguments.fetched(client(), &large("c"), bytes(1))), ["start 4 with 1"]);
        assert!(arguments.give_up(4).is_none(), "it has started");
        assert!(said(arguments.ended(4)).is_empty());
        assert_eq!(arguments.used, 0);
    }

    #[test]
    fn what_cannot_be_fetched_fails_the_runs_that_wait_for_it_and_makes_room() {
        let mut arguments = Arguments::default();
        let lost = value("a", MOST_USED, false);
        assert_eq!(said(arguments.need(1, 1, client(), lost.clone())), ["fetch a"]);
        assert!(said(arguments.need(2, 2, client(), value("b", 1, false))).is_empty());
        let error = Error::new(ErrorKind::Unavailable, "it is gone");
        assert_eq!(said(arguments.fetched(client(), &lost, Err(error))), ["fail 1: it is gone", "fetch b"]);
        assert_eq!(said(arguments.fetched(client(), &value("b", 1, false), Ok(None))), ["return 2"]);
        assert_eq!((arguments.used, arguments.runs.len()), (0, 0));
    }
}
