"""What waves, probes and augmentation cost an image classifier.

Measures images per second of the same training without and with a wave on the labels, without and
with a probe (of noise fitting) or a plain evaluation after every epoch, and of Keras `fit` on the
same batches; and of the input pipeline with AutoAugment, flip, pad and crop and cutout, against the
published way of a Python loop with PIL for each image. All in one process, one after the other in
every round, so that each figure is a ratio within one round.

    python launchers/benchmark_images.py --alsologtostderr

takes about 3 minutes on 2 cores. To see: at least 95 % of the images per second with waves and
probes, a probe that costs no more than an evaluation (results/benchmark_images).
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from absl import flags

from spectral_tf import data, models, records, runtime, spectra, tasks
from spectral_tf.errors import UserError

FLAGS = flags.FLAGS
runtime.define_run_flags("benchmark_images", resumes=False)
runtime.define_data_flags("photo_patches")
flags.DEFINE_string("model", "convnet", f"{', '.join(models.CLASSIFIERS)}.")
flags.DEFINE_integer("width", 0, "Channels of its first stage; 0: the network's own.", 0)
flags.DEFINE_integer("train_size", 5_000, "Images of an epoch.", 1)
flags.DEFINE_integer("batch_size", 128, "Images in a step.", 1)
flags.DEFINE_integer("num_rounds", 7, "Rounds; each measures every contender once.", 1)

PLAIN, WAVE, EVALUATED, PROBED = "plain", "with a wave", "plain, evaluated", "with a wave, probed"
OURS, PUBLISHED = "AutoAugment, batched", "AutoAugment, PIL one by one"


def main() -> None:
    """Measures, writes the tables, and prints the ratios."""
    folder = runtime.run_folder("benchmark_images")
    training = data.find_images(FLAGS.dataset, **runtime.data_locations()).take(FLAGS.train_size)
    held_out = data.find_images(FLAGS.dataset, "test", **runtime.data_locations())
    if training.shape[2:] != (3,):
        raise UserError(
            "--dataset",
            expected="colour images, which the pipeline with PIL is for",
            got=f"{training.name} of {training.shape}",
            hint="for example photo_patches or cifar10",
        )
    runtime.check_at_most("batch_size", FLAGS.batch_size, training.num_examples)

    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import strategy_of_flags

    strategy = strategy_of_flags()
    folder.start(
        environment(strategy, FLAGS.seed, training.record(), deterministic=FLAGS.deterministic)
    )
    start = time.monotonic()
    tables = {
        "training": measure(trainers(training, held_out, strategy)),
        "pipelines": measure(pipelines(training)),
    }
    medians = {}
    for name, rates in tables.items():
        against = rates[PLAIN if name == "training" else PUBLISHED]
        rows = [
            (contender, np.median(r), r.max(), np.median(r / against), (r / against).max())
            for contender, r in rates.items()
        ]
        records.write_table(
            folder.path / f"{name}.csv",
            ("contender", "images_per_second_median", "best", "ratio_median", "ratio_best"),
            rows,
        )
        records.write_table(
            folder.path / f"{name}_rounds.csv",
            ("round", "contender", "images_per_second"),
            ((i, c, r[i]) for i in range(FLAGS.num_rounds) for c, r in rates.items()),
        )
        medians[name] = {row[0]: [float(row[1]), float(row[3])] for row in rows}
        print(f"{name + ', images/s':<34}{'median':>9}{'best':>9}{'ratio':>9}")
        for contender, median, best, ratio, _ in rows:
            print(f"{contender:<34}{median:>9,.0f}{best:>9,.0f}{ratio:>9.3f}")
    rates = tables["training"]
    probe = float(np.median(rates[EVALUATED] / rates[PROBED]))
    folder.finish(
        {
            "experiment": "benchmark_images",
            "dataset": training.title,
            "images_per_second_and_ratio": medians,
            "probed_with_wave_over_plain_evaluated": 1 / probe,
        },
        wall_seconds=time.monotonic() - start,
    )
    print(f"wave and probe keep {1 / probe:.1%} of the speed of a training that is evaluated")
    print(f"run folder: {folder.path}")


class Contender(NamedTuple):
    """Works through so many images in each call; what is to be done before is not timed."""

    work: Callable[[], None]
    images: int
    before: Callable[[], None] = lambda: None


def measure(contenders: dict[str, Contender]) -> dict[str, np.ndarray]:
    """Images per second of each in each round, after one round to warm up."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(FLAGS.num_rounds + 1):
        for name, contender in contenders.items():
            contender.before()
            start = time.perf_counter()
            contender.work()
            if number:
                rates[name].append(contender.images / (time.perf_counter() - start))
    return {name: np.asarray(values) for name, values in rates.items()}


