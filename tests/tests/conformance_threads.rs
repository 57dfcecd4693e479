//! `ThreadPoolExecutor` keeps the rules.

use tests::harness::Threads;

conformance::suite!(Threads);
