"""float32 products by a BLAS: what a member-step is at most as fast as.

A step makes 2 x edge^3 operations; the benchmark turns them into member-steps. PyTorch's run on a
GPU where there is one.
"""

from __future__ import annotations

import peer


def multiplier(
    networks: peer.Networks, threads: int, torch: int = 0, edge: int = 1024, tf32: int = 0
) -> peer.Work:
    """NumPy's BLAS, or PyTorch's."""
    import numpy as np

    factor = np.random.default_rng(0).uniform(size=(edge, edge)).astype(np.float32)
    product = np.empty_like(factor)
    if not torch:

        def run(number: int) -> None:
            for _ in range(number):
                np.matmul(factor, factor, out=product)

        return peer.Work(run)

    import torch as library

    peer.torch_device(threads, tf32)
    device = library.get_default_device()
    factors, products = (library.from_numpy(array).to(device) for array in (factor, product))

    def run_torch(number: int) -> None:
        for _ in range(number):
            library.matmul(factors, factors, out=products)
        if device.type == "cuda":
            library.cuda.synchronize()

    return peer.Work(run_torch)


if __name__ == "__main__":
    peer.train_networks(multiplier, "numpy", "torch", torch=0, edge=1024, tf32=0)
