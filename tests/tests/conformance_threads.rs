//! The rules on `ThreadPoolExecutor`.

use tests::harness::Threads;

conformance::suite!(Threads);
