//! The rules on `ProcessPoolExecutor` with `Transport::Ring`.

use process_pool::Transport;
use tests::harness::Processes;

conformance::suite!(Processes(Transport::Ring));
