"""float32 products of 1024 x 1024 by a BLAS: what a member-step is at most as fast as.

A step makes 2 x 1024^3 operations; the benchmark turns them into member-steps.
"""

from __future__ import annotations

import peer

EDGE = 1024


def multiplier(networks: peer.Networks, threads: int, torch: int = 0) -> peer.Work:
    """NumPy's BLAS, or PyTorch's."""
    import numpy as np

    factor = np.random.default_rng(0).uniform(size=(EDGE, EDGE)).astype(np.float32)
    product = np.empty_like(factor)
    if not torch:

        def run(number: int) -> None:
            for _ in range(number):
                np.matmul(factor, factor, out=product)

        return peer.Work(run)

    import torch as library

    library.set_num_threads(threads)
    factors, products = library.from_numpy(factor), library.from_numpy(product)

    def run_torch(number: int) -> None:
        for _ in range(number):
            library.matmul(factors, factors, out=products)

    return peer.Work(run_torch)


if __name__ == "__main__":
    peer.train_networks(multiplier, "numpy", torch=0)
