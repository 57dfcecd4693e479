//! Python: `asyncio`. A coroutine says hello, waits and says hello again; two of them wait together, in one thread.
//! Here the waiting is for a task of a pool, and any runtime can run the coroutines: this file has a very small one.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use concurrent_futures::{Backend, Error, Executor, ThreadPoolExecutor};

/// Returns after the time, in a worker. Other coroutines run meanwhile.
fn sleep(milliseconds: u64) {
    thread::sleep(Duration::from_millis(milliseconds));
}

async fn hello(pool: &dyn Backend) -> Result<(), Error> {
    let name = thread::current().name().unwrap_or("unnamed").to_owned();
    println!("Hello world! ({name})");
    pool.submit(sleep, 20)?.await?;
    println!("Hello again! ({name})");
    Ok(())
}

type Coroutine<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>;

/// Runs all of these together, as `asyncio.gather` does.
fn gather(mut coroutines: Vec<Coroutine<'_>>) -> Result<(), Error> {
    block_on(std::future::poll_fn(move |context| {
        let mut failed = None;
        coroutines.retain_mut(|coroutine| match coroutine.as_mut().poll(context) {
            Poll::Pending => true,
            Poll::Ready(result) => {
                failed = failed.take().or(result.err());
                false
            }
        });
        match failed {
            Some(error) => Poll::Ready(Err(error)),
            None if coroutines.is_empty() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    }))
}

/// Wakes the thread that runs the coroutines.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let (mut future, waker) = (pin!(future), Waker::from(Arc::new(Unpark(thread::current()))));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

pub fn run() -> Result<(), Error> {
    let pool = ThreadPoolExecutor::new(2)?;
    block_on(hello(&pool))?;
    gather(vec![Box::pin(hello(&pool)), Box::pin(hello(&pool))])
}
