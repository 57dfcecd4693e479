//! The pool without a fault passes every rule, so a rule that fails on a faulty pool fails because of the fault.

conformance::suite!(crate::faulty::Faulty::sound());
