"""What a save costs along a run.

A training saves its weights, the slots of its optimiser and what it has measured so far. The last
grows; what a save writes must not. Two tables show it:

* `saves.csv`, of long runs: the states of experiments at their defaults are filled with random
  numbers, and saved after every twentieth of the run as a training saves them, with the history
  that there is by then. Beside it, in bytes, a file of the same arrays with all of the history
  inside;
* `pages.csv`, of every experiment that trains: it is run up to its report, with one network of its
  default size and few steps, in a process of its own that saves after every call of the device and
  tells what each whole save took. Of several trainings the one with the largest state
  counts.

    python launchers/benchmark_saves.py --alsologtostderr

takes about 7 minutes on 2 busy cores, of which the long runs are 15 seconds (`--pages=` leaves the
others out). To see: bytes at the end as at the beginning, but for the part of the history that a
state holds itself, about 256 KiB at most (results/benchmark_saves).
"""

from __future__ import annotations

import io
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags

from spectral_tf import experiments, models, progress, records, runtime
from spectral_tf.records.state_files import StateFiles
from spectral_tf.runtime import children

if TYPE_CHECKING:
    import keras

FLAGS = flags.FLAGS
runtime.define_run_flags("benchmark_saves", resumes=False, distributes=False)
with runtime.flag_group("Measurement"):
    flags.DEFINE_integer("num_rounds", 5, "Rounds; each makes all saves of all runs once.", 1)
    flags.DEFINE_integer(
        "divide_by", 1, "Divisor of the widths of networks and of the lengths of runs.", 1
    )
runtime.define_data_dir_flag()

SAVES = 20

IMAGES = ("--dataset=digits", "--seeds=1")
PATHS = ("--pairs=4", "--num_samples=8")
ONE = ("--num_runs=1", "--num_steps=2000")
# Flags with which the pages that train are run: networks as by default, and few of them.
PAGES: dict[str, tuple[str, ...]] = {
    "lf_first": ONE,
    "robustness": (*ONE, "--num_norms=4", "--num_directions=3"),
    "manifold": (*ONE, "--petals=4", "--num_samples=500"),
    "manifold_grid": ("--num_steps=2000", "--petals=10", "--frequencies=50", "--num_samples=500"),
    "architecture": (*ONE, "--sweeps=depth", "--depths=6", "--probe_every=100"),
    "precision": ("--num_steps=2000", "--num_runs=2", "--precisions=bfloat16"),
    "own_models": (*ONE, "--networks=siren", "--learning_rates=0.0003"),
    "theory": (*ONE, "--volume_networks=1000"),
    "kernel_projection": (*ONE, "--dataset=digits", "--noises=white"),
    "mnist_noise": (*ONE, "--dataset=digits", "--curves=0:0"),
    "mnist_manifold": (*ONE, "--dataset=digits", "--autoencoder_steps=500"),
    "noise_fitting": (*IMAGES, "--cycles=1"),
    "interventions": (*IMAGES, *PATHS, "--sweeps=time", "--between_pairs=1"),
    "class_diversity": (*IMAGES, *PATHS),
    "class_diversity_merged": (
        *(*IMAGES, *PATHS, "--between_pairs=1", "--merges=1,5"),
        *("--groupings=random", "--random_groupings=1"),
    ),
    "interpolation": (*IMAGES, *PATHS, "--between_pairs=1"),
    "elastic_bands": (*IMAGES, "--images=2", "--num_samples=9"),
    "fourier_sensitivity": (*IMAGES, "--num_images=41", "--norm=2"),
}
with runtime.flag_group("Measurement"):
    flags.DEFINE_list("pages", list(PAGES), f"Experiments to run: some of {', '.join(PAGES)}.")

