"""dask.distributed with worker processes of one thread.

Its `map` has no chunks, so a task here has one. It sends the items of a list one by one, which takes half a millisecond
for each, so the results of a chunk are an array.
"""

import array
import logging

import distributed
from distributed import Client, LocalCluster

from work import CHUNK, WORKERS, increment, measure


def increment_all(items):
    return array.array("q", map(increment, items))


def main():
    cluster = LocalCluster(
        n_workers=WORKERS,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        host="127.0.0.1",
        silence_logs=logging.ERROR,
    )
    with cluster, Client(cluster) as client:

        def map_all(items):
            chunks = [items[at : at + CHUNK] for at in range(0, len(items), CHUNK)]
            results = client.gather(client.map(increment_all, chunks, pure=False))
            return (n for chunk in results for n in chunk)

        measure(
            f"dask.distributed {distributed.__version__}",
            # Not pure: each call is a task, even with an argument that was there before.
            lambda n: client.submit(increment, n, pure=False),
            client.gather,
            map_all,
        )


if __name__ == "__main__":
    main()
