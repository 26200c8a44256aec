"""What probing a training costs, and perturbing a network.

Measures the time of a spectrum every 100 steps, as `lf_first` takes it, against the training
between two of them; and perturbed networks per second, as `robustness` measures them, of our probe
and of a plain loop that copies the model for every direction. All in one process, one after the
other in every round, so that each figure is a ratio within one round.

    python launchers/benchmark_probing.py --alsologtostderr --workdir=runs/benchmark_probing

takes about a minute on 2 cores. To see: probing every 100 steps under 3 %, and how long 10,000
perturbed networks take with shared and with fresh directions (results/benchmark).
"""

from __future__ import annotations

import pathlib
import tempfile
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from spectral_tf import experiments, progress, records, runtime, spectra, tasks

if TYPE_CHECKING:
    import tensorflow as tf

    from spectral_tf.training.ensemble import Ensemble

FLAGS = flags.FLAGS
runtime.define_run_flags("benchmark_probing", resumes=False)
with runtime.flag_group("Measurement"):
    flags.DEFINE_integer("num_rounds", 7, "Rounds; each measures every contender once.", 1)
    flags.DEFINE_integer("members", 16, "Number of networks that are probed.", 1)
    flags.DEFINE_integer("width", 256, "Units of each hidden layer.", 1)
    flags.DEFINE_integer("depth", 6, "Linear layers, the output layer included.", 2)
    flags.DEFINE_integer("num_samples", 200, "Points of the grid.", 3)
    flags.DEFINE_integer("probe_every", 100, "Steps between two spectra.", 1)

COPIES = "a copy for each direction"
PROTOCOL = 10_000  # Perturbed networks for one network of experiment 2.


def main() -> None:
    """Measures, writes the tables, and prints the ratios."""
    frequencies = [k for k in range(5, 51, 5) if 2 * k < FLAGS.num_samples] or [1]
    amplitudes = [1.0] * len(frequencies)
    target = tasks.SumOfSines.with_random_phases(
        frequencies, amplitudes, FLAGS.num_samples, runtime.generator(FLAGS.seed, "phases")
    )
    folder = runtime.run_folder("benchmark_probing")

    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import strategy_of_flags

    strategy = strategy_of_flags()
    folder.start(environment(strategy, FLAGS.seed, deterministic=FLAGS.deterministic))
    start = time.monotonic()
    percent = probing_percent(make_ensemble(target, strategy), target)
    records.write_table(folder.path / "probing.csv", ("round", "percent"), enumerate(percent))
    rates = measure_perturbations(target)
    rows = [
        (
            *(name, float(np.median(rate)), float(np.max(rate))),
            float(np.median(rate / rates[COPIES])),
            PROTOCOL / float(np.median(rate)),
        )
        for name, rate in rates.items()
    ]
    columns = ("contender", "median", "best", "times_plain_loop", "seconds_for_10000")
    records.write_table(folder.path / "perturbations.csv", columns, rows)
    experiments.conclude(
        "benchmark_probing",
        folder,
        {
            "num_rounds": FLAGS.num_rounds,
            "probing_percent_median": float(np.median(percent)),
            "probing_percent_best": float(np.min(percent)),
            "perturbations_times_plain_loop": {row[0]: row[3] for row in rows},
            "seconds_for_10000_perturbations": {row[0]: row[4] for row in rows},
        },
        time.monotonic() - start,
        lines=[
            f"{'perturbed networks/s':<28}{'median':>9}{'best':>9}{'x plain':>11}{'10,000 in':>12}",
            *(
                f"{name:<28}{median:>9,.0f}{best:>9,.0f}{times:>11.1f}{whole:>10.0f} s"
                for name, median, best, times, whole in rows
            ),
            f"probing every {FLAGS.probe_every} steps: {np.median(percent):.2f} % of the training",
        ],
    )


def inputs_of(target: tasks.SumOfSines) -> np.ndarray:
    """The grid, as inputs of a network."""
    return target.positions[:, None].astype(np.float32)


def make_ensemble(target: tasks.SumOfSines, strategy: tf.distribute.Strategy) -> Ensemble:
    """What is trained and probed."""
    from spectral_tf.models.mlp import mlp
    from spectral_tf.training.ensemble import Ensemble

    return Ensemble(
        lambda seed: mlp(width=FLAGS.width, depth=FLAGS.depth, seed=seed),
        [runtime.derive_seed(FLAGS.seed, "init", run) for run in range(FLAGS.members)],
        [target.dataset(inputs_of(target))] * FLAGS.members,
        strategy=strategy,
    )


def probing_percent(ensemble: Ensemble, target: tasks.SumOfSines) -> np.ndarray:
    """Time of a probe as lf_first makes it over the time of training between two, in percent."""
    from spectral_tf.records.tensorboard import EventWriter

    percent = []
    with tempfile.TemporaryDirectory() as scratch:
        board = EventWriter(pathlib.Path(scratch))
        for number in progress.track(range(FLAGS.num_rounds + 1), "round"):
            start = time.perf_counter()
            ensemble.train(FLAGS.probe_every)
            trained = time.perf_counter()
            outputs, losses = ensemble.evaluate()
            magnitudes = spectra.normalised_magnitudes(
                outputs[..., 0], target.frequencies, target.amplitudes
            )
            tags = (f"magnitude/k={k:03d}" for k in target.frequencies)
            values = dict(zip(tags, np.nanmean(magnitudes, axis=0), strict=True))
            board.scalars({"loss": float(np.nanmean(losses)), **values}, number)
            done = time.perf_counter()
            percent.append(100 * (done - trained) / (trained - start))
    return np.asarray(percent[1:])  # The first one compiles.


def measure_perturbations(target: tasks.SumOfSines) -> dict[str, np.ndarray]:
    """Perturbed networks per second of each way in each round, in turn within a round."""
    import keras
    import tensorflow as tf

    from spectral_tf.models.mlp import mlp
    from spectral_tf.probes.perturbations import perturbed_outputs

    model = mlp(width=FLAGS.width, depth=FLAGS.depth)
    weights = [v.numpy() for v in model.trainable_variables]
    inputs = inputs_of(target)
    norms = np.linspace(0.0, 5.0, 20)

    def ours(shared: bool) -> Callable[[], int]:
        def run() -> int:
            outputs = perturbed_outputs(
                model, weights, [], inputs, norms, 16, seed=0, shared=shared
            )
            return outputs.shape[0] * outputs.shape[1]

        return run

    def plain_loop() -> int:
        rng = np.random.default_rng(0)
        for norm in norms:
            directions = [rng.standard_normal(w.shape, dtype=np.float32) for w in weights]
            length = np.sqrt(sum(np.sum(d**2) for d in directions))
            copy = keras.models.clone_model(model)
            moved = [w + norm / length * d for w, d in zip(weights, directions, strict=True)]
            copy.set_weights(moved)
            copy(tf.constant(inputs)).numpy()
        return norms.size

    ways = {
        "ours, shared directions": ours(True),
        "ours, fresh directions": ours(False),
        COPIES: plain_loop,
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in progress.track(range(FLAGS.num_rounds + 1), "round"):
        for name, run in ways.items():
            start = time.perf_counter()
            count = run()
            if number:  # The first round compiles.
                rates[name].append(count / (time.perf_counter() - start))
    return {name: np.asarray(values) for name, values in rates.items()}


if __name__ == "__main__":
    runtime.launch(main)
