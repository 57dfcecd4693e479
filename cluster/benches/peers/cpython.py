"""CPython's own process pool, which has no network."""

import platform
from concurrent.futures import ProcessPoolExecutor

from work import CHUNK, WORKERS, increment, measure


def main():
    with ProcessPoolExecutor(WORKERS) as pool:
        measure(
            f"CPython {platform.python_version()}, `ProcessPoolExecutor`",
            lambda n: pool.submit(increment, n),
            lambda futures: [future.result() for future in futures],
            lambda items: pool.map(increment, items, chunksize=CHUNK),
        )


if __name__ == "__main__":
    main()
