//! A web service that runs a parser which may crash, hang, or be asked for more than it can do.
//!
//! ```text
//! cargo run -p web_service -- --listen 127.0.0.1:8080 --workers 4 --queue 16 --time-limit-ms 5000
//! curl --data 'how many words' http://127.0.0.1:8080/count
//! ```
//!
//! Each request is a task in a worker process. A request that crashes the parser gets 500 and costs one worker; one
//! that takes too long gets 504, and its task is stopped; one that finds the queue full gets 503. If a client goes
//! away, its task is stopped, too. After `SIGTERM` the service accepts no more requests, answers those that it has, and
//! ends with the exit code 0, also if its workers get the signal as well, as from systemd.

mod args;
mod parser;
mod service;

use std::{error::Error, io::Write as _, process::ExitCode, sync::Arc};

use concurrent_futures::ProcessPoolExecutor;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use args::Args;
use service::Service;

fn main() -> ExitCode {
    match args::parse(std::env::args_os().skip(1)).map_err(Into::into).and_then(|args| run(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("web_service: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let pool = ProcessPoolExecutor::builder().max_workers(args.workers).queue_capacity(args.queue).build()?;
    let service = Arc::new(Service { pool, time_limit: args.time_limit });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(args, service.clone()))?;
    // Dropping the pool waits for its tasks, which blocks. So it happens here and not on a thread of the runtime.
    drop(runtime);
    drop(service);
    Ok(())
}

async fn serve(args: &Args, service: Arc<Service>) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(&args.listen).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    // For a program that has asked for port 0, such as a test. A closed standard output is not an error.
    let _ = writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?);
    let terminated = async move {
        terminate.recv().await;
    };
    axum::serve(listener, service::router(service)).with_graceful_shutdown(terminated).await?;
    Ok(())
}
