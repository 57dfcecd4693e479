//! The scenarios by name. They are here, and not only where they are measured, because printing them must not require
//! that the peers are built.

/// The name of each scenario on the command line, and its title in reports, in the order of the report.
pub const SCENARIOS: [(&str, &str); 28] = [
    ("submit", "submit many, then collect"),
    ("one", "one at a time"),
    ("four", "four submitters"),
    ("nested", "nested spawn"),
    ("recursive", "recursive submit and wait"),
    ("map", "`map` of a million"),
    ("uneven", "uneven work"),
    ("join", "fork and join"),
    ("borrowed", "borrowed map over a slice"),
    ("walk", "recursive scope"),
    ("growth", "growing work"),
    ("await", "await under tokio"),
    ("echo", "echo of bytes, numbers and structs"),
    ("first", "build to first result"),
    ("fresh", "a fresh process for each task"),
    ("recovery", "recovery after an abort"),
    ("width", "1 to 16 workers"),
    ("count", "1 to 100000 tasks"),
    ("memory", "memory per pending task"),
    ("footprint", "memory of a worker process"),
    ("idle", "idle pools"),
    ("messages", "messages to another process"),
    ("reply", "a message there and back"),
    ("locks", "locks"),
    ("known", "tasks with a shared object"),
    ("shared", "large data that several tasks read"),
    ("takeover", "a lock whose holder dies"),
    ("sleepers", "processes that wait"),
];
