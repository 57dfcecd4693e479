//! Agents that are processes of their own, on a real server.

use std::{
    fs::Permissions,
    io::Write as _,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::{Child, Command, Stdio},
    time::Duration,
};

use cluster::{ClusterBuilder, ClusterExecutor, Provision, ServeOptions, Server, provision, serve};
use executor_core::{
    CancellationToken, Error, ErrorKind, Executor, Future, Payload, TaskOptions, function::BuildId, task,
};
use process_pool::Process;
use tempfile::TempDir;
use test_support::{DEADLINE, SharedDir, add_line, kill, touch, wait_for_file, wait_until};

use crate::local::is_skipped;

const TOKEN: &str = "a secret of these tests";

/// What an agent of these tests is told.
type Told = (String, usize, Option<u64>);

fn agent((url, slots, drain): Told) -> Result<(), String> {
    let mut options = ServeOptions::new(url).token(TOKEN).slots(slots).client_grace(Duration::from_secs(2));
    options = drain.into_iter().fold(options, |options, drain| options.drain_timeout(Duration::from_millis(drain)));
    serve(options).map_err(|error| error.to_string())
}

pub fn start(server: &Server, slots: usize, drain: Option<u64>) -> Process<Result<(), String>> {
    Process::builder().daemon(true).spawn(agent, (server.url(), slots, drain)).expect("it starts")
}

pub fn builder(server: &Server) -> ClusterBuilder {
    ClusterExecutor::builder().server(server.url()).token(TOKEN).grace(Duration::from_secs(2))
}

pub fn server() -> Option<Server> {
    (!is_skipped()).then(|| Server::start("127.0.0.1:0", TOKEN).expect("it starts"))
}

/// Says that it runs, and waits until it may end.
pub fn runs((path, n): (String, u32)) -> (u32, u32) {
    let attempt = task::current().expect("a task").attempt();
    add_line(&format!("{path}.ran"), n);
    touch(&format!("{path}.{n}"));
    wait_for_file(&format!("{path}.end"));
    (n, attempt)
}

fn value<T: Payload>(future: &Future<T>) -> T {
    future.result(DEADLINE).expect("a value")
}

fn error<T: Payload>(future: &Future<T>) -> Error {
    future.result(DEADLINE).err().expect("an error")
}

#[test]
fn agents_are_seen_and_one_that_is_killed_costs_an_attempt() {
    let Some(server) = server() else { return };
    let dir = SharedDir::new();
    let doomed = start(&server, 2, None);
    let cluster = builder(&server).build().expect("it connects");
    wait_until("the agent", || cluster.workers().len() == 1);
    let [worker] = &cluster.workers()[..] else { panic!("one agent") };
    assert_eq!((worker.pid(), worker.slots(), worker.running()), (doomed.pid(), 2, 0));
    assert_eq!(worker.build(), BuildId::own().to_string());
    assert!(!worker.host().is_empty() && !worker.is_leaving());
    let submit = |n, retries| {
        let options = TaskOptions::new().retries(retries).name("work");
        cluster.submit_with(options, runs, (dir.path("t"), n)).expect("open")
    };
    let (once, twice) = (submit(0, 0), submit(1, 1));
    wait_until("both tasks", || dir.has("t.0") && dir.has("t.1"));
    wait_until("their numbers", || cluster.workers().first().is_some_and(|worker| worker.running() == 2));
    let later = submit(2, 0);
    doomed.kill();
    let next = start(&server, 2, None);
    let lost = error(&once);
    assert_eq!(lost.kind(), ErrorKind::WorkerDied);
    let death = lost.worker_death().expect("a death");
    assert!(worker.host().starts_with(death.host()) && !death.host().is_empty(), "{death:?}");
    assert!(lost.to_string().contains("in attempt 1") && lost.to_string().contains("has not answered"), "{lost}");
    dir.touch("t.end");
    assert_eq!((value(&twice), value(&later)), ((1, 2), (2, 1)));
    let stats = cluster.stats();
    assert_eq!((stats.done, stats.failed, stats.lost, stats.requeued), (2, 1, 1, 1), "{stats:?}");
    assert_eq!(cluster.workers()[0].pid(), next.pid());
    let shown = format!("{cluster:?}");
    assert!(shown.contains("is_connected: true") && !shown.contains(TOKEN), "{shown}");
}

