//! How much of the engine's store a stream may take.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::api::{Api, Refusal};

/// The most that is asked for, and the least that a stream gets. The least has room for one message of any length.
const MOST: u64 = 16 << 30;
const LEAST: u64 = 1 << 20;

/// How much of the engine's store a stream may take.
///
/// Everything of a pool is in one store: tasks, large arguments, and large outcomes. Without bounds, tasks that wait
/// could fill all of it, and then there would be no room for the outcomes of those that run, for which they wait. So
/// each kind has a bound of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// So many bytes, which the engine must have.
    Bytes(u64),
    /// One part of so many of what the engine still has for streams. No one else is told what that is, so it is found
    /// by asking.
    Part(u64),
}

impl Room {
    /// Makes a stream with this room.
    pub(super) async fn create(self, api: &Api, name: &str, mut config: Value, until: Instant) -> Result<(), Refusal> {
        let (create, update) = (format!("STREAM.CREATE.{name}"), format!("STREAM.UPDATE.{name}"));
        let parts = match self {
            Room::Bytes(bytes) => {
                config["max_bytes"] = json!(bytes);
                return api.persist::<Value>(&create, &config, until).await.map(|_| ());
            }
            Room::Part(parts) => parts,
        };
        let mut bytes = MOST;
        while bytes >= LEAST * parts {
            config["max_bytes"] = json!(bytes);
            match api.persist::<Value>(&create, &config, until).await {
                Err(Refusal::Full(_)) => bytes /= 2,
                Err(refusal) => return Err(refusal),
                Ok(_) => {
                    config["max_bytes"] = json!(bytes / parts);
                    return api.persist::<Value>(&update, &config, until).await.map(|_| ());
                }
            }
        }
        // Others have been promised almost everything, and what they do not use can still be used. After the last byte
        // was promised, the engine refuses this too.
        config["max_bytes"] = json!(-1);
        api.persist::<Value>(&create, &config, until).await.map(|_| ())
    }

    /// Returns the bound in what the engine says of a stream, if there is one.
    pub(super) fn bound(info: &Value) -> Option<u64> {
        info["config"]["max_bytes"].as_u64().filter(|bytes| *bytes > 0)
    }
}
