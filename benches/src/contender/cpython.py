"""CPython's process pools on the same work: reads commands, prints nanoseconds.

Started as `python3 cpython.py concurrent.futures 2` or `python3 cpython.py multiprocessing 2`. Each line of the input is
a command with numbers; each line of the output is how many nanoseconds the command took. Results are checked.
"""

import array
import concurrent.futures
import multiprocessing
import os
import sys
import time


def add_one(n):
    return n + 1


def echo(value):
    return value


class ConcurrentFutures:
    def __init__(self, width):
        self.pool = concurrent.futures.ProcessPoolExecutor(width)

    def many(self, count):
        futures = [self.pool.submit(add_one, n) for n in range(count)]
        return sum(future.result() for future in futures)

    def one(self, function, value):
        return self.pool.submit(function, value).result()

    def map(self, count, chunk):
        return list(self.pool.map(add_one, range(count), chunksize=chunk))

    def close(self):
        self.pool.shutdown()


class Multiprocessing:
    def __init__(self, width, **options):
        self.pool = multiprocessing.Pool(width, **options)

    def many(self, count):
        results = [self.pool.apply_async(add_one, (n,)) for n in range(count)]
        return sum(result.get() for result in results)

    def one(self, function, value):
        return self.pool.apply(function, (value,))

    def map(self, count, chunk):
        return self.pool.map(add_one, range(count), chunksize=chunk)

    def close(self):
        self.pool.terminate()
        self.pool.join()


def sample(kind, size):
    if kind == "bytes":
        return bytes(size)
    if kind == "numbers":
        return array.array("d", bytes(size))
    return {"id": 7, "name": "a name", "bytes": bytes(size)}


def timed(work):
    start = time.perf_counter_ns()
    result = work()
    return result, time.perf_counter_ns() - start


def sum_to(count):
    return count * (count + 1) // 2


class Commands:
    def __init__(self, library, width):
        self.make = {"concurrent.futures": ConcurrentFutures, "multiprocessing": Multiprocessing}[library]
        self.width = width
        self.kept = None

    @property
    def pool(self):
        if self.kept is None:
            self.kept = self.make(self.width)
        return self.kept

    def many(self, count):
        result, cost = timed(lambda: self.pool.many(int(count)))
        assert result == sum_to(int(count))
        return cost

    def one(self, count):
        result, cost = timed(lambda: sum(self.pool.one(add_one, n) for n in range(int(count))))
        assert result == sum_to(int(count))
        return cost

    def map(self, count, chunk):
        result, cost = timed(lambda: self.pool.map(int(count), int(chunk)))
        assert sum(result) == sum_to(int(count))
        return cost

    def echo(self, kind, size, count):
        value = sample(kind, int(size))
        total = 0
        for _ in range(int(count)):
            result, cost = timed(lambda: self.pool.one(echo, value))
            assert result == value
            total += cost
        return total

    def first(self, _):
        def first_result():
            pool = self.make(self.width)
            return pool, pool.one(add_one, 1)

        (pool, result), cost = timed(first_result)
        assert result == 2
        pool.close()
        return cost

    def fresh(self, count):
        """For `multiprocessing` only: `concurrent.futures` does not fork for this, and takes a hundred times as long."""
        if self.kept is None:
            self.kept = Multiprocessing(self.width, maxtasksperchild=1)
        return self.one(count)


def lines():
    """Reads lines without `sys.stdin`. A worker that another thread forks while the lock of `sys.stdin` is held would wait
    for it forever. The benchmark waits for each reply, so one read is one line."""
    while line := os.read(0, 4096):
        yield line.decode()


def main():
    commands = Commands(sys.argv[1], int(sys.argv[2]))
    for line in lines():
        name, *arguments = line.split()
        print(getattr(commands, name)(*arguments), flush=True)
    if commands.kept is not None:
        commands.kept.close()


if __name__ == "__main__":
    main()
