//! The files of a connection that is encrypted.

use std::path::PathBuf;

/// How the connection to a server is encrypted, and how both sides prove who they are.
///
/// A connection with this never falls back to plain text. Without an authority of its own it trusts those of the
/// system. A server that asks for the certificate of its client gets the one that is given here.
///
/// The cryptography is `ring`, unless the program has installed another provider of rustls for itself.
///
/// Python has no counterpart in `concurrent.futures`; it is what `ssl.SSLContext` is to a socket.
///
/// ```
/// use cluster::Tls;
/// let tls = Tls::new().ca("/etc/cluster/ca.pem").certificate("/etc/cluster/node.pem", "/etc/cluster/node.key");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    authorities: Vec<PathBuf>,
    certificate: Option<(PathBuf, PathBuf)>,
}

impl Tls {
    /// Encrypts, and trusts the authorities of the system.
    pub fn new() -> Tls {
        Tls::default()
    }

    /// Trusts the authorities in this file in the PEM format, and no longer those of the system. Call it again to add
    /// another file.
    pub fn ca(mut self, path: impl Into<PathBuf>) -> Tls {
        self.authorities.push(path.into());
        self
    }

    /// Proves to the server who this program is: a certificate and its private key, both files in the PEM format.
    pub fn certificate(mut self, path: impl Into<PathBuf>, key_path: impl Into<PathBuf>) -> Tls {
        self.certificate = Some((path.into(), key_path.into()));
        self
    }

    pub(crate) fn authorities(&self) -> &[PathBuf] {
        &self.authorities
    }

    pub(crate) fn own_certificate(&self) -> Option<&(PathBuf, PathBuf)> {
        self.certificate.as_ref()
    }
}
