"""What a function and its spectrum were at every step, small enough to be part of a page."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from etils import epath
from numpy.typing import ArrayLike, NDArray

from spectral_tf.records.learning import thinned
from spectral_tf.web.numbers import number_text, words

# Steps that a slider stops at, and functions that are kept.
MOST_STEPS = 160
# More numbers than this, and intervals are left to the table.
_MOST_NUMBERS = 60_000
# {table of spectra: its columns of frequencies and of magnitudes}.
SPECTRA = {
    "spectra": ("frequency", "magnitude"),
    "by_step_and_target_frequency": ("target_frequency", "normalised_magnitude"),
}
# What a function is kept in by the experiments that train on one.
FUNCTIONS = "functions"


class Functions(NamedTuple):
    """Learned functions at some steps.

    Attributes:
      steps: at which they are known, [f].
      positions: of the samples, [n].
      target: [g, n], of every group.
      values: [f, g, n].
    """

    steps: NDArray[np.int64]
    positions: NDArray[np.float64]
    target: NDArray[np.float64]
    values: NDArray[np.float64]


class Training(NamedTuple):
    """Spectra at every step, of one or several groups of networks.

    Attributes:
      groups: what tells them apart, in words.
      steps: [s].
      frequencies: [k].
      magnitudes: [g, s, k], NaN where there is none.
      low, high: ends of their intervals; None where there are none, or too many numbers.
      functions: of the first network, if they were kept.
    """

    groups: list[str]
    steps: NDArray[np.float64]
    frequencies: NDArray[np.float64]
    magnitudes: NDArray[np.float64]
    low: NDArray[np.float64] | None
    high: NDArray[np.float64] | None
    functions: Functions | None


def training_of(tables: Mapping[str, Mapping[str, NDArray]], folder: epath.Path) -> Training | None:
    """What the tables tell of a training step by step; None if they tell nothing.

    Args:
      tables: of the folder.
      folder: that may hold `functions.npz`.
    """
    for name, (frequency, value) in SPECTRA.items():
        table = tables.get(name, {})
        if {"step", frequency, value} <= table.keys():
            break
    else:
        return None
    if any(table[column].dtype.kind != "f" for column in ("step", frequency, value)):
        return None
    keys, numbers = _groups(table)
    steps, of_step = np.unique(table["step"], return_inverse=True)
    frequencies, of_frequency = np.unique(table[frequency], return_inverse=True)
    if len(steps) < 2:
        return None
    place = (numbers, of_step, of_frequency)
    chosen = thinned(len(steps), MOST_STEPS)

    def of(column: str) -> NDArray[np.float64]:
        filled = np.full((len(keys), len(steps), len(frequencies)), np.nan)
        filled[place] = table[column]
        return filled[:, chosen]

    magnitudes = of(value)
    ends = f"{value}_low" in table and magnitudes.size <= _MOST_NUMBERS
    return Training(
        keys,
        steps[chosen],
        frequencies,
        magnitudes,
        of(f"{value}_low") if ends else None,
        of(f"{value}_high") if ends else None,
        functions_of(tables, folder, len(keys)),
    )


def _groups(table: Mapping[str, NDArray]) -> tuple[list[str], NDArray[np.int64]]:
    """What tells the groups of a table apart, and the number of each row's."""
    columns = list(table)
    setting = {name: table[name] for name in columns[: columns.index("step")]}
    rows = list(zip(*(entries.tolist() for entries in setting.values()), strict=True))
    if not setting:
        return [""], np.zeros(len(table["step"]), np.int64)
    keys = list(dict.fromkeys(rows))
    number = {key: i for i, key in enumerate(keys)}
    names = list(setting)
    varying = [i for i in range(len(names)) if len({key[i] for key in keys}) > 1]
    told = []
    for key in keys:
        # Of several sweeps in one table the column `sweep` names the setting that varies.
        swept = dict(zip(names, key, strict=True)).get("sweep")
        own = [names.index(swept)] if swept in names else varying
        told.append(
            ", ".join(
                number_text(key[i])
                if isinstance(key[i], str)
                else f"{words(names[i])} {number_text(key[i])}"
                for i in own
            )
        )
    return told, np.array([number[row] for row in rows])


