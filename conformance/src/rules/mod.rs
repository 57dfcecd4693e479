//! The table of all rules. Each group of rules has a file.

mod as_completed;
mod awaited;
mod callback;
mod cancel;
mod drop;
mod list;
mod map;
mod nested;
mod panic;
mod result;
mod room;
mod shutdown;
mod stopping;
mod stress;
mod submit;
mod wait;

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
    /// Returns the rule with this name in this group, or `None` if there is none.
    pub fn find(group: &str, name: &str) -> Option<&'static Rule> {
        RULES.iter().find(|rule| rule.group == group && rule.name == name)
    }

    pub(crate) fn title(&self, harness: &dyn Harness) -> String {
        format!("rule {} {}::{} on {}", self.number, self.group, self.name, harness.name())
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}::{}", self.number, self.group, self.name)
    }
}

macro_rules! table_of_rules {
    ($($group:ident { $($number:literal $rule:ident [$($need:ident)*] $promise:literal)* })*) => {
        /// Every rule, in the order of their numbers.
        pub const RULES: &[Rule] = &[$($(
            Rule {
                number: $number,
                group: stringify!($group),
                name: stringify!($rule),
                promise: $promise,
                needs: &[$(Need::$need),*],
                check: $group::$rule,
            },
        )*)*];
    };
}
pub(crate) use table_of_rules;

crate::for_each_rule!(table_of_rules);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_ascending() {
        assert!(RULES.windows(2).all(|pair| pair[0].number < pair[1].number));
    }
}
