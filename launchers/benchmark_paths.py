"""What the probe of paths between images costs.

Images per second of the probe (its program traced once a round, samples made, model, spectra)
against the bare model on the same batches, made beforehand, and against the same network in PyTorch
on the same batches, compiled and in inference mode (`launchers/peers/torch_forward.py`, a process
of its own), one after the other in every round; all 55 class pairs in one process against the
published way, one process for each; and the peak memory with few and with many pairs.

    python launchers/benchmark_paths.py --alsologtostderr

takes about 7 minutes on 2 cores. To see: the share of the bare forward passes' images
per second, and a memory that does not grow with the pairs (results/benchmark_paths).
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import itertools
import pathlib
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from absl import flags, logging

from spectral_tf import data, experiments, models, progress, records, runtime
from spectral_tf.errors import UserError
from spectral_tf.experiments import contest, workloads
from spectral_tf.runtime import children

FLAGS = flags.FLAGS
runtime.define_run_flags("benchmark_paths", resumes=False, distributes=False)
runtime.define_data_flags("photo_patches")
with runtime.flag_group("Measurement"):
    flags.DEFINE_string(
        "split", "train", "Split whose images are joined; large enough for all the pairs."
    )
    flags.DEFINE_enum(
        "model", "convnet", models.CLASSIFIERS, "Network whose outputs are taken along paths."
    )
    flags.DEFINE_integer("width", 0, "Channels of its first stage; 0: the network's own.", 0)
    flags.DEFINE_integer("batch_size", 256, "Images in one call of the network.", 1)
    flags.DEFINE_integer("num_rounds", 7, "Rounds; each measures every contender once.", 1)
    flags.DEFINE_integer("round_pairs", 20, "Paths of each class pair in a round.", 1)
runtime.define_path_flags(num_samples=75)
with runtime.flag_group("Measurement"):
    flags.DEFINE_list(
        "many_pairs",
        [100, 10_000],
        "Numbers of paths of a class pair whose peak memory is measured.",
    )
    flags.DEFINE_integer(
        "num_processes", 5, "Class pairs that are measured in the published way, a process each.", 1
    )

PROBE, BARE = "probe", "bare model"
# The options of launchers/peers/torch_forward.py, which has convnet.
PEERS = {"PyTorch, compiled": "--freezing=0", "PyTorch, compiled and frozen": "--freezing=1"}

# Where magnitudes are asked for, as interpolation.py does.
AXIS = np.linspace(0, 0.45, 46)


def main() -> None:
    """Measures, writes the tables, and prints the ratios."""
    many = runtime.parse_ints("many_pairs", FLAGS.many_pairs)
    folder = runtime.run_folder("benchmark_paths")
    held_out = data.find_images(FLAGS.dataset, FLAGS.split, **runtime.data_locations())
    labels = held_out.arrays()[1]

    import tensorflow as tf

    from spectral_tf.probes.pairs import class_pairs
    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.cores import use_cores

    use_cores()  # Of a quota no more, as its peers.
    classes = range(held_out.num_classes)
    class_pairs(labels, classes, max(FLAGS.pairs, FLAGS.round_pairs), 0)  # Refuses too many.
    folder.start(environment(tf.distribute.get_strategy(), FLAGS.seed, held_out.record()))
    start = time.monotonic()
    rates = measure_rates(held_out)
    ratios = {name: rates[PROBE] / r for name, r in rates.items()}
    columns = ("contender", "images_per_second_median", "best")
    records.write_table(
        folder.path / "rates.csv",
        (*columns, "ratio_median", "ratio_best", "probe_over_it_median", "probe_over_it_best"),
        (
            (name, *middle_and_best(r), *middle_and_best(r / rates[BARE]), *middle_and_best(over))
            for (name, r), over in zip(rates.items(), ratios.values(), strict=True)
        ),
    )
    shares = {name: float(np.median(over)) for name, over in ratios.items() if name != PROBE}
    settings = {
        **{name: FLAGS[name].value for name in ("dataset", "split", "model", "width")},
        **{name: FLAGS[name].value for name in ("batch_size", "num_samples", "seed")},
        "data_locations": runtime.data_locations(),
    }
    couples = [*((c, c) for c in classes), *itertools.combinations(classes, 2)]
    processes = []
    for pairs in sorted({FLAGS.pairs, FLAGS.round_pairs}):
        whole, images = in_a_process(one_pass, settings, couples, pairs)
        rng = runtime.generator(FLAGS.seed, "couples")
        chosen = [couples[i] for i in rng.permutation(len(couples))[: FLAGS.num_processes]]
        single = [
            in_a_process(one_pass, settings, [couple], pairs)[0]
            for couple in progress.track(chosen, "process")
        ]
        published = float(np.mean(single)) * len(couples)
        processes.append((pairs, images, whole, published, published / whole))
    records.write_table(
        folder.path / "processes.csv",
        (
            *("pairs", "num_images", "seconds_in_one_process"),
            *("seconds_in_one_process_each", "times_faster"),
        ),
        processes,
    )
    memory = [
        (pairs, in_a_process(peak_memory, settings, pairs)[1])
        for pairs in progress.track(many, "measurement of memory")
    ]
    records.write_table(folder.path / "memory.csv", ("pairs", "peak_megabytes"), memory)
    growth = memory[-1][1] / memory[0][1]
    experiments.conclude(
        "benchmark_paths",
        folder,
        {
            "dataset": held_out.title,
            "num_rounds": FLAGS.num_rounds,
            "share_of_the_bare_model": shares[BARE],
            "share_of_the_bare_forward_passes": shares,
            "images_per_second": {name: float(np.median(r)) for name, r in rates.items()},
            "times_faster_than_a_process_each": {row[0]: row[4] for row in processes},
            "memory_with_most_over_fewest_pairs": growth,
        },
        time.monotonic() - start,
        lines=[
            f"probe: {np.median(rates[PROBE]):,.0f} images a second",
            *(f"{share:.1%} of {n} ({np.median(rates[n]):,.0f})" for n, share in shares.items()),
            *(
                f"{pairs} paths of each of {len(couples)} class pairs ({images:,} images): "
                f"{whole:.0f} s in one process, {published:.0f} s in one each: {times:.1f} times"
                for pairs, images, whole, published, times in processes
            ),
            *(f"peak memory with {n:,} pairs: {megabytes:,.0f} MB" for n, megabytes in memory),
        ],
    )


def middle_and_best(values: np.ndarray) -> tuple[float, float]:
    """The median and the largest."""
    return float(np.median(values)), float(values.max())


def start_peers(
    model: Any, batches: Sequence[Any], first: np.ndarray, folder: pathlib.Path
) -> dict[str, contest.Running]:
    """Programs that answer these batches with the same network in PyTorch, by name.

    None, and a line in the log, without the package or for another network than convnet.

    Args:
      model: of Keras.
      batches: [b, h, w, c] each, of one shape.
      first: logits of the first batch, which theirs have to equal.
      folder: for what they read.
    """
    if FLAGS.model != "convnet" or importlib.util.find_spec("torch") is None:
        logging.warning("PyTorch is left out: it has convnet, and needs the package torch")
        return {}
    weights = {f"weight_{i:02d}": w for i, w in enumerate(model.get_weights())}
    np.savez(folder / "batches.npz", images=np.stack(batches), **weights)
    script = pathlib.Path(__file__).parent / "peers" / "torch_forward.py"
    peers = {}
    for name, option in progress.track(PEERS.items(), "program"):
        contender = contest.Contender(script, (f"--data={folder / 'batches.npz'}", option))
        try:
            peers[name] = contest.Running(contender, contest.Setting(1, runtime.chosen_cores(0)))
        except contest.Failed as error:
            raise UserError(
                name,
                expected="a program that runs",
                got=str(error),
                hint="a compiler must be at hand; without the package torch it does not take part",
            ) from error
        differ = np.abs(peers[name].told["logits"] - first).max() / np.abs(first).max()
        if not differ < 1e-4:
            raise UserError(
                name,
                expected="the logits of the Keras model, up to rounding",
                got=f"others, by {differ:.1g} of the largest",
                hint="mend launchers/peers/torch_forward.py",
            )
    return peers


def measure_rates(images: data.Images) -> dict[str, np.ndarray]:
    """Images per second in every round, after one to warm up."""
    import tensorflow as tf

    from spectral_tf import probes as probe

    model, prepare = network(images, FLAGS.model, FLAGS.width)
    pixels, labels = images.arrays()
    pairs, _ = probe.class_pairs(labels, range(images.num_classes), FLAGS.round_pairs, 0)
    paths = probe.straight_paths(pixels, pairs, prepare, num_samples=FLAGS.num_samples)
    total = int(paths.counts.sum())
    samples = np.concatenate(list(probe.path_logits(lambda x: x, pixels, paths, prepare)))
    starts = range(0, total - FLAGS.batch_size + 1, FLAGS.batch_size)
    batches = [tf.constant(samples[start : start + FLAGS.batch_size]) for start in starts]
    del samples
    apply = tf.function(lambda x: model(x, training=False))

    def bare() -> None:
        for batch in batches:
            apply(batch).numpy()

    def probed() -> None:
        probe.measure_paths(
            *(model, pixels, labels, paths, prepare),
            frequencies=AXIS,
            batch_size=FLAGS.batch_size,
        )

    def rate_of(work: Callable[[], None], count: int) -> float:
        start = time.perf_counter()
        work()
        return count / (time.perf_counter() - start)

    contenders: dict[str, Callable[[], float]] = {
        PROBE: functools.partial(rate_of, probed, total),
        BARE: functools.partial(rate_of, bare, len(batches) * FLAGS.batch_size),
    }
    rates: dict[str, list[float]] = {}
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name, peer in start_peers(model, batches, apply(batches[0]).numpy(), folder).items():
            stack.callback(peer.close)
            contenders[name] = functools.partial(peer.rate_of, len(batches))
        for _ in progress.track(range(FLAGS.num_rounds + 1), "round"):
            for name, rate in contenders.items():
                rates.setdefault(name, []).append(rate())
    # The first round warms up.
    return {name: np.asarray(values[1:]) for name, values in rates.items()}


def network(images: data.Images, name: str, width: int) -> tuple[Any, Any]:
    """A fresh network whose outputs differ, and the preparation of its inputs."""
    from spectral_tf.data import pipeline

    shape = pipeline.fitting_shape(images)
    model = workloads.network(name, width, shape, images.num_classes, seed=0)
    return model, pipeline.prepare(data.standard(images))


def in_a_process(work: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """The seconds that a fresh process takes for a function, and what that gives."""
    start = time.perf_counter()
    given = children.in_a_process(work, *arguments)
    return time.perf_counter() - start, given


def one_pass(settings: dict[str, Any], couples: list[tuple[int, int]], pairs: int) -> int:
    """Loads images and network and measures so many paths of some class pairs; gives the images."""
    from spectral_tf import probes as probe

    images = data.find_images(settings["dataset"], settings["split"], **settings["data_locations"])
    model, prepare = network(images, settings["model"], settings["width"])
    pixels, labels = images.arrays()
    drawn = [probe.draw_pairs(labels, *couple, pairs, 0) for couple in couples]
    ends = probe.Pairs(*(np.concatenate(end) for end in zip(*drawn, strict=True)))
    paths = probe.straight_paths(pixels, ends, prepare, num_samples=settings["num_samples"])
    probe.measure_paths(model, pixels, labels, paths, prepare, batch_size=settings["batch_size"])
    return int(paths.counts.sum())


def peak_memory(settings: dict[str, Any], pairs: int) -> float:
    """Megabytes of the process when so many pairs, drawn from all images, have been measured.

    Linux only.
    """
    from spectral_tf import probes as probe

    images = data.find_images(settings["dataset"], settings["split"], **settings["data_locations"])
    model, prepare = network(images, settings["model"], settings["width"])
    pixels, labels = images.arrays()
    rng = np.random.default_rng(settings["seed"])
    first = rng.integers(len(pixels), size=pairs)
    last = (first + rng.integers(1, len(pixels), size=pairs)) % len(pixels)
    paths = probe.straight_paths(
        pixels, probe.Pairs(first, last), prepare, num_samples=settings["num_samples"]
    )
    probe.measure_paths(model, pixels, labels, paths, prepare, batch_size=settings["batch_size"])
    # Not getrusage, whose peak a new process inherits from the one that started it.
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    runtime.launch(main)
