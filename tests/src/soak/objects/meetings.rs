//! Barriers whose parties are killed.

use concurrent_futures::multiprocessing::{Barrier, Value};

use super::{Guest, Role, Run, end, leaving_nothing, storm};

pub(super) const ROLES: &[(&str, Role)] = &[("party", party)];

fn party(guest: &Guest) {
    let (barrier, rounds, broken): (Barrier, Value<u64>, Value<u64>) = guest.receive();
    loop {
        match barrier.wait(None) {
            Ok(0) => rounds.update(|rounds| *rounds += 1),
            Ok(_) => {}
            Err(_) => {
                broken.update(|broken| *broken += 1);
                barrier.reset();
            }
        }
    }
}

pub(in crate::soak) fn barrier(run: &mut Run) {
    leaving_nothing(run, |run, stage| {
        let barrier = Barrier::new(2).expect("a barrier");
        let [rounds, broken] = [(); 2].map(|()| Value::new(0_u64).expect("a value"));
        let start = |_| stage.start("party", &(barrier.clone(), rounds.clone(), broken.clone()));
        let (processes, _) = storm(run, [3], start, || rounds.get() + broken.get());
        processes.into_iter().for_each(|(_, process)| end(process));
        assert!(rounds.get() > 0);
        barrier.reset();
        let other = std::thread::spawn({
            let barrier = barrier.clone();
            move || barrier.wait(None)
        });
        let mine = barrier.wait(None).expect("it is whole");
        assert_eq!(mine + other.join().expect("no panic").expect("it is whole"), 1);
        run.figure("rounds", rounds.get());
        run.figure("times that a party found it broken", broken.get());
    });
}
