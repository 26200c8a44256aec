"""What a run has measured, as plain arrays: all that a report is made from."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.records.files import atomic_write
from spectral_tf.records.former_names import current, current_entries
from spectral_tf.records.small_files import reading


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

    def save(self, path: pathlib.Path) -> None:
        """Writes an npz file, whole or not at all."""
        arrays: dict[str, ArrayLike] = {}
        for name, (steps, values) in self.series.items():
            arrays |= {f"steps/{name}": np.asarray(steps), f"values/{name}": values}
        plain = {}
        for name, fact in self.facts.items():
            if isinstance(fact, np.ndarray):
                arrays[f"facts/{name}"] = fact
            else:
                plain[name] = fact
        arrays["json"] = np.array(json.dumps(plain))
        with atomic_write(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # its stub.

    @classmethod
    def read(cls, path: pathlib.Path, flag: str = "report_only") -> Found:
        """Reads what `save` wrote.

        Args:
          path: of the file.
          flag: `report_only`, or `overwrite` of a training that is read to go on: what an error
            says to do.

        Raises:
          UserError: there is no such file, or it is not whole.
        """
        told = {
            "report_only": (
                *("report_only", "a run that has been measured to its end"),
                "make it without --report_only; if this folder is finished, in another one",
            ),
            "overwrite": (
                *("workdir", "a finished training whose file is whole"),
                "remove that file, and the same command measures it again",
            ),
        }[flag]
        with reading(path, *told):
            with np.load(path) as archive:
                arrays = {current(name): array for name, array in archive.items()}
            facts = current_entries(json.loads(str(arrays.pop("json"))))
            series = {
                name.removeprefix("steps/"): Series(
                    steps.tolist(), arrays[f"values/{name.removeprefix('steps/')}"]
                )
                for name, steps in arrays.items()
                if name.startswith("steps/")
            }
            facts |= {
                name.removeprefix("facts/"): array
                for name, array in arrays.items()
                if name.startswith("facts/")
            }
        return cls(series, facts)
