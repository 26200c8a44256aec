"""Tidy CSV tables: one row per observation, units in the column names."""

import csv
import pathlib
from collections.abc import Iterable, Sequence

from spectral_tf.records.files import whole_file


def write_table(
    path: pathlib.Path, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Writes a CSV file, whole or not at all.

    Floats are written with all their digits (`repr`), so that equal tables mean equal numbers.
    "Never" is `inf`; a value that does not exist (an interval over one run) is `nan`.
    """
    with whole_file(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_text(value) for value in row] for row in rows)


def _text(value: object) -> str:
    return str(value.item() if hasattr(value, "item") else value)


def averaged(num_runs: int) -> str:
    """What titles and lines say of means over runs.

    >>> averaged(1), averaged(5)
    ('one run', 'mean of 5 runs')
    """
    return "one run" if num_runs == 1 else f"mean of {num_runs} runs"


def read_table(path: pathlib.Path) -> dict[str, list[float | str]]:
    """Reads what `write_table` wrote: {column: values}, numbers as floats."""
    with open(path, newline="") as file:
        header, *rows = csv.reader(file)
    return {name: [_value(row[i]) for row in rows] for i, name in enumerate(header)}


def _value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
