//! The calls that a sandbox has refused, as workers have reported them.

/// A call that a sandbox has refused. [`ProcessPoolExecutor::refusals`](crate::ProcessPoolExecutor::refusals) returns
/// them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RefusedCall {
    call: String,
    path: Option<String>,
}

impl RefusedCall {
    /// Returns the name of the system call, such as `openat`.
    pub fn call(&self) -> &str {
        &self.call
    }

    /// Returns the path that the call had, if it had one and that is known. Control characters are escaped.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }
}
