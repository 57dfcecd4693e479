//! Some of the scenarios under criterion, which stores its results: use it to measure the effect of a change on one
//! contender. To compare contenders use `compare`, in which they take turns.

use benches::{
    Outcome,
    contender::{
        Contender,
        processes::{Ring, Socket},
        procspawn::Procspawn,
        rayon::Rayon,
        threads::{Spawn, Submit},
    },
    machine,
    scenario::WIDTH,
    work::{AddOne, short},
};
use concurrent_futures::{Error, Executor};
use criterion::{Criterion, Throughput};

fn main() -> Outcome<()> {
    // A worker of procspawn runs this program and does not return from here.
    procspawn::init();
    machine::prepare()?;
    let mut criterion = Criterion::default().configure_from_args();
    contender::<Submit>(&mut criterion, 20_000)?;
    contender::<Spawn>(&mut criterion, 20_000)?;
    contender::<Rayon>(&mut criterion, 20_000)?;
    contender::<Ring>(&mut criterion, 2_000)?;
    contender::<Socket>(&mut criterion, 2_000)?;
    contender::<Procspawn>(&mut criterion, 2_000)?;
    map(&mut criterion, &Submit::build(WIDTH)?)?;
    map(&mut criterion, &Ring::build(WIDTH)?)?;
    criterion.final_summary();
    Ok(())
}

fn contender<C: Contender>(criterion: &mut Criterion, many: u64) -> Outcome<()> {
    let pool = C::build(WIDTH)?;
    let mut group = criterion.benchmark_group("submit, then collect");
    group.throughput(Throughput::Elements(many)).bench_function(C::NAME, |bencher| {
        bencher.iter(|| {
            let handles: Vec<_> = (0..many).map(|n| pool.submit::<AddOne>(n)).collect();
            handles.into_iter().map(C::collect).sum::<u64>()
        });
    });
    group.finish();
    let mut group = criterion.benchmark_group("one at a time");
    group.bench_function(C::NAME, |bencher| bencher.iter(|| C::collect(pool.submit::<AddOne>(1))));
    group.finish();
    Ok(())
}

fn map<C: Contender + std::ops::Deref<Target: Executor>>(criterion: &mut Criterion, pool: &C) -> Outcome<()> {
    const COUNT: u64 = 100_000;
    let mut group = criterion.benchmark_group("map");
    group.throughput(Throughput::Elements(COUNT)).bench_function(C::NAME, |bencher| {
        bencher.iter(|| pool.map(short, 0..COUNT)?.collect::<Result<Vec<u64>, Error>>());
    });
    group.finish();
    Ok(())
}
