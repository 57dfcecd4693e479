//! A sandbox as its workers get it: with all paths resolved, so that it means the same for each of them.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use executor_core::{Error, ErrorKind, codec};
use serde::{Deserialize, Serialize};

use super::options::{Network, Refusal, Sandbox};
use crate::sys::policy::{Access, Grant, Limits, Net, Policy, Ports, Refused};

/// See the [module](self).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rules {
    grants: Vec<(OsString, Right)>,
    network: Network,
    file_size: Option<u64>,
    open_files: u64,
    /// In seconds.
    cpu_time: Option<u64>,
    pub(super) no_new_code: bool,
    pub(super) symbols: bool,
    pub(crate) before_initializer: bool,
    refusal: Refusal,
    pub(crate) namespaces: bool,
    pub(crate) best_effort: bool,
    /// Whether what is printed on the standard output goes to the standard error.
    pub(crate) joins_output: bool,
    /// The numbers of the descriptors that were passed to the worker.
    pub(crate) passed: Vec<i32>,
    #[serde(skip)]
    environment: Vec<OsString>,
    #[serde(skip)]
    pub(crate) wants_tmpdir: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Right {
    Read,
    Write,
    Execute,
}

/// The most descriptors that a worker has, unless the sandbox says something else.
const OPEN_FILES: u64 = 1024;

/// The greeting must fit into a socket that nothing reads yet.
const LONGEST: usize = 60 << 10;

/// What programs read of every system: time zones, locales, certificates, fonts.
const SYSTEM_FILES: [&str; 17] = [
    "/usr/share/zoneinfo",
    "/etc/localtime",
    "/etc/timezone",
    "/usr/lib/locale",
    "/usr/share/locale",
    "/usr/share/i18n",
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "/etc/fonts",
    "/usr/share/fontconfig",
];

/// What tells how names are looked up.
const NAME_FILES: [&str; 6] =
    ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols"];

/// Where no grant may lead. Processes, groups of processes and devices can be controlled through these.
const FORBIDDEN: [&str; 3] = ["/proc", "/sys/fs/cgroup", "/dev"];

/// The devices that grants may name.
const HARMLESS_DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// The variables that every worker may have, besides those that begin with `LC_`.
const VARIABLES: [&str; 7] =
    ["LANG", "LANGUAGE", "TZ", "RUST_BACKTRACE", "RUST_LIB_BACKTRACE", "RUST_MIN_STACK", "LD_LIBRARY_PATH"];

