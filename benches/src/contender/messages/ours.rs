//! A queue for each direction, and a pipe.

use concurrent_futures::multiprocessing::{self, Connection, Queue};

use super::{Channel, Message};
use crate::{Outcome, contender::Role};

/// A queue for each direction.
#[derive(Debug)]
pub struct Queues<M> {
    there: Queue<M>,
    back: Queue<M>,
}

impl<M: Message> Channel<M> for Queues<M> {
    const NAME: &'static str = "Queue";
    const ROLE: Role = Role::Ours;
    type Address = (Queue<M>, Queue<M>);
    type Listening = Queues<M>;

    fn listen() -> Outcome<(Queues<M>, (Queue<M>, Queue<M>))> {
        let (there, back) = (Queue::unbounded()?, Queue::unbounded()?);
        Ok((Queues { there: there.clone(), back: back.clone() }, (back, there)))
    }

    fn accept(listening: Queues<M>) -> Outcome<Queues<M>> {
        Ok(listening)
    }

    fn connect((there, back): (Queue<M>, Queue<M>)) -> Queues<M> {
        Queues { there, back }
    }

    fn send(&mut self, message: &M) {
        self.there.put(message).expect("put");
    }

    fn receive(&mut self) -> M {
        self.back.get(None).expect("an item")
    }
}

impl<M> Queues<M> {
    /// Returns what another process opens this end by.
    pub fn address(&self) -> (Queue<M>, Queue<M>) {
        (self.there.clone(), self.back.clone())
    }
}

/// A pipe.
#[derive(Debug)]
pub struct Pipe<M>(Connection<M>);

impl<M: Message> Channel<M> for Pipe<M> {
    const NAME: &'static str = "pipe";
    const ROLE: Role = Role::Ours;
    type Address = Connection<M>;
    type Listening = Connection<M>;

    fn listen() -> Outcome<(Connection<M>, Connection<M>)> {
        Ok(multiprocessing::pipe()?)
    }

    fn accept(listening: Connection<M>) -> Outcome<Pipe<M>> {
        Ok(Pipe(listening))
    }

    fn connect(address: Connection<M>) -> Pipe<M> {
        Pipe(address)
    }

    fn send(&mut self, message: &M) {
        self.0.send(message).expect("sent");
    }

    fn receive(&mut self) -> M {
        self.0.recv(None).expect("a message")
    }
}
