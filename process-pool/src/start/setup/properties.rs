//! Greetings of any content, and bytes that are no greeting.

use proptest::{collection::vec, prelude::*};

use super::*;

prop_compose! {
    fn setups()(
        (token, memory_limit, parent, copy) in any::<(u64, u64, u32, u64)>(),
        build in any::<[u8; 20]>(),
        (is_ring, initializes) in any::<(bool, bool)>(),
        rights in any::<[u64; Rights::SIZE / 8]>(),
        core_dumps in any::<Option<bool>>(),
        [name, lineage, parent_name] in ["\\PC{0,40}", "\\PC{0,40}", "\\PC{0,40}"],
        (is_daemon, parent_is_daemon) in any::<(Option<bool>, bool)>(),
        (stdout, stderr) in any::<(bool, bool)>(),
        sandbox in vec(any::<u8>(), 0..100),
        levels in any::<u8>(),
    ) -> Setup {
        let transport = if is_ring { Transport::Ring } else { Transport::Socket };
        let build = BuildId::from_bytes(build);
        let mut bytes = [0; Rights::SIZE];
        bytes.chunks_exact_mut(8).zip(rights).for_each(|(into, word)| into.copy_from_slice(&word.to_le_bytes()));
        let rights = Rights::from_bytes(&bytes);
        let role = is_daemon.map_or(Role::Worker, |is_daemon| Role::Process { is_daemon });
        Setup {
            token,
            build,
            transport,
            initializes,
            memory_limit,
            parent,
            rights,
            core_dumps,
            name,
            role,
            lineage,
            parent_name,
            parent_is_daemon,
            marks: Marks { stdout, stderr },
            sandbox,
            levels: Levels::from_byte(levels),
            copy,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_greeting_is_read_back_and_a_truncated_one_is_refused(
        setup in setups(),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = setup.to_bytes(0);
        prop_assert_eq!(Setup::from_bytes(&bytes).map(|read| format!("{read:?}")), Some(format!("{setup:?}")));
        prop_assert!(Setup::from_bytes(&bytes[..cut.index(bytes.len())]).is_none());
    }

    #[test]
    fn bytes_that_are_no_greeting_are_refused(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(Setup::from_bytes(&bytes).is_none());
    }
}
