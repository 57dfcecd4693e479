//! Programs that become agents.
#![allow(unsafe_code)]

use std::{env, fs, path::Path};

use executor_core::{Error, ErrorKind};

use crate::{ServeOptions, Tls, rights, serve};

/// The URL of a server makes this process an agent. Several are separated by commas.
const AGENT: &str = "CONCURRENT_FUTURES_AGENT";
/// The pool.
const POOL: &str = "CONCURRENT_FUTURES_POOL";
/// How many tasks it runs at the same time.
const SLOTS: &str = "CONCURRENT_FUTURES_SLOTS";
/// A file with what is secret.
const CREDENTIALS: &str = "CONCURRENT_FUTURES_CREDENTIALS";

/// Turns this process into an agent of a cluster, which exits at its end, if the environment says so. Otherwise it does
/// nothing. Call it as the first line of `main`: then every machine that has the program's file can run its tasks.
///
/// | variable | content |
/// |---|---|
/// | `CONCURRENT_FUTURES_AGENT` | the URL of a server, such as `nats://10.0.0.1:4222`, or several, separated by commas. Without it nothing happens |
/// | `CONCURRENT_FUTURES_POOL` | the pool, by default `default` |
/// | `CONCURRENT_FUTURES_SLOTS` | how many tasks run at the same time, by default one for each processor |
/// | `CONCURRENT_FUTURES_CREDENTIALS` | the path of a file with lines like `nkey = SU…`, `token = …`, `user = …`, `ca = /path`, `certificate = /path` and `key = /path`, each at most once. `ca`, `certificate` or `tls = yes` encrypts the connection |
///
/// The agent removes these variables, so that programs that tasks start are no agents. It is told to end by `SIGTERM`
/// or `SIGINT`, as [`serve`] says. It exits with 0 then, and with 1 after an error, which it has written to its
/// standard error. In a process that has more rights than its caller (set-uid, file capabilities), it is such an error
/// if the variable is set.
///
/// Nothing but this call looks at the variables.
///
/// ```no_run
/// # mod concurrent_futures { pub use cluster::{self, ClusterExecutor}; pub use executor_core::*; }
/// use concurrent_futures::{ClusterExecutor, Error, Executor, cluster};
///
/// fn main() -> Result<(), Error> {
///     cluster::init();
///     let cluster = ClusterExecutor::connect("nats://10.0.0.1:4222")?;
///     println!("{}", cluster.submit(|n: u64| n + 1, 41)?.result(None)?);
///     Ok(())
/// }
/// ```
pub fn init() {
    process_pool::init();
    let Ok(urls) = env::var(AGENT) else { return };
    let served = rights::check().and_then(|()| options(&urls)).and_then(|options| {
        for variable in [AGENT, POOL, SLOTS, CREDENTIALS] {
            // SAFETY: this is the first line of `main`, so no other thread reads or changes the environment.
            unsafe { env::remove_var(variable) };
        }
        serve(options)
    });
    std::process::exit(match served {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("this process cannot be an agent of the cluster: {error}");
            1
        }
    });
}

fn options(urls: &str) -> Result<ServeOptions, Error> {
    let mut urls = urls.split(',').map(str::trim).filter(|url| !url.is_empty());
    let mut options = ServeOptions::new(urls.next().unwrap_or_default());
    options = urls.fold(options, |options, url| options.server(url));
    if let Ok(pool) = env::var(POOL) {
        options = options.pool(pool);
    }
    if let Ok(slots) = env::var(SLOTS) {
        let slots = slots.parse().map_err(|_| invalid(format!("{SLOTS} is {slots:?}, which is not a number")))?;
        options = options.slots(slots);
    }
    match env::var_os(CREDENTIALS) {
        Some(path) => with_credentials(options, Path::new(&path)),
        None => Ok(options),
    }
}

fn with_credentials(options: ServeOptions, path: &Path) -> Result<ServeOptions, Error> {
    let text = fs::read_to_string(path)
        .map_err(|error| invalid(format!("the file {path:?} that {CREDENTIALS} names cannot be read: {error}")))?;
    // Errors name the line by its number, because it may have a secret.
    parse_credentials(options, &text).map_err(|line| {
        invalid(format!(
            "line {line} of {path:?} is not `name = value` with one of the names nkey, token, user, tls, ca, certificate \
             and key, or names it again, or has a certificate without a key"
        ))
    })
}

/// Reads the credentials, or returns the number of the first line that is wrong.
fn parse_credentials(mut options: ServeOptions, text: &str) -> Result<ServeOptions, usize> {
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
    options = nkey.into_iter().fold(options, |options, (_, seed)| options.nkey(seed));
    options = token.into_iter().fold(options, |options, (_, token)| options.token(token));
    options = user.into_iter().fold(options, |options, (_, user)| options.user(user));
    let mut wanted = Tls::new();
    wanted = ca.into_iter().fold(wanted, |tls, (_, path)| tls.ca(path));
    match (certificate, key) {
        (Some((_, certificate)), Some((_, key))) => wanted = wanted.certificate(certificate, key),
        (Some((line, _)), None) | (None, Some((line, _))) => return Err(line),
        (None, None) => {}
    }
    match tls {
        Some((line, text)) if text != "yes" => Err(line),
        tls if tls.is_some() || ca.is_some() || certificate.is_some() => Ok(options.tls(wanted)),
        _ => Ok(options),
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, usize> {
        parse_credentials(ServeOptions::new("nats://host"), text).map(|options| format!("{options:?}"))
    }

    #[test]
    fn credentials_are_read_and_not_shown() {
        let all =
            parse("# of this node\n\n token = a = b\nuser=w\nca = /ca.pem\ncertificate = /c\nkey = /k").expect("right");
        for shown in ["credentials: \"token\"", "\"w\"", "/ca.pem", "/c", "/k"] {
            assert!(all.contains(shown), "{all}");
        }
        assert!(!all.contains("a = b"), "{all}");
        assert!(parse("").expect("nothing").contains("tls: None"));
        assert!(parse("tls = yes").expect("right").contains("tls: Some"));
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
            assert_eq!(parse(text).expect_err(text), line, "{text}");
        }
    }
}
