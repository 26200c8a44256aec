"""What a run has measured, as plain arrays: all that a report is made from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.records.arrays import Damaged, open_arrays, write_arrays
from spectral_tf.records.former_names import current_entries
from spectral_tf.records.identity import Identity


class Series(NamedTuple):
    """One measure while a run went on.

    Attributes:
      steps: at which it was taken, [s].
      values: shape [s, ...]; NaN where a network had stopped.
    """

    steps: list[int]
    values: NDArray[np.float64]

    def at(self, step: int) -> NDArray[np.float64]:
        """The values of one step."""
        return self.values[self.steps.index(step)]

    def rates(self) -> NDArray[np.float64]:
        """Steps a second, of seconds that were counted while they were made, [s, ...] -> [...].

        The median between two times. The first two are left out, in which programs are compiled,
        and so is where a resumed run has begun to count anew. NaN where none is left.
        """
        taken = np.diff(self.values, axis=0)[1:]
        made = np.diff(self.steps)[1:].reshape(-1, *[1] * (taken.ndim - 1))
        with np.errstate(divide="ignore"):
            rates = np.where(taken > 0, made / taken, np.nan)
        return np.nanmedian(rates, axis=0) if len(rates) else np.full(taken.shape[1:], np.nan)


class Found:
    """Series by name, and facts beside them: numbers, texts, lists, arrays.

    Args:
      series: {name: what was measured, step by step}.
      facts: {name: what is said once}; JSON values, or arrays.
    """

    def __init__(
        self, series: Mapping[str, Series] | None = None, facts: Mapping[str, Any] | None = None
    ) -> None:
        self.series, self.facts = dict(series or {}), dict(facts or {})

    def __getitem__(self, name: str) -> Series:
        return self.series[name]

    def fact(self, name: str) -> Any:
        """What is said once.

        Raises:
          KeyError: nothing is said of that name.
        """
        return self.facts[name]

    def speed(self, member_steps: int) -> dict[str, Any]:
        """What a summary says of diverged runs and of the pace of the training.

        Args:
          member_steps: updates of all networks.
        """
        seconds = self.facts["seconds"]
        return {
            "diverged_at_step": self.facts["diverged"],
            "member_steps_per_second": member_steps / seconds,
            "probing_percent_of_time": 100 * self.facts["probe_seconds"] / seconds,
        }

    def save(self, path: str | os.PathLike[str], identity: Identity | None = None) -> None:
        """Writes an npz file, whole or not at all.

        Args:
          path: of the file.
          identity: of the training that it was found of.
        """
        arrays: dict[str, ArrayLike] = identity.arrays() if identity else {}
        for name, (steps, values) in self.series.items():
            arrays |= {f"steps/{name}": np.asarray(steps), f"values/{name}": values}
        plain = {}
        for name, fact in self.facts.items():
            if isinstance(fact, np.ndarray):
                arrays[f"facts/{name}"] = fact
            else:
                plain[name] = fact
        arrays["json"] = np.array(json.dumps(plain))
        write_arrays(path, arrays, compressed=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str], identity: Identity | None = None) -> Found:
        """Reads what `save` wrote.

        Args:
          path: of the file.
          identity: of the training that it must be of, where the file says so.

        Raises:
          FileNotFoundError: there is no such file.
          Damaged: it is not what was written.
          UserError: it is of another training.
        """
        with open_arrays(path) as saved:
            if identity:
                identity.holds(saved, path)
            try:
                facts = current_entries(json.loads(str(saved["json"])))
                if not isinstance(facts, dict):
                    raise ValueError("its facts are no mapping")
            except ValueError as error:
                raise Damaged(str(error)) from error
            steps, values = saved.group("steps/"), saved.group("values/")
            facts |= saved.group("facts/")
        if missing := steps.keys() ^ values.keys():
            raise Damaged(f"{min(missing)} without its steps or values")
        return cls({name: Series(steps[name].tolist(), values[name]) for name in steps}, facts)

    @classmethod
    def read(cls, path: str | os.PathLike[str], identity: Identity | None = None) -> Found:
        """The same of a run whose report is to be made again.

        Raises:
          UserError: there is no such file, it is not whole, or of another run.
        """
        try:
            return cls.load(path, identity)
        except (OSError, Damaged) as error:
            raise UserError(
                "report_only",
                expected="a run that has been measured to its end",
                got=f"{path} ({type(error).__name__}: {error})",
                hint="make it without --report_only; if this folder is finished, in another one",
            ) from error
