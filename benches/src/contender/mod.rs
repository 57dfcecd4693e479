//! Who takes part.

mod ours;
mod procspawn;
mod rayon;

use concurrent_futures::{Error, ProcessPoolExecutor, ThreadPoolExecutor, Transport};

/// Somebody who can run [`add_one`](crate::add_one) elsewhere.
pub trait Contender {
    /// What it is called in reports.
    fn name(&self) -> &'static str;

    /// Submits a call for every number below `count`, then collects all results, and answers their sum.
    fn submit_then_collect(&self, count: u64) -> u64;

    /// Submits a call, waits for its result, and goes on with the next; answers their sum.
    fn one_at_a_time(&self, count: u64) -> u64;
}

/// Contenders that run tasks on threads of this process.
///
/// # Errors
///
/// If a pool cannot be built.
pub fn threads(workers: usize) -> Result<Vec<Box<dyn Contender>>, Error> {
    Ok(vec![
        Box::new(ours::Ours { name: "threads", backend: Box::new(ThreadPoolExecutor::new(workers)?) }),
        Box::new(rayon::Rayon::new(workers)?),
    ])
}

/// Contenders that run tasks in other processes.
///
/// # Errors
///
/// If a pool cannot be built.
pub fn processes(workers: usize) -> Result<Vec<Box<dyn Contender>>, Error> {
    let ours = |name, transport| -> Result<Box<dyn Contender>, Error> {
        let pool = ProcessPoolExecutor::builder().max_workers(workers).transport(transport).build()?;
        Ok(Box::new(ours::Ours { name, backend: Box::new(pool) }))
    };
    Ok(vec![
        ours("processes, ring", Transport::Ring)?,
        ours("processes, socket", Transport::Socket)?,
        Box::new(procspawn::Procspawn::new(workers)?),
    ])
}
