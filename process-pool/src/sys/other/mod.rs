//! Every Unix system without a folder of its own.

pub(crate) mod control_group;
pub(crate) mod credentials;
pub(crate) mod descriptors;
pub(crate) mod executable;
pub(crate) mod hang_up;
pub(crate) mod initialisers;
pub(crate) mod memory;
pub(crate) mod process;
pub(crate) mod process_tree;
pub(crate) mod sandbox;
pub(crate) mod scheduling;
pub(crate) mod temporary;
