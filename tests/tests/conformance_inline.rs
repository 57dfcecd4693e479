//! `InlineExecutor` keeps the rules.

use tests::harness::Inline;

conformance::suite!(Inline);
