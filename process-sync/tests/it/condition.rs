use crate::support::Role;
pub const ROLES: &[(&str, Role)] = &[];
