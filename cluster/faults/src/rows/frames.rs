//! Messages that are lost, late, doubled and overtaken.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{LONG, Run};
use crate::harness::{
    frame::Kind,
    load::Load,
    member::{Site, wait_for_agents},
    proxy::{Fate, Proxy},
};

/// Row 12.
pub fn stored(run: &mut Run) {
    disturb(run, &[Kind::PubAck]);
}

/// Row 13.
pub fn granted(run: &mut Run) {
    disturb(run, &[Kind::Ask, Kind::Grant]);
}

/// Row 14.
pub fn outcomes(run: &mut Run) {
    disturb(run, &[Kind::Outcome, Kind::Received]);
    if !run.is_short {
        mixed(run);
    }
}

/// Every third message of the kind has the fate.
fn disturb(run: &mut Run, kinds: &[Kind]) {
    let cluster = run.cluster(2);
    for kind in kinds {
        for fate in [Fate::Lose, Fate::Delay(Duration::from_millis(700)), Fate::Repeat, Fate::Overtaken] {
            let mut random = run.random.fork();
            let rule = move |kind_matches: bool| if kind_matches && random.one_in(3) { fate } else { Fate::Pass };
            let case = format!("{kind:?}: {fate:?}");
            play(run, &cluster, &case, rule, vec![*kind]);
        }
    }
}

/// Any message of any kind may have any fate.
fn mixed(run: &mut Run) {
    let cluster = run.cluster(2);
    let mut random = run.random.fork();
    let fates = [Fate::Lose, Fate::Repeat, Fate::Overtaken, Fate::Delay(Duration::from_millis(300))];
    let rule = move |is_one: bool| if is_one && random.one_in(4) { random.choose(&fates) } else { Fate::Pass };
    play(run, &cluster, "all kinds and fates", rule, Kind::ALL.to_vec());
}

fn play(
    run: &mut Run,
    cluster: &super::Cluster,
    case: &str,
    mut rule: impl FnMut(bool) -> Fate + Send + 'static,
    kinds: Vec<Kind>,
) {
    let proxy = Proxy::start(&cluster.servers.nodes[0].address());
    let client = Site { urls: vec![proxy.url()], ..cluster.site.clone() }.client();
    wait_for_agents(&client, 2);
    let hit = Arc::new(AtomicUsize::new(0));
    let own = hit.clone();
    proxy.set_rule(move |message| {
        let fate = rule(kinds.iter().any(|kind| message.is(*kind)));
        own.fetch_add((fate != Fate::Pass).into(), Relaxed);
        fate
    });
    let mut load = Load::new(cluster.journal(case));
    load.submit(&*client, run.amount(40, 200), 5, 0);
    let summary = load.finish(LONG);
    summary.all_done(1);
    let hit = hit.load(Relaxed);
    assert!(hit > 0, "no message had the fate");
    run.figure(case, format!("{hit} messages; {summary}"));
    proxy.set_rule(|_| Fate::Pass);
    drop(client);
}
