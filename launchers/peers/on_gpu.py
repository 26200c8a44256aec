"""Ensembles on a GPU: ours as exported, JAX, torch.func, in float32 and TensorFloat-32.

For a machine that has jaxlib and PyTorch and needs no TensorFlow. Make the programs where
spectral_tf is installed, then copy this folder and them to the other machine:

    for tf32 in 0 1; do for members in 20 100; do
      python launchers/peers/ours_exported.py --members=$members --tf32=$tf32 \
          --export=runs/programs/${members}_$tf32
    done; done
    python launchers/peers/on_gpu.py --programs=runs/programs --folder=runs/gpu

Writes the rates of rounds in which one after the other works while the others sleep (`rates.csv`,
with PyTorch's large products as the card's peak), losses after 20 steps (`losses.csv`), the
seconds that the training of the whole figure takes, 20 networks over 60,000 steps (`full.csv`; by
all looks but the first, which compiles), the steps at which its frequencies are learned
(`learning_times.csv`; never is an empty cell), and what it ran on (`gpu.json`).
"""

from __future__ import annotations

import argparse
import csv
import datetime
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

PEERS = pathlib.Path(__file__).parent
FREQUENCIES = tuple(range(5, 51, 5))
PRECISIONS = {0: "float32", 1: "tf32"}
PRODUCT, POINTS, DEPTH, STEPS = "matrix product", 200, 6, 20
SCRIPTS = {
    "ours": ("ours_exported", "jax"),
    "JAX vmap": ("jax_vmap", "optax"),
    "torch.func, compiled": ("torch_func", "torch"),
}


