"""How fast we train an image classifier, and what label noise and probes cost it.

Measures images per second of our trainer and of its peers (`launchers/peers/images_*.py`): a
PyTorch loop, channels last, eager and compiled, and Keras `fit`, each in a process of its own with
all cores, one after the other in every round; and likewise of the bare forward pass. All have
`convnet` and take full batches without augmentation that were normalised before: in the timing are
taking the next batch and, in training, forward, backward and an update by SGD with Nesterov
momentum. (A test compares their losses and numbers of parameters.)

Then, in one process, of the same training of ours on augmented batches without and with a wave on
the labels, without and with a probe (of noise fitting) or a plain evaluation after every epoch.
Every figure is a ratio within one round.

    python launchers/benchmark_images.py --alsologtostderr

takes about 5 minutes on 2 cores. To see: how many times as fast as its peers ours is; a training
with label noise that is as fast as a plain one, and a probe that costs no more than an evaluation
(results/benchmark_images).
"""

from __future__ import annotations

import functools
import pathlib
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from absl import flags, logging

from spectral_tf import data, experiments, models, progress, records, runtime, spectra, tasks
from spectral_tf.experiments import contest

FLAGS = flags.FLAGS
runtime.define_run_flags("benchmark_images", resumes=False)
runtime.define_data_flags("photo_patches")
with runtime.flag_group("Measurement"):
    flags.DEFINE_string(
        "model", "convnet", f"Network: {', '.join(models.CLASSIFIERS)}; peers have convnet alone."
    )
    flags.DEFINE_integer("width", 0, "Channels of its first stage; 0: the network's own.", 0)
    flags.DEFINE_integer("train_size", 5_000, "Images of an epoch.", 1)
    flags.DEFINE_integer("batch_size", 128, "Images in a step.", 1)
    flags.DEFINE_integer("num_rounds", 7, "Rounds; each measures every contender once.", 1)
    runtime.define_finite_float(
        "seconds", 1.5, "Length of a measurement of peers, in seconds.", at_least=0.01
    )

PLAIN, WAVE, EVALUATED, PROBED = "plain", "with a wave", "plain, evaluated", "with a wave, probed"
OURS, FORWARD, TORCH = "ours", "ours, forward", ("torch",)
PEERS = pathlib.Path(__file__).parent / "peers"


def main() -> None:
    """Measures, writes the tables, and prints the ratios."""
    cores = runtime.chosen_cores(FLAGS.cores)
    folder = runtime.run_folder("benchmark_images")
    training = data.find_images(FLAGS.dataset, **runtime.data_locations()).take(FLAGS.train_size)
    held_out = data.find_images(FLAGS.dataset, "test", **runtime.data_locations())
    runtime.check_at_most("batch_size", FLAGS.batch_size, training.num_examples)

    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import strategy_of_flags

    strategy = strategy_of_flags()
    folder.start(
        environment(strategy, FLAGS.seed, training.record(), deterministic=FLAGS.deterministic)
    )
    start = time.monotonic()
    peers = report_peers(folder, against_peers(training, cores)) if has_peers(training) else {}
    rates = measure(trainers(training, held_out, strategy))
    rows = [
        (name, np.median(r), r.max(), np.median(r / rates[PLAIN]), (r / rates[PLAIN]).max())
        for name, r in rates.items()
    ]
    columns = ("contender", "images_per_second_median", "best", "ratio_median", "ratio_best")
    records.write_table(folder.path / "training.csv", columns, rows)
    records.write_table(
        folder.path / "training_rounds.csv",
        ("round", "contender", "images_per_second"),
        ((i, name, r[i]) for i in range(FLAGS.num_rounds) for name, r in rates.items()),
    )
    kept = float(1 / np.median(rates[EVALUATED] / rates[PROBED]))
    experiments.conclude(
        "benchmark_images",
        folder,
        {
            "dataset": training.title,
            "cores": cores,
            "num_rounds": FLAGS.num_rounds,
            "ours_over": peers,
            "images_per_second_and_ratio": {row[0]: [float(row[1]), float(row[3])] for row in rows},
            "probed_with_wave_over_plain_evaluated": kept,
        },
        time.monotonic() - start,
        lines=[
            f"{'training, images/s':<34}{'median':>9}{'best':>9}{'ratio':>9}",
            *(
                f"{name:<34}{median:>9,.0f}{best:>9,.0f}{r:>9.3f}"
                for name, median, best, r, _ in rows
            ),
        ],
    )


def has_peers(training: data.Images) -> bool:
    """Whether there are peers of this network; a line of the log says if not."""
    square = len(training.shape) == 3 and training.shape[0] == training.shape[1]
    if FLAGS.model != "convnet" or not square:
        logging.warning("peers are left out: they have convnet, and square images")
    return FLAGS.model == "convnet" and square


