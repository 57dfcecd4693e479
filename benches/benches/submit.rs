//! Submitting tiny tasks under criterion: for a report with spreads, and for comparing two commits.

use benches::contender::{self, Contender};
use criterion::{BenchmarkId, Criterion, Throughput};

const WORKERS: usize = 2;

fn main() {
    procspawn::init();
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    group(&mut criterion, "threads", &contender::threads(WORKERS).expect("pools"), 20_000, 500);
    // No more at once: procspawn holds descriptors for every task that is not collected, and panics when they run out.
    group(&mut criterion, "processes", &contender::processes(WORKERS).expect("pools"), 2_000, 200);
    criterion.final_summary();
}

fn group(criterion: &mut Criterion, name: &str, contenders: &[Box<dyn Contender>], many: u64, few: u64) {
    let mut group = criterion.benchmark_group(format!("{name}/submit_then_collect"));
    group.throughput(Throughput::Elements(many));
    for contender in contenders {
        group.bench_function(BenchmarkId::from_parameter(contender.name()), |bencher| {
            bencher.iter(|| contender.submit_then_collect(many));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group(format!("{name}/one_at_a_time"));
    group.throughput(Throughput::Elements(few));
    for contender in contenders {
        group.bench_function(BenchmarkId::from_parameter(contender.name()), |bencher| {
            bencher.iter(|| contender.one_at_a_time(few));
        });
    }
    group.finish();
}
