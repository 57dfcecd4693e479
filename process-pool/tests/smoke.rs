use executor_core::*;
use process_pool::*;
use std::time::{Duration, Instant};

#[test]
fn smoke() {
    for transport in [Transport::Ring, Transport::Socket] {
        let t = Instant::now();
        let pool = ProcessPoolExecutor::builder().max_workers(2).transport(transport).build().unwrap();
        println!("build {:?}", t.elapsed());
        assert_eq!(pool.submit(|n: u64| n + 1, 41).unwrap().result(None).unwrap(), 42);
        println!("first {:?}", t.elapsed());
        let n = 100_000u64;
        let t = Instant::now();
        let fs: Vec<_> = (0..n).map(|n| pool.submit(|n: u64| n + 1, n).unwrap()).collect();
        let s: u64 = fs.iter().map(|f| f.result(None).unwrap()).sum();
        assert_eq!(s, n * (n + 1) / 2);
        println!("{transport:?} {:?}/task", t.elapsed() / n as u32);
        let t = Instant::now();
        for i in 0..2000u64 {
            pool.submit(|n: u64| n + 1, i).unwrap().result(None).unwrap();
        }
        println!("{transport:?} one at a time {:?}/task", t.elapsed() / 2000);
        let t = Instant::now();
        let s: u64 = pool.map(|x: u64| x * x, 0..n).unwrap().sum::<Result<u64, Error>>().unwrap();
        println!("{transport:?} map {:?}/item {s}", t.elapsed() / n as u32);
        let e = pool.submit(|()| -> () { std::process::abort() }, ()).unwrap().result(None).unwrap_err();
        println!("{e}");
        let e = pool
            .submit(
                |n: u64| -> u64 {
                    fn f(n: u64) -> u64 {
                        if n == 0 { 0 } else { 1 + std::hint::black_box(f(std::hint::black_box(n + 1))) }
                    }
                    f(n)
                },
                1,
            )
            .unwrap()
            .result(None)
            .unwrap_err();
        println!("{e}");
        let e = pool.submit(|()| -> () { panic!("x") }, ()).unwrap().result(None).unwrap_err();
        println!("{e}");
        let e = pool
            .submit_with(
                TaskOptions::new().time_limit(Duration::from_millis(100)),
                |()| -> () {
                    loop {
                        std::thread::park()
                    }
                },
                (),
            )
            .unwrap()
            .result(None)
            .unwrap_err();
        println!("{e}");
        let big = vec![7u8; 64 << 20];
        let t = Instant::now();
        let back = pool.submit(|v: Vec<u8>| v, big.clone()).unwrap().result(None).unwrap();
        println!("64MiB {:?}", t.elapsed());
        assert!(back == big);
        let f = pool.submit(|()| std::thread::park(), ()).unwrap();
        while !f.running() {}
        assert!(!f.cancel());
        assert!(f.terminate(Duration::from_secs(1)));
        println!("{}", f.result(None).unwrap_err());
        drop(pool);
    }
}
