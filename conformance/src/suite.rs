//! Generates one test for each rule from a harness.

use std::{
    io::{self, Write},
    process,
    sync::Arc,
};

use crate::{HUNG, Harness, Limits, Outcome, Rule, run};

/// Generates one `#[test]` for each rule, named `group::rule`. Each runs on new executors of this harness.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use conformance::{Capabilities, Harness, Setup};
/// use concurrent_futures::{Backend, Error, InlineExecutor};
///
/// struct Inline;
///
/// impl Harness for Inline {
///     fn name(&self) -> &str {
///         "inline"
///     }
///     fn capabilities(&self) -> Capabilities {
///         Capabilities::NONE
///     }
///     fn executor(&self, _: &Setup) -> Result<Box<dyn Backend>, Error> {
///         Ok(Box::new(InlineExecutor::new()))
///     }
/// }
///
/// conformance::suite!(Inline);
/// ```
#[macro_export]
macro_rules! suite {
    ($harness:expr) => {
        fn conformance_harness() -> impl $crate::Harness {
            $harness
        }

        $crate::for_each_rule!(tests_of_rules);
    };
}

/// Generates the modules of tests that [`suite!`] expands to.
#[doc(hidden)]
#[macro_export]
macro_rules! tests_of_rules {
    ($($group:ident { $($number:literal $rule:ident [$($need:ident)*] $promise:literal)* })*) => {$(
        mod $group {$(
            #[test]
            fn $rule() {
                $crate::check(stringify!($group), stringify!($rule), super::conformance_harness());
            }
        )*}
    )*};
}

/// Runs one rule as a test. A skip is printed, and a rule that hangs ends the process with the exit code [`HUNG`].
///
/// # Panics
///
/// Panics if the back-end breaks the rule, or if there is no such rule.
pub fn check(group: &str, rule: &str, harness: impl Harness) {
    let rule = Rule::find(group, rule).unwrap_or_else(|| panic!("there is no rule {group}::{rule}"));
    match run(rule, Arc::new(harness), Limits::from_env()) {
        Outcome::Passed => {}
        Outcome::Skipped(why) => eprintln!("skipped {group}::{}: {why}", rule.name),
        Outcome::Broken(what) => panic!("{what}\nThe rule: {}", rule.promise),
        Outcome::Hung(report) => {
            // Not `eprintln!`: the test harness captures its output, which is lost when the process ends.
            let _ = writeln!(io::stderr(), "\n{report}The rule: {}", rule.promise);
            process::exit(HUNG);
        }
    }
}
