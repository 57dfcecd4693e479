//! Callsites that tasks invent.

use std::collections::HashSet;

use executor_core::Executor;
use test_support::DEADLINE;
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

fn invent(count: usize) {
    for number in 0..count {
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
}

#[test]
fn invented_callsites_share_a_few() {
    const EVENTS: usize = 100_000;
    let collector = Collector::default();
    collector.with(|| {
        let pool = builder(process_pool::Transport::Ring).build().unwrap();
        // In pieces, so that most of them are not dropped.
        for _ in 0..EVENTS / 1000 {
            pool.submit(invent, 1000).unwrap().result(DEADLINE).unwrap();
        }
        let more = |from: usize| {
            let _ = from;
            invent(2000);
        };
        pool.submit(more, 0).unwrap().result(DEADLINE).unwrap();
    });
    let seen = collector.seen();
    assert_eq!(seen.len() + dropped(&collector), EVENTS + 2000);
    let callsites: HashSet<usize> = seen.iter().map(|event| event.callsite).collect();
    assert!(callsites.len() <= 2048 + 5, "{}", callsites.len());
    let shared = seen.iter().find(|event| event.target == "process_pool::event").expect("there is no space for all");
    assert_eq!((shared.level, shared.message.as_str()), (Level::INFO, "str made up"));
    let name = &shared.fields[0];
    assert!(name.starts_with("event.name=str invented "), "{shared:?}");
    assert_eq!(shared.fields[1..3], ["event.target=str invented", "event.line=u64 7"]);
    assert_eq!(shared.fields[3], format!("event.fields=str number={}", &name["event.name=str invented ".len()..]));
}
