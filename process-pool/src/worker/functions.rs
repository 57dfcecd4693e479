//! The functions of this program, by the addresses that the parent sends.
#![allow(unsafe_code)]

use executor_core::{
    Error,
    function::{Address, BuildId, Entry},
};

/// The functions of a parent that runs the same build.
pub(super) struct Functions {
    /// The function that was called last, which is most likely called again.
    last: Option<(Address, &'static Entry)>,
}

impl Functions {
    /// Returns the functions of a parent with this build, or `None` if this process runs another one.
    pub(super) fn of_parent(build: BuildId) -> Option<Functions> {
        (build == BuildId::own()).then_some(Functions { last: None })
    }

    /// Finds the function at an address that the parent has sent.
    ///
    /// # Errors
    ///
    /// [`Decode`](executor_core::ErrorKind::Decode) if there is none.
    pub(super) fn find(&mut self, address: Address) -> Result<&'static Entry, Error> {
        if let Some((_, entry)) = self.last.filter(|(last, _)| *last == address) {
            return Ok(entry);
        }
        // SAFETY: the parent runs the same build, which `of_parent` has compared, and sends what `Address::of`
        // returned. No other process can write to the link, because only the parent has its other end. Whether captures
        // of size zero may exist here is the responsibility of the code that submits them: see `Function`.
        let entry = unsafe { address.resolve() }?;
        self.last = Some((address, entry));
        Ok(entry)
    }
}
