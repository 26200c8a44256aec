"""Networks taken from a run that is finished."""

import dataclasses
import hashlib
import os
import re
from collections.abc import Mapping

import numpy as np
from absl import logging
from etils import epath
from numpy.typing import NDArray

from spectral_tf import program
from spectral_tf.errors import UserError
from spectral_tf.records.arrays import Arrays, Damaged
from spectral_tf.records.flagfile import FLAGFILE, read_flags, read_lines
from spectral_tf.records.folder import RunFolder
from spectral_tf.records.identity import Identity
from spectral_tf.records.small_files import reading
from spectral_tf.records.state_files import NAMES, StateFiles
from spectral_tf.storage import as_path

_NEEDED = {"ensemble/step", "ensemble/diverged_at_step"}
# What of a state is read here: no slots of optimisers, no history.
_OF_NETWORKS = re.compile(r"ensemble/(step|diverged_at_step|(weights|non_trainable|others)/.*)$")


@dataclasses.dataclass(frozen=True)
class TrainedNetworks:
    """The networks that a run ended with.

    Attributes:
      flags: {flag name: its text} of the run.
      weights: for each trainable variable one float32 array [e, *shape].
      states: the same for the other variables.
    """

    flags: Mapping[str, str]
    weights: list[NDArray]
    states: list[NDArray]

    @property
    def digest(self) -> str:
        """SHA-256 of weights and states."""
        arrays = (np.ascontiguousarray(array).tobytes() for array in (*self.weights, *self.states))
        return hashlib.sha256(b"".join(arrays)).hexdigest()

    @property
    def num_networks(self) -> int:
        """Their number e."""
        return len(self.weights[0])


def trained_networks(
    path: str | os.PathLike[str], experiment: str, flag: str = "--from_run"
) -> TrainedNetworks:
    """Reads the networks of a finished run; those that diverged are left out.

    Args:
      path: the run folder, or the state file in it.
      experiment: the launcher that must have made the run.
      flag: how an error calls the path.

    Raises:
      UserError: no such run, one of another launcher, an unfinished one, or one without its saved
        state (results folders have none: their networks must be trained again).
    """

    def refuse(got: str, hint: str) -> UserError:
        return UserError(flag, expected=f"a finished run of {experiment}", got=got, hint=hint)

    given = as_path(path, flag)
    folder = given.parent.parent if given.suffix == ".npz" else given
    if not folder.is_dir():
        raise refuse(
            f"no folder {folder}", f"make it: {program.command(experiment)} --workdir={folder}"
        )
    flags = read_flags(folder)
    if flags is None:
        raise refuse(f"{folder} without run.flags", "name the --workdir of a run")
    run = RunFolder(folder, {}, writes=False)
    if not (folder / "summary.json").exists():
        raise refuse(f"{folder}, unfinished", "finish it: start its command again")
    if (found := run.summary().get("experiment")) != experiment:
        raise refuse(f"{folder}, a run of {found}", "name another run")
    steps = number_of(flags, "num_steps", folder, flag)
    own = set(read_lines(folder))
    bad: list[str] = []

    def networks(saved: Arrays, file: epath.Path) -> dict[str, NDArray]:
        told = Identity.told_by(saved)
        if told and not set(told.flags) <= own:
            raise refuse(f"{file} of another run", f"{again}...")
        if missing := _NEEDED - set(saved.names):
            raise Damaged(f"without {', '.join(sorted(missing))}")
        return {name: saved[name] for name in saved.names if _OF_NETWORKS.match(name)}

    again = f"repeat it: {program.command(experiment)} --flagfile={folder}/run.flags --workdir="
    if given != folder and not (given.name in NAMES and given.exists()):
        raise refuse(f"{folder} without {given.name}", f"{again}...")
    saved = StateFiles(run.state_file, writes=False).newest(networks, bad)
    if saved is None:
        raise refuse("; ".join(bad) or f"{folder} without {NAMES[0]}", f"{again}...")
    for told in bad:
        logging.warning("%s: %s; the other state is taken", flag, told)
    step, going = int(saved["ensemble/step"]), saved["ensemble/diverged_at_step"] < 0
    if step != steps or not going.any():
        raise refuse(f"{folder} of step {step:,} of {steps:,}", f"{again}...")

    def group(name: str) -> list[NDArray]:
        names = sorted(key for key in saved if key.startswith(f"ensemble/{name}/"))
        return [saved[key][going] for key in names]

    return TrainedNetworks(flags, group("weights"), group("non_trainable") or group("others"))


def number_of(
    flags: Mapping[str, str], name: str, folder: str | os.PathLike[str], flag: str
) -> int:
    """A whole number that a run's flags give.

    Args:
      flags: of the run, as `read_flags` gives them.
      name: of a flag of it.
      folder: of the run.
      flag: how an error calls that.

    Raises:
      UserError: its flagfile is damaged.
    """
    with reading(as_path(folder) / FLAGFILE, flag, f"--{name} of a run"):
        return int(flags[name])
