//! Locks and permits whose holders are killed.

use concurrent_futures::multiprocessing::{Array, Lock, Semaphore, Value};

use super::{Guest, Role, Run, end, leaving_nothing, storm};

pub(super) const ROLES: &[(&str, Role)] = &[("hold", hold), ("permit", permit)];

fn hold(guest: &Guest) {
    let (lock, array, entries, taken_over): (Lock, Array<u64>, Value<u64>, Value<u64>) = guest.receive();
    loop {
        let guard = lock.lock().unwrap_or_else(|_| {
            taken_over.update(|count| *count += 1);
            lock.recover()
        });
        let mut elements = array.lock().or_else(|_| array.recover()).expect("it is whole");
        let inside = elements[0] + 1;
        elements[0] = inside;
        elements[1] = inside;
        assert_eq!(elements[0], inside, "another process is inside");
        drop(elements);
        entries.update(|entries| *entries += 1);
        drop(guard);
    }
}

pub(in crate::soak) fn lock(run: &mut Run) {
    leaving_nothing(run, |run, stage| {
        let (lock, array) = (Lock::new().expect("a lock"), Array::<u64>::new(2).expect("an array"));
        let (entries, taken_over) = (Value::new(0_u64).expect("a value"), Value::new(0_u64).expect("a value"));
        let start = |_| stage.start("hold", &(lock.clone(), array.clone(), entries.clone(), taken_over.clone()));
        let (processes, _) = storm(run, [4], start, || entries.get());
        processes.into_iter().for_each(|(_, process)| end(process));
        drop(lock.recover());
        drop(lock.lock().expect("it is healthy"));
        let left = array.recover().expect("it is whole");
        assert!(left[0] == left[1] || left[0] == left[1] + 1, "{left:?}");
        // The array counts before the value does, so a killed process may have counted in one of them.
        assert!(left[0] >= entries.get());
        run.figure("entries", entries.get());
        run.figure("times taken over from the dead", taken_over.get());
    });
}

const PERMITS: usize = 2;

fn permit(guest: &Guest) {
    let (semaphore, entries): (Semaphore, Value<u64>) = guest.receive();
    loop {
        let permit = semaphore.acquire(None).expect("it is whole");
        entries.update(|entries| *entries += 1);
        drop(permit);
    }
}

pub(in crate::soak) fn semaphore(run: &mut Run) {
    leaving_nothing(run, |run, stage| {
        let (semaphore, entries) = (Semaphore::new(PERMITS).expect("a semaphore"), Value::new(0_u64).expect("a value"));
        let start = |_| stage.start("permit", &(semaphore.clone(), entries.clone()));
        let (processes, _) = storm(run, [4], start, || {
            assert!(semaphore.available() <= PERMITS, "a permit was given back twice");
            entries.get()
        });
        processes.into_iter().for_each(|(_, process)| end(process));
        let permits: Vec<_> = (0..PERMITS).map(|_| semaphore.acquire(None).expect("it came back")).collect();
        assert!(semaphore.try_acquire().expect("it is whole").is_none(), "there are too many permits");
        drop(permits);
        assert_eq!(semaphore.available(), PERMITS);
        run.figure("entries", entries.get());
    });
}
