"""What the scripts of this folder share: the problem, the command line, and how they are asked.

Each script is a program of its own that makes steps of one kind and tells how many a second:

    python launchers/peers/jax_vmap.py --members=8 --threads=1 --seconds=2

With `--steps=20` it makes so many and prints the losses after them, so that everybody's can be
compared; `--look_every=10 --outputs=FILE.npz` keeps what the networks say on the way. With
`--serve` it answers a benchmark, which keeps several of them and lets one after the other work:
"ready {...}" once everything is compiled, then to every line with a number of steps "done SECONDS".
Until it is asked it sleeps.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

# All who train networks do it by this rate (Adam, epsilon 1e-8) or that one (SGD, momentum 0.9).
LEARNING_RATE, EPSILON = 3e-4, 1e-8
SGD_RATE, MOMENTUM = 0.1, 0.9
CLASSES, IMAGE_SHAPE = 10, (32, 32, 3)


class Networks(NamedTuple):
    """An ensemble of fully connected networks with ReLU, and the points they learn by heart.

    Attributes:
      inputs: [n, d], float32.
      targets: [n, 1], float32.
      weights: of each member a pair (kernel [in, out], bias [out]) for each layer, float32.
    """

    inputs: np.ndarray
    targets: np.ndarray
    weights: list[list[tuple[np.ndarray, np.ndarray]]]


class Batches(NamedTuple):
    """What a classifier learns: full batches, normalised beforehand, in turn and without end.

    Attributes:
      images: [k, b, s, s, c], float32.
      labels: [k, b], int32, below the number of classes.
      num_classes: C.
      kernels: of the convolutions of `convnet`, [3, 3, in, out], float32, of width, 2 width and
        4 width outputs.
    """

    images: np.ndarray
    labels: np.ndarray
    num_classes: int
    kernels: list[np.ndarray]


class Work(NamedTuple):
    """What a script has built.

    Attributes:
      run: makes so many steps, and returns when they are done.
      losses: of the networks as they are now; nothing for what has none.
      outputs: of the networks as they are now, at their points, [e, n]; for those that can tell.
      updates: that a step makes of every network.
      before: what is to be done before the clock starts, such as to use up what was made ahead
        while others worked.
      told: what a benchmark is to know beside the versions, as JSON has it.
    """

    run: Callable[[int], object]
    losses: Callable[[], Sequence[float]] = lambda: ()
    outputs: Callable[[], np.ndarray] | None = None
    updates: int = 1
    before: Callable[[], object] = lambda: None
    told: Mapping[str, Any] = {}


def train_networks(build: Callable[..., Work], *packages: str, **options: int | str) -> None:
    """The program of a peer that trains fully connected networks.

    Args:
      build: (networks, threads, **options) -> what trains them; it imports what it needs.
      packages: whose versions are told, once they are imported.
      options: flags of the script and their defaults.
    """
    asked, own = _asked(
        options,
        members=(1, "networks trained at once"),
        width=(256, "units of a hidden layer"),
        depth=(6, "linear layers"),
        num_samples=(200, "points"),
        input_dim=(1, "inputs of a network"),
    )
    work = build(_networks(asked), asked.threads, **own)
    _answer(asked, work, asked.members, "member-steps", packages)


def train_classifier(build: Callable[..., Work], *packages: str, **options: int) -> None:
    """The program of a peer that trains the small convolutional network.

    Args:
      build: (batches, threads, **options) -> what trains it; it imports what it needs.
      packages: whose versions are told, once they are imported.
      options: flags of the script and their defaults.
    """
    asked, own = _asked(
        options,
        width=(16, "channels of the first convolution"),
        batch_size=(128, "images of a step"),
        data=("", ".npz of a data set; else a random one"),
    )
    work = build(_batches(asked), asked.threads, **own)
    _answer(asked, work, asked.batch_size, "images", packages)


def ask_classifier(build: Callable[..., Work], *packages: str, **options: int) -> None:
    """The program of a peer that answers images with the small convolutional network.

    Args:
      build: (images [k, b, s, s, c] float32, weights in Keras' order, threads, **options) -> what
        answers a batch in a step; it imports what it needs.
      packages: whose versions are told, once they are imported.
      options: flags of the script and their defaults.
    """
    import numpy as np

    asked, own = _asked(options, data=("", ".npz of `images` and of weights, `weight_00` ..."))
    if not asked.data:
        raise SystemExit("give --data=FILE.npz of images and weights")
    with np.load(asked.data) as file:
        images = file["images"]
        weights = [file[name] for name in sorted(file.files) if name != "images"]
    work = build(images, weights, asked.threads, **own)
    _answer(asked, work, images.shape[1], "images", packages)


def augment_images(
    build: Callable[..., Iterator[Any]], *packages: str, ahead: int = 0, **options: int
) -> None:
    """The program of a peer that makes augmented batches, one in a step.

    Args:
      build: (pixels [n, h, w, 3] uint8, batch size, policy, threads, **options) -> normalised
        float32 batches without end of flipped, padded and cropped, cut out images; with the policy
        (1 or 0) AutoAugment comes first.
      packages: whose versions are told, once they are imported.
      ahead: more batches than are made ahead while nobody asks.
      options: flags of the script and their defaults.
    """
    asked, own = _asked(
        options,
        policy=(0, "1: with AutoAugment before"),
        batch_size=(128, "images of a step"),
        data=("", ".npz of a data set; else a random one"),
    )
    batches = build(_pixels(asked), asked.batch_size, asked.policy, asked.threads, **own)

    def run(number: int) -> None:
        for _ in range(number):
            next(batches)

    _answer(asked, Work(run, before=lambda: run(ahead)), asked.batch_size, "images", packages)


def limit_threads(threads: int) -> None:
    """Tells the libraries, before they are imported, how many threads they may use.

    PyTorch and NumPy listen to the first three, XLA of JAX to the last; TensorFlow is told in the
    scripts.
    """
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC"):
        os.environ[name] = str(threads)


def torch_device(threads: int, tf32: int) -> None:
    """Lets PyTorch work on a GPU if there is one, and round factors of products there if asked."""
    import torch

    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    if torch.cuda.is_available():
        torch.set_default_device("cuda")


def _asked(
    options: Mapping[str, int | str], **flags: tuple[int | str, str]
) -> tuple[argparse.Namespace, dict[str, int | str]]:
    """The command line, which limits the threads, and of it the script's own options.

    Args:
      options: of the script, and their defaults.
      flags: of all scripts of its kind: their defaults, and what they are.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=2.0, help="of the measurement")
    parser.add_argument("--steps", type=int, default=0, help="make so many and print the losses")
    parser.add_argument("--look_every", type=int, default=0, help="steps between kept outputs")
    parser.add_argument("--outputs", default="", help="with --steps: .npz for them")
    parser.add_argument("--serve", action="store_true", help="work for a benchmark")
    parser.add_argument("--seed", type=int, default=0)
    for name, value in options.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    for name, (value, text) in flags.items():
        parser.add_argument(f"--{name}", type=type(value), default=value, help=text)
    asked = parser.parse_args()
    limit_threads(asked.threads)
    return asked, {name: getattr(asked, name) for name in options}


