//! The rules on `InlineExecutor::encoding()`.

use tests::harness::Encoding;

conformance::suite!(Encoding);
