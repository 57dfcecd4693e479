//! A rule, and how it is shown.

use std::fmt;

use crate::{Case, Harness, Need};

/// A rule that every back-end must follow.
#[derive(Clone, Copy)]
pub struct Rule {
    /// The number, which never changes. The hundreds are the number of the group.
    pub number: u32,
    /// The name of the group, which is the module of the tests.
    pub group: &'static str,
    /// The name of the rule, which is the name of its test.
    pub name: &'static str,
    /// The promise, as a sentence.
    pub promise: &'static str,
    /// The capabilities that a back-end must have for the rule to apply.
    pub needs: &'static [Need],
    /// Checks the rule. It panics if the back-end breaks it.
    pub check: fn(&Case),
}

impl Rule {
    pub(crate) fn title(&self, harness: &dyn Harness) -> String {
        format!("rule {} {}::{} on {}", self.number, self.group, self.name, harness.name())
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}::{}", self.number, self.group, self.name)
    }
}
