"""Kills short runs at random moments until so many kills were made; their tables must not differ.

    python tests/soak.py --kills=200 --table=results/faults/soak.csv

takes about an hour and a half on 2 cores. Pages take turns: each is started, killed by SIGKILL or
SIGTERM at a random moment (while it loads, trains, saves, measures, draws or writes its report),
and started again, until it has finished; then its tables are held, byte for byte, against those of
a run that was left alone, and a new run begins. A run that has been killed --most times is left to
finish, so that finished runs are compared, too. The table has one row for each kill; the last line
says how many runs were compared. Ends with status 1 at the first table that differs, a traceback,
or a rerun that is refused.
"""

from __future__ import annotations

import argparse
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from typing import NamedTuple

import numpy as np

from spectral_tf.records import write_table

ROOT = pathlib.Path(__file__).parents[1]
PAGES = {
    "lf_first": (
        *("--num_runs=2", "--num_steps=4000", "--width=32", "--depth=3", "--num_samples=24"),
        *("--frequencies=1,4", "--probe_every=200", "--norms_every=1000", "--learning_rate=0.01"),
    ),
    "noise_fitting": (
        *("--dataset=digits", "--width=4", "--num_epochs=8", "--train_size=1024"),
        *("--batch_size=32", "--cycles=1", "--seeds=2", "--checkpoint_epochs=4"),
    ),
}
SIGNALS = (signal.SIGKILL, signal.SIGTERM)
# How a process ends that SIGTERM reached: by it, or after its state was saved.
ENDS = {signal.SIGKILL: (-9,), signal.SIGTERM: (-15, 143)}


class Kill(NamedTuple):
    """One row of the table.

    Attributes:
      kill: its number.
      page: of the run.
      run: its number; a run is killed several times.
      signal: that ended it.
      seconds: since its start.
      step: of the newest saved state then, -1 before the first.
      rerun: what became of the next start: killed, or finished with equal tables.
    """

    kill: int
    page: str
    run: int
    signal: str
    seconds: float
    step: int
    rerun: str


class Failed(Exception):
    """A run that did not end as it must."""


def start(page: str, folder: pathlib.Path, data_dir: str | None) -> subprocess.Popen[str]:
    """A launcher as a user starts it, saving as often as it may."""
    data = [f"--data_dir={data_dir}"] * bool(data_dir and page != "lf_first")
    command = [sys.executable, str(ROOT / "launchers" / f"{page}.py"), *PAGES[page], *data]
    command += [f"--workdir={folder}", "--save_every_seconds=1"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def tables(folder: pathlib.Path) -> dict[str, bytes]:
    """{name: bytes} of the tables of a run."""
    return {file.name: file.read_bytes() for file in sorted(folder.glob("*.csv"))}


def step_of(folder: pathlib.Path) -> int:
    """The step of the newest saved state, -1 if there is none."""
    states = [f for f in folder.glob("checkpoints/**/state*") if not f.name.startswith(".")]
    for file in sorted(states, key=lambda each: each.stat().st_mtime, reverse=True):
        try:
            with np.load(file) as archive:
                return int(archive["ensemble/step"])
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            continue
    return -1


def finish(page: str, folder: pathlib.Path, data_dir: str | None) -> float:
    """Lets a run end by itself; returns its seconds."""
    begun = time.monotonic()
    with start(page, folder, data_dir) as process:
        out, _ = process.communicate(timeout=1800)
    if process.returncode or "Traceback" in out:
        raise Failed(f"{page} in {folder} ended with {process.returncode}: {out[-2000:]}")
    return time.monotonic() - begun


def soak(args: argparse.Namespace, folder: pathlib.Path) -> list[Kill]:
    """Makes the kills; compares every run that has finished."""
    rng, found, number = random.Random(args.seed), [], 0
    whole, seconds = {}, {}
    for page in PAGES:
        seconds[page] = finish(page, folder / page, args.data_dir)
        whole[page] = tables(folder / page)
        print(f"{page}: {seconds[page]:.0f} s, {len(whole[page])} tables", flush=True)
    while len(found) < args.kills:
        page, number = list(PAGES)[number % len(PAGES)], number + 1
        path, kills = folder / f"run_{number}", 0
        try:
            while not (path / "summary.json").exists():
                if kills >= args.most or len(found) >= args.kills:
                    finish(page, path, args.data_dir)
                    continue
                kill = one_kill(page, path, rng, seconds[page], args.data_dir)
                if kill:
                    found.append(kill._replace(kill=len(found) + 1, run=number))
                    kills += 1
                    print(*found[-1], flush=True)
            if tables(path) != whole[page]:
                raise Failed(f"{page} in {path}: other tables than in {folder / page}")
        finally:  # What there is, if it fails or is stopped.
            equal = (path / "summary.json").exists() and tables(path) == whole[page]
            found = outcomes(found, number, "finished, equal tables" if equal else "FAILED")
            write_table(args.table, Kill._fields, found)
        shutil.rmtree(path)
    print(f"{len(found)} kills of {number} runs; all of them ended in equal tables")
    return found


def one_kill(
    page: str, path: pathlib.Path, rng: random.Random, seconds: float, data_dir: str | None
) -> Kill | None:
    """Starts a run and ends it at a random moment; None if it had finished before."""
    sent, wait = rng.choice(SIGNALS), rng.uniform(0, seconds)
    with start(page, path, data_dir) as process:
        try:
            out, _ = process.communicate(timeout=wait)
        except subprocess.TimeoutExpired:
            process.send_signal(sent)
            out, _ = process.communicate(timeout=600)
    if "Traceback" in out or process.returncode not in (0, *ENDS[sent]):
        raise Failed(f"{page} in {path} ended with {process.returncode}: {out[-2000:]}")
    if process.returncode == 0:
        return None
    return Kill(0, page, 0, sent.name, round(wait, 2), step_of(path), "killed again")


def outcomes(kills: list[Kill], run: int, last: str) -> list[Kill]:
    """The rows, the last one of a run with what became of it."""
    own = [i for i, kill in enumerate(kills) if kill.run == run]
    return [k._replace(rerun=last) if own and i == own[-1] else k for i, k in enumerate(kills)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--most", type=int, default=6, help="kills of one run")
    parser.add_argument("--seed", type=int, default=0, help="of moments and signals")
    parser.add_argument("--data_dir", help="prepared digits; default: TFDS's own folder")
    parser.add_argument("--table", type=pathlib.Path, default=pathlib.Path("soak.csv"))
    with tempfile.TemporaryDirectory() as scratch:
        try:
            soak(parser.parse_args(), pathlib.Path(scratch))
        except Failed as error:
            sys.exit(f"soak.py: {error}")
