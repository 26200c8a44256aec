"""Tidy CSV tables: one row per observation, units in the column names."""

import csv
import pathlib
from collections.abc import Iterable, Sequence

from spectral_tf.records.files import whole_file
from spectral_tf.spectra import Estimate

# What an estimate x takes in a table: x itself, and these.
_ESTIMATED = ("_low", "_high", "_n", "_method")


def write_table(
    path: pathlib.Path, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Writes a CSV file, whole or not at all.

    Floats are written with all their digits (`repr`), so that equal tables mean equal numbers.
    "Never" is `inf`. A single `Estimate` in a column x takes five: x, x_low, x_high, x_n and
    x_method; what cannot be had is `null` there, and the method says why.

    Args:
      path: of the file.
      columns: one name for each entry of a row.
      rows: a column holds estimates in all rows or in none.
    """
    rows = [list(row) for row in rows]
    estimated = [bool(rows) and isinstance(value, Estimate) for value in (rows or [columns])[0]]
    header: list[str] = []
    for name, wide in zip(columns, estimated, strict=True):
        header += [name, *(name + end for end in _ESTIMATED)] if wide else [name]
    with whole_file(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow([text for value in row for text in _texts(value)])


def _texts(value: object) -> list[str]:
    if not isinstance(value, Estimate):
        return [str(value.item() if hasattr(value, "item") else value)]
    numbers = [_texts(number)[0] for number in (value.value, value.low, value.high)]
    there = ["null" if number == "nan" else number for number in numbers]
    why = f"none: {value.missing}" if value.missing else value.method
    return [*there, str(value.n), f"{why}, over {value.unit}"]


def averaged(num_runs: int) -> str:
    """What titles and lines say of means over runs.

    >>> averaged(1), averaged(5)
    ('one run', 'mean of 5 runs')
    """
    return "one run" if num_runs == 1 else f"mean of {num_runs} runs"


def read_table(path: pathlib.Path) -> dict[str, list[float | str]]:
    """Reads what `write_table` wrote: {column: values}, numbers as floats, `null` as NaN."""
    with open(path, newline="") as file:
        header, *rows = csv.reader(file)
    return {name: [_value(row[i]) for row in rows] for i, name in enumerate(header)}


def _value(text: str) -> float | str:
    try:
        return float("nan" if text == "null" else text)
    except ValueError:
        return text
