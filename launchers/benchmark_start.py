"""How long it takes until a training begins, and until it is done.

Runs `lf_first` with its defaults in a process of its own, cold and warm, and tells in seconds after
the start of the process: when the trainer is imported, when its first step is made, when its first
heat map is in TensorBoard, when all is done; and how long its program is traced and compiled, which
is what the first call of the trainer takes longer than its steps take in the second. Cold is with
an empty folder of caches (`XDG_CACHE_HOME`) and with the files of TensorFlow and Keras forgotten by
the operating system, as far as nobody else has them open; warm is the same command again.

    python launchers/benchmark_start.py --alsologtostderr --workdir=runs/benchmark_start

takes about 20 minutes on 2 cores. To see: the seconds until the first step, and what of
them is imports and what compilation; a heat map within 15 seconds of it (results/benchmark).
"""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

import numpy as np
from absl import flags, logging

from spectral_tf import experiments, progress, records, runtime
from spectral_tf.runtime import children

FLAGS = flags.FLAGS
runtime.define_run_flags("benchmark_start", resumes=False, distributes=False)
with runtime.flag_group("Measurement"):
    flags.DEFINE_integer("num_rounds", 2, "Rounds; each runs lf_first cold and warm.", 1)
    flags.DEFINE_integer("num_steps", 20_000, "Training steps of lf_first.", 200)
    flags.DEFINE_integer("width", 256, "Units of each hidden layer of its networks.", 1)

LAUNCHERS = pathlib.Path(__file__).parent
PACKAGES = ("tensorflow", "keras")


class Times(NamedTuple):
    """Seconds since the process was started, but for those of the compilation."""

    imported: float
    first_step: float
    first_heat_map: float
    compilation: float
    done: float


def main() -> None:
    """Measures, writes the table, and prints it."""
    folder = runtime.run_folder("benchmark_start")
    start = time.monotonic()
    # Before TensorFlow is loaded here, too, whose files could not be forgotten then.
    rounds = measure()

    import tensorflow as tf

    from spectral_tf.records.environment import environment

    folder.start(environment(tf.distribute.get_strategy(), FLAGS.seed))
    names = [f"seconds_{name}" for name in Times._fields]
    rows = [(number, kind, *times) for number, kind, times in rounds]
    records.write_table(folder.path / "start.csv", ("round", "kind", *names), rows)
    medians = {
        kind: Times(*np.median([times for _, own, times in rounds if own == kind], axis=0).tolist())
        for kind in ("cold", "warm")
    }
    experiments.conclude(
        "benchmark_start",
        folder,
        {
            "num_rounds": FLAGS.num_rounds,
            "num_steps": FLAGS.num_steps,
            "seconds_median": {kind: times._asdict() for kind, times in medians.items()},
        },
        time.monotonic() - start,
        lines=[
            f"{'lf_first, seconds':<20}" + "".join(f"{name:>13}" for name in Times._fields),
            *(
                f"{kind:<20}" + "".join(f"{seconds:>13.1f}" for seconds in of_kind)
                for kind, of_kind in medians.items()
            ),
        ],
    )


def measure() -> list[tuple[int, str, Times]]:
    """(round, cold or warm, times) of every run of the page."""
    found = []
    for number in progress.track(range(FLAGS.num_rounds), "round"):
        with tempfile.TemporaryDirectory() as scratch:
            forget(PACKAGES)
            for kind in ("cold", "warm"):
                times = timed(pathlib.Path(scratch))
                logging.info("round %d, %s: %s", number, kind, times)
                found.append((number, kind, times))
    return found


def timed(scratch: pathlib.Path) -> Times:
    """Runs the page once, with caches and run folder in a folder of ours."""
    file = scratch / "times.json"
    page = [str(LAUNCHERS / "lf_first.py"), f"--workdir={scratch / 'run'}", "--overwrite"]
    page += [f"--num_steps={FLAGS.num_steps}", f"--width={FLAGS.width}"]
    begun = time.time()
    children.run(
        [sys.executable, str(LAUNCHERS / "peers" / "timed_page.py"), str(begun), str(file), *page],
        env={**os.environ, "XDG_CACHE_HOME": str(scratch / "cache")},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    done = time.time() - begun
    told = json.loads(file.read_text())
    (one, start, first), (other, second, end) = told["calls"][:2]
    compilation = (first - start) - (end - second) * one / other
    picture = first_event(scratch / "run", "heat_map") - begun
    return Times(told["imported"], start + compilation, picture, compilation, done)


def first_event(folder: pathlib.Path, name: str) -> float:
    """When the first event whose tag has this name in it was written, in seconds of `time.time`."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    times = []
    for events in {file.parent for file in folder.rglob("*tfevents*")}:
        board = EventAccumulator(str(events), size_guidance={"tensors": 0})
        board.Reload()
        times += [
            event.wall_time
            for tag in board.Tags()["tensors"]
            if name in tag
            for event in board.Tensors(tag)
        ]
    return min(times)


def forget(packages: tuple[str, ...]) -> None:
    """Tells the operating system that the files of some packages will not be read soon."""
    for package in packages:
        spec = importlib.util.find_spec(package)
        assert spec
        assert spec.origin
        for path in pathlib.Path(spec.origin).parent.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


if __name__ == "__main__":
    runtime.launch(main)
