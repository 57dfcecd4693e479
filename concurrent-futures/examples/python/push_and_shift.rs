//! Python: three `Process`es push to a `Queue(3)`, three others shift from it.

use concurrent_futures::{
    Error,
    multiprocessing::{Process, Queue},
};

fn push((number, queue): (u32, Queue<u32>)) -> Result<(), Error> {
    for item in 0..3 {
        queue.put(number * 10 + item)?;
    }
    Ok(())
}

fn shift(queue: Queue<u32>) -> Vec<u32> {
    queue.iter().collect()
}

pub fn run() -> Result<(), Error> {
    let queue = Queue::bounded(3)?;
    let shifts = [(); 3].map(|()| Process::spawn(shift, queue.clone()));
    let pushes = [1, 2, 3].map(|number| Process::spawn(push, (number, queue.clone())));
    for push in pushes {
        push?.result(None)??;
    }
    // The queue gives out what it has, and then ends the loops of those who read.
    queue.close()?;
    let mut shifted = Vec::new();
    for shift in shifts {
        shifted.extend(shift?.result(None)?);
    }
    shifted.sort_unstable();
    println!("{shifted:?}");
    Ok(())
}
