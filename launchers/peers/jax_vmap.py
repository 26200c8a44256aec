"""An ensemble in JAX: `vmap` over the members, optax' Adam, many steps in one `fori_loop`."""

from __future__ import annotations

import os

import peer


def trainer(networks: peer.Networks, threads: int, tf32: int = 0) -> peer.Work:
    """All members in one program, whose state is donated from call to call."""
    # Vectors of AVX-512 where there are such; XLA's own choice is half as long and some 5 % slower.
    own = ["--xla_cpu_prefer_vector_width=512"]
    own += ["--xla_cpu_multi_thread_eigen=false"] if threads == 1 else []
    os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *own]).strip()
    import functools

    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax

    if jax.default_backend() == "gpu":  # Where the default rounds the factors of products.
        precision = "tensorfloat32" if tf32 else "highest"
        jax.config.update("jax_default_matmul_precision", precision)
    x, y = jnp.asarray(networks.inputs), jnp.asarray(networks.targets)
    params = jax.tree.map(lambda *members: jnp.stack(members), *networks.weights)
    optimizer = optax.adam(peer.LEARNING_RATE, eps=peer.EPSILON)

    def output_of(params: list) -> jax.Array:
        hidden = x
        for kernel, bias in params[:-1]:
            hidden = jax.nn.relu(hidden @ kernel + bias)
        kernel, bias = params[-1]
        return hidden @ kernel + bias

    def loss_of(params: list) -> jax.Array:
        return jnp.mean((output_of(params) - y) ** 2)

    def step(state: tuple) -> tuple:
        params, moments = state
        updates, moments = optimizer.update(jax.grad(loss_of)(params), moments)
        return optax.apply_updates(params, updates), moments

    @functools.partial(jax.jit, donate_argnums=0)
    def steps(state: tuple, number: jax.Array) -> tuple:
        return jax.lax.fori_loop(0, number, lambda _, state: jax.vmap(step)(state), state)

    state = (params, jax.vmap(optimizer.init)(params))

    def run(number: int) -> None:
        nonlocal state
        state = jax.block_until_ready(steps(state, jnp.int32(number)))

    return peer.Work(
        run,
        lambda: jax.vmap(loss_of)(state[0]).tolist(),
        lambda: np.asarray(jax.vmap(output_of)(state[0]))[..., 0],
    )


if __name__ == "__main__":
    peer.train_networks(trainer, "jax", "optax", tf32=0)
