//! Where the servers are, and as whom this program connects.

use std::fmt;

use executor_core::{Error, ErrorKind};

use crate::{Credentials, wire::Peer};

/// The user of a connection that names none and has no nkey.
const ANYONE: &str = "default";

/// Where the servers are, and as whom this program connects. It shows no secret.
#[derive(Clone, Default)]
pub(crate) struct Address {
    pub(crate) servers: Vec<String>,
    pub(crate) credentials: Credentials,
}

impl Address {
    /// Returns the address of one server.
    pub(crate) fn new(server: impl Into<String>) -> Address {
        Address { servers: vec![server.into()], ..Address::default() }
    }

    /// Returns whether neither a server nor a secret was set.
    pub(crate) fn is_empty(&self) -> bool {
        let Credentials { user: _, token, nkey, tls } = &self.credentials;
        self.servers.is_empty() && token.is_none() && nkey.is_none() && tls.is_none()
    }

    /// Returns the user as whom this program sends and receives: the one that was named, or else the public key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if the name cannot be part of a subject, or the nkey is none.
    pub(crate) fn user(&self) -> Result<String, Error> {
        let user = match (&self.credentials.user, &self.credentials.nkey) {
            (Some(user), _) => user.clone(),
            (None, Some(seed)) => public_key(seed)?,
            (None, None) => ANYONE.to_string(),
        };
        check_name("user", &user)?;
        Ok(user)
    }

    /// Returns the name of this process in the cluster, which no other process has.
    ///
    /// # Errors
    ///
    /// As [`user`](Address::user).
    pub(crate) fn peer(&self) -> Result<Peer, Error> {
        Ok(Peer::new(&self.user()?, &crate::unique::name())?)
    }

    /// Returns the name of an agent on this machine, which begins with the name of the machine, for errors.
    ///
    /// # Errors
    ///
    /// As [`user`](Address::user).
    pub(crate) fn agent(&self, host: &str) -> Result<Peer, Error> {
        let host: String = host
            .chars()
            .take_while(|character| *character != '.')
            .map(|character| if character.is_ascii_alphanumeric() { character } else { '_' })
            .take(32)
            .collect();
        let unique = crate::unique::name();
        Ok(Peer::new(&self.user()?, &format!("{host}-{}-{}", std::process::id(), &unique[..12]))?)
    }

    /// Checks what can be checked without a server.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`].
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.servers.is_empty() {
            return Err(invalid("no server is named: give the URL of one, such as `nats://10.0.0.1:4222`".into()));
        }
        if self.credentials.token.is_some() && self.credentials.nkey.is_some() {
            return Err(invalid("a connection has a token or an nkey, and not both".into()));
        }
        if let Some(seed) = &self.credentials.nkey {
            public_key(seed)?;
        }
        self.user().map(|_| ())
    }

    /// Returns the servers for an error, without user names and passwords.
    pub(crate) fn shown(&self) -> String {
        let servers: Vec<String> = self.servers.iter().map(|server| format!("`{}`", without_secret(server))).collect();
        servers.join(", ")
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("servers", &format_args!("{}", self.shown()))
            .field("user", &self.user().ok())
            .field("credentials", &self.credentials)
            .finish()
    }
}

/// Checks a name that becomes part of subjects, such as that of a pool.
///
/// # Errors
///
/// [`ErrorKind::InvalidArgument`] if it has characters that subjects give a meaning, or is empty or too long.
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), Error> {
    if Peer::new(name, "x").is_ok() {
        return Ok(());
    }
    Err(invalid(format!(
        "{name:?} cannot be the name of a {what}: it must have 1 to {} ASCII letters, digits, `-` and `_`",
        Peer::LONGEST_PART
    )))
}

/// Returns a URL without what stands before the `@`.
pub(crate) fn without_secret(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // A password may have any character, so everything before the last `@` goes.
    let host = match rest.rfind('@') {
        Some(at) if at > end => &rest[at + 1..],
        _ => rest[..end].rsplit('@').next().unwrap_or_default(),
    };
    format!("{scheme}{host}")
}

fn public_key(seed: &str) -> Result<String, Error> {
    // The reason is left out, because it may quote the seed.
    let key = nkeys::KeyPair::from_seed(seed).map_err(|_| {
        invalid("the nkey is not a seed: it begins with `SU`, and `nk -gen user` or the crate `nkeys` makes one".into())
    })?;
    Ok(key.public_key())
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_shown_has_a_secret() {
        let seed = nkeys::KeyPair::new_user().seed().expect("it has a seed");
        let mut address = Address::new("nats://ada:pass/w@rd@host:4222");
        address.credentials.token = Some("tok3n".into());
        address.credentials.nkey = Some(seed.clone());
        let shown = format!("{address:?} {}", address.check().expect_err("both"));
        for secret in ["pass", "w@rd", "tok3n", &seed] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert_eq!(address.shown(), "`nats://host:4222`");
        address.credentials.nkey = Some(format!("{seed}x"));
        let error = address.user().expect_err("no seed");
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(!error.to_string().contains(&seed));
    }

    #[test]
    fn a_url_keeps_its_host() {
        for (url, shown) in [
            ("nats://host:4222", "nats://host:4222"),
            ("host:4222", "host:4222"),
            ("token@host", "host"),
            ("nats://a:b@host/", "nats://host"),
            ("tls://a@b@host", "tls://host"),
        ] {
            assert_eq!(without_secret(url), shown, "{url}");
        }
    }

    #[test]
    fn the_user_is_named_or_the_public_key() {
        let key = nkeys::KeyPair::new_user();
        let mut address = Address::new("nats://host");
        assert_eq!(address.user().expect("a name"), "default");
        address.credentials.nkey = Some(key.seed().expect("it has a seed"));
        assert_eq!(address.user().expect("a key"), key.public_key());
        address.credentials.user = Some("ada".into());
        assert_eq!(address.peer().expect("a name").user(), "ada");
        address.credentials.user = Some("ada.*".into());
        assert_eq!(address.check().expect_err("a wildcard").kind(), ErrorKind::InvalidArgument);
        assert_eq!(Address::default().check().expect_err("no server").kind(), ErrorKind::InvalidArgument);
    }
}