fn refuse(message: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

impl Rules {
    /// Resolves a sandbox.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) for grants that cannot be given, and options without a meaning.
    pub(crate) fn of(sandbox: &Sandbox) -> Result<Rules, Error> {
        let mut grants = Vec::new();
        for (paths, right) in
            [(&sandbox.read, Right::Read), (&sandbox.write, Right::Write), (&sandbox.execute, Right::Execute)]
        {
            for path in paths {
                grants.push((resolve(path, right)?.into_os_string(), right));
            }
        }
        let implied = |paths: &[&str], right: Right| -> Vec<(OsString, Right)> {
            paths.iter().filter_map(|path| Some((std::fs::canonicalize(path).ok()?.into_os_string(), right))).collect()
        };
        if sandbox.reads_system {
            grants.extend(implied(&SYSTEM_FILES, Right::Read));
        }
        if sandbox.network != Network::None {
            grants.extend(implied(&NAME_FILES, Right::Read));
        }
        if !sandbox.execute.is_empty() {
            // Programs that are started without an input read it.
            grants.extend(implied(&HARMLESS_DEVICES[..1], Right::Write));
        }
        if sandbox.open_files.is_some_and(|files| files < LEAST_FILES) {
            return Err(refuse(format!("open_files of a sandbox must be at least {LEAST_FILES}: a worker needs some")));
        }
        if sandbox.cpu_time.is_some_and(|time| time.as_secs() == 0) {
            return Err(refuse("cpu_time of a sandbox must be at least one second: leave it out for no limit".into()));
        }
        if let Some(name) = sandbox.inherited_env.iter().find(|name| !is_variable(name)) {
            return Err(refuse(format!("inherit_env: {name:?} cannot be the name of an environment variable")));
        }
        if let Network::Tcp { connect, .. } = &sandbox.network {
            if connect.contains(&0) {
                return Err(refuse(
                    "a sandbox cannot grant connections to port 0: name the ports of the servers".into(),
                ));
            }
        }
        let rules = Rules {
            grants,
            network: sandbox.network.clone(),
            file_size: sandbox.file_size,
            open_files: sandbox.open_files.unwrap_or(OPEN_FILES),
            cpu_time: sandbox.cpu_time.map(|time| time.as_secs()),
            no_new_code: sandbox.no_new_code,
            symbols: sandbox.symbols,
            before_initializer: sandbox.before_initializer,
            refusal: sandbox.refusal,
            namespaces: sandbox.namespaces,
            best_effort: sandbox.best_effort,
            joins_output: !sandbox.keep_stdout,
            passed: Vec::new(),
            environment: sandbox.inherited_env.clone(),
            wants_tmpdir: sandbox.tmpdir,
        };
        match rules.encode() {
            Ok(bytes) if bytes.len() <= LONGEST => Ok(rules),
            Ok(_) => Err(refuse("a sandbox has too many paths: grant a directory that contains them".into())),
            Err(error) => Err(error),
        }
    }

    /// Returns the rules of one worker, as it gets them.
    ///
    /// `shares_output` tells whether it would have the standard output of its parent.
    pub(crate) fn of_worker(&self, passed: Vec<i32>, shares_output: bool, tmpdir: Option<&Path>) -> Rules {
        let mut rules = self.clone();
        rules.grants.extend(tmpdir.map(|path| (path.as_os_str().to_owned(), Right::Write)));
        rules.joins_output &= shares_output;
        rules.passed = passed;
        rules
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        codec::encode(self, &mut bytes)?;
        Ok(bytes)
    }

    /// Decodes what [`encode`](Rules::encode) has written. Returns `None` for an empty greeting: no sandbox.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Option<Rules>, Error> {
        if bytes.is_empty() { Ok(None) } else { codec::decode(bytes).map(Some) }
    }

    /// Returns `true` if a worker may have this variable of its parent's environment.
    pub(crate) fn inherits(&self, variable: &OsStr) -> bool {
        let is_usual = |name: &str| VARIABLES.contains(&name) || name.starts_with("LC_");
        variable.to_str().is_some_and(is_usual) || self.environment.iter().any(|name| name == variable)
    }

    fn has(&self, right: Right) -> bool {
        self.grants.iter().any(|(_, other)| *other == right)
    }

    pub(super) fn grants_files(&self) -> bool {
        !self.grants.is_empty() || self.wants_tmpdir
    }

    pub(super) fn runs_programs(&self) -> bool {
        self.has(Right::Execute)
    }

    pub(crate) fn reports_refusals(&self) -> bool {
        self.refusal != Refusal::Error
    }

    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    pub(super) fn grants(&self) -> Vec<Grant> {
        let access = |right: &Right| match right {
            Right::Read => Access::Read,
            Right::Write => Access::Write,
            Right::Execute => Access::Execute,
        };
        self.grants.iter().map(|(path, right)| Grant { path: path.clone(), access: access(right) }).collect()
    }

    /// Returns the ports to which the network is restricted, or `None` if it is not.
    pub(super) fn ports(&self) -> Option<Ports> {
        match &self.network {
            Network::None => Some(Ports::default()),
            Network::Tcp { connect, bind } => Some(Ports { connect: connect.clone(), bind: bind.clone() }),
            Network::Any => None,
        }
    }

    pub(super) fn limits(&self) -> Limits {
        Limits { open_files: self.open_files, file_size: self.file_size, cpu_time: self.cpu_time }
    }

    /// Returns what the filter of system calls must know.
    pub(super) fn policy(&self, channel: i32, signals_are_scoped: bool) -> Policy {
        Policy {
            files: !self.grants.is_empty(),
            writes: self.has(Right::Write),
            processes: self.runs_programs(),
            net: match &self.network {
                Network::None => Net::None,
                Network::Tcp { bind, .. } => Net::Tcp { listens: !bind.is_empty() },
                Network::Any => Net::Any,
            },
            no_new_code: self.no_new_code,
            signals_are_scoped,
            refused: match self.refusal {
                Refusal::Error => Refused::Error,
                Refusal::Explain => Refused::Explain,
                Refusal::Kill => Refused::Kill,
            },
            own: std::process::id(),
            channel,
        }
    }
}

