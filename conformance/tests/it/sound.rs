//! The pool that the broken ones are made of keeps every rule, so what they break is their own doing.

conformance::suite!(crate::faulty::Faulty::sound());
