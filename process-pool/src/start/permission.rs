//! Whether this program may start workers now.

use executor_core::{Error, ErrorKind};

use super::{entry, environment, initialisers, program, rights};

/// Returns an error if workers that are started now could not serve, or if this program cannot have workers at all.
pub(crate) fn check() -> Result<(), Error> {
    program::check()?;
    check_start(entry::has_checked(), environment::depth())?;
    match rights::refusal() {
        None => Ok(()),
        Some(reason) => {
            Err(Error::new(ErrorKind::Broken, format!("this program cannot have worker processes: {reason}")))
        }
    }
}

/// Returns an error if workers that are started now could not serve: because this process has never checked whether it
/// is a worker itself, because an initialiser builds the pool, or because workers of workers are nested too deep.
fn check_start(has_checked: bool, depth: u32) -> Result<(), Error> {
    if !has_checked {
        return Err(Error::new(
            ErrorKind::Broken,
            "worker processes cannot start by themselves in this program: add `concurrent_futures::init();` (or \
             `process_pool::init();`) as the first line of `main`",
        ));
    }
    if initialisers::are_running() {
        return Err(Error::new(
            ErrorKind::Broken,
            "an initialiser that runs before `main` builds a pool, and runs in each worker of it too: build the pool \
             in `main`",
        ));
    }
    if depth >= environment::DEEPEST {
        return Err(Error::new(
            ErrorKind::Broken,
            format!(
                "this process is a worker of a worker, {} deep: something builds a pool in every worker; \
                 build it in the program itself, or outside of what workers run",
                environment::DEEPEST
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_program_whose_workers_cannot_start_tells_what_to_add() {
        let error = check_start(false, 0).expect_err("workers cannot start");
        assert_eq!(error.kind(), ErrorKind::Broken);
        let expected = "add `concurrent_futures::init();` (or `process_pool::init();`) as the first line of `main`";
        assert!(error.to_string().contains(expected));
    }

    #[test]
    fn workers_of_workers_are_refused_beyond_a_depth() {
        check_start(true, environment::DEEPEST - 1).expect("not too deep");
        assert!(
            check_start(true, environment::DEEPEST)
                .expect_err("too deep")
                .to_string()
                .contains("builds a pool in every worker")
        );
    }
}