/// What a worker itself needs, and a few more.
const LEAST_FILES: u64 = 16;

fn is_variable(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    !bytes.is_empty() && !bytes.contains(&b'=') && !bytes.contains(&0)
}

/// Returns the files that this program has loaded, as far as the system tells.
fn mapped_files() -> impl Iterator<Item = String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let files = maps.lines().filter_map(|line| {
        // The address, the rights, and more. Only what is executable was loaded.
        let (head, path) = line.split_at_checked(line.find('/')?)?;
        head.split(' ').nth(1)?.contains('x').then(|| path.to_string())
    });
    files.collect::<Vec<_>>().into_iter()
}

/// Returns the path of an existing file without links, if it may be granted.
fn resolve(path: &Path, right: Right) -> Result<PathBuf, Error> {
    let name = match right {
        Right::Read => "read",
        Right::Write => "write",
        Right::Execute => "execute",
    };
    let refused = |reason: &str| refuse(format!("a sandbox cannot grant {name}({}): {reason}", path.display()));
    let found = std::fs::canonicalize(path).map_err(|error| refused(&error.to_string()))?;
    let covers = |other: &Path| other.starts_with(&found);
    let is_harmless = HARMLESS_DEVICES.iter().any(|device| found == Path::new(device)) && right != Right::Execute;
    for forbidden in FORBIDDEN.map(Path::new) {
        if (covers(forbidden) || found.starts_with(forbidden)) && !is_harmless {
            return Err(refused(&format!(
                "it covers {}, through which a worker could leave its sandbox; grant what lies beside it",
                forbidden.display()
            )));
        }
    }
    if right == Right::Write {
        if found.starts_with("/sys") {
            return Err(refused("the settings of the kernel are there"));
        }
        let program = std::env::current_exe().and_then(std::fs::canonicalize).ok();
        if program.is_some_and(|program| covers(program.parent().unwrap_or(&program)) || covers(&program)) {
            return Err(refused("it covers the directory of this program, which later workers run; grant another one"));
        }
        if let Some(file) = mapped_files().find(|file| covers(Path::new(file))) {
            return Err(refused(&format!("it covers {file}, which later workers load; grant another one")));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_grant_leads_out_of_the_sandbox() {
        let program = std::env::current_exe().expect("known");
        let directory = program.parent().expect("it has one");
        for sandbox in [
            Sandbox::compute().read("/"),
            Sandbox::compute().read("/proc/self"),
            Sandbox::compute().write("/dev"),
            Sandbox::compute().write("/dev/shm"),
            Sandbox::compute().execute("/sys"),
            Sandbox::compute().read("/there/is/no/such/file"),
            Sandbox::compute().write(directory),
            Sandbox::compute().write(&program),
            Sandbox::compute().write(directory.parent().expect("it has one")),
            Sandbox::compute().execute("/dev/null"),
            // Where the libraries are that this program has loaded, unless it is one for another system.
            #[cfg(all(target_env = "gnu", target_arch = "x86_64"))]
            Sandbox::compute().write("/usr"),
        ] {
            let error = Rules::of(&sandbox).expect_err("refused");
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{sandbox:?}: {error}");
        }
        for sandbox in [Sandbox::compute().read(directory), Sandbox::parse(), Sandbox::compute().write("/dev/null")] {
            Rules::of(&sandbox).expect("granted");
        }
    }

    #[test]
    fn rules_survive_the_wire() {
        let rules = Rules::of(&Sandbox::compute().read("/usr").network(Network::Any)).expect("possible");
        let rules = rules.of_worker(vec![7], true, Some(Path::new("/tmp/one")));
        let read = Rules::decode(&rules.encode().expect("encoded")).expect("decoded").expect("rules");
        assert_eq!((read.grants(), read.ports(), read.passed.as_slice()), (rules.grants(), None, &[7][..]));
        assert!(Rules::decode(&[]).expect("decoded").is_none());
    }
}
