//! What must not compile, and the words it is refused with: a newcomer should see the next step in them.
//!
//! After a change of the words, `TRYBUILD=overwrite cargo test -p executor-core --test compile_fail` writes them down.

#[test]
fn what_must_not_compile_is_refused_in_words_that_say_what_to_do() {
    let cases = trybuild::TestCases::new();
    // One case that compiles makes trybuild build instead of check, without which the size of a closure is not looked at.
    cases.pass("tests/ui/what_must_compile.rs");
    cases.compile_fail("tests/ui/refused_*.rs");
}