#[test]
fn an_agent_that_is_told_to_end_finishes_what_it_runs_and_gives_back_the_rest() {
    let Some(server) = server() else { return };
    let dir = SharedDir::new();
    let leaving = start(&server, 1, None);
    let cluster = builder(&server).build().expect("it connects");
    let futures: Vec<_> = (0..4).map(|n| cluster.submit(runs, (dir.path("t"), n)).expect("open")).collect();
    wait_until("the first task", || dir.has("t.0"));
    kill(leaving.pid(), 15);
    wait_until("its departure", || cluster.workers().first().is_none_or(|worker| worker.is_leaving()));
    let _next = start(&server, 1, None);
    wait_until("the second task, on the other agent", || dir.has("t.1"));
    assert!(leaving.is_alive(), "it waits for its task");
    dir.touch("t.end");
    assert_eq!(futures.iter().map(value).collect::<Vec<_>>(), [(0, 1), (1, 1), (2, 1), (3, 1)]);
    assert!(leaving.join(DEADLINE));
    assert_eq!((leaving.exit_code(), leaving.result(None).expect("a result")), (Some(0), Ok(())));
}

#[test]
fn what_runs_longer_than_an_agent_waits_for_is_stopped_and_so_it_is_by_a_second_signal() {
    let Some(server) = server() else { return };
    let dir = SharedDir::new();
    let cluster = builder(&server).build().expect("it connects");
    for (n, drain) in [(0, Some(100)), (1, None)] {
        let leaving = start(&server, 1, drain);
        let endless = cluster.submit(runs, (dir.path("t"), n)).expect("open");
        wait_until("the task", || dir.has(&format!("t.{n}")));
        kill(leaving.pid(), 15);
        if drain.is_none() {
            wait_until("its departure", || cluster.workers().first().is_none_or(|worker| worker.is_leaving()));
            kill(leaving.pid(), 2);
        }
        assert_eq!(error(&endless).kind(), ErrorKind::Terminated);
        assert_eq!(leaving.result(DEADLINE).expect("a result"), Ok(()));
    }
}

#[test]
fn an_agent_ends_when_its_token_is_cancelled() {
    let Some(server) = server() else { return };
    let url = server.url();
    let stop = CancellationToken::new();
    let options = ServeOptions::new(url).token(TOKEN).slots(1).stop_when(stop.clone());
    let agent = std::thread::spawn(move || serve(options));
    let cluster = builder(&server).build().expect("it connects");
    assert_eq!(value(&cluster.submit(|n: u32| n + 1, 1).expect("open")), 2);
    stop.cancel();
    agent.join().expect("no panic").expect("it was told to end");
    assert_eq!(cluster.workers(), []);
}

#[test]
fn an_agent_whose_initializer_fails_takes_no_task() {
    let Some(server) = server() else { return };
    let fails = |()| -> u32 { panic!("no licence") };
    let options = ServeOptions::new(server.url()).token(TOKEN).slots(1).initializer(fails, ());
    let error = serve(options).expect_err("no worker starts");
    assert_eq!(error.kind(), ErrorKind::Broken);
    assert!(error.to_string().contains("no licence"), "{error}");
}

#[test]
fn refused_credentials_are_an_error_of_either_side() {
    let Some(server) = server() else { return };
    let wrong = "wr0ng";
    for error in [
        serve(ServeOptions::new(server.url()).token(wrong).slots(1)).expect_err("refused"),
        ClusterExecutor::builder().server(server.url()).token(wrong).build().expect_err("refused"),
        provision(server.url(), Provision::new()).expect_err("refused"),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("refuses the credentials") && !error.to_string().contains(wrong), "{error}");
    }
}

#[test]
fn a_task_for_which_there_is_no_agent_fails_and_names_the_builds_that_are_there() {
    let Some(server) = server() else { return };
    let cluster = builder(&server).start_timeout(Duration::from_millis(1200)).build().expect("it connects");
    let alone = error(&cluster.submit(|n: u32| n, 1).expect("open"));
    assert_eq!(alone.kind(), ErrorKind::NoWorkers);
    assert!(alone.to_string().contains("no agent is there at all"), "{alone}");
    let Some(mut other) = OtherBuild::start(&server) else { return };
    wait_until("the agent of another build", || cluster.workers().len() == 1);
    let build = cluster.workers()[0].build().to_string();
    assert_ne!(build, BuildId::own().to_string());
    let lonely = error(&cluster.submit(|n: u32| n, 1).expect("open"));
    assert_eq!(lonely.kind(), ErrorKind::NoWorkers);
    let (own, there) = (&BuildId::own().to_string()[..16], &build[..16]);
    assert!(lonely.to_string().contains(own) && lonely.to_string().contains(there), "{lonely}");
    // A task that has an agent in the end is not late because of the other build.
    let _own = start(&server, 1, None);
    wait_until("the agent of this build", || cluster.workers().len() == 2);
    assert_eq!(value(&cluster.submit(|n: u32| n + 1, 1).expect("open")), 2);
    kill(other.0.id(), 15);
    assert_eq!(other.0.wait().expect("a child").code(), Some(0));
}

