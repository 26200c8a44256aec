"""How fast we are against what one would run instead.

Measures member-steps per second (updates of one 6-layer 256-unit network on 200 points) of our
trainer with 1, 4, 8 and 16 members, of a plain PyTorch loop, of PyTorch with its fused Adam, of
Keras `fit` and of Keras `fit` with steps_per_execution=50; and the rate of float32 matrix products
of 1024 x 1024, in the same process, one after the other in every round, so that each figure is a
ratio within one round. Likewise perturbed networks per second, as `robustness` measures them, of
our probe and of a plain loop that copies the model for every direction; and augmented images per
second of our pipeline, of tf.image one by one in tf.data, and of NumPy one by one.

    python launchers/benchmark.py --alsologtostderr

takes about 3 minutes on 2 cores; `--num_samples=1000` measures the networks of the experiments on
curves, `--num_samples=9585 --input_dim=784 --members=1,4` those of `mnist_noise`. To see: at least
2.0 times the plain PyTorch loop, at least 60 % of the matrix-product rate, probing every 100 steps
under 3 %, 10,000 perturbed networks in less than 10 seconds with shared and 40 with fresh
directions, at least 5,000 augmented images of 32 x 32 a second (results/benchmark).
"""

from __future__ import annotations

import importlib.util
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from absl import flags, logging

from spectral_tf import data, records, runtime, spectra, tasks
from spectral_tf.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

    from spectral_tf.training.ensemble import Ensemble

FLAGS = flags.FLAGS
runtime.define_run_flags("benchmark", resumes=False)
runtime.define_data_flags("photo_patches")
flags.DEFINE_integer("num_rounds", 7, "Rounds; each measures every contender once.", 1)
runtime.define_finite_float("seconds", 1.5, "Length of one measurement.", at_least=0.01)
flags.DEFINE_list("members", [1, 4, 8, 16], "Ensemble sizes of our trainer.")
flags.DEFINE_integer("width", 256, "Units of each hidden layer.", 1)
flags.DEFINE_integer("depth", 6, "Affine layers.", 2)
flags.DEFINE_integer("num_samples", 200, "Points of the grid.", 3)
flags.DEFINE_integer("input_dim", 1, "Inputs of the network.", 1)
flags.DEFINE_integer("probe_every", 100, "Steps between two spectra, for the cost of probing.", 1)

# A contender makes so many member-steps; the matrix product makes products of this edge.
Contender = Callable[[int], None]
PRODUCT_EDGE = 1024
PLAIN, PRODUCT, COPIES = "PyTorch loop", "matrix product", "a copy for each direction"
ONE_BY_ONE = "NumPy, one by one"
PROTOCOL = 10_000  # Perturbed networks for one network of experiment 2.
LARGE = 1e10  # Operations in an update from which on the cost of a call is nothing.
BATCH, PADDING, CUTOUT = 256, 4, 16  # Of the image pipelines.


def main() -> None:
    """Measures, writes the tables and the chart, and prints the ratios."""
    members = runtime.parse_ints("members", FLAGS.members)
    if min(members) < 1:
        raise UserError("--members", expected="1 or more", got=min(members), hint="leave it out")
    frequencies = [k for k in range(5, 51, 5) if 2 * k < FLAGS.num_samples] or [1]
    amplitudes = [1.0] * len(frequencies)
    target = tasks.SumOfSines.with_random_phases(
        frequencies, amplitudes, FLAGS.num_samples, runtime.generator(FLAGS.seed, "phases")
    )
    folder = runtime.run_folder("benchmark")
    images = data.find_images(FLAGS.dataset, **runtime.data_locations())

    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import strategy_of_flags

    strategy = strategy_of_flags()
    folder.start(
        environment(strategy, FLAGS.seed, images.record(), deterministic=FLAGS.deterministic)
    )
    start = time.monotonic()
    ensembles = {count: make_ensemble(count, target, strategy) for count in members}
    contenders = {f"ours, {n} at once": trainer(e) for n, e in ensembles.items()}
    contenders |= keras_contenders(target) | torch_contenders(target)
    contenders[PRODUCT] = matrix_product()
    rates = measure(contenders)
    probing = probing_percent(ensembles[max(members)], target)
    # Experiment 2 has the small networks only.
    perturbing = measure_perturbations(target) if flop_per_member_step() < LARGE else {}
    pipelines = measure_pipelines(images)
    report(folder, rates, probing, perturbing, pipelines, time.monotonic() - start)


