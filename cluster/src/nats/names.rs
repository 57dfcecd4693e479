//! What things are called in the engine.

use std::fmt;

use executor_core::{Error, function::BuildId};

use crate::{address::check_name, random, wire::Peer};

/// What a large value is. Arguments wait with their tasks, and outcomes must find room although they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Arguments,
    Outcomes,
}

/// The names of a pool's things in the engine, for one build of the program.
///
/// | name | what it is |
/// |---|---|
/// | `EXQ_<pool>` | the stream, in which tasks wait |
/// | `w_<build>` | the consumer from which the agents of a build pull |
/// | `EXA_<pool>_<user>` | the object store for the large arguments of a user's clients |
/// | `EXO_<pool>_<user>` | the object store for the large outcomes of their tasks |
/// | `ex.<pool>.q.<build>.<user>.<client>` | the tasks of a client |
/// | `ex.<pool>.c.<user>.<client>` | what is sent to a client |
/// | `ex.<pool>.a.<user>.<agent>.<user>.<client>` | what a client sends to an agent |
/// | `ex.<pool>.r.<user>.<client>` | a client's question who is there |
/// | `_INBOX_<user>.<process>.<secret>` | the engine's answers to a client or an agent |
/// | `_INBOX_<user>.<process>.u.<user>.<client>` | the engine's word to an agent that no one listens at a client |
///
/// A client is named in whatever it sends, so the server's permissions decide who may send it. But the engine answers
/// wherever the one who asks wants the answer. So no one may know where a process waits for answers, and the name of
/// that is in no subject that others see.
#[derive(Clone)]
pub(crate) struct Names {
    pool: String,
    build: String,
    secret: String,
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").field("pool", &self.pool).field("build", &self.build).finish_non_exhaustive()
    }
}

impl Names {
    /// Returns the names for this build. Each call has another secret.
    pub(crate) fn new(pool: &str) -> Result<Names, Error> {
        check_name("pool", pool)?;
        Ok(Names { pool: pool.to_string(), build: short(&BuildId::own().to_string()), secret: random::name()? })
    }

    /// Where the engine's answers to this process go. No one else knows it.
    pub(super) fn inbox(&self, me: &Peer) -> String {
        format!("_INBOX_{}.{}.{}", me.user(), me.process(), self.secret)
    }

    /// Everything that is sent to this process by its name alone.
    pub(super) fn own_inboxes(me: &Peer) -> String {
        format!("_INBOX_{}.{}.>", me.user(), me.process())
    }

    /// What the subjects begin with where an agent learns that no one listens at a client. The clients see them.
    pub(super) fn unheard_under(me: &Peer) -> String {
        format!("_INBOX_{}.{}.u", me.user(), me.process())
    }

    pub(crate) fn pool(&self) -> &str {
        &self.pool
    }

    /// Returns the beginning of the build, which is enough to tell builds apart.
    pub(crate) fn build(&self) -> &str {
        &self.build
    }

    pub(super) fn stream(&self) -> String {
        format!("EXQ_{}", self.pool)
    }

    /// Where the engine tells that the stream was deleted.
    pub(super) fn deletion(&self) -> String {
        format!("$JS.EVENT.ADVISORY.STREAM.DELETED.{}", self.stream())
    }

    /// The object store of a user for values of a kind.
    ///
    /// With `_` in one of the names, two pools could have a store of one name, each for another user, so the length of
    /// the pool's name tells them apart.
    pub(super) fn values(&self, kind: Kind, user: &str) -> String {
        let pool = &self.pool;
        let prefix = match kind {
            Kind::Arguments => "EXA",
            Kind::Outcomes => "EXO",
        };
        match pool.contains('_') || user.contains('_') {
            true => format!("{prefix}_{pool}_{user}_{}", pool.len()),
            false => format!("{prefix}_{pool}_{user}"),
        }
    }

    pub(super) fn consumer(&self) -> String {
        format!("w_{}", self.build)
    }

    /// Where agents ask for messages of the consumer.
    pub(super) fn next(&self) -> String {
        format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", self.stream(), self.consumer())
    }

    /// The tasks of all builds and clients.
    pub(super) fn all_tasks(&self) -> String {
        format!("ex.{}.q.*.*.*", self.pool)
    }

    /// What the subjects of tasks of this build begin with, before their client.
    pub(super) fn tasks_under(&self) -> String {
        format!("ex.{}.q.{}", self.pool, self.build)
    }

    /// What the subjects of messages to an agent begin with, before their client.
    pub(super) fn to_agent_under(&self, agent: &Peer) -> String {
        format!("ex.{}.a.{agent}", self.pool)
    }