def _networks(asked: argparse.Namespace) -> Networks:
    """Sums of sines on a grid or on random points; weights as `torch.nn.Linear` draws them."""
    import numpy as np

    rng = np.random.default_rng(asked.seed)
    n, sizes = asked.num_samples, [asked.input_dim, *[asked.width] * (asked.depth - 1), 1]
    grid = np.arange(n) / n
    inputs = grid[:, None] if asked.input_dim == 1 else rng.uniform(size=(n, asked.input_dim))
    phases = rng.uniform(0, 2 * np.pi, 10)
    targets = sum(np.sin(2 * np.pi * 5 * (k + 1) * grid + phase) for k, phase in enumerate(phases))

    def drawn(*shape: int, fan_in: int) -> np.ndarray:
        return rng.uniform(-1, 1, shape).astype(np.float32) / np.float32(math.sqrt(fan_in))

    weights = [
        [(drawn(i, o, fan_in=i), drawn(o, fan_in=i)) for i, o in itertools.pairwise(sizes)]
        for _ in range(asked.members)
    ]
    return Networks(inputs.astype(np.float32), targets[:, None].astype(np.float32), weights)


def _batches(asked: argparse.Namespace) -> Batches:
    """Those of a file, or random ones; kernels from N(0, 2 / fan_in)."""
    import numpy as np

    rng = np.random.default_rng(asked.seed)
    size = asked.batch_size
    if asked.data:
        with np.load(asked.data) as file:
            images, labels = file["images"], file["labels"]
            classes = int(file["num_classes"])
    else:
        classes = CLASSES
        images = rng.normal(size=(8 * size, *IMAGE_SHAPE)).astype(np.float32)
        labels = rng.integers(classes, size=8 * size).astype(np.int32)
    whole = len(images) // size * size
    widths = [images.shape[-1], asked.width, 2 * asked.width, 4 * asked.width]
    kernels = [
        rng.normal(0, math.sqrt(2 / (9 * i)), (3, 3, i, o)).astype(np.float32)
        for i, o in itertools.pairwise(widths)
    ]
    return Batches(
        images[:whole].reshape(-1, size, *images.shape[1:]),
        labels[:whole].reshape(-1, size),
        classes,
        kernels,
    )