def against_peers(training: data.Images, cores: int) -> contest.Found:
    """Images per second of ours and the peers on the same batches, made beforehand."""
    pixels, labels = training.arrays()
    normalisation = data.standard(training)
    mean, deviation = (np.asarray(part, np.float32) for part in normalisation[:2])
    options = [f"--batch_size={FLAGS.batch_size}"]
    options += [f"--width={FLAGS.width}"] if FLAGS.width else []
    with tempfile.TemporaryDirectory() as scratch:
        file = pathlib.Path(scratch) / "batches.npz"
        images = (pixels / np.float32(255) - mean) / deviation
        labels = np.asarray(labels, np.int32)
        np.savez(file, images=images, labels=labels, num_classes=training.num_classes)

        def of(script: str, *own: str, needs: tuple[str, ...] = ()) -> contest.Contender:
            every = (*options, f"--data={file}", *own)
            return contest.Contender(PEERS / f"{script}.py", every, needs, together=False)

        contenders = {
            OURS: of("images_ours"),
            "PyTorch loop": of("images_torch", needs=TORCH),
            "PyTorch loop, compiled": of("images_torch", "--compiled=1", needs=TORCH),
            "Keras fit": of("images_keras"),
            FORWARD: of("images_ours", "--forward=1"),
            "PyTorch, forward": of("images_torch", "--forward=1", needs=TORCH),
            "PyTorch compiled, forward": of(
                "images_torch", "--forward=1", "--compiled=1", needs=TORCH
            ),
            "Keras by XLA, forward": of("images_keras", "--forward=1"),
        }
        return contest.contest(
            contenders, cores=cores, num_rounds=FLAGS.num_rounds, seconds=FLAGS.seconds
        )


def report_peers(folder: records.RunFolder, found: contest.Found) -> dict[str, float]:
    """Writes and prints the table of the peers; {contender: ours over it}."""
    contest.refuse_without(found, (OURS, FORWARD))
    ours = {name: FORWARD if "forward" in name else OURS for name in found.chosen}
    rows = contest.compared(found, ours)
    contest.write_tables(folder.path, "peers", found, rows)
    print(*contest.table_lines("images/s", rows), sep="\n")
    return {row.contender: row.ours_over_it for row in rows}


class InTurn(NamedTuple):
    """Works through so many images in each call; what is to be done before is not timed."""

    work: Callable[[], None]
    images: int
    before: Callable[[], None] = lambda: None


def measure(contenders: dict[str, InTurn]) -> dict[str, np.ndarray]:
    """Images per second of each in each round, after one round to warm up."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for number in progress.track(range(FLAGS.num_rounds + 1), "round"):
        for name, contender in contenders.items():
            contender.before()
            start = time.perf_counter()
            contender.work()
            if number:
                rates[name].append(contender.images / (time.perf_counter() - start))
    return {name: np.asarray(values) for name, values in rates.items()}


def trainers(training: data.Images, held_out: data.Images, strategy: object) -> dict[str, InTurn]:
    """An epoch of the same network on the same batches, by each."""
    from spectral_tf.data import pipeline, recipes
    from spectral_tf.models.classifiers import classifier
    from spectral_tf.training.classifier import Classifier, CosineSgd

    normalisation, shape = data.standard(training), pipeline.fitting_shape(training)
    batches = functools.partial(
        pipeline.training_batches,
        training,
        normalisation,
        batch_size=FLAGS.batch_size,
        seed=FLAGS.seed,
        **recipes.recipe(["flip", "pad_and_crop", "cutout"])._asdict(),
    )
    evaluation = functools.partial(
        pipeline.evaluation_batches, held_out, normalisation, batch_size=FLAGS.batch_size
    )
    epoch = training.num_examples // FLAGS.batch_size
    build = functools.partial(
        classifier, FLAGS.model, input_shape=shape, num_classes=training.num_classes
    )
    optimizer = CosineSgd(num_steps=epoch * (FLAGS.num_rounds + 1))
    (wave, _), labels, _ = tasks.place_waves(
        tasks.ask_waves("radial", cycles=[4]),
        lambda coordinate, *_: tasks.still_wave(
            *(coordinate, shape, runtime.generator(FLAGS.seed)),
            amplitude=0.4,
            num_classes=training.num_classes,
        ),
        unaugmented=batches().take(epoch).as_numpy_iterator(),
        augmented=batches().take(epoch).as_numpy_iterator(),
        held_out=((x[w > 0], y[w > 0]) for x, y, w in evaluation().as_numpy_iterator()),
    )

    def make(targets: Callable | None) -> Classifier:
        return Classifier(
            functools.partial(build, width=FLAGS.width),
            lambda first: pipeline.on_replicas(
                strategy, functools.partial(batches, first_step=first)
            ),
            pipeline.on_replicas(strategy, evaluation),
            optimizer,
            targets=targets,
            strategy=strategy,
        )

    def probe(trained: Classifier) -> None:
        spectra.noise_fit(trained.evaluate()[0], labels, wave.levels)

    def evaluate(trained: Classifier) -> None:
        trained.evaluate()

    def contender(targets: Callable | None, then: Callable | None) -> InTurn:
        trained = make(targets)

        def work() -> None:
            trained.train(epoch)
            if then:
                then(trained)

        return InTurn(work, epoch * FLAGS.batch_size)

    smooth = tasks.SoftLabels(wave.smoothing)
    return {
        PLAIN: contender(None, None),
        WAVE: contender(smooth, None),
        EVALUATED: contender(None, evaluate),
        PROBED: contender(smooth, probe),
    }


if __name__ == "__main__":
    runtime.launch(main)
