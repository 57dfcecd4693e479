//! Callsites that tasks invent.

use std::collections::HashSet;

use executor_core::Executor;
use test_support::{DEADLINE, wait_until};
use tracing::{Level, Metadata};
use tracing_core::{callsite::Callsite, field::FieldSet, identify_callsite, metadata::Kind, subscriber::Interest};

use super::{
    builder,
    collector::{Collector, dropped},
};

/// A callsite that a task makes up.
struct Invented(std::sync::OnceLock<Metadata<'static>>);

impl Callsite for Invented {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        self.0.get().unwrap()
    }
}

/// In a worker: emits an event of a callsite that there was not before.
fn invent(number: usize) {
    let name: &'static str = Box::leak(format!("invented {number}").into());
    let site: &'static Invented = Box::leak(Box::new(Invented(std::sync::OnceLock::new())));
    let fields = FieldSet::new(&["message", "number"], identify_callsite!(site));
    let metadata = Metadata::new(name, "invented", Level::INFO, None, Some(7), None, fields, Kind::EVENT);
    let metadata = site.0.get_or_init(|| metadata);
    let fields: Vec<_> = metadata.fields().iter().collect();
    let values: [(&tracing::field::Field, Option<&dyn tracing::Value>); 2] =
        [(&fields[0], Some(&"made up")), (&fields[1], Some(&number))];
    tracing::Event::dispatch(metadata, &metadata.fields().value_set(&values));
}

#[test]
fn invented_callsites_share_a_few() {
    const EVENTS: usize = 100_000;
    const PIECE: usize = 1000;
    let collector = Collector::default();
    collector.with(|| {
        let pool = builder(process_pool::Transport::Ring).build().unwrap();
        for round in 1..=EVENTS / PIECE {
            let invent = |from: usize| (from..from + PIECE).for_each(invent);
            pool.submit(invent, (round - 1) * PIECE).unwrap().result(DEADLINE).unwrap();
            // So that none is dropped.
            wait_until("all of them", || collector.count() == round * PIECE);
        }
    });
    assert_eq!(dropped(&collector), 0);
    let seen = collector.seen();
    let callsites: HashSet<usize> = seen.iter().map(|event| event.callsite).collect();
    assert!(callsites.len() <= 2048 + 5, "{}", callsites.len());
    let shared = seen.iter().find(|event| event.target == "process_pool::event").expect("there is no space for all");
    assert_eq!((shared.level, shared.message.as_str()), (Level::INFO, "str made up"));
    let name = &shared.fields[0];
    assert!(name.starts_with("event.name=str invented "), "{shared:?}");
    assert_eq!(shared.fields[1..3], ["event.target=str invented", "event.line=u64 7"]);
    assert_eq!(shared.fields[3], format!("event.fields=str number={}", &name["event.name=str invented ".len()..]));
}
