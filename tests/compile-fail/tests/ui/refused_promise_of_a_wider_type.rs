use executor_core::{Promise, promise};

type AnyText = for<'a> fn(&'a str) -> &'static str;
type StaticText = fn(&'static str) -> &'static str;

// The future would read the promise's value as another type.
fn main() {
    let (promise, _future) = promise::<AnyText>();
    let _wider: Promise<StaticText> = promise;
}
