"""mpi4py.futures: started by `mpiexec`, with one rank for this script and one for each worker."""

import mpi4py
from mpi4py import MPI
from mpi4py.futures import MPIPoolExecutor

from work import CHUNK, WORKERS, increment, measure


def main():
    library = MPI.Get_library_version().split(",")[0]
    with MPIPoolExecutor(WORKERS) as pool:
        measure(
            f"mpi4py.futures {mpi4py.__version__}, {library}",
            lambda n: pool.submit(increment, n),
            lambda futures: [future.result() for future in futures],
            lambda items: pool.map(increment, items, chunksize=CHUNK),
        )


if __name__ == "__main__":
    main()
