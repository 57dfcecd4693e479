//! The roster where objects stay in one process: it has one member, which is alive.

use executor_core::{
    Error,
    fork::{self, Generation},
};

use crate::sys::File;

/// This process.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    born: Generation,
}

const NUMBER: u32 = 1;

impl Member {
    pub(crate) fn home() -> Result<Member, Error> {
        Ok(Member { born: fork::generation() })
    }

    pub(crate) fn join(_: File) -> Result<Member, Error> {
        Member::home()
    }

    pub(crate) fn socket(&self) -> File {
        File
    }

    #[inline]
    pub(crate) fn number(&self) -> u32 {
        NUMBER
    }

    #[inline]
    pub(crate) fn is_here(&self) -> bool {
        self.born == fork::generation()
    }

    pub(crate) fn is_alive(&self, number: u32) -> bool {
        number == NUMBER
    }
}