/// A program that is an agent, which is an example of this crate.
struct AgentProgram {
    command: Command,
    dir: TempDir,
}

/// Returns the program, or `None` if there is none, because `cargo test --test it` builds no examples.
fn agent_program() -> Option<AgentProgram> {
    let tests = std::env::current_exe().expect("a path");
    let program = tests.parent()?.parent()?.join("examples/agent");
    if !program.exists() {
        let _ = writeln!(std::io::stderr(), "SKIPPED, because {} was not built", program.display());
        return None;
    }
    Some(AgentProgram { command: Command::new(program), dir: tempfile::tempdir().expect("a folder") })
}

impl AgentProgram {
    /// Lets it become an agent.
    fn environment(&mut self, server: &Server, token: &str) -> &mut Command {
        let credentials = self.dir.path().join("credentials");
        std::fs::write(&credentials, format!("token = {token}\n")).expect("a file");
        self.command
            .env("CONCURRENT_FUTURES_AGENT", server.url())
            .env("CONCURRENT_FUTURES_SLOTS", "1")
            .env("CONCURRENT_FUTURES_CREDENTIALS", &credentials)
    }
}

#[test]
fn a_program_that_cannot_be_an_agent_says_why_and_fails() {
    let Some(server) = server() else { return };
    let Some(mut program) = agent_program() else { return };
    let output = program.environment(&server, "wr0ng").output().expect("a program");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains("refuses the credentials") && !errors.contains("wr0ng"), "{errors}");
    program.command.env("CONCURRENT_FUTURES_SLOTS", "many");
    let output = program.command.output().expect("a program");
    assert!(String::from_utf8_lossy(&output.stderr).contains("\"many\", which is not a number"), "{output:?}");
    // Without the variable it is an ordinary program.
    let output = program.command.env_remove("CONCURRENT_FUTURES_AGENT").output().expect("a program");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_program_with_more_rights_than_its_caller_is_no_agent() {
    let Some(server) = server() else { return };
    let Some(mut program) = agent_program() else { return };
    if !rustix::process::geteuid().is_root() {
        let _ = writeln!(std::io::stderr(), "SKIPPED, because only root can make a program set-uid root");
        return;
    }
    let copy = program.dir.path().join("agent");
    test_support::copy_program(program.command.get_program().as_ref(), &copy);
    std::fs::set_permissions(program.dir.path(), Permissions::from_mode(0o755)).expect("permissions");
    std::fs::set_permissions(&copy, Permissions::from_mode(0o4755)).expect("permissions");
    program.command = Command::new(&copy);
    // Where the file system ignores the bit, it is refused for another reason.
    program.environment(&server, "wr0ng").uid(65_534);
    let refused = |command: &mut Command| {
        let output = command.output().expect("a program");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains("more rights than the user who started it"), "{errors}");
    };
    refused(&mut program.command);
    program.command.env_remove("CONCURRENT_FUTURES_AGENT");
    refused(program.command.arg(server.url()));
    for what in ["local", "server"] {
        refused(Command::new(&copy).arg(what).uid(65_534));
    }
    // Where they are not refused, both work.
    let server = Command::new(agent_program().expect("it is there").command.get_program()).arg("server").output();
    let server = server.expect("a program");
    assert!(server.status.success() && server.stdout.starts_with(b"nats://127.0.0.1:"), "{server:?}");
}

/// An agent of another build.
struct OtherBuild(Child);

impl OtherBuild {
    fn start(server: &Server) -> Option<OtherBuild> {
        let mut program = agent_program()?;
        let child = program.environment(server, TOKEN).stdout(Stdio::null()).spawn();
        let child = OtherBuild(child.expect("a program"));
        let cluster = builder(server).build().expect("it connects");
        wait_until("the agent that has read its credentials", || !cluster.workers().is_empty());
        Some(child)
    }
}

