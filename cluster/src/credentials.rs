//! As whom a program connects.

use std::{fmt, fs, path::Path};

use executor_core::{Error, ErrorKind};

use crate::Tls;

/// As whom a program connects to the servers of a cluster: a user with a token or an nkey, and how the connection is
/// encrypted. It shows no secret.
///
/// Clients, agents, administrators and clients of objects take the same ones, by `credentials(…)`; each part can also
/// be set by itself there.
///
/// ```no_run
/// # mod concurrent_futures { pub use cluster; pub use executor_core::Error; }
/// use concurrent_futures::{Error, cluster::{Client, Credentials}};
///
/// let credentials = Credentials::read("/etc/cluster/ada.conf")?;
/// let client = Client::builder().server("nats://n1.example.org:4222").credentials(credentials).build()?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[must_use = "credentials do nothing by themselves"]
pub struct Credentials {
    pub(crate) user: Option<String>,
    pub(crate) token: Option<String>,
    /// The seed of an nkey: the public key is derived from it.
    pub(crate) nkey: Option<String>,
    pub(crate) tls: Option<Tls>,
}

impl Credentials {
    /// A connection without any, in plain text.
    pub fn new() -> Credentials {
        Credentials::default()
    }

    /// Reads a file with lines like `nkey = SU…`, `token = …`, `user = …`, `ca = /path`, `certificate = /path` and
    /// `key = /path`, each at most once. `ca`, `certificate` or `tls = yes` encrypts the connection. Empty lines, and
    /// those that begin with `#`, do not count.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) if the file cannot be read, or a line is not like that.
    pub fn read(path: impl AsRef<Path>) -> Result<Credentials, Error> {
        let path = path.as_ref();
        let text = fs::read_to_string(path)
            .map_err(|error| invalid(format!("the credentials in {path:?} cannot be read: {error}")))?;
        // Errors name the line by its number, because it may have a secret.
        Credentials::parse(&text).map_err(|line| {
            invalid(format!(
                "line {line} of {path:?} is not `name = value` with one of the names nkey, token, user, tls, ca, \
                 certificate and key, or names it again, or has a certificate without a key"
            ))
        })
    }

    /// Sets the name of the user, which is part of the subjects by which the server controls what a user may do. By
    /// default it is the public key of the [nkey](Credentials::nkey), or `default` without one. It has 1 to 64 ASCII
    /// letters, digits, `-` and `_`.
    pub fn user(mut self, name: impl Into<String>) -> Credentials {
        self.user = Some(name.into());
        self
    }

    /// Sets the token that the server asks for. Whoever can read an unencrypted connection reads it too.
    pub fn token(mut self, token: impl Into<String>) -> Credentials {
        self.token = Some(token.into());
        self
    }

    /// Sets the seed of the nkey with which this program proves who it is: the text that begins with `SU`. It does not
    /// travel.
    pub fn nkey(mut self, seed: impl Into<String>) -> Credentials {
        self.nkey = Some(seed.into());
        self
    }

    /// Encrypts the connection. A server that does not is an error.
    pub fn tls(mut self, tls: Tls) -> Credentials {
        self.tls = Some(tls);
        self
    }

    /// Reads credentials, or returns the number of the first line that is wrong.
    fn parse(text: &str) -> Result<Credentials, usize> {
        let mut values: [(&str, Option<(usize, &str)>); 7] =
            ["nkey", "token", "user", "tls", "ca", "certificate", "key"].map(|name| (name, None));
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, value) = line.split_once('=').ok_or(index + 1)?;
            let entry = values.iter_mut().find(|(known, value)| *known == name.trim() && value.is_none());
            entry.ok_or(index + 1)?.1 = Some((index + 1, value.trim()));
        }
        let [nkey, token, user, tls, ca, certificate, key] = values.map(|(_, value)| value);
        let text = |value: Option<(usize, &str)>| value.map(|(_, text)| text.to_string());
        let mut wanted = ca.into_iter().fold(Tls::new(), |tls, (_, path)| tls.ca(path));
        match (certificate, key) {
            (Some((_, certificate)), Some((_, key))) => wanted = wanted.certificate(certificate, key),
            (Some((line, _)), None) | (None, Some((line, _))) => return Err(line),
            (None, None) => {}
        }
        let is_encrypted = match tls {
            Some((line, text)) if text != "yes" => return Err(line),
            tls => tls.is_some() || ca.is_some() || certificate.is_some(),
        };
        Ok(Credentials { user: text(user), token: text(token), nkey: text(nkey), tls: is_encrypted.then_some(wanted) })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = match (&self.token, &self.nkey) {
            (Some(_), _) => "token",
            (None, Some(_)) => "nkey",
            (None, None) => "none",
        };
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .field("secret", &secret)
            .field("tls", &self.tls)
            .finish()
    }
}

/// The setters of a builder that has an [`Address`](crate::address::Address).
macro_rules! credential_setters {
    () => {
        /// Sets as whom this program connects, with all that was set of it before.
        pub fn credentials(mut self, credentials: $crate::Credentials) -> Self {
            self.address.credentials = credentials;
            self
        }

        /// Sets the name of the user, as [`Credentials::user`](crate::Credentials::user) does.
        pub fn user(mut self, name: impl Into<String>) -> Self {
            self.address.credentials = self.address.credentials.user(name);
            self
        }

        /// Sets the token that the server asks for, as [`Credentials::token`](crate::Credentials::token) does.
        pub fn token(mut self, token: impl Into<String>) -> Self {
            self.address.credentials = self.address.credentials.token(token);
            self
        }

        /// Sets the seed of the nkey of the user, as [`Credentials::nkey`](crate::Credentials::nkey) does.
        pub fn nkey(mut self, seed: impl Into<String>) -> Self {
            self.address.credentials = self.address.credentials.nkey(seed);
            self
        }

        /// Encrypts the connection, as [`Credentials::tls`](crate::Credentials::tls) does.
        pub fn tls(mut self, tls: $crate::Tls) -> Self {
            self.address.credentials = self.address.credentials.tls(tls);
            self
        }
    };
}
pub(crate) use credential_setters;

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_read_and_not_shown() {
        let text = "# of this node\n\n token = a = b\nuser=w\nca = /ca.pem\ncertificate = /c\nkey = /k";
        let all = Credentials::parse(text).expect("right");
        let tls = Tls::new().ca("/ca.pem").certificate("/c", "/k");
        assert_eq!(all, Credentials::new().token("a = b").user("w").tls(tls));
        let shown = format!("{all:?}");
        assert!(shown.contains("\"token\"") && shown.contains("\"w\"") && !shown.contains("a = b"), "{shown}");
        assert_eq!(Credentials::parse(""), Ok(Credentials::new()));
        assert_eq!(Credentials::parse("tls = yes\nnkey = SU"), Ok(Credentials::new().tls(Tls::new()).nkey("SU")));
    }

    #[test]
    fn a_wrong_line_is_named_by_its_number() {
        for (text, line) in [
            ("token", 1),
            ("\npassword = x", 2),
            ("token = a\ntoken = b", 2),
            ("certificate = /c", 1),
            ("user = w\nkey = /k", 2),
            ("tls = no", 1),
        ] {
            assert_eq!(Credentials::parse(text).expect_err(text), line, "{text}");
        }
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), "token = s3cret\ntoken = other").expect("it can be written");
        let error = Credentials::read(file.path()).expect_err("twice");
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("line 2") && !error.to_string().contains("s3cret"), "{error}");
    }
}
