//! Locking a worker.
//!
//! [`Jail::enter`] restricts what belongs to the process, at its start. [`Jail::lock`] restricts every thread, later.
//! What the system lacks is an error, unless the sandbox was asked for with `best_effort`.

use std::io;

use executor_core::{Error, codec};

use super::{
    probe,
    rules::Rules,
    status::{Layer, LayerState, SandboxStatus},
};
use crate::sys::{limits, policy::Cage, sandbox, standard};

/// The sandbox of this process.
#[derive(Debug)]
pub(crate) struct Jail {
    rules: Rules,
    status: SandboxStatus,
    /// The number of the channel for descriptors.
    channel: i32,
}

impl Jail {
    /// Restricts this process, which must not have started other code of the program. It keeps `own`, the numbers of
    /// its descriptors.
    pub(crate) fn enter(rules: Rules, own: &[i32], channel: i32) -> io::Result<Jail> {
        let mut jail = Jail { status: SandboxStatus::none(), rules, channel };
        jail.status.set(Layer::Environment, LayerState::InForce);
        if jail.rules.symbols {
            // The standard library keeps what it has read.
            let _ = std::backtrace::Backtrace::force_capture().to_string();
        }
        let keep: Vec<i32> = own.iter().chain(&jail.rules.passed).copied().chain([channel]).collect();
        jail.note(Layer::Descriptors, sandbox::close_others(&keep))?;
        if jail.rules.joins_output {
            standard::join_output_to_error()?;
        }
        if jail.rules.namespaces {
            jail.note(Layer::Namespaces, sandbox::unshare())?;
        }
        jail.note(Layer::Privileges, sandbox::forbid_gain())?;
        limits::limit_core_dumps(false)?;
        jail.note(Layer::Limits, limits::limit_all(&jail.rules.limits()))?;
        Ok(jail)
    }

    /// Locks all threads of this process. After an error this process must end.
    pub(crate) fn lock(&mut self) -> io::Result<()> {
        sandbox::read_time_zone();
        probe::probe_lock(&self.rules, &mut self.status);
        if let Some(message) = self.rules.missing(&self.status) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
        let is_in_force = |layer: Layer| self.status.layer(layer) == &LayerState::InForce;
        let cage = Cage {
            policy: is_in_force(Layer::SystemCalls)
                .then(|| self.rules.policy(self.channel, is_in_force(Layer::Signals))),
            files: sandbox::files_version().ok().filter(|_| is_in_force(Layer::Files)),
            grants: self.rules.grants(),
            ports: self.rules.ports(),
            capabilities: is_in_force(Layer::Capabilities),
        };
        sandbox::lock(&cage)
    }

    pub(crate) fn locks_before_initializer(&self) -> bool {
        self.rules.before_initializer
    }

    /// Appends what is in force, as the parent decodes it.
    pub(crate) fn report(&self, into: &mut Vec<u8>) -> Result<(), Error> {
        codec::encode(&self.status, into)
    }

    /// Notes whether a layer could be applied.
    fn note(&mut self, layer: Layer, applied: io::Result<()>) -> io::Result<()> {
        match applied {
            Ok(()) => self.status.set(layer, LayerState::InForce),
            Err(error) if self.rules.best_effort => self.status.set(layer, LayerState::Missing(error.to_string())),
            Err(error) => {
                return Err(io::Error::new(error.kind(), format!("its sandbox lacks the layer `{layer}`: {error}")));
            }
        }
        Ok(())
    }
}
