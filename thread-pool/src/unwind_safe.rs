//! Executors may be used after a caught panic, although they contain locks.
//!
//! A panic never leaves a pool half changed: no lock of a pool is held while user code runs, and a panic of the pool's
//! own code aborts.

use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::{Scope, ScopedFuture, pool::Pool};

impl UnwindSafe for Pool {}
impl RefUnwindSafe for Pool {}

impl UnwindSafe for Scope<'_, '_> {}
impl RefUnwindSafe for Scope<'_, '_> {}

impl<R> UnwindSafe for ScopedFuture<'_, R> {}
impl<R> RefUnwindSafe for ScopedFuture<'_, R> {}

#[cfg(feature = "rayon")]
impl UnwindSafe for crate::RayonExecutor {}
#[cfg(feature = "rayon")]
impl RefUnwindSafe for crate::RayonExecutor {}
