//! Says how long all tests take. `cargo test` begins with this package, because it runs the packages in the order of
//! the alphabet. With a filter this test is left out, and so is the line.

use std::io::{self, Write as _};

const LINE: &str =
    "\nAll tests take about six minutes on two processors. `cargo test -p <package>` runs those of one crate.";

#[test]
fn all_tests_take_a_while() {
    // Directly, because libtest shows what macros print only if the test fails. An error means that no one reads it.
    let _ = writeln!(io::stderr(), "{LINE}");
}
