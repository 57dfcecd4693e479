//! The pool from which the faulty ones are derived keeps every rule, so what they break is due to their faults.

conformance::suite!(crate::faulty::Faulty::sound());