    /// What the subjects of roll calls begin with, before their client.
    pub(super) fn roll_calls_under(&self) -> String {
        format!("ex.{}.r", self.pool)
    }

    /// The tasks of this build.
    pub(super) fn tasks_of_build(&self) -> String {
        format!("ex.{}.q.{}.*.*", self.pool, self.build)
    }

    pub(super) fn tasks(&self, client: &Peer) -> String {
        format!("ex.{}.q.{}.{client}", self.pool, self.build)
    }

    /// The tasks of a client, of whatever build.
    pub(super) fn own_tasks(&self, client: &Peer) -> String {
        format!("ex.{}.q.*.{client}", self.pool)
    }

    pub(super) fn to_client(&self, client: &Peer) -> String {
        format!("ex.{}.c.{client}", self.pool)
    }

    pub(super) fn to_agent(&self, agent: &Peer, client: &Peer) -> String {
        format!("ex.{}.a.{agent}.{client}", self.pool)
    }

    /// What all clients send to an agent.
    pub(super) fn all_to_agent(&self, agent: &Peer) -> String {
        format!("ex.{}.a.{agent}.*.*", self.pool)
    }

    pub(super) fn roll_call(&self, client: &Peer) -> String {
        format!("ex.{}.r.{client}", self.pool)
    }

    pub(super) fn all_roll_calls(&self) -> String {
        format!("ex.{}.r.*.*", self.pool)
    }
}

/// Returns the beginning of a build that is part of names.
pub(crate) fn short(build: &str) -> String {
    build.chars().take(16).collect()
}

/// Returns the client that has sent something to a subject that begins with `under`: it is the rest of the subject, and
/// the server checks that the client may use that.
///
/// The whole subject counts. A consumer of the engine may deliver to any subscription, but its messages keep the
/// subject that they were stored with.
pub(super) fn sender(subject: &str, under: &str) -> Option<Peer> {
    let (user, process) = subject.strip_prefix(under)?.strip_prefix('.')?.split_once('.')?;
    Peer::new(user, process).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_users_have_one_store() {
        let store = |kind, pool: &str, user: &str| Names::new(pool).expect("a name").values(kind, user);
        assert_eq!(store(Kind::Arguments, "train", "ada"), "EXA_train_ada");
        assert_eq!(store(Kind::Outcomes, "train", "ada"), "EXO_train_ada");
        let kinds = [Kind::Arguments, Kind::Outcomes];
        let parts = ["a", "b", "a_b", "b_c", "a_b_1", "_", "a_", "_1", "1", "b_1", "b_3", "c_3"];
        let mut stores: Vec<String> = parts
            .iter()
            .flat_map(|pool| parts.iter().flat_map(|user| kinds.map(|kind| store(kind, pool, user))))
            .collect();
        stores.sort();
        stores.dedup();
        assert_eq!(stores.len(), kinds.len() * parts.len() * parts.len());
    }

    #[test]
    fn no_one_can_guess_where_a_process_waits_for_answers() {
        let me = Peer::new("ada", "c1").expect("a name");
        let [one, other] = [(); 2].map(|()| Names::new("train").expect("a name"));
        let secret = one.inbox(&me).strip_prefix("_INBOX_ada.c1.").expect("it begins so").to_string();
        assert!(secret.len() == 32 && one.clone().inbox(&me) == one.inbox(&me) && one.inbox(&me) != other.inbox(&me));
        let shown = [
            format!("{one:?}"),
            one.tasks(&me),
            one.to_client(&me),
            one.to_agent(&me, &me),
            one.roll_call(&me),
            Names::unheard_under(&me),
        ];
        assert!(shown.iter().all(|text| !text.contains(&secret)), "{shown:?}");
    }

    #[test]
    fn the_sender_is_the_end_of_a_subject() {
        let names = Names::new("train").expect("a name");
        let (agent, client) = (Peer::new("w", "a1").expect("a name"), Peer::new("ada", "c1").expect("a name"));
        for (subject, under) in [
            (names.tasks(&client), names.tasks_under()),
            (names.to_agent(&agent, &client), names.to_agent_under(&agent)),
            (names.roll_call(&client), names.roll_calls_under()),
        ] {
            assert_eq!(sender(&subject, &under), Some(client.clone()), "{subject}");
            for other in
                [format!("x.{subject}"), format!("{subject}.x"), under.clone(), "$O.EXO_train_bob.M.ada.c1".into()]
            {
                assert_eq!(sender(&other, &under), None, "{other}");
            }
        }
        assert!(names.build().len() == 16 && names.to_agent(&agent, &client).starts_with("ex.train.a.w.a1."));
        assert!(Names::new("a.b").is_err() && Names::new("*").is_err() && Names::new("").is_err());
    }
}
