//! The rules on `ProcessPoolExecutor` with `Transport::Socket`, in a sandbox.

use process_pool::Transport;
use tests::harness::Contained;

conformance::suite!(Contained(Transport::Socket));

// What the workers of these tests write looks as if the tests crashed.
test_support::quiet_workers!();