def inputs_of(target: tasks.SumOfSines) -> np.ndarray:
    """The grid, or as many random points where the network has several inputs."""
    if FLAGS.input_dim == 1:
        return target.positions[:, None].astype(np.float32)
    shape = (FLAGS.num_samples, FLAGS.input_dim)
    return runtime.generator(FLAGS.seed, "inputs").uniform(size=shape).astype(np.float32)


def make_ensemble(
    count: int, target: tasks.SumOfSines, strategy: tf.distribute.Strategy
) -> Ensemble:
    """Our trainer with so many members."""
    from spectral_tf.models.mlp import mlp
    from spectral_tf.training.ensemble import Ensemble

    return Ensemble(
        lambda seed: mlp(
            width=FLAGS.width, depth=FLAGS.depth, input_dim=FLAGS.input_dim, seed=seed
        ),
        [runtime.derive_seed(FLAGS.seed, "init", run) for run in range(count)],
        [target.dataset(inputs_of(target))] * count,
        strategy=strategy,
    )


def trainer(ensemble: Ensemble) -> Contender:
    """As many steps as make the member-steps asked for."""
    return lambda n: ensemble.train(-(-n // ensemble.num_members))


def keras_contenders(target: tasks.SumOfSines) -> dict[str, Contender]:
    """Keras `fit` on the same data set, one network."""
    import keras

    from spectral_tf.models.mlp import mlp

    batches = target.dataset(inputs_of(target)).batch(FLAGS.num_samples).cache().repeat()

    def contender(steps_per_execution: int) -> Contender:
        model = mlp(width=FLAGS.width, depth=FLAGS.depth, input_dim=FLAGS.input_dim)
        optimizer = keras.optimizers.Adam(3e-4, epsilon=1e-8)
        model.compile(optimizer, "mse", steps_per_execution=steps_per_execution)
        return lambda n: model.fit(batches, steps_per_epoch=n, epochs=1, verbose=0)

    if flop_per_member_step() > LARGE:
        return {"Keras fit": contender(1)}
    return {"Keras fit": contender(1), "Keras fit, 50 per execution": contender(50)}


def torch_contenders(target: tasks.SumOfSines) -> dict[str, Contender]:
    """The loop of the published notebooks, and the same with PyTorch's fused Adam."""
    if importlib.util.find_spec("torch") is None:
        logging.warning("PyTorch is not installed, its rows are left out: pip install '.[torch]'")
        return {}
    import torch

    inputs = torch.tensor(inputs_of(target))
    targets = torch.tensor(target.targets[:, None], dtype=torch.float32)

    def contender(fused: bool) -> Contender:
        sizes = [FLAGS.input_dim, *[FLAGS.width] * (FLAGS.depth - 1)]
        layers: list[torch.nn.Module] = []
        for fan_in, fan_out in itertools.pairwise(sizes):
            layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
        network = torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], 1))
        optimizer = torch.optim.Adam(network.parameters(), 3e-4, fused=fused)

        def train(n: int) -> None:
            for _ in range(n):
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(network(inputs), targets).backward()
                optimizer.step()

        return train

    return {PLAIN: contender(False), "PyTorch loop, fused Adam": contender(True)}


def flop_per_member_step() -> float:
    """Multiplications and additions of one update: forward, and backward twice that.

    The first layer passes no gradient on.
    """
    kernels = FLAGS.width * (FLAGS.input_dim + 1 + (FLAGS.depth - 2) * FLAGS.width)
    return FLAGS.num_samples * (6.0 * kernels - 2.0 * FLAGS.width * FLAGS.input_dim)


def matrix_product() -> Contender:
    """As many float32 products as have the arithmetic of the member-steps asked for."""
    import tensorflow as tf

    factor = tf.random.stateless_uniform([PRODUCT_EDGE, PRODUCT_EDGE], [1, 2])

    def multiply(n: int) -> None:
        for _ in range(products_for(n)):
            product = tf.matmul(factor, factor)
        product.numpy()

    return multiply


def products_for(member_steps: int) -> int:
    """The number of products with the arithmetic of so many member-steps, at least one."""
    return max(1, round(member_steps * flop_per_member_step() / (2 * PRODUCT_EDGE**3)))


