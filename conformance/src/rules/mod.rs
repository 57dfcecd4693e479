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

use crate::{Need, Rule};

impl Rule {
    /// Returns the rule with this name in this group, or `None` if there is none.
    pub fn find(group: &str, name: &str) -> Option<&'static Rule> {
        RULES.iter().find(|rule| rule.group == group && rule.name == name)
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
