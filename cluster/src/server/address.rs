//! Where a server listens.

use std::{fmt, net::IpAddr};

use executor_core::{Error, ErrorKind};

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Without the brackets of IPv6.
    host: String,
    port: u16,
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Address, Error> {
        let wrong = |why: &str| {
            let hint = "it must be a host and a port, such as `127.0.0.1:5000`, `[::1]:5000` or `0.0.0.0:0`";
            Error::new(ErrorKind::InvalidArgument, format!("the address {text:?} of a server {why}: {hint}"))
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(|| wrong("has no port"))?;
        let port = port.parse().map_err(|_| wrong("has a port that is no number below 65536"))?;
        let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inner) if inner.parse::<std::net::Ipv6Addr>().is_ok() => inner,
            None if is_name(host) => host,
            _ => return Err(wrong("has no valid host")),
        };
        Ok(Address { host: host.into(), port })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the address by which this machine reaches a server that listens here, on this port.
    pub(super) fn reached_by(&self, port: u16) -> Address {
        let host = match self.host.parse() {
            Ok(IpAddr::V4(ip)) if ip.is_unspecified() => "127.0.0.1",
            Ok(IpAddr::V6(ip)) if ip.is_unspecified() => "::1",
            _ => &self.host,
        };
        Address { host: host.into(), port }
    }

    /// Returns the address as the user has written it.
    pub(super) fn asked(&self) -> String {
        if self.port == 0 { format!("{self} (any port)") } else { self.to_string() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Returns `true` if this is an IPv4 address or the name of a host.
fn is_name(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_were() {
        for text in ["127.0.0.1:5000", "0.0.0.0:0", "[::1]:5000", "[::]:0", "node-7.example.org:65535"] {
            assert_eq!(Address::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_server_on_all_addresses_is_reached_by_the_loopback() {
        let reached = |text| Address::parse(text).unwrap().reached_by(7).to_string();
        assert_eq!(reached("0.0.0.0:0"), "127.0.0.1:7");
        assert_eq!(reached("[::]:0"), "[::1]:7");
        assert_eq!(reached("node-7:0"), "node-7:7");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "5000",
            ":5000",
            "localhost",
            "localhost:",
            "localhost:70000",
            "::1:5000",
            "[::1]",
            "[x]:1",
            "a b:1",
            "a\"}:1",
            "nats://localhost:4222",
            "a\n:1",
        ] {
            let error = Address::parse(text).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains("127.0.0.1:5000"), "{error}");
        }
    }
}
