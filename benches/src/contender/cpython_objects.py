"""The objects of CPython's `multiprocessing` on the same work: reads commands, prints nanoseconds.

Started as `python3 cpython_objects.py`. Each line of the input is a command with its arguments; each line of the output is
how many nanoseconds the command took. Results are checked.
"""

import multiprocessing
import os
import time


def sum_to(count):
    return count * (count - 1) // 2


class Ends:
    """A channel for each direction, as one process uses it."""

    def __init__(self, there, back):
        if hasattr(there, "put"):
            self.send, self.receive = there.put, back.get
        else:
            self.send, self.receive = there.send, back.recv


def channel(kind):
    """Returns the ends for this process and for the other one."""
    if kind == "Pipe":
        mine, other = multiprocessing.Pipe()
        return Ends(mine, mine), Ends(other, other)
    there, back = (getattr(multiprocessing, kind)() for _ in range(2))
    return Ends(there, back), Ends(back, there)


def receive_all(ends, line):
    """Receives as many messages as the line says, each time that it says so, and reports the sum of their numbers."""
    while count := line.recv():
        line.send(sum(number(ends.receive()) for _ in range(count)))


def send_all(ends, line, size):
    while count := line.recv():
        for message in messages(size, count):
            ends.send(message)
        line.send(0)


def send_back(ends, line):
    while count := line.recv():
        for _ in range(count):
            ends.send(ends.receive())
        line.send(0)


def enter(lock, counter, line):
    while count := line.recv():
        enter_often(lock, counter, count)
        line.send(0)


def enter_often(lock, counter, count):
    for _ in range(count):
        lock.acquire()
        counter.value += 1
        lock.release()


def messages(size, count):
    """Yields messages: numbers, which take eight bytes and more, or as many bytes."""
    if size == 8:
        yield from range(count)
    else:
        message = bytes(size)
        for _ in range(count):
            yield message


def number(message):
    return message if isinstance(message, int) else len(message)


def start(target, *arguments):
    """Starts a process with a line on which it is told to work."""
    mine, other = multiprocessing.Pipe()
    multiprocessing.Process(target=target, args=(*arguments, other), daemon=True).start()
    return mine


def start_sender(ends, size):
    mine, other = multiprocessing.Pipe()
    multiprocessing.Process(target=send_all, args=(ends, other, size), daemon=True).start()
    return mine


class Commands:
    def __init__(self):
        self.kept = {}

    def keep(self, key, make):
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    def put(self, kind, size, count):
        """One process sends, another receives."""

        def make():
            mine, other = channel(kind)
            return mine, start(receive_all, other)

        size, count = int(size), int(count)
        ends, line = self.keep(("put", kind), make)
        begin = time.perf_counter_ns()
        line.send(count)
        for message in messages(size, count):
            ends.send(message)
        total = line.recv()
        cost = time.perf_counter_ns() - begin
        assert total == (sum_to(count) if size == 8 else size * count)
        return cost

    def many(self, kind, size, count):
        """Two processes send, and two receive."""

        def make():
            mine, other = channel(kind)
            return [start(receive_all, other) for _ in range(2)], [start_sender(mine, int(size)) for _ in range(2)]

        half = int(count) // 2
        receivers, senders = self.keep(("many", kind), make)
        begin = time.perf_counter_ns()
        for line in receivers + senders:
            line.send(half)
        total = sum(line.recv() for line in receivers + senders)
        cost = time.perf_counter_ns() - begin
        assert total == 2 * sum_to(half)
        return cost

    def back(self, kind, count):
        """A message goes there and back, one at a time."""

        def make():
            mine, other = channel(kind)
            return mine, start(send_back, other)

        count = int(count)
        ends, line = self.keep(("back", kind), make)
        line.send(count)
        begin = time.perf_counter_ns()
        for n in range(count):
            ends.send(n)
            assert ends.receive() == n
        cost = time.perf_counter_ns() - begin
        line.recv()
        return cost

    def alone(self, count):
        """One process takes a lock that no other wants."""
        lock, counter = self.keep("alone", lambda: (multiprocessing.Lock(), multiprocessing.RawValue("q")))
        before = counter.value
        begin = time.perf_counter_ns()
        enter_often(lock, counter, int(count))
        cost = time.perf_counter_ns() - begin
        assert counter.value - before == int(count)
        return cost

    def fight(self, count):
        """Two processes take the same lock."""

        def make():
            lock, counter = multiprocessing.Lock(), multiprocessing.RawValue("q")
            return lock, counter, start(enter, lock, counter)

        count = int(count)
        lock, counter, line = self.keep("fight", make)
        before = counter.value
        begin = time.perf_counter_ns()
        line.send(count)
        enter_often(lock, counter, count)
        line.recv()
        cost = time.perf_counter_ns() - begin
        assert counter.value - before == 2 * count
        return cost

    def fresh(self, count):
        """A process is started, does nothing, and is joined."""
        begin = time.perf_counter_ns()
        for _ in range(int(count)):
            process = multiprocessing.Process(target=int)
            process.start()
            process.join()
            assert process.exitcode == 0
        return time.perf_counter_ns() - begin


def lines():
    """Reads lines without `sys.stdin`, whose lock a forked process would have. The benchmark waits for each reply, so one
    read is one line."""
    while line := os.read(0, 4096):
        yield line.decode()


def main():
    commands = Commands()
    for line in lines():
        name, *arguments = line.split()
        print(getattr(commands, name)(*arguments), flush=True)


if __name__ == "__main__":
    main()
