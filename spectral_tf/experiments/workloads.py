"""Pieces of work of one size each, and what they take: of a process that does nothing else."""

import dataclasses
import pathlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import threadpoolctl

from spectral_tf import spectra
from spectral_tf.runtime import children
from spectral_tf.runtime.seeds import generator

# What a piece of work does again and again; the first call may compile.
Work = Callable[[], object]
CLASSES = 10


class Curve(NamedTuple):
    """Work that grows with one size.

    Attributes:
      make: the size, the sizes that stay -> the work.
      size: what grows, in words.
      time, memory: exponents by arithmetic, of what counts at large sizes.
      why: where they come from.
      compiles: whether the first call does.
    """

    make: Callable[[int, "Fixed"], Work]
    size: str
    time: float
    memory: float
    why: str
    compiles: bool = True


@dataclasses.dataclass(frozen=True)
class Fixed:
    """The sizes that stay while another one grows.

    Attributes:
      members, points, width, depth: of an ensemble; `steps`: that a call makes.
      functions: eigenfunctions that are not all; dimensions: of the points of a kernel.
      pairs, samples, side: paths between images, samples of each, pixels of a side.
      model, channels, batch: a classifier, of its first stage (0: its own), images at once.
      cores: to compute on; 0: all.
      seed: of all draws.
    """

    members: int = 4
    points: int = 200
    width: int = 256
    depth: int = 6
    steps: int = 4
    functions: int = 100
    dimensions: int = 64
    pairs: int = 10
    samples: int = 32
    side: int = 32
    model: str = "convnet"
    channels: int = 0
    batch: int = 128
    cores: int = 0
    seed: int = 0


class Cost(NamedTuple):
    """What a piece of work took.

    Attributes:
      best, median: seconds of a call.
      calls: that were timed.
      first: seconds of the first call, with what is compiled.
      bytes: by which the peak of the process's memory lay above that after the imports; Linux.
    """

    best: float
    median: float
    calls: int
    first: float
    bytes: float


def measured(name: str, size: int, fixed: Fixed, seconds: float) -> Cost:
    """The cost of a piece of work in a fresh process.

    Args:
      name: of `CURVES`.
      size: of the work.
      fixed: the other sizes.
      seconds: for which calls are repeated, at most nine times and once in any case.

    Raises:
      children.Ended: the process was ended, as it is where memory is short.
    """
    return Cost(*children.in_a_process(_here, name, size, fixed, seconds))


def _here(name: str, size: int, fixed: Fixed, seconds: float) -> tuple:
    curve = CURVES[name]
    if curve.compiles:
        import tensorflow as tf

        from spectral_tf import probes, training  # noqa: F401
        from spectral_tf.runtime.cores import use_cores

        use_cores(fixed.cores)
        if name == "replicas":
            parts = [tf.config.LogicalDeviceConfiguration()] * size
            device = tf.config.list_physical_devices("CPU")[0]
            tf.config.set_logical_device_configuration(device, parts)
        tf.constant(0.0).numpy()
    elif fixed.cores:
        threadpoolctl.threadpool_limits(fixed.cores)
    if not curve.compiles:  # SciPy loads its parts when they are used.
        spectra.kernel_basis(np.eye(8), 1.0)
    before = _peak_bytes()
    work = curve.make(size, fixed)
    first, times = _seconds(work), []
    if not curve.compiles:
        times.append(first)
    while not times or (len(times) < 9 and sum(times) < seconds):
        times.append(_seconds(work))
    rose = max(0, _peak_bytes() - before)
    return min(times), float(np.median(times)), len(times), first, float(rose)


