//! Authorities, certificates and keys of users, made anew for each run.

use std::{fs, path::PathBuf};

use cluster::Tls;
use nkeys::KeyPair;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyUsagePurpose};
use tempfile::TempDir;

/// As whom a program connects.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// The name of the user; without one it is the public key.
    pub name: Option<String>,
    pub seed: Option<String>,
    pub tls: Option<TlsFiles>,
}

/// The files of an encrypted connection.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    pub authority: PathBuf,
    pub certificate: Option<(PathBuf, PathBuf)>,
}

impl TlsFiles {
    pub fn options(&self) -> Tls {
        let tls = Tls::new().ca(&self.authority);
        match &self.certificate {
            Some((certificate, key)) => tls.certificate(certificate, key),
            None => tls,
        }
    }
}

impl Credentials {
    /// Returns the name of the user in subjects.
    pub fn user(&self) -> String {
        match (&self.name, &self.seed) {
            (Some(name), _) => name.clone(),
            (None, Some(seed)) => KeyPair::from_seed(seed).expect("it is a seed").public_key(),
            (None, None) => "default".to_string(),
        }
    }
}

/// A new key of a user: its seed, and its public key.
pub fn key() -> (String, String) {
    let key = KeyPair::new_user();
    (key.seed().expect("it has a seed"), key.public_key())
}

/// Files that an authority of its own has signed.
pub struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, rcgen::KeyPair>,
}

impl Authority {
    /// Makes an authority.
    ///
    /// # Panics
    ///
    /// As [`certificate`](Authority::certificate), if the system has no random numbers or no space.
    pub fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = rcgen::KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("a file");
        Authority { folder, issuer }
    }

    /// Returns the file with the certificate of the authority.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Makes a certificate for this machine, and returns the files of it and of its key.
    pub fn certificate(&self, name: &str) -> (PathBuf, PathBuf) {
        let names = vec!["localhost".to_string(), "127.0.0.1".to_string()];
        let mut params = CertificateParams::new(names).expect("they are names");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let path = |end: &str| self.folder.path().join(format!("{name}.{end}"));
        fs::write(path("pem"), certificate.pem()).expect("a file");
        fs::write(path("key"), key.serialize_pem()).expect("a file");
        (path("pem"), path("key"))
    }
}
