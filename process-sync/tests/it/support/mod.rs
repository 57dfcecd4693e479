//! Partners of a test: threads, or processes that run this file again.

mod line;
mod partner;

pub use line::Line;
pub use partner::{Harness, Partner, child, dead, each_harness};

/// What a partner does. It gets the line to its test, and the encoded value that the test passes.
pub type Role = fn(&mut Line);

/// All roles, by name, so that another process finds them.
pub fn role(name: &str) -> Role {
    let lists = [
        crate::locks::ROLES,
        crate::semaphore::ROLES,
        crate::event::ROLES,
        crate::barrier::ROLES,
        crate::condition::ROLES,
        crate::memory::ROLES,
        crate::queue::ROLES,
        crate::pipe::ROLES,
        crate::limits::ROLES,
        crate::extremes::ROLES,
        crate::storm::ROLES,
        crate::shared::ROLES,
    ];
    let all = lists.iter().chain(crate::cpython::ROLES).flat_map(|list| list.iter());
    let found = all.into_iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no role {name}")).1
}