def measure(contenders: dict[str, Contender]) -> dict[str, np.ndarray]:
    """Member-steps per second of each contender in each round, in turn within a round."""
    lengths = {}
    few = 64 if flop_per_member_step() < LARGE else 8
    for name, run in contenders.items():
        run(few)  # Compiles.
        start = time.perf_counter()
        run(few)
        lengths[name] = max(few, int(few * FLAGS.seconds / (time.perf_counter() - start)))
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(FLAGS.num_rounds):
        for name, run in contenders.items():
            start = time.perf_counter()
            run(lengths[name])
            rates[name].append(lengths[name] / (time.perf_counter() - start))
        logging.info("round %d of %d", number + 1, FLAGS.num_rounds)
    return {name: np.asarray(values) for name, values in rates.items()}


def probing_percent(ensemble: Ensemble, target: tasks.SumOfSines) -> np.ndarray:
    """Time of a probe as lf_first makes it over the time of training between two, in percent."""
    import pathlib

    from spectral_tf.records.tensorboard import EventWriter

    percent = []
    with tempfile.TemporaryDirectory() as scratch:
        board = EventWriter(pathlib.Path(scratch))
        for number in range(FLAGS.num_rounds + 1):
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

    model = mlp(width=FLAGS.width, depth=FLAGS.depth, input_dim=FLAGS.input_dim)
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
    for number in range(FLAGS.num_rounds + 1):
        for name, run in ways.items():
            start = time.perf_counter()
            count = run()
            if number:  # The first round compiles.
                rates[name].append(count / (time.perf_counter() - start))
    return {name: np.asarray(values) for name, values in rates.items()}


