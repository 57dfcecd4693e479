//! `ProcessPoolExecutor` keeps the rules on `Transport::Socket`.

use process_pool::Transport;
use tests::harness::Processes;

conformance::suite!(Processes(Transport::Socket));
