"""What measuring one's own model costs.

`measure` on a Keras classifier along straight paths against the bare model on the same images, made
beforehand; on a function of NumPy arrays against the function alone; `model.fit` with
`SpectrumCallback` at its default interval against the same without; and the import. What is
compared is done in turn in every round, in one process.

    python launchers/benchmark_measure.py --alsologtostderr

took 9 minutes on 2 cores with the flags of its committed run. To see: shares of the bare speed, and
of time that the callback takes (results/benchmark_measure).
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from absl import flags

from spectral_tf import data, experiments, progress, records, runtime
from spectral_tf.runtime import children

FLAGS = flags.FLAGS
runtime.define_run_flags("benchmark_measure", resumes=False, distributes=False)
runtime.define_data_flags("photo_patches")
with runtime.flag_group("Measurement"):
    flags.DEFINE_integer("num_rounds", 5, "Rounds; each does everything once.", 1)
    flags.DEFINE_integer("num_paths", 1_000, "Straight paths between images.", 4)
    flags.DEFINE_integer("num_samples", 75, "Images on each path, both ends included.", 4)
    flags.DEFINE_integer(
        "fit_steps", 2000, "Training steps of Keras' `fit`, on 256 points at once.", 100
    )

_BATCH = 256


def main() -> None:
    """Measures, writes the table, and prints the ratios."""
    folder = runtime.run_folder("benchmark_measure")
    images = data.find_images(FLAGS.dataset, **runtime.data_locations())

    import tensorflow as tf

    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.cores import use_cores

    use_cores()
    folder.start(environment(tf.distribute.get_strategy(), FLAGS.seed, images.record()))
    start = time.monotonic()
    found = {
        "Keras classifier along paths": in_turn(along_paths(images), FLAGS.num_rounds),
        "function of NumPy arrays": in_turn(numpy_function(), FLAGS.num_rounds),
        "fit with the callback": in_turn(fit_with_callback(False), FLAGS.num_rounds),
        "fit with the callback and its folder": in_turn(fit_with_callback(True), FLAGS.num_rounds),
        "import spectral_tf and its names": in_turn(imports(), FLAGS.num_rounds),
    }
    rows, summary, lines = [], {}, []
    for name, (own, bare) in found.items():
        ratios = own / bare
        rows.append((name, *map(np.median, (own, bare, ratios)), own.min(), bare.min()))
        summary[name] = {"median_ratio": np.median(ratios), "ratio_of_best": own.min() / bare.min()}
        lines.append(
            f"{name}: {np.median(own):.3f} s, {np.median(ratios):.3f} times the bare "
            f"{np.median(bare):.3f} s (median of rounds; best of each: "
            f"{own.min() / bare.min():.3f} times)"
        )
    columns = ("what", "seconds_median", "bare_seconds_median", "ratio_median")
    records.write_table(
        folder.path / "costs.csv", (*columns, "seconds_best", "bare_seconds_best"), rows
    )
    experiments.conclude(
        "benchmark_measure",
        folder,
        {"dataset": images.title, "num_rounds": FLAGS.num_rounds, "times_the_bare": summary},
        time.monotonic() - start,
        lines=lines,
    )


def in_turn(work: tuple[Callable[[], None], Callable[[], None]], rounds: int) -> Any:
    """Seconds of both in every round, after one to warm up; every other round begins with the last.

    Returns:
      (of the first, of the second), [rounds] each.
    """
    seconds = np.empty((rounds + 1, 2))
    for number in progress.track(range(rounds + 1), "round"):
        for i in (0, 1) if number % 2 else (1, 0):
            start = time.perf_counter()
            work[i]()
            seconds[number, i] = time.perf_counter() - start
    return seconds[1:].T


def along_paths(images: data.Images) -> tuple[Callable[[], None], Callable[[], None]]:
    """A classifier measured between images, and asked about the same samples."""
    import tensorflow as tf

    from spectral_tf import StraightPaths, measure
    from spectral_tf.models.small import convnet

    model = convnet(num_classes=images.num_classes)
    head = model.layers[-1].kernel  # It starts at zero.
    head.assign(np.random.default_rng(0).normal(size=head.shape) / np.sqrt(head.shape[0]))
    pixels, _ = images.arrays()
    ends = np.random.default_rng(FLAGS.seed).permutation(len(pixels))[: 2 * FLAGS.num_paths]
    first, last = np.split(pixels[ends], 2)
    where = StraightPaths(first, last, FLAGS.num_samples)
    samples = where.samples(slice(None)) * np.float32(2) - 1
    batches = [tf.constant(part) for part in np.array_split(samples, -(-len(samples) // _BATCH))]
    apply = tf.function(lambda x: model(x, training=False), reduce_retracing=True)

    def bare() -> None:
        for batch in batches:
            apply(batch).numpy()

    return lambda: _drop(measure(model, where, outputs="logits", to_inputs="signed")), bare


def numpy_function() -> tuple[Callable[[], None], Callable[[], None]]:
    """A network of two layers in NumPy on a plane, measured, and asked in the same batches."""
    from spectral_tf import Grid, measure

    rng = np.random.default_rng(FLAGS.seed)
    layers = [rng.normal(size=size).astype(np.float32) for size in ((2, 512), (512, 512), (512, 1))]

    def model(x: np.ndarray) -> np.ndarray:
        return np.tanh(np.tanh(x @ layers[0]) @ (layers[1] / 16)) @ layers[2]

    where = Grid(256, dimensions=2)
    x = where.samples(slice(None))

    def bare() -> None:
        for start in range(0, len(x), 1024):
            model(x[start : start + 1024])

    return lambda: _drop(measure(model, where)), bare


def fit_with_callback(folder: bool) -> tuple[Callable[[], None], Callable[[], None]]:
    """`fit` of a network of three layers of 256, with the callback and without.

    Args:
      folder: whether tables, figure and events are written, too.
    """
    import keras

    from spectral_tf import Grid, SpectrumCallback

    x = np.arange(_BATCH, dtype=np.float32)[:, None] / _BATCH
    y = np.sin(2 * np.pi * 2 * x) + np.sin(2 * np.pi * 9 * x)

    def fit(callbacks: Callable[[], list[Any]]) -> None:
        keras.utils.set_random_seed(FLAGS.seed)
        hidden = [keras.layers.Dense(256, "relu") for _ in range(3)]
        model = keras.Sequential([keras.Input((1,)), *hidden, keras.layers.Dense(1)])
        model.compile("adam", "mse")
        epochs = FLAGS.fit_steps // 10
        batches = np.tile(x, (10, 1)), np.tile(y, (10, 1))
        given = {"batch_size": _BATCH, "epochs": epochs, "verbose": 0, "shuffle": False}
        model.fit(*batches, callbacks=callbacks(), **given)

    def followed() -> None:
        with tempfile.TemporaryDirectory() as path:
            where = path if folder else None
            fit(lambda: [SpectrumCallback(Grid(_BATCH), targets=y, folder=where)])

    return followed, lambda: fit(list)


def imports() -> tuple[Callable[[], None], Callable[[], None]]:
    """A process that imports NumPy and the public names, and one that imports NumPy alone."""
    names = "import numpy; import spectral_tf as s; s.measure, s.Grid, s.StraightPaths, s.compare"

    def run(code: str) -> None:
        children.run([sys.executable, "-c", code], check=True)

    return lambda: run(names), lambda: run("import numpy")


def _drop(measured: Any) -> None:
    """What is measured is of no account here."""


if __name__ == "__main__":
    runtime.launch(main)
