"""ray. Items in chunks go through its copy of `multiprocessing.Pool`."""

import ray
from ray.util.multiprocessing import Pool

from work import CHUNK, WORKERS, increment, measure


def main():
    ray.init(
        num_cpus=WORKERS,
        include_dashboard=False,
        object_store_memory=200 * 1024 * 1024,
        _node_ip_address="127.0.0.1",
        log_to_driver=False,
    )
    task = ray.remote(increment)

    def map_all(items):
        with Pool(WORKERS) as pool:
            return pool.map(increment, items, chunksize=CHUNK)

    measure(f"ray {ray.__version__}", task.remote, ray.get, map_all)
    ray.shutdown()


if __name__ == "__main__":
    main()