# Runs a page that saves whenever it may (flags ask for a second between two saves at least), up to
# its report.
_SAVING = """
import os, runpy, sys
from spectral_tf.experiments import page
page.save_every = lambda: 0.0
page.Page.finish = lambda *_: os._exit(0)
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""
_SAVED = re.compile(r"\] (.+): step ([\d,]+) saved in ([\d.]+) s, ([\d,]+) bytes$", re.MULTILINE)


class Run(NamedTuple):
    """What a page saves.

    Attributes:
      network: of one member.
      num_members: trained at once.
      num_slots: arrays of the optimiser for each weight.
      last_step: of the run.
      series: {what is measured: (numbers at a time, steps between two times)}.
    """

    network: keras.Model
    num_members: int
    num_slots: int
    last_step: int
    series: dict[str, tuple[int, int]]


class Save(NamedTuple):
    """One save of a page that was run.

    Attributes:
      training: of the page.
      step: of that.
      seconds: of the whole save.
      num_bytes: written, without events.
    """

    training: str
    step: int
    seconds: float
    num_bytes: int


def main() -> None:
    """Saves, writes the tables, and prints them."""
    if FLAGS.pages:  # None: the long runs alone.
        runtime.parse_choices("pages", FLAGS.pages, list(PAGES))
    folder = runtime.run_folder("benchmark_saves")

    import tensorflow as tf

    from spectral_tf.records.environment import environment

    folder.start(environment(tf.distribute.get_strategy(), FLAGS.seed))
    start = time.monotonic()
    found = {"saves": long_runs(folder), "pages": every_page(folder)}
    experiments.conclude("benchmark_saves", folder, found, time.monotonic() - start)


def long_runs(folder: records.RunFolder) -> dict[str, dict[str, int]]:
    """Saves states along long runs; the table of that, and what its summary tells."""
    rows, summary = [], {}
    for name, run in runs().items():
        rounds = [saved(run) for _ in range(FLAGS.num_rounds)]
        seconds = np.median([[save[1] for save in of_round] for of_round in rounds], axis=0)
        own = [
            (name, step, float(s), size, size_inside)
            for (step, _, size, size_inside), s in zip(rounds[0], seconds, strict=True)
        ]
        rows += own
        early = min(own, key=lambda row: abs(row[1] - min(1_000, run.last_step / 10)))
        largest = max(row[3] for row in own)
        summary[name] = {
            "bytes_early": early[3],
            "bytes_last": own[-1][3],
            "bytes_largest": largest,
            "bytes_last_with_history_inside": own[-1][4],
        }
        for _, step, took, size, inside in (early, own[-1]):
            print(
                f"{name}, step {step:,}: {took:.3f} s, {size:,} bytes ({inside:,} with the whole "
                "history inside)"
            )
        print(f"{name}: the largest of {SAVES} saves has {largest:,} bytes")
    columns = ("page", "step", "seconds_median", "bytes", "bytes_with_history_inside")
    records.write_table(folder.path / "saves.csv", columns, rows)
    return summary


def every_page(folder: records.RunFolder) -> dict[str, dict[str, float]]:
    """Runs pages; the table of their saves, and what its summary tells."""
    rows, summary = [], {}
    for page in progress.track(FLAGS.pages, "experiment"):
        saves = saves_of(page)
        median = float(np.median([save.seconds for save in saves]))
        largest = max(save.num_bytes for save in saves)
        for when, save in (("early", early_of(saves)), ("last", saves[-1])):
            rows.append((page, when, *save, median, largest, len(saves)))
            print(
                f"{page}, {save.training}, step {save.step:,}: {save.seconds:.3f} s, "
                f"{save.num_bytes:,} bytes"
            )
        summary[page] = {
            "bytes_early": rows[-2][5],
            "bytes_last": rows[-1][5],
            "bytes_largest": largest,
            "seconds_median": median,
        }
    columns = (
        *("page", "when", "training", "step", "seconds", "bytes"),
        *("seconds_median", "bytes_largest", "num_saves"),
    )
    records.write_table(folder.path / "pages.csv", columns, rows)
    return summary


def early_of(saves: list[Save]) -> Save:
    """The one at step 1,000; at a tenth of a training that has less than twice that."""
    last = saves[-1].step
    wanted = 1_000 if last >= 2_000 else last / 10
    return min(saves, key=lambda save: abs(save.step - wanted))


def saves_of(page: str) -> list[Save]:
    """The saves of that training of a page whose state is the largest at its end."""
    own = list(PAGES[page])
    own += [f"--data_dir={FLAGS.data_dir}"] * ("--dataset=digits" in own and bool(FLAGS.data_dir))
    script = pathlib.Path(__file__).with_name(f"{page}.py")
    with tempfile.TemporaryDirectory() as scratch:
        status, _, told = children.run(
            [
                *(sys.executable, "-c", _SAVING, str(script), *own, f"--seed={FLAGS.seed}"),
                *(f"--workdir={scratch}/run", "--verbosity=1"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    trainings: dict[str, list[Save]] = {}
    for training, step, seconds, size in _SAVED.findall(told):
        step, size = step.replace(",", ""), size.replace(",", "")
        save = Save(training, int(step), float(seconds), int(size))
        trainings.setdefault(training, []).append(save)
    if status or not trainings:
        raise RuntimeError(f"{page} ended with {status}: {told[-2_000:]}")
    return max(trainings.values(), key=lambda saves: saves[-1].num_bytes)


def runs() -> dict[str, Run]:
    """What pages save at their defaults, and one at the size of its paper."""
    from spectral_tf.models.small import convnet

    by = FLAGS.divide_by
    mlp = models.Mlp(-(-256 // by), 6, "relu").build(seed=0)
    classifier = convnet(width=-(-16 // by))
    numbers = {"numbers of an epoch": 8}  # Losses, slopes, accuracy: one each.

    def epochs(count: int, steps: int, num_images: int) -> Run:
        of_image = {"log-ratios": num_images // by}
        series = {name: (size, steps) for name, size in {**numbers, **of_image}.items()}
        return Run(classifier, 1, 1, count * steps, series)

    return {
        "lf_first": Run(
            mlp,
            4,
            2,
            20_000 // by,
            {
                "magnitudes": (40, 100),
                "losses": (4, 100),
                "function": (200, 100),
                "norms": (24, 1_000),
            },
        ),
        "noise_fitting": epochs(20, 40, 2_000),
        "noise_fitting, 200 epochs of CIFAR-10": epochs(200, 196, 10_000),
    }


def saved(run: Run) -> list[tuple[int, float, int, int]]:
    """Step, seconds, bytes, and bytes with the whole history inside, of each save of a run."""
    rng = runtime.generator(FLAGS.seed, "saves")
    values = {name: rng.normal(size=size) for name, (size, _) in run.series.items()}
    state = state_of(run)
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        folder, sealed = pathlib.Path(scratch), -1
        files = StateFiles(folder / "state.npz")
        for step in np.linspace(0, run.last_step, SAVES + 1).astype(int)[1:].tolist():
            whole, tail = (history(run, values, begin, step) for begin in (-1, sealed))
            count = sum(len(array) for name, array in whole.items() if name.startswith("steps/"))
            before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
            start = time.perf_counter()
            closed = files.save({**state, "ensemble/step": np.asarray(step)}, tail, count)
            seconds = time.perf_counter() - start
            sealed = step if closed else sealed
            written = sum(
                file.stat().st_size
                for file in folder.iterdir()
                if before.get(file.name) != file.stat().st_mtime_ns
            )
            found.append((step, seconds, written, size_inside(state, whole)))
    return found


def state_of(run: Run) -> dict[str, np.ndarray]:
    """Arrays as a training of this network has them, of random numbers."""
    rng = runtime.generator(FLAGS.seed, "weights")
    shapes = [(run.num_members, *variable.shape) for variable in run.network.variables]
    weights = {
        f"ensemble/{part:03d}/{i:03d}": rng.normal(size=shape).astype(np.float32)
        for part in range(1 + run.num_slots)
        for i, shape in enumerate(shapes)
    }
    return {**weights, "diverged_at_step": np.full(run.num_members, -1)}


def history(
    run: Run, values: dict[str, np.ndarray], after: int, until: int
) -> dict[str, np.ndarray]:
    """What was measured after one step and until another."""
    found = {}
    for name, (_, every) in run.series.items():
        steps = np.arange(0, until + 1, every)
        steps = steps[steps > after]
        if steps.size:
            found[f"steps/{name}"] = steps
            found[f"values/{name}"] = np.tile(values[name], (len(steps), 1))
    return found


def size_inside(state: dict[str, np.ndarray], whole: dict[str, np.ndarray]) -> int:
    """Bytes of one file of all these arrays."""
    file = io.BytesIO()
    np.savez(file, **state, **whole)  # type: ignore[arg-type]  # its stub takes only flags.
    return file.tell()


if __name__ == "__main__":
    runtime.launch(main)
