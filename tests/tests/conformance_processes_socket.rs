//! The rules on `ProcessPoolExecutor` with `Transport::Socket`.

use process_pool::Transport;
use tests::harness::Processes;

conformance::suite!(Processes(Transport::Socket));
