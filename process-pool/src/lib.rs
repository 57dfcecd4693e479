//! process-pool
