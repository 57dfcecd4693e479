//! The report of this worker.

use std::sync::OnceLock;

use crate::transport::Report;

/// Signal handlers read it too, so it is never unmapped.
static REPORT: OnceLock<Report> = OnceLock::new();

/// Returns what this process tells its parent in case of its end, if there is memory for that.
pub(super) fn report() -> Option<&'static Report> {
    REPORT.get()
}

/// Makes this the report of this process.
pub(super) fn set_report(report: Report) {
    let _ = REPORT.set(report);
}
