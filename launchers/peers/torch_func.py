"""An ensemble in torch.func: `vmap(grad)` over stacked modules, the whole step compiled.

On a GPU ten steps are captured in a CUDA graph, which starts all their kernels by one call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import peer
from torch_loop import module

if TYPE_CHECKING:
    import torch

CAPTURED = 10


def trainer(networks: peer.Networks, threads: int, tf32: int = 0) -> peer.Work:
    """One compiled program makes gradients of all members and Adam's update of the stacked."""
    import torch
    from torch.func import functional_call, grad, stack_module_state, vmap

    peer.torch_device(threads, tf32)
    x, y = torch.tensor(networks.inputs), torch.tensor(networks.targets)
    members = [module(weights) for weights in networks.weights]
    params = {name: p.detach() for name, p in stack_module_state(members)[0].items()}
    first = {name: torch.zeros_like(p) for name, p in params.items()}
    second = {name: torch.zeros_like(p) for name, p in params.items()}
    base = members[0].to("meta")

    def output_of(params: dict) -> torch.Tensor:
        return functional_call(base, params, (x,))

    def loss_of(params: dict) -> torch.Tensor:
        return torch.nn.functional.mse_loss(output_of(params), y)

    done = torch.zeros((), dtype=torch.float64)
    decays = torch.tensor([0.9, 0.999], dtype=torch.float64)

    @torch.compile(fullgraph=True)
    def step() -> None:
        done.add_(1)
        corrections = (1 - decays**done).float()
        gradients = vmap(grad(loss_of))(params)
        for name, p in params.items():
            first[name].lerp_(gradients[name], 1 - 0.9)
            second[name].mul_(0.999).addcmul_(gradients[name], gradients[name], value=1 - 0.999)
            root = (second[name] / corrections[1]).sqrt_().add_(peer.EPSILON)
            p.sub_(peer.LEARNING_RATE / corrections[0] * first[name] / root)

    state = [done, *params.values(), *first.values(), *second.values()]
    several = captured(step, CAPTURED, state) if x.is_cuda else None

    @torch.no_grad()
    def run(number: int) -> None:
        whole = number // CAPTURED if several else 0
        for _ in range(whole):
            assert several
            several()
        for _ in range(number - whole * CAPTURED):
            step()
        if several:
            torch.cuda.synchronize()

    return peer.Work(
        run,
        lambda: vmap(loss_of)(params).tolist(),
        lambda: vmap(output_of)(params)[..., 0].detach().cpu().numpy(),
    )


def captured(
    step: Callable[[], None], number: int, state: Sequence[torch.Tensor]
) -> Callable[[], None]:
    """So many steps as one CUDA graph; the state is left as it was."""
    import torch

    kept = [tensor.clone() for tensor in state]
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.no_grad(), torch.cuda.stream(beside):
        for _ in range(3):  # Compiles; a capture must find everything allocated.
            step()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.no_grad(), torch.cuda.graph(graph):
        for _ in range(number):
            step()
    for tensor, before in zip(state, kept, strict=True):
        tensor.copy_(before)
    return graph.replay


if __name__ == "__main__":
    peer.train_networks(trainer, "torch", tf32=0)
