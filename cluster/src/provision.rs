//! Making a pool, as its administrator.

use executor_core::{Error, ErrorKind};

use crate::{
    address::{Address, check_name},
    credentials::credential_setters,
    defaults::{POOL, START_TIMEOUT},
    nats::{self, Engine, Names, StoreOptions, StreamOptions},
};

/// How a pool's queue is made: the options of [`provision`].
#[must_use = "options do nothing before `provision`"]
#[derive(Clone, Debug)]
pub struct Provision {
    address: Address,
    pool: String,
    options: StreamOptions,
    stores: StoreOptions,
    clients: Vec<String>,
}

impl Default for Provision {
    fn default() -> Provision {
        Provision {
            address: Address::default(),
            pool: POOL.into(),
            options: StreamOptions::default(),
            stores: StoreOptions::default(),
            clients: Vec::new(),
        }
    }
}

impl Provision {
    /// A queue on one server's disk, without a bound of the number of tasks.
    pub fn new() -> Provision {
        Provision::default()
    }

    /// Sets the pool, by default `default`.
    pub fn pool(mut self, name: impl Into<String>) -> Self {
        self.pool = name.into();
        self
    }

    /// Sets on how many servers the queue is kept: 1, 3 or 5. With 3, it survives the loss of one.
    pub fn replicas(mut self, number: usize) -> Self {
        self.options.replicas = number;
        self
    }

    /// Sets how many tasks the queue holds, of all clients together. Further tasks wait in their clients.
    pub fn capacity(mut self, tasks: u64) -> Self {
        self.options.capacity = Some(tasks);
        self
    }

    /// Sets how many tasks of one client the queue holds, so that no client can fill it. Further tasks wait in that
    /// client.
    pub fn capacity_per_client(mut self, tasks: u64) -> Self {
        self.options.capacity_per_client = Some(tasks);
        self
    }

    /// Keeps the queue in the memory of its servers, which is faster. A server that ends loses it; clients that live
    /// notice that, and publish their tasks again.
    pub fn in_memory(mut self, is_in_memory: bool) -> Self {
        self.options.in_memory = is_in_memory;
        self
    }

    /// Sets how many bytes the tasks in the queue may have together, their arguments included that are not
    /// [large](Provision::large_arguments). Further tasks wait in their clients. By default it is a quarter of what the
    /// servers still have for streams when the queue is made, and at most 4 GiB.
    pub fn capacity_bytes(mut self, bytes: u64) -> Self {
        self.options.bytes = Some(bytes);
        self
    }

    /// Sets how many bytes each [client](Provision::client) of these options may have stored as large arguments, which
    /// are those of more than 512 KiB. Further tasks wait in the client, and a task whose argument alone has more fails
    /// with [`Encode`](ErrorKind::Encode). By default it is half of what the servers still have for streams when the
    /// store is made, and at most 8 GiB.
    pub fn large_arguments(mut self, bytes: u64) -> Self {
        self.stores.arguments = Some(bytes);
        self
    }

    /// Sets how many bytes each [client](Provision::client) of these options may have stored as large outcomes, until
    /// it has fetched them. Arguments never take of this, so a task that has run can always end. Agents wait for this
    /// room, and a task whose outcome alone has more fails with [`Encode`](ErrorKind::Encode). The default is as for
    /// [arguments](Provision::large_arguments).
    pub fn large_outcomes(mut self, bytes: u64) -> Self {
        self.stores.outcomes = Some(bytes);
        self
    }

    /// Also makes the stores for the large arguments and outcomes of this user, because a client that may not make
    /// streams cannot. Call it again for another one. Stores that exist keep their bounds, unless these options set
    /// others.
    pub fn client(mut self, user: impl Into<String>) -> Self {
        self.clients.push(user.into());
        self
    }

    /// Adds another server of the same cluster of NATS.
    pub fn server(mut self, url: impl Into<String>) -> Self {
        self.address.servers.push(url.into());
        self
    }

    credential_setters!();
}

/// Makes the queue of a pool, or changes it to these options. Tasks that it has stay.
///
/// Clients and agents make a queue on one server themselves if it is missing and they are permitted to. So this is for
/// administrators who do not permit it, or want replicas or bounds.
///
/// # Errors
///
/// - [`InvalidArgument`](ErrorKind::InvalidArgument): a URL, a name or a number that cannot be one.
/// - [`Unavailable`](ErrorKind::Unavailable): no server answers within a minute, or it does not permit this, has fewer
///   servers than replicas, or cannot change an existing queue so.
///
/// ```no_run
/// # mod concurrent_futures { pub use cluster; pub use executor_core::*; }
/// use concurrent_futures::cluster::{Provision, provision};
///
/// let options = Provision::new().pool("train").replicas(3).capacity(1_000_000).token("the administrator's");
/// provision("nats://n1.example.org:4222", options)?;
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub fn provision(url: impl Into<String>, options: Provision) -> Result<(), Error> {
    let Provision { mut address, pool, options, stores, clients } = options;
    address.servers.insert(0, url.into());
    if options.replicas == 0 || options.capacity == Some(0) || options.capacity_per_client == Some(0) {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "the queue of a pool needs at least one replica, and room for at least one task",
        ));
    }
    // To the engine, 0 means that there is no bound.
    if [options.bytes, stores.arguments, stores.outcomes].contains(&Some(0)) {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "no room for any byte: give `capacity_bytes`, `large_arguments` and `large_outcomes` as many bytes as the \
             largest task, argument and outcome need, or leave them out",
        ));
    }
    let names = Names::new(&pool)?;
    clients.iter().try_for_each(|user| check_name("user", user))?;
    let engine = Engine::connect(&address, "provision", START_TIMEOUT)?;
    nats::provision(&engine, &names, options, stores, clients, START_TIMEOUT)
}
