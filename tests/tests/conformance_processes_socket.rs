//! The rules on `ProcessPoolExecutor` with `Transport::Socket`.

use process_pool::Transport;
use tests::harness::Processes;

conformance::suite!(Processes(Transport::Socket));

// What the workers of these tests write looks as if the tests crashed.
test_support::quiet_workers!();
