//! The report of this worker.

use std::sync::OnceLock;

use crate::transport::Report;

/// It is never unmapped, because signal handlers also use it.
static REPORT: OnceLock<Report> = OnceLock::new();

/// Returns the report that this process leaves to its parent, if there is memory for one.
pub(super) fn report() -> Option<&'static Report> {
    REPORT.get()
}

/// Makes this the report of this process.
pub(super) fn set_report(report: Report) {
    let _ = REPORT.set(report);
}
