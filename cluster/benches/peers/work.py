"""The work that every peer does, and its clock.

A script gives four functions and prints one line: the version, and for many small tasks, for a map of a million and for
single tasks what they took. The benchmark `speed` reads it. Results are checked.
"""

import time

WORKERS = 2
TASKS = 1_000
SINGLE = 100
ITEMS = 1_000_000
CHUNK = 10_000


def increment(n):
    return n + 1


def measure(version, submit, collect, map_all):
    """`submit` starts one task, `collect` returns the results of tasks, and `map_all` the results of a million items."""
    assert sum(collect([submit(n) for n in range(200)])) == sum(range(1, 201))

    began = time.perf_counter()
    results = collect([submit(n) for n in range(TASKS)])
    many = time.perf_counter() - began
    assert sum(results) == TASKS * (TASKS + 1) // 2

    times = []
    for n in range(SINGLE):
        began = time.perf_counter()
        [result] = collect([submit(n)])
        times.append(time.perf_counter() - began)
        assert result == n + 1
    times.sort()

    began = time.perf_counter()
    total = sum(map_all(range(ITEMS)))
    mapped = time.perf_counter() - began
    assert total == ITEMS * (ITEMS + 1) // 2

    single, late = (times[SINGLE * part // 100] * 1e6 for part in (50, 99))
    print("\t".join(["MEASURED", version, *(f"{n:.1f}" for n in (TASKS / many, ITEMS / mapped, single, late))]), flush=True)
