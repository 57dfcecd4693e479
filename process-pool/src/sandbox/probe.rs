//! What this system has of a sandbox. The system is asked, because its version tells too little: containers, settings
//! and other kernels differ.

use executor_core::{Error, ErrorKind};

use super::{
    options::{Network, Sandbox},
    rules::Rules,
    status::{Layer, LayerState, SandboxStatus},
};
use crate::sys::sandbox::{self, ABI_OF_FILES, ABI_OF_NETWORK, ABI_OF_SIGNALS};

/// Names a version of Landlock for people.
fn version(abi: u32) -> String {
    let linux = match abi {
        ABI_OF_FILES => "6.2",
        ABI_OF_NETWORK => "6.7",
        ABI_OF_SIGNALS => "6.12",
        _ => "5.13",
    };
    format!("Landlock ABI {abi} (Linux {linux})")
}

/// Asks about the layers that are applied when a worker is locked.
pub(super) fn probe_lock(rules: &Rules, status: &mut SandboxStatus) {
    let found = sandbox::files_version();
    let has = |least: u32| match &found {
        Ok(abi) if *abi >= least => Ok(()),
        Ok(abi) => Err(format!("{}; it has ABI {abi}", version(least))),
        Err(reason) => Err(format!("{}: {reason}", version(least))),
    };
    let least = if rules.grants_files() { ABI_OF_FILES } else { 1 };
    // An older version restricts something, too, which `best_effort` wants.
    let files = if rules.best_effort { has(1) } else { has(least) };
    status.set_if(Layer::Files, files);
    if rules.network() != &Network::Any {
        status.set_if(Layer::Network, has(ABI_OF_NETWORK));
    }
    status.set_if(Layer::Signals, has(ABI_OF_SIGNALS));
    let capabilities = if cfg!(target_os = "linux") { Ok(()) } else { Err("only Linux has them".to_string()) };
    status.set_if(Layer::Capabilities, capabilities);
    status.set_if(Layer::SystemCalls, sandbox::check_filter());
}

impl Rules {
    /// Asks this system about all layers.
    pub(super) fn probe(&self) -> SandboxStatus {
        let mut status = SandboxStatus::none();
        let process = if cfg!(target_os = "linux") { Ok(()) } else { Err("only Linux has it so far".to_string()) };
        status.set(Layer::Environment, LayerState::InForce);
        status.set(Layer::Limits, LayerState::InForce);
        status.set_if(Layer::Descriptors, process.clone());
        status.set_if(Layer::Privileges, process);
        if self.namespaces {
            status.set_if(Layer::Namespaces, sandbox::check_namespaces());
        }
        probe_lock(self, &mut status);
        status
    }

    /// Returns `true` if the sandbox cannot keep its promises without this layer. Without grants the filter of system
    /// calls keeps all of them alone.
    fn needs(&self, layer: Layer) -> bool {
        match layer {
            Layer::Files => self.grants_files(),
            Layer::Network => matches!(self.network(), Network::Tcp { .. }),
            Layer::Signals => self.runs_programs(),
            _ => true,
        }
    }

    /// Returns the message about the layers that are missing, if the sandbox cannot do without them.
    pub(super) fn missing(&self, status: &SandboxStatus) -> Option<String> {
        if self.best_effort {
            return None;
        }
        let missing = status.layers().filter_map(|(layer, state)| match state {
            LayerState::Missing(reason) if self.needs(layer) => Some(format!("{layer}: {reason}")),
            _ => None,
        });
        let missing: Vec<String> = missing.collect();
        let advice = "Grant less, run on a newer system, or call `best_effort` to do without";
        let list = missing.join("; ");
        (!missing.is_empty()).then(|| format!("this system cannot keep the sandbox, because it lacks {list}. {advice}"))
    }

    /// Returns what this system has, or an error that names each layer that it lacks.
    pub(crate) fn check(&self) -> Result<SandboxStatus, Error> {
        let status = self.probe();
        match self.missing(&status) {
            Some(message) => Err(Error::new(ErrorKind::Unsupported, message)),
            None => Ok(status),
        }
    }
}

impl Sandbox {
    /// Returns which layers this system has, without building a pool, for a program that reports what it can do.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](executor_core::ErrorKind::Unsupported) if a layer is missing that the sandbox needs, unless it
    /// was asked for with [`best_effort`](Sandbox::best_effort), and
    /// [`InvalidArgument`](executor_core::ErrorKind::InvalidArgument) for grants that cannot be given: a path that does
    /// not exist, or one through which a worker could leave its sandbox.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
    /// use concurrent_futures::Sandbox;
    /// match Sandbox::compute().check() {
    ///     Ok(status) => println!("{status:#?}"),
    ///     Err(error) => println!("{error}"),
    /// }
    /// ```
    pub fn check(&self) -> Result<SandboxStatus, Error> {
        Rules::of(self)?.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(sandbox: &Sandbox, layers: &[Layer]) -> Option<String> {
        let mut status = SandboxStatus::none();
        for layer in layers {
            status.set(*layer, LayerState::Missing(format!("no {layer}")));
        }
        Rules::of(sandbox).expect("possible").missing(&status)
    }

    #[test]
    fn each_layer_that_a_sandbox_needs_is_named_and_no_other() {
        let all = Layer::ALL;
        let text = missing(&Sandbox::compute().read("/usr"), &all).expect("it needs some");
        for layer in all {
            let is_needed = !matches!(layer, Layer::Network | Layer::Signals);
            assert_eq!(text.contains(&format!("{layer}: no {layer}")), is_needed, "{text}");
        }
        let without = [Layer::Files, Layer::Network, Layer::Signals];
        assert_eq!(missing(&Sandbox::compute(), &without), None, "the filter keeps these promises");
        assert!(missing(&Sandbox::compute().execute("/usr"), &[Layer::Signals]).is_some());
        let tcp = Sandbox::compute().network(Network::Tcp { connect: vec![1], bind: Vec::new() });
        assert!(missing(&tcp, &[Layer::Network]).is_some());
        assert_eq!(missing(&Sandbox::compute().read("/usr").best_effort(), &all), None);
    }
}
