//! What a system keeps of a sandbox.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A part of a [`Sandbox`](crate::Sandbox) that a system has or lacks as a whole.
///
/// ```
/// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
/// use concurrent_futures::{Layer, Sandbox};
/// let names: Vec<String> = Layer::ALL.iter().map(|layer| layer.to_string()).collect();
/// assert!(names.contains(&"system calls".to_string()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Layer {
    /// A worker has no descriptors but its standard streams, its link to the pool, and those that were passed to it.
    Descriptors,
    /// A worker has few variables of this program's environment.
    Environment,
    /// Limits on open files, the size of files, processor time and core dumps.
    Limits,
    /// A worker cannot gain rights, and other processes of its user cannot read its memory (`no_new_privs`, not
    /// dumpable).
    Privileges,
    /// A worker has no capabilities, even if it runs as root.
    Capabilities,
    /// The files that a worker may use (Landlock).
    Files,
    /// The TCP ports that a worker may use, if it may use TCP alone (Landlock, from ABI 4 on).
    Network,
    /// A worker cannot send signals to processes outside of its sandbox (Landlock, from ABI 6 on).
    Signals,
    /// The system calls that a worker may make (seccomp).
    SystemCalls,
    /// User, mount, network, IPC and host name namespaces of its own.
    Namespaces,
}

impl Layer {
    /// All layers, in the order in which they are applied.
    pub const ALL: [Layer; 10] = [
        Layer::Environment,
        Layer::Descriptors,
        Layer::Privileges,
        Layer::Limits,
        Layer::Namespaces,
        Layer::Files,
        Layer::Network,
        Layer::Signals,
        Layer::Capabilities,
        Layer::SystemCalls,
    ];
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layer::Descriptors => "descriptors",
            Layer::Environment => "environment",
            Layer::Limits => "limits",
            Layer::Privileges => "privileges",
            Layer::Capabilities => "capabilities",
            Layer::Files => "files",
            Layer::Network => "network",
            Layer::Signals => "signals",
            Layer::SystemCalls => "system calls",
            Layer::Namespaces => "namespaces",
        })
    }
}

/// Whether a layer is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum LayerState {
    /// The layer holds.
    InForce,
    /// The system lacks it, for this reason. The sandbox does not need it, or was asked for with
    /// [`best_effort`](crate::Sandbox::best_effort).
    Missing(String),
    /// The sandbox does not have this layer.
    NotAsked,
}

/// Which layers of a sandbox are in force. [`Sandbox::check`](crate::Sandbox::check) returns one for this system, and
/// [`ProcessPoolExecutor::sandbox_status`](crate::ProcessPoolExecutor::sandbox_status) what the workers have reported.
///
/// ```
/// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
/// use concurrent_futures::{ErrorKind, Layer, LayerState, Sandbox};
/// match Sandbox::compute().check() {
///     Ok(status) => assert_eq!(status.layer(Layer::SystemCalls), &LayerState::InForce),
///     Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported),
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxStatus {
    layers: Vec<(Layer, LayerState)>,
}

impl SandboxStatus {
    /// Returns a status in which no layer was asked for.
    pub(crate) fn none() -> SandboxStatus {
        SandboxStatus { layers: Layer::ALL.map(|layer| (layer, LayerState::NotAsked)).to_vec() }
    }

    pub(crate) fn set(&mut self, layer: Layer, state: LayerState) {
        if let Some(entry) = self.layers.iter_mut().find(|(other, _)| *other == layer) {
            entry.1 = state;
        }
    }

    /// Sets a layer to what the system has replied.
    pub(crate) fn set_if(&mut self, layer: Layer, present: Result<(), String>) {
        self.set(layer, present.map_or_else(LayerState::Missing, |()| LayerState::InForce));
    }

    /// Returns the state of a layer.
    pub fn layer(&self, layer: Layer) -> &LayerState {
        self.layers.iter().find(|(other, _)| *other == layer).map_or(&LayerState::NotAsked, |(_, state)| state)
    }

    /// Returns all layers with their states.
    pub fn layers(&self) -> impl Iterator<Item = (Layer, &LayerState)> {
        self.layers.iter().map(|(layer, state)| (*layer, state))
    }

    /// Returns `true` if the system lacks no layer of the sandbox.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
    /// use concurrent_futures::Sandbox;
    /// if let Ok(status) = Sandbox::compute().best_effort().check() {
    ///     println!("everything is in force: {}", status.is_complete());
    /// }
    /// ```
    pub fn is_complete(&self) -> bool {
        !self.layers.iter().any(|(_, state)| matches!(state, LayerState::Missing(_)))
    }
}

impl fmt::Debug for SandboxStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.layers.iter().map(|(layer, state)| (layer, state))).finish()
    }
}