def _pixels(asked: argparse.Namespace) -> np.ndarray:
    import numpy as np

    if asked.data:
        with np.load(asked.data) as file:
            return file["pixels"]
    rng = np.random.default_rng(asked.seed)
    return rng.integers(256, size=(2_000, *IMAGE_SHAPE)).astype(np.uint8)


def _answer(
    asked: argparse.Namespace, work: Work, each: int, unit: str, packages: Sequence[str]
) -> None:
    """Does what the command line asks, with `each` units in a step."""
    if asked.steps % work.updates:
        raise SystemExit(f"--steps: expected a multiple of {work.updates}, got {asked.steps}")
    each *= work.updates
    if asked.steps:
        _run_and_look(asked, work)
        print(json.dumps([float(loss) for loss in work.losses()]))
        return
    if not asked.serve:
        work.run(1)  # Compiles.
        rate = 1 / _seconds(work, 1)
        for _ in range(2):  # The first gives the number of steps for the second.
            number = max(1, round(rate * asked.seconds))
            rate = number / _seconds(work, number)
        print(f"{each * rate:,.0f} {unit}/s")
        return
    # What libraries print must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    work.run(1)
    loaded = [package for package in packages if package in sys.modules]
    versions = " ".join(f"{package} {sys.modules[package].__version__}" for package in loaded)
    told = {"each": each, "versions": versions, **work.told}
    print("ready", json.dumps(told), file=answers)
    for line in sys.stdin:
        print("done", _seconds(work, int(line)), file=answers)


def _run_and_look(asked: argparse.Namespace, work: Work) -> None:
    """Makes the steps; with `--outputs`, keeps [s, e, n] of them and the seconds between looks.

    The first of the seconds may hold a compilation.
    """
    if not asked.outputs:
        work.run(asked.steps // work.updates)
        return
    import numpy as np

    if work.outputs is None:
        raise SystemExit("--outputs: this script cannot tell them; leave it out")
    every = asked.look_every or asked.steps
    steps: list[int] = []
    seconds: list[float] = []
    outputs: list[np.ndarray] = []
    for step in range(0, asked.steps, every):
        seconds.append(_seconds(work, min(every, asked.steps - step)))
        steps.append(min(step + every, asked.steps))
        outputs.append(work.outputs())
    np.savez_compressed(asked.outputs, steps=steps, outputs=np.stack(outputs), seconds=seconds)


def _seconds(work: Work, steps: int) -> float:
    work.before()
    start = time.perf_counter()
    work.run(steps)
    return time.perf_counter() - start


def endless(items: Sequence[Any]) -> Callable[[int], list[Any]]:
    """Gives the next so many of a sequence that goes round."""
    position = 0

    def following(number: int) -> list[Any]:
        nonlocal position
        chosen = [items[(position + i) % len(items)] for i in range(number)]
        position += number
        return chosen

    return following