def functions_of(
    tables: Mapping[str, Mapping[str, NDArray]], folder: epath.Path, groups: int
) -> Functions | None:
    """The functions that a folder keeps: `functions.npz`, else `functions.csv`, else the last one.

    Args:
      tables: of the folder.
      folder: as said.
      groups: their number, that of the spectra.
    """
    file = folder / f"{FUNCTIONS}.npz"
    if file.is_file():
        try:
            with np.load(io.BytesIO(file.read_bytes())) as kept:
                found = Functions(
                    kept["step"].astype(np.int64),
                    kept["position"].astype(np.float64),
                    kept["target"].astype(np.float64),
                    kept["function"].astype(np.float64),
                )
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None  # It is said that it is not as the run wrote it.
        return found if found.values.shape[1] == groups else None
    if (table := tables.get(FUNCTIONS)) and groups == 1:
        return _of_table(table, "step", "position", "target", "output")
    last = tables.get("by_sample_and_output", {})
    steps = tables.get("steps", {}).get("step", np.array([]))
    whole = {"sample", "output", "samples", "targets"} <= last.keys()
    if groups == 1 and whole and len(last["output"]) and len(steps):
        first = last["output"] == last["output"][0]
        one = {name: entries[first] for name, entries in last.items()}
        one["step"] = np.full(len(one["sample"]), steps[-1])
        return _of_table(one, "step", "sample", "targets", "samples")
    return None


def _of_table(
    table: Mapping[str, NDArray], step: str, position: str, target: str, value: str
) -> Functions | None:
    if not {step, position, target, value} <= table.keys():
        return None
    if any(table[column].dtype.kind != "f" for column in (step, position, target, value)):
        return None
    steps, positions = np.unique(table[step]), np.unique(table[position])
    if len(table[step]) != len(steps) * len(positions):
        return None
    values = table[value].reshape(len(steps), 1, len(positions))
    wanted = table[target].reshape(len(steps), 1, len(positions))[-1]
    return Functions(steps.astype(np.int64), positions, wanted, values)


def packed(values: ArrayLike) -> dict[str, Any]:
    """An array as 16-bit numbers between its ends, in text; -1 (the highest) is NaN.

    Returns:
      shape, low, step (between two numbers), data: base64 of little-endian uint16.
    """
    array = np.asarray(values, np.float64)
    finite = array[np.isfinite(array)]
    low = float(finite.min()) if finite.size else 0.0
    high = float(finite.max()) if finite.size else 0.0
    step = (high - low) / 65_534 or 1.0
    numbers = np.full(array.shape, 65_535, "<u2")
    known = np.isfinite(array)
    numbers[known] = np.round((array[known] - low) / step).astype("<u2")
    return {
        "shape": list(array.shape),
        "low": low,
        "step": step,
        "data": base64.b64encode(numbers.tobytes()).decode("ascii"),
    }


def record(training: Training, unit: str) -> dict[str, Any]:
    """A training as JSON for the page's program.

    Args:
      training: as found.
      unit: of its frequencies.
    """
    functions = training.functions
    chosen = thinned(len(functions.steps) if functions else 0, MOST_STEPS // 2)
    return {
        "groups": training.groups,
        "steps": [int(step) for step in training.steps],
        "frequencies": [float(f"{frequency:.6g}") for frequency in training.frequencies],
        "unit": unit,
        "magnitudes": packed(training.magnitudes),
        "gaps": bool(np.isnan(training.magnitudes).any()),
        "low": None if training.low is None else packed(training.low),
        "high": None if training.high is None else packed(training.high),
        "functions": functions
        and {
            "steps": functions.steps[chosen].tolist(),
            "positions": packed(functions.positions),
            "target": packed(functions.target),
            "values": packed(functions.values[chosen]),
        },
    }