def main() -> None:
    """Everything, each table as soon as it is known."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--programs", required=True, help="folders MEMBERS_TF32 of ours_exported")
    parser.add_argument("--folder", required=True, help="for the tables")
    parser.add_argument("--members", default="20,100", help="networks at once, in the rounds")
    parser.add_argument("--networks", type=int, default=20, help="of the figure")
    parser.add_argument("--width", type=int, default=256, help="units of a hidden layer")
    parser.add_argument("--edge", type=int, default=8192, help="of the factors of the products")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a measurement")
    parser.add_argument("--steps", type=int, default=60_000, help="of the figure")
    parser.add_argument("--look_every", type=int, default=100)
    asked = parser.parse_args()
    begun = time.monotonic()
    folder = pathlib.Path(asked.folder)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # Several programs share the card.
    there = {name: own for name, own in SCRIPTS.items() if importlib.util.find_spec(own[1])}
    for name in SCRIPTS.keys() - there.keys():
        print(f"{name} is left out: no {SCRIPTS[name][1]} is installed", file=sys.stderr)

    def command(name: str, number: int, tf32: int, *own: str) -> list[str]:
        program = [f"--program={asked.programs}/{number}_{tf32}"] if name == "ours" else []
        sizes = [f"--members={number}", f"--width={asked.width}", f"--depth={DEPTH}"]
        script = str(PEERS / f"{there[name][0]}.py")
        return [sys.executable, script, *sizes, f"--tf32={tf32}", *program, *own]

    both = [(tf32, name) for tf32 in PRECISIONS for name in there]
    after = f"--steps={STEPS}"
    started = [started_with(command(name, asked.networks, tf32, after)) for tf32, name in both]
    losses = [
        (PRECISIONS[tf32], name, i, loss)
        for (tf32, name), process in zip(both, started, strict=True)
        for i, loss in enumerate(json.loads(last_line(process)))
    ]
    write(folder / "losses.csv", ("precision", "contender", "member", "loss"), losses)

    rates: list[Sequence[Any]] = []
    versions: dict[str, str] = {}
    product = [sys.executable, str(PEERS / "product.py"), f"--edge={asked.edge}"]
    product.append(f"--torch={int(importlib.util.find_spec('torch') is not None)}")
    # Of a member-step: thrice the products of the outputs, but for what the first layer passes on.
    flop = POINTS * (6.0 * asked.width * (2 + (DEPTH - 2) * asked.width) - 2.0 * asked.width)

    def measure(tf32: int, number: int) -> None:
        programs = {name: command(name, number, tf32) for name in there}
        programs[PRODUCT] = [*product, f"--tf32={tf32}"]
        for name, i, rate in rounds(programs, asked.rounds, asked.seconds, versions):
            own = 2.0 * asked.edge**3 if name == PRODUCT else flop
            rates.append((PRECISIONS[tf32], number, name, i, rate, rate * own / 1e12))
        columns = ("precision", "members", "contender", "round", "per_second", "tflop_per_second")
        write(folder / "rates.csv", columns, rates)

    first, *others = [int(text) for text in asked.members.split(",")]
    for tf32 in PRECISIONS:
        measure(tf32, first)

    times: list[Sequence[Any]] = []
    full: list[Sequence[Any]] = []
    for name in there:
        for tf32, precision in PRECISIONS.items():
            file = folder / f"{there[name][0]}_{precision}.npz"
            looks = (f"--look_every={asked.look_every}", f"--outputs={file}")
            steps = f"--steps={asked.steps}"
            last_line(started_with(command(name, asked.networks, tf32, steps, *looks)))
            with np.load(file) as found:
                learned = learning_times(found["steps"], found["outputs"])
                seconds = float(found["seconds"][1:].mean() * len(found["seconds"]))
            file.unlink()
            rate = asked.networks * asked.steps / seconds
            full.append((precision, name, asked.steps, seconds, rate))
            times += [
                (precision, name, e, frequency, "" if np.isinf(step) else float(step))
                for e, of_member in enumerate(learned)
                for frequency, step in zip(FREQUENCIES, of_member, strict=True)
            ]
            columns = ("precision", "contender", "steps", "seconds", "member_steps_per_second")
            write(folder / "full.csv", columns, full)
            columns = ("precision", "contender", "member", "frequency", "step")
            write(folder / "learning_times.csv", columns, times)

    for number in others:
        for tf32 in PRECISIONS:
            measure(tf32, number)
    about = {
        "card": card(),
        "versions": versions,
        "flags": {k: v for k, v in vars(asked).items() if k not in ("programs", "folder")},
        "ended": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - begun),
    }
    (folder / "gpu.json").write_text(json.dumps(about, indent=2) + "\n")


def rounds(
    programs: Mapping[str, Sequence[str]], number: int, seconds: float, versions: dict[str, str]
) -> Iterable[tuple[str, int, float]]:
    """(name, round, units a second): all are started and compiled, then work in turns."""
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    working = {name: subprocess.Popen([*p, "--serve"], **pipes) for name, p in programs.items()}

    def line(name: str) -> list[str]:
        stream = working[name].stdout
        assert stream
        text = stream.readline()
        if not text:
            raise SystemExit(f"{name} ended: see above")
        return text.split(maxsplit=1)

    def took(name: str, steps: int) -> float:
        stream = working[name].stdin
        assert stream
        stream.write(f"{steps}\n")
        stream.flush()
        return float(line(name)[1])

    try:
        told = {name: json.loads(line(name)[1]) for name in programs}
        versions.update({name: of["versions"] for name, of in told.items()})
        steps = dict.fromkeys(programs, 10)
        for name in programs:
            for length in (0.2, seconds):  # The second is near what is asked for.
                steps[name] = max(1, round(steps[name] * length / took(name, steps[name])))
        for i in range(number):
            for name in programs:
                rate = told[name]["each"] * steps[name] / took(name, steps[name])
                yield name, i, rate
    finally:
        for process in working.values():
            process.kill()
            process.wait()


def learning_times(steps: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """The first step at which half of each frequency is learned, [e, k]; interpolated, inf: never.

    Args:
      steps: [s].
      outputs: at points j / n, [s, e, n], of sums of sines of amplitude 1.
    """
    spectrum = np.fft.rfft(outputs, axis=-1) / outputs.shape[-1]
    magnitudes = 2 * np.abs(spectrum[..., FREQUENCIES])
    reached = magnitudes >= 0.5
    i = reached.argmax(0)
    after = np.take_along_axis(magnitudes, i[None], 0)[0]
    before = np.take_along_axis(magnitudes, np.maximum(i - 1, 0)[None], 0)[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(i > 0, (0.5 - before) / (after - before), 0.0)
    first = steps[np.maximum(i - 1, 0)]
    return np.where(reached.any(0), first + share * (steps[i] - first), np.inf)


def started_with(command: Sequence[str]) -> subprocess.Popen[str]:
    """A script at work, whose errors are shown."""
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def last_line(process: subprocess.Popen[str]) -> str:
    """What a script prints at last."""
    text, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{process.args!r} ended with {process.returncode}: see above")
    return text.splitlines()[-1]


def card() -> str:
    """What the driver calls it, and its version."""
    asked = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    except OSError:
        return "no NVIDIA driver"


def write(path: pathlib.Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


if __name__ == "__main__":
    main()