def measure_pipelines(images: data.Images) -> dict[str, np.ndarray]:
    """Augmented images per second of each pipeline in each round, in turn within a round.

    All flip, pad and crop, cut out, and give shuffled normalised batches of 256.
    """
    import tensorflow as tf

    from spectral_tf.data import augment, pipeline

    normalisation = data.standard(images)
    mean, deviation = (np.asarray(part, np.float32) for part in normalisation[:2])
    pixels, labels = images.arrays()
    height, width, channels = pixels.shape[1:]
    augmentations = [augment.flip, augment.pad_and_crop(PADDING), augment.cutout(CUTOUT)]
    ours = pipeline.training_batches(
        images, normalisation, batch_size=BATCH, seed=FLAGS.seed, augmentations=augmentations
    )

    def one_by_one(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = (tf.image.convert_image_dtype(image, tf.float32) - mean) / deviation
        image = tf.image.random_flip_left_right(image)
        image = tf.pad(image, [[PADDING, PADDING], [PADDING, PADDING], [0, 0]])
        image = tf.image.random_crop(image, [height, width, channels])
        y, x = (tf.random.uniform([], 0, side, tf.int32) for side in (height, width))
        rows = tf.abs(tf.range(height) - y) < CUTOUT // 2
        columns = tf.abs(tf.range(width) - x) < CUTOUT // 2
        inside = (rows[:, None] & columns[None, :])[..., None]
        return tf.where(inside, 0.0, image), label

    usual = tf.data.Dataset.from_tensor_slices((pixels, labels)).shuffle(len(pixels)).repeat()
    usual = usual.map(one_by_one, tf.data.AUTOTUNE).batch(BATCH).prefetch(tf.data.AUTOTUNE)

    def in_python() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng(FLAGS.seed)
        while True:
            chosen = rng.integers(len(pixels), size=BATCH)
            batch = []
            for image in (pixels[chosen] / np.float32(255) - mean) / deviation:
                flipped = image[:, ::-1] if rng.integers(2) else image
                padded = np.pad(flipped, ((PADDING, PADDING), (PADDING, PADDING), (0, 0)))
                y, x = rng.integers(2 * PADDING + 1, size=2)
                cropped = padded[y : y + height, x : x + width].copy()
                y, x = rng.integers((height, width)) - CUTOUT // 2
                cropped[max(y, 0) : max(y + CUTOUT, 0), max(x, 0) : max(x + CUTOUT, 0)] = 0
                batch.append(cropped)
            yield np.stack(batch), labels[chosen]

    pipelines: dict[str, Iterator] = {
        "ours, batched": iter(ours),
        "tf.image, one by one": iter(usual),
        ONE_BY_ONE: in_python(),
    }
    rates: dict[str, list[float]] = {name: [] for name in pipelines}
    for number in range(FLAGS.num_rounds + 1):
        for name, batches in pipelines.items():
            for _ in range(16):  # What was fetched ahead while others ran does not count.
                next(batches)
            count, start = 0, time.perf_counter()
            while time.perf_counter() - start < FLAGS.seconds or count < 8:
                next(batches)
                count += 1
            if number:
                rates[name].append(count * BATCH / (time.perf_counter() - start))
    return {name: np.asarray(values) for name, values in rates.items()}


def report(
    folder: records.RunFolder,
    rates: dict[str, np.ndarray],
    probing: np.ndarray,
    perturbing: dict[str, np.ndarray],
    pipelines: dict[str, np.ndarray],
    seconds: float,
) -> None:
    """Writes tables, chart and summary, and prints the table."""
    from spectral_tf.records import figures

    product = rates[PRODUCT]
    plain = rates.get(PLAIN, np.full_like(product, np.nan))
    rows = [
        (
            name,
            float(np.median(rate)),
            float(np.max(rate)),
            float(np.median(rate / plain)),
            float(np.median(rate / product)),
        )
        for name, rate in rates.items()
    ]
    columns = ("contender", "median", "best", "times_pytorch_loop", "share_of_matrix_product")
    records.write_table(folder.path / "benchmark.csv", columns, rows)
    records.write_table(
        folder.path / "rounds.csv",
        ("round", "contender", "member_steps_per_second"),
        ((i, name, rate[i]) for i in range(FLAGS.num_rounds) for name, rate in rates.items()),
    )
    perturbed = [
        (
            name,
            float(np.median(rate)),
            float(np.max(rate)),
            float(np.median(rate / perturbing[COPIES])),
            PROTOCOL / float(np.median(rate)),
        )
        for name, rate in perturbing.items()
    ]
    if perturbed:
        columns = ("contender", "median", "best", "times_plain_loop", "seconds_for_10000")
        records.write_table(folder.path / "perturbations.csv", columns, perturbed)
    piped = [
        (
            name,
            float(np.median(rate)),
            float(np.max(rate)),
            float(np.median(rate / pipelines[ONE_BY_ONE])),
        )
        for name, rate in pipelines.items()
    ]
    records.write_table(
        folder.path / "pipelines.csv",
        ("contender", "images_per_second_median", "best", "times_numpy"),
        piped,
    )
    bars = {name: (median, best) for name, median, best, *_ in rows if name != PRODUCT}
    figure = figures.bar_chart(
        bars,
        (float(np.median(product)), "matrix-product rate (median)"),
        xlabel="member-steps per second",
        title=f"{FLAGS.depth} x {FLAGS.width} network, {FLAGS.num_samples:,} points, full batch",
    )
    figures.save_figure(figure, folder.figures / "benchmark.png")
    gigaflops = product * flop_per_member_step() / 1e9
    folder.finish(
        {
            "experiment": "benchmark",
            "num_rounds": FLAGS.num_rounds,
            "matrix_product_gigaflop_per_second": float(np.median(gigaflops)),
            "probing_percent_median": float(np.median(probing)),
            "probing_percent_best": float(np.min(probing)),
            "member_steps_per_second": {name: median for name, median, *_ in rows},
            "times_pytorch_loop": {row[0]: row[3] for row in rows},
            "share_of_matrix_product": {row[0]: row[4] for row in rows},
            "perturbations_times_plain_loop": {row[0]: row[3] for row in perturbed},
            "seconds_for_10000_perturbations": {row[0]: row[4] for row in perturbed},
            "images_per_second": {row[0]: row[1] for row in piped},
        },
        wall_seconds=seconds,
    )
    print(f"{'member-steps/s':<28}{'median':>9}{'best':>9}{'x PyTorch':>11}{'of product':>12}")
    for name, median, best, times, share in rows:
        print(f"{name:<28}{median:>9,.4g}{best:>9,.4g}{times:>11.2f}{share:>12.0%}")
    if perturbed:
        print(
            f"{'perturbed networks/s':<28}{'median':>9}{'best':>9}{'x plain':>11}{'10,000 in':>12}"
        )
    for name, median, best, times, whole in perturbed:
        print(f"{name:<28}{median:>9,.0f}{best:>9,.0f}{times:>11.1f}{whole:>10.0f} s")
    print(f"{'augmented images/s':<28}{'median':>9}{'best':>9}{'x NumPy':>11}")
    for name, median, best, times in piped:
        print(f"{name:<28}{median:>9,.0f}{best:>9,.0f}{times:>11.1f}")
    print(f"probing every {FLAGS.probe_every} steps: {np.median(probing):.2f} % of the training")
    print(f"matrix products: {np.median(gigaflops):.0f} GFLOP/s; run folder: {folder.path}")


if __name__ == "__main__":
    runtime.launch(main)
