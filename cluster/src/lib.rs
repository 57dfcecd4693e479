//! The protocol by which executors run tasks on the agents of other machines, over an engine that queues: NATS
//! JetStream. So far it has [`wire`]: what clients and agents send each other, as bytes.

pub mod wire;
