//! What this program is when a row has started it: an agent, a client, or a look at a server from another network.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use cluster::ServeOptions;
use lexopt::{Arg, Parser, ValueExt as _};
use test_support::touch;

use crate::harness::{
    load::Load,
    member::Site,
    raw::Raw,
    secrets::{Credentials, TlsFiles},
};

/// How long a client of a row may take.
const LONGEST: Duration = Duration::from_secs(600);

/// What the command line of a role says.
#[derive(Default)]
pub struct Role {
    name: String,
    site: Site,
    slots: usize,
    memory_limit: Option<u64>,
    ready: Option<PathBuf>,
    journal: String,
    tasks: u32,
    milliseconds: u32,
    retries: u32,
    summary: PathBuf,
}

impl Role {
    /// Reads the rest of a command line that has begun with `--role`.
    ///
    /// # Errors
    ///
    /// If it has another argument.
    pub fn parse(name: String, parser: &mut Parser) -> Result<Role, lexopt::Error> {
        let mut role = Role { name, slots: 1, ..Role::default() };
        let (mut authority, mut certificate, mut key) = (None, None, None);
        while let Some(argument) = parser.next()? {
            let Arg::Long(option) = argument else { return Err(argument.unexpected()) };
            let option = option.to_string();
            let value = parser.value()?;
            match option.as_str() {
                "pool" => role.site.pool = value.string()?,
                "url" => role.site.urls.push(value.string()?),
                "user" => role.site.credentials.name = Some(value.string()?),
                "ca" => authority = Some(PathBuf::from(value)),
                "certificate" => certificate = Some(PathBuf::from(value)),
                "key" => key = Some(PathBuf::from(value)),
                "slots" => role.slots = value.parse()?,
                "memory-limit" => role.memory_limit = Some(value.parse()?),
                "ready" => role.ready = Some(value.into()),
                "journal" => role.journal = value.string()?,
                "tasks" => role.tasks = value.parse()?,
                "milliseconds" => role.milliseconds = value.parse()?,
                "retries" => role.retries = value.parse()?,
                "summary" => role.summary = value.into(),
                _ => return Err(format!("there is no option --{option} of a role").into()),
            }
        }
        let tls = authority.map(|authority| TlsFiles { authority, certificate: certificate.zip(key) });
        let seed = std::env::var("FAULTS_SEED").ok();
        role.site.credentials = Credentials { seed, tls, ..role.site.credentials };
        Ok(role)
    }

    /// Does what the role is for.
    pub fn play(self) -> ExitCode {
        match self.name.as_str() {
            "agent" => self.serve(),
            "client" => self.submit(),
            "probe" => self.probe(),
            other => {
                eprintln!("there is no role `{other}`");
                ExitCode::FAILURE
            }
        }
    }

    fn serve(self) -> ExitCode {
        let mut urls = self.site.urls.iter();
        let mut options = ServeOptions::new(urls.next().expect("a URL")).pool(&self.site.pool).slots(self.slots);
        for url in urls {
            options = options.server(url);
        }
        let credentials = &self.site.credentials;
        if let Some(user) = &credentials.name {
            options = options.user(user);
        }
        if let Some(seed) = &credentials.seed {
            options = options.nkey(seed);
        }
        if let Some(tls) = &credentials.tls {
            options = options.tls(tls.options());
        }
        if let Some(bytes) = self.memory_limit {
            options = options.memory_limit(bytes);
        }
        if let Some(ready) = self.ready {
            let ready = ready.to_str().expect("the path is text").to_string();
            // It runs in a worker, so the pool has started.
            options = options.initializer(|path: String| touch(&path), ready);
        }
        match cluster::serve(options.client_grace(crate::harness::member::GRACE)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{:?}: {error}", error.kind());
                ExitCode::FAILURE
            }
        }
    }

    fn submit(self) -> ExitCode {
        let client = self.site.client();
        let mut load = Load::new(self.journal);
        load.submit(&*client, self.tasks, self.milliseconds, self.retries);
        let summary = load.finish(LONGEST);
        let errors: usize = summary.errors.values().sum();
        let first = summary.first_error.map(|error| error.to_string()).unwrap_or_default();
        let text = format!("{}\n{errors}\n{first}\n", summary.results);
        std::fs::write(self.summary, text).expect("the summary can be written");
        ExitCode::SUCCESS
    }

    /// Tries to store a message in the queue of the pool, and says what the server answers.
    fn probe(self) -> ExitCode {
        let answer = Raw::connect(&self.site.urls, &self.site.credentials)
            .and_then(|raw| raw.request(&format!("ex.{}.q.none.none.none", self.site.pool), "probe"));
        match answer {
            Ok(answer) if answer["seq"].is_u64() => println!("stored"),
            Ok(answer) => println!("refused: {answer}"),
            Err(error) => println!("refused: {error}"),
        }
        ExitCode::SUCCESS
    }
}
