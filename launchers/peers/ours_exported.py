"""An ensemble of spectral_tf as a program that jaxlib runs: for machines without TensorFlow.

Where spectral_tf is installed, make the program, then copy this folder and it to the other machine
(a GPU's, say), and run it there beside the peers:

    python launchers/peers/ours_exported.py --members=20 --export=runs/program
    python launchers/peers/ours_exported.py --members=20 --program=runs/program --seconds=10
    python launchers/peers/jax_vmap.py --members=20 --seconds=10

`--tf32=1` makes a program, and a peer, that lets a GPU round the factors of products.
`on_gpu.py` runs them all.
"""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import peer


def trainer(
    networks: peer.Networks, threads: int, export: str = "", program: str = "", tf32: int = 0
) -> peer.Work:
    """Writes the program, or runs it from the weights and points of the command line."""
    if export:
        write(pathlib.Path(export), networks, tf32)
        raise SystemExit
    if not program:
        raise SystemExit("give --export=FOLDER, and then --program=FOLDER where it is to run")
    import jax
    from jax.extend.backend import get_backend

    folder, device = pathlib.Path(program), jax.devices()[0]
    compiled = get_backend().compile_and_load((folder / "program").read_bytes(), [device])
    with np.load(folder / "arguments.npz") as saved:
        num_state, places = int(saved["num_state"]), saved["weights"].tolist()
        names = [f"argument_{i:03d}" for i in range(len(saved.files) - 2)]
        arguments = [jax.device_put(saved[name], device) for name in names]
    # The points of the command line are those of the export, if its flags are the same.
    mine = [np.stack(rows) for rows in zip(*map(flat, networks.weights), strict=True)]
    if [a.shape for a in mine] != [arguments[place].shape for place in places]:
        raise SystemExit("the program is of other networks: give the flags that it was made with")
    for place, weights in zip(places, mine, strict=True):
        arguments[place] = jax.device_put(weights, device)
    done = 0

    def run(number: int) -> None:
        nonlocal done
        counts = [jax.device_put(np.int32(n), device) for n in (done, number)]
        arguments[:num_state] = jax.block_until_ready(compiled.execute([*arguments, *counts]))
        done += number

    def outputs() -> np.ndarray:
        hidden = networks.inputs.astype(np.float64)
        trained = [np.asarray(arguments[place], np.float64) for place in places]
        for kernel, bias in zip(trained[::2], trained[1::2], strict=True):
            last = bias.shape[-1] == 1
            hidden = hidden @ kernel + bias[:, None]
            hidden = hidden if last else np.maximum(hidden, 0)
        return hidden[..., 0]

    def losses() -> list[float]:
        return np.mean((outputs() - networks.targets[:, 0]) ** 2, axis=1).tolist()

    return peer.Work(run, losses, outputs)


def flat(weights: list) -> list[np.ndarray]:
    """Kernel, bias, kernel, ... of a member."""
    return [part for pair in weights for part in pair]


def write(folder: pathlib.Path, networks: peer.Networks, tf32: int) -> None:
    """The program of our trainer, and what it begins with but for the weights."""
    import ours
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(bool(tf32))
    lowered = ours.ensemble(networks, block_size=len(networks.weights)).lowered()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "program").write_bytes(lowered.stablehlo)
    arrays: dict[str, Any] = {f"argument_{i:03d}": a for i, a in enumerate(lowered.arguments)}
    for place in lowered.weights:  # Those of the command line take their places.
        arrays[f"argument_{place:03d}"] = np.zeros_like(arrays[f"argument_{place:03d}"])
    arrays |= {"num_state": lowered.num_state, "weights": np.asarray(lowered.weights)}
    np.savez_compressed(folder / "arguments.npz", **arrays)
    size = sum(file.stat().st_size for file in folder.iterdir()) / 2**20
    print(f"{len(networks.weights)} members in {folder}, {size:.1f} MiB")


if __name__ == "__main__":
    peer.train_networks(trainer, "jax", export="", program="", tf32=0)
