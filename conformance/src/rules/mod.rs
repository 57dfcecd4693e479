//! The list of all rules, and the files that hold them, one for each group.

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
mod shutdown;
mod stress;
mod submit;
mod wait;

use std::fmt;

use crate::{Case, Harness, Need};

/// One promise that a back-end keeps or does not.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Stable: the hundreds are the group. Reports may cite it.
    pub number: u32,
    /// The group, which is the module of the tests.
    pub group: &'static str,
    /// The name, which says the rule.
    pub name: &'static str,
    /// The promise, as a sentence.
    pub promise: &'static str,
    /// What a back-end has to be able to do for the rule to make sense.
    pub needs: &'static [Need],
    /// Panics where the rule is not kept.
    pub check: fn(&Case),
}

impl Rule {
    /// The rule with this name in this group.
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
    fn numbers_rise_and_are_unique() {
        assert!(RULES.windows(2).all(|pair| pair[0].number < pair[1].number));
    }
}