def trainers(
    training: data.Images, held_out: data.Images, strategy: object
) -> dict[str, Contender]:
    """An epoch of the same network on the same batches, by each."""
    import keras

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

    def contender(targets: Callable | None, then: Callable | None) -> Contender:
        trained = make(targets)

        def work() -> None:
            trained.train(epoch)
            if then:
                then(trained)

        return Contender(work, epoch * FLAGS.batch_size)

    usual = build(width=FLAGS.width)
    usual.compile(
        keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    endless = batches()

    def fit() -> None:
        usual.fit(endless, steps_per_epoch=epoch, verbose=0)

    smooth = tasks.SoftLabels(wave.smoothing)
    return {
        PLAIN: contender(None, None),
        WAVE: contender(smooth, None),
        EVALUATED: contender(None, evaluate),
        PROBED: contender(smooth, probe),
        "Keras fit": Contender(fit, epoch * FLAGS.batch_size),
    }


def pipelines(training: data.Images) -> dict[str, Contender]:
    """Batches with AutoAugment, flip, pad and crop, cutout: of our pipeline, and of PIL."""
    from spectral_tf.data import pipeline, policies, recipes

    normalisation = data.standard(training)
    mean, deviation = (np.asarray(part, np.float32) for part in normalisation[:2])
    pixels, _ = training.arrays()
    height, width = pixels.shape[1:3]
    names = ["autoaugment", "flip", "pad_and_crop", "cutout"]
    ours = iter(
        pipeline.training_batches(
            *(training, normalisation),
            batch_size=FLAGS.batch_size,
            seed=FLAGS.seed,
            **recipes.recipe(names, mean=normalisation.mean)._asdict(),
        )
    )
    pairs = [pair.split() for pair in policies.CIFAR_PAIRS.split(",")]
    rng = np.random.default_rng(FLAGS.seed)

    def one_by_one() -> Iterator[np.ndarray]:
        while True:
            batch = []
            for pixel in pixels[rng.integers(len(pixels), size=FLAGS.batch_size)]:
                changed = pixel
                for word in pairs[rng.integers(len(pairs))]:
                    if rng.random() < int(word[2]) / 10:
                        changed = by_pil(changed, word[:2], int(word[3]))
                image = (changed / 255 - mean) / deviation
                flipped = image[:, ::-1] if rng.integers(2) else image
                padded = np.pad(flipped, ((4, 4), (4, 4), (0, 0)))
                y, x = rng.integers(9, size=2)
                cropped = padded[y : y + height, x : x + width].copy()
                y, x = rng.integers((height, width)) - 8
                cropped[max(y, 0) : max(y + 16, 0), max(x, 0) : max(x + 16, 0)] = 0
                batch.append(cropped)
            yield np.stack(batch).astype(np.float32)

    theirs = one_by_one()

    def take(batches: Iterator, number: int) -> None:
        for _ in range(number):
            next(batches)

    number = max(8, 2 * FLAGS.train_size // FLAGS.batch_size)
    return {
        # What was fetched ahead while the other ran does not count.
        OURS: Contender(
            lambda: take(ours, number), number * FLAGS.batch_size, lambda: take(ours, 4 * number)
        ),
        PUBLISHED: Contender(lambda: take(theirs, number), number * FLAGS.batch_size),
    }


def by_pil(pixels: np.ndarray, short: str, magnitude: int) -> np.ndarray:
    """One operation of AutoAugment on one image, as the published code does it."""
    from PIL import Image, ImageEnhance, ImageOps

    image = Image.fromarray(pixels)
    six = {
        "SX": (1, 0.03 * magnitude, 0, 0, 1, 0),
        "SY": (1, 0, 0, 0.03 * magnitude, 1, 0),
        "TX": (1, 0, magnitude, 0, 1, 0),
        "TY": (1, 0, 0, 0, 1, magnitude),
    }
    enhancers = {"Cl": "Color", "Co": "Contrast", "Br": "Brightness", "Sh": "Sharpness"}
    if short in six:
        changed = image.transform(image.size, Image.Transform.AFFINE, six[short])
    elif short in enhancers:
        enhancer = getattr(ImageEnhance, enhancers[short])(image)
        changed = enhancer.enhance(0.1 + 0.18 * magnitude)
    else:
        others: dict[str, Callable] = {
            "AC": ImageOps.autocontrast,
            "Eq": ImageOps.equalize,
            "In": ImageOps.invert,
            "Ro": lambda x: x.rotate(3 * magnitude),
            "So": lambda x: ImageOps.solarize(x, int(256 - 25.6 * magnitude)),
            "Po": lambda x: ImageOps.posterize(x, 4 - int(0.4 * magnitude)),
            "Cu": lambda x: x,
        }
        changed = others[short](image)
    return np.asarray(changed)


if __name__ == "__main__":
    runtime.launch(main)
