//! The rules on `InlineExecutor`.

use tests::harness::Inline;

conformance::suite!(Inline);
