//! From options to a pool whose workers start.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use executor_core::{Error, ErrorKind};

use super::{ProcessPoolBuilder, check};
use crate::{
    ProcessPoolExecutor,
    pool::{MOST_WORKERS, Pool, SlotId},
    sandbox::Rules,
    start::{
        self,
        setup::Role,
        spawn::{Blueprint, Streams},
    },
    supervisor::Supervisor,
    sys::{control_group::ControlGroup, executable::Executable, signals, standard},
    telemetry::Telemetry,
};

impl ProcessPoolBuilder {
    /// Starts the workers and returns without waiting until they are ready.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) for zero workers and other options that cannot work;
    /// [`Encode`](ErrorKind::Encode) if the initializer's arguments cannot be encoded; [`Broken`](ErrorKind::Broken) if
    /// this program cannot have workers, for one of the reasons below; [`Other`](ErrorKind::Other) if the program's own
    /// file cannot be found, or the system refuses to start a process. In that case no process is left behind.
    ///
    /// A program cannot have workers
    ///
    /// - where they cannot start by themselves: add [`process_pool::init()`](crate::init) as the first line of `main`;
    /// - in a dynamic library, whether it is loaded later (a plug-in, a Python extension) or at the start of the
    ///   program, because workers run the program itself;
    /// - if it was started with more rights than its caller has (set-uid, set-gid, capabilities of its file) or has
    ///   suspended rights.
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) if the system lacks a layer that the
    /// [`sandbox`](ProcessPoolBuilder::sandbox) needs. The message names each that is missing.
    pub fn build(self) -> Result<ProcessPoolExecutor, Error> {
        self.check()?;
        let workers = self.most_workers().clamp(1, MOST_WORKERS);
        let initializer = self.initializer.transpose()?;
        start::permission::check()?;
        let sandbox = self.sandbox.as_ref().map(Rules::of).transpose()?;
        sandbox.as_ref().map(Rules::check).transpose()?;
        let scheduling = self.scheduling.resolve()?;
        let name = self.name_prefix.unwrap_or_else(default_name);
        let directory = self.directory.map(check::find_directory).transpose()?;
        let telemetry = if self.keeps_events { Telemetry::default() } else { Telemetry::to_caller() };
        let _held = standard::hold();
        let executable = Executable::find(start::program::image())
            .map_err(|cause| Error::new(ErrorKind::Other, format!("{name} could not be built: {cause}")))?;
        let blueprint = Blueprint {
            role: Role::Worker,
            lineage: None,
            streams: Streams::default(),
            executable: Arc::new(executable),
            transport: self.transport,
            memory_limit: self.memory_limit,
            environment: self.environment,
            initializes: initializer.is_some(),
            stdout: self.stdout,
            stderr: self.stderr,
            telemetry: telemetry.clone(),
            directory,
            stack_size: self.stack_size.map(|bytes| bytes as u64),
            scheduling,
            passed: self.passed,
            core_dumps: self.core_dumps,
            sandbox,
            group: if self.control_group { ControlGroup::make() } else { None },
        };
        let pool = Pool::new(name.clone(), self.limits, workers, telemetry)?;
        let mut supervisor = Supervisor::new(pool.clone(), blueprint, initializer);
        let first = pool.state.lock().least_workers();
        for worker in 0..first {
            if let Err(cause) = supervisor.start(SlotId::new(worker)) {
                supervisor.abandon();
                let message = format!(
                    "{name} could not be built: worker {worker} of {first} did not start: {cause}{}",
                    start::advice(&cause)
                );
                return Err(Error::new(ErrorKind::Other, message));
            }
        }
        // The supervisor is sent to the thread once the thread runs. If it were part of the closure, a thread that
        // cannot be started would drop it, and the supervisor must still end the workers.
        let (send, receive) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name(format!("{name}-supervisor"));
        let thread = signals::with_all_blocked(|| thread.spawn(move || receive.into_iter().for_each(Supervisor::run)));
        match thread {
            Ok(thread) => {
                pool.set_supervisor(thread);
                let _ = send.send(supervisor);
            }
            Err(cause) => {
                supervisor.abandon();
                let message = format!("{name} could not be built: no thread for its supervisor: {cause}");
                return Err(Error::new(ErrorKind::Other, message));
            }
        }
        Ok(ProcessPoolExecutor::new_with(pool))
    }
}

fn default_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // ORDERING: the numbers only have to be different.
    format!("ProcessPoolExecutor-{}", COUNT.fetch_add(1, Relaxed))
}