impl Drop for OtherBuild {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_server_that_loses_everything_costs_nothing_but_time() {
    let Some(server) = server() else { return };
    let dir = SharedDir::new();
    let (url, port) = (server.url(), server.port());
    let _agent = start(&server, 1, None);
    let cluster = builder(&server).unavailable_after(Duration::from_secs(1)).build().expect("it connects");
    let futures: Vec<_> = (0..3).map(|n| cluster.submit(runs, (dir.path("t"), n)).expect("open")).collect();
    wait_until("the first task", || dir.has("t.0"));
    drop(server);
    let refused = || cluster.submit(|n: u32| n, 1).map(|future| future.cancel()).err();
    let mut error = None;
    wait_until("a refusal", || {
        error = refused();
        error.is_some()
    });
    let error = error.expect("it was refused");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("the cluster has been away for more than 1s"), "{error}");
    // It has neither the stream nor the consumer.
    let server = Server::start(&format!("127.0.0.1:{port}"), TOKEN).expect("it starts again");
    assert_eq!(server.url(), url);
    dir.touch("t.end");
    assert_eq!(futures.iter().map(value).collect::<Vec<_>>(), [(0, 1), (1, 1), (2, 1)]);
    wait_until("tasks to be accepted", || cluster.submit(|n: u32| n, 1).is_ok_and(|future| value(&future) == 1));
}

#[test]
fn a_full_queue_is_full_for_one_client_and_a_pool_can_be_changed() {
    let Some(server) = server() else { return };
    let options = || Provision::new().token(TOKEN).capacity_per_client(2);
    provision(server.url(), options()).expect("it is made");
    provision(server.url(), options().capacity(100)).expect("it is changed");
    let error = provision(server.url(), options().replicas(3)).expect_err("there is one server");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let error = provision(server.url(), options().replicas(0)).expect_err("none");
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let cluster = builder(&server).queue_capacity(5).build().expect("it connects");
    let futures: Vec<_> = (0..5).map(|n: u32| cluster.try_submit(|n: u32| n, n).expect("there is room")).collect();
    assert_eq!(cluster.try_submit(|n: u32| n, 9).expect_err("it is full").kind(), ErrorKind::QueueFull);
    // What the engine has no room for waits here.
    let _agent = start(&server, 1, None);
    assert_eq!(futures.iter().map(value).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn an_executor_whose_servers_are_gone_ends_and_its_tasks_fail() {
    let Some(server) = server() else { return };
    let dir = SharedDir::new();
    let _agent = start(&server, 1, None);
    let cluster = builder(&server).unavailable_after(Duration::from_secs(1)).build().expect("it connects");
    let futures: Vec<_> = (0..2).map(|n| cluster.submit(runs, (dir.path("t"), n)).expect("open")).collect();
    wait_until("the first task", || dir.has("t.0"));
    drop(server);
    drop(cluster);
    for future in &futures {
        assert!(future.done());
        let error = error(future);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("is not known"), "{error}");
    }
}

#[test]
fn the_end_of_a_local_agent_is_told() {
    if is_skipped() {
        return;
    }
    let dir = SharedDir::new();
    let cluster = ClusterExecutor::builder().grace(Duration::from_secs(1)).build_local(1).expect("it starts");
    let running = cluster.submit(runs, (dir.path("t"), 0)).expect("open");
    wait_until("the task", || dir.has("t.0"));
    let queued = cluster.submit(runs, (dir.path("t"), 1)).expect("open");
    kill(cluster.workers()[0].pid(), 9);
    let lonely = error(&queued);
    assert_eq!(lonely.kind(), ErrorKind::NoWorkers);
    assert!(lonely.to_string().contains("the agent of the local cluster is gone"), "{lonely}");
    assert_eq!(error(&running).kind(), ErrorKind::WorkerDied);
    let refused = cluster.submit(runs, (dir.path("t"), 2)).expect_err("there is no agent");
    assert_eq!(refused.kind(), ErrorKind::NoWorkers);
}

#[test]
fn a_local_cluster_takes_no_address_and_has_a_slot() {
    for error in [
        ClusterExecutor::local(0).expect_err("no slot"),
        ClusterExecutor::builder().server("nats://host").build_local(1).expect_err("a server"),
        ClusterExecutor::builder().build().expect_err("no server"),
        ClusterExecutor::builder().server("nats://host").queue_capacity(0).build().expect_err("no room"),
        ClusterExecutor::builder().server("nats://host").pool("a.b").build().expect_err("no name"),
        ClusterExecutor::connect("://").expect_err("no URL"),
        serve(ServeOptions::new("nats://host").slots(0)).expect_err("no slot"),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }
    let started = ClusterExecutor::builder().server("nats://127.0.0.1:1").start_timeout(Duration::from_millis(200));
    let error = started.build().expect_err("no server is there");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("`nats://127.0.0.1:1`"), "{error}");
}
