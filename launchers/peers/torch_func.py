"""An ensemble in torch.func: `vmap(grad)` over stacked modules, the whole step compiled."""

from __future__ import annotations

import peer
from torch_loop import module


def trainer(networks: peer.Networks, threads: int) -> peer.Work:
    """One compiled program makes gradients of all members and Adam's update of the stacked."""
    import torch
    from torch.func import functional_call, grad, stack_module_state, vmap

    torch.set_num_threads(threads)
    x, y = torch.tensor(networks.inputs), torch.tensor(networks.targets)
    members = [module(weights) for weights in networks.weights]
    params = {name: p.detach() for name, p in stack_module_state(members)[0].items()}
    first = {name: torch.zeros_like(p) for name, p in params.items()}
    second = {name: torch.zeros_like(p) for name, p in params.items()}
    base = members[0].to("meta")

    def loss_of(params: dict) -> torch.Tensor:
        return torch.nn.functional.mse_loss(functional_call(base, params, (x,)), y)

    @torch.compile(fullgraph=True)
    def step(corrections: torch.Tensor) -> None:
        gradients = vmap(grad(loss_of))(params)
        for name, p in params.items():
            first[name].lerp_(gradients[name], 1 - 0.9)
            second[name].mul_(0.999).addcmul_(gradients[name], gradients[name], value=1 - 0.999)
            root = (second[name] / corrections[1]).sqrt_().add_(peer.EPSILON)
            p.sub_(peer.LEARNING_RATE / corrections[0] * first[name] / root)

    done = 0

    @torch.no_grad()
    def run(number: int) -> None:
        nonlocal done
        for _ in range(number):
            done += 1
            step(torch.tensor([1 - 0.9**done, 1 - 0.999**done]))

    return peer.Work(run, lambda: vmap(loss_of)(params).tolist())


if __name__ == "__main__":
    peer.train_networks(trainer, "torch")
