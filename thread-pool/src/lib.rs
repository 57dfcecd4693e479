//! thread-pool
