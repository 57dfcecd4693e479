//! Types that are serialized by code of their own or as another type.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use concurrent_futures::Executor;
use serde::{Deserialize, Serialize};

use super::{RING, SOCKET, travels};

/// Counts how often it is decoded in this process.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Counted {
    number: u8,
}

static READ: AtomicUsize = AtomicUsize::new(0);

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Counted, D::Error> {
        #[derive(Deserialize)]
        struct Fields {
            number: u8,
        }
        READ.fetch_add(1, Relaxed);
        Fields::deserialize(deserializer).map(|Fields { number }| Counted { number })
    }
}

#[test]
fn an_argument_is_never_decoded_in_the_process_that_sends_it() {
    for pool in [&RING, &SOCKET] {
        let future = pool.submit(|counted: Counted| counted.number, Counted { number: 7 }).expect("sent");
        assert_eq!(future.result(None).expect("it has a result"), 7);
    }
    assert_eq!(READ.load(Relaxed), 0);
}

/// Serializes in one form and deserializes from another without a loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Full", from = "Part")]
struct Sum {
    a: u32,
    b: u32,
}

#[derive(Serialize)]
struct Full {
    a: u32,
    b: u32,
    sum: u32,
}

#[derive(Deserialize)]
struct Part {
    a: u32,
    b: u32,
}

impl From<Sum> for Full {
    fn from(Sum { a, b }: Sum) -> Full {
        Full { a, b, sum: a + b }
    }
}

impl From<Part> for Sum {
    fn from(Part { a, b }: Part) -> Sum {
        Sum { a, b }
    }
}

#[test]
fn a_type_may_travel_as_another_type() {
    travels(&[Sum { a: 1, b: 2 }]);
}