def _seconds(work: Work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _peak_bytes() -> int:
    # Not getrusage, whose peak a new process inherits from the one that started it.
    status = pathlib.Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


# Ensembles.


def _ensemble(fixed: Fixed) -> Work:
    from spectral_tf import models
    from spectral_tf.training.ensemble import Ensemble

    x = np.linspace(0, 1, fixed.points, endpoint=False, dtype=np.float32)[:, None]
    y = np.sin(2 * np.pi * 5 * x)
    build = models.Mlp(fixed.width, fixed.depth).build
    ensemble = Ensemble(build, range(fixed.seed, fixed.seed + fixed.members), (x, y))
    return lambda: ensemble.train(fixed.steps)


def _of_members(size: int, fixed: Fixed) -> Work:
    return _ensemble(dataclasses.replace(fixed, members=size))


def _of_points(size: int, fixed: Fixed) -> Work:
    return _ensemble(dataclasses.replace(fixed, points=size))


def _of_width(size: int, fixed: Fixed) -> Work:
    return _ensemble(dataclasses.replace(fixed, width=size))


# Kernels.


def _kernel(solver: str) -> Callable[[int, Fixed], Work]:
    def make(size: int, fixed: Fixed) -> Work:
        points = generator(fixed.seed, "points").uniform(size=(size, fixed.dimensions))
        number = None if solver == "full" else min(size, fixed.functions)
        width = np.sqrt(fixed.dimensions / 6)  # Half of the mean distance.
        return lambda: spectra.kernel_basis(points, width, solver=solver, num_functions=number)

    return make


def _tangent(size: int, fixed: Fixed) -> Work:
    from spectral_tf import models
    from spectral_tf.probes.tangent import tangent_kernels

    model = models.Mlp(fixed.width, fixed.depth).build(fixed.seed)
    weights = [v.numpy()[None] for v in model.trainable_variables]
    points = np.linspace(0, 1, size, endpoint=False, dtype=np.float32)[:, None]
    return lambda: tangent_kernels(model, weights, [], points)


# Images.


def _images(count: int, fixed: Fixed) -> tuple[np.ndarray, np.ndarray]:
    rng = generator(fixed.seed, "images")
    pixels = rng.integers(256, size=(count, fixed.side, fixed.side, 3), dtype=np.uint8)
    return pixels, rng.integers(CLASSES, size=count)


def network(
    name: str, width: int, input_shape: tuple[int, int, int], num_classes: int, seed: int
) -> Any:
    """A fresh network whose outputs differ; as `models.classifiers.classifier` makes it."""
    from spectral_tf.models.classifiers import classifier

    model = classifier(
        name, width=width, input_shape=input_shape, num_classes=num_classes, seed=seed
    )
    head = model.layers[-1].kernel  # It starts at zero.
    head.assign(generator(seed, "head").normal(size=head.shape) / np.sqrt(head.shape[0]))
    return model


def _network(fixed: Fixed) -> Any:
    shape = (fixed.side, fixed.side, 3)
    return network(fixed.model, fixed.channels, shape, CLASSES, fixed.seed)


def _paths(fixed: Fixed) -> Work:
    from spectral_tf.data import pipeline
    from spectral_tf.data.normalisation import named
    from spectral_tf.probes.pairs import Pairs
    from spectral_tf.probes.path_measurements import measure_paths
    from spectral_tf.probes.paths import straight_paths

    pixels, labels = _images(64, fixed)
    rng = generator(fixed.seed, "pairs")
    first = rng.integers(64, size=fixed.pairs)
    pairs = Pairs(first, (first + rng.integers(1, 64, size=fixed.pairs)) % 64)
    prepare = pipeline.prepare(named("unit", 3))
    paths = straight_paths(pixels, pairs, prepare, num_samples=fixed.samples)
    model = _network(fixed)
    return lambda: measure_paths(model, pixels, labels, paths, prepare, batch_size=fixed.batch)


def _of_pairs(size: int, fixed: Fixed) -> Work:
    return _paths(dataclasses.replace(fixed, pairs=size))


def _of_image_size(size: int, fixed: Fixed) -> Work:
    return _paths(dataclasses.replace(fixed, side=size))


def _classifier(fixed: Fixed, strategy: Any) -> Work:
    import tensorflow as tf

    from spectral_tf.data import pipeline
    from spectral_tf.training.classifier import Classifier, CosineSgd

    pixels, labels = _images(fixed.batch, fixed)
    whole = pixels.astype(np.float32) / 255 - 0.5, labels.astype(np.int32)

    def batches(num_replicas: int = 1, replicas: Any = (0,)) -> tf.data.Dataset:
        cut = tf.data.Dataset.from_tensor_slices(whole).batch(fixed.batch // num_replicas)
        return cut.repeat()

    trained = Classifier(
        lambda: _network(fixed),
        lambda first: pipeline.on_replicas(strategy, batches),
        None,
        CosineSgd(num_steps=10_000),
        strategy=strategy,
    )
    return lambda: trained.train(fixed.steps)


def _of_batch(size: int, fixed: Fixed) -> Work:
    import tensorflow as tf

    return _classifier(dataclasses.replace(fixed, batch=size), tf.distribute.get_strategy())


def _of_replicas(size: int, fixed: Fixed) -> Work:
    import tensorflow as tf

    devices = [device.name for device in tf.config.list_logical_devices("CPU")]
    strategy = tf.distribute.MirroredStrategy(devices) if size > 1 else None
    return _classifier(fixed, strategy or tf.distribute.get_strategy())


CURVES = {
    "members": Curve(
        _of_members, "members", 1, 1, "each member has weights, moments and gradients of its own"
    ),
    "points": Curve(
        _of_points, "points", 1, 1, "rows of every product; activations of a block of members"
    ),
    "width": Curve(
        _of_width, "units of a layer", 2, 2, "hidden layers are products of width x width matrices"
    ),
    "kernel_full": Curve(
        _kernel("full"), "images", 3, 2, "eigendecomposition n^3; the kernel n^2", compiles=False
    ),
    "kernel_truncated": Curve(
        _kernel("truncated"),
        *("images", 3, 2, "tridiagonal form n^3, few eigenvectors n^2; the kernel n^2"),
        compiles=False,
    ),
    "kernel_nystroem": Curve(
        _kernel("nystroem"),
        *("images", 1, 1, "n m^2 for m functions, the kernel n m", False),
    ),
    "pairs": Curve(_of_pairs, "paths", 1, 0, "every sample is answered once; memory of a batch"),
    "image_size": Curve(
        _of_image_size, "pixels of a side", 2, 2, "convolutions at every pixel; activations"
    ),
    "tangent": Curve(
        _tangent,
        *("points", 2, 1, "products of n gradients n^2 p, each of p parameters: n p bytes"),
    ),
    "batch": Curve(_of_batch, "images of a batch", 1, 1, "images; activations kept for gradients"),
    "replicas": Curve(
        _of_replicas, "replicas", 0, 1, "one batch shared out; weights on every replica"
    ),
}
