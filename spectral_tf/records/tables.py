"""Tidy CSV tables: one row per observation, units in the column names."""

import csv
import io
import itertools
import math
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from etils import epath
from numpy.typing import NDArray

from spectral_tf.records.former_names import current_column, current_text
from spectral_tf.spectra import Estimate
from spectral_tf.storage import atomic_write, local_copy

# Columns that hold names.
_TEXTS = ("statement", "reading", "primary", "measure", "transform")
# What an estimate x takes in a table: x itself, and these; those with a p-value two more.
_ESTIMATED = ("_low", "_high", "_n", "_method")
_TESTED = ("_p", "_least_p")


class Table(NamedTuple):
    """A table as `write_table` takes it.

    Attributes:
      columns: one name for each entry of a row.
      rows: of numbers, texts and estimates.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


def tidy(axes: Mapping[str, Sequence[Any] | NDArray], **values: NDArray | Estimate) -> Table:
    """One row for every entry of arrays: its coordinates, then its values.

    Args:
      axes: {column: coordinates}, in the order of the arrays' axes; the last one runs fastest.
      values: {column: array, or estimate, of that shape}.

    >>> table = tidy({"step": [0, 10], "run": [0, 1]}, loss=np.array([[4, 3], [2, 1]]))
    >>> table.columns, [int(value) for value in table.rows[2]]
    (('step', 'run', 'loss'), [10, 0, 2])
    """
    shape = tuple(len(coordinates) for coordinates in axes.values())
    for name, array in values.items():
        given = np.shape(array.value if isinstance(array, Estimate) else array)
        assert given == shape, f"{name} has shape {given}, its axes {shape}"
    coordinates = itertools.product(*axes.values())
    rows = [
        (*coordinate, *(array[index] for array in values.values()))
        for coordinate, index in zip(coordinates, np.ndindex(shape), strict=True)
    ]
    return Table((*axes, *values), rows)


def joined(parts: Mapping[tuple[object, ...], Table], columns: Sequence[str]) -> Table:
    """Tables of the same columns below each other, behind what distinguishes them.

    Args:
      parts: {values of `columns`: table}.
      columns: named first.
    """
    first = next(iter(parts.values()))
    rows = [(*key, *row) for key, part in parts.items() for row in part.rows]
    return Table((*columns, *first.columns), rows)


def write_table(path: epath.Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Writes a CSV file, whole or not at all.

    Floats are written with all their digits (`repr`), so that equal tables mean equal numbers.
    "Never" is `inf`. A single `Estimate` in a column x takes five: x, x_low, x_high, x_n and
    x_method, and two more, x_p and x_least_p, where one of the column has a p-value; what cannot be
    had is `null` there, and the method says why. `estimates` reads them back.

    Args:
      path: of the file.
      columns: one name for each entry of a row.
      rows: a column holds estimates in all rows or in none.
    """
    rows = [list(row) for row in rows]
    kinds = [_kind([row[i] for row in rows]) for i in range(len(columns))]
    header = [name + end for name, ends in zip(columns, kinds, strict=True) for end in ("", *ends)]
    with atomic_write(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            cells = zip(row, kinds, strict=True)
            writer.writerow([text for value, ends in cells for text in _texts(value, ends)])


def _kind(column: Sequence[object]) -> tuple[str, ...]:
    """What the entries of a column take beside their own name."""
    estimated = [value for value in column if isinstance(value, Estimate)]
    if not estimated:
        return ()
    tested = any(value.p_value is not None for value in estimated)
    return _ESTIMATED + (_TESTED if tested else ())


def _texts(value: object, ends: Sequence[str] = ()) -> list[str]:
    if not ends:
        return [str(value.item() if hasattr(value, "item") else value)]
    assert isinstance(value, Estimate), "a column holds estimates in all rows or in none"
    numbers: list[object] = [value.value, value.low, value.high]
    tested = [value.p_value, value.least_p_value] if len(ends) > len(_ESTIMATED) else []
    told = [*(_texts(n)[0] for n in numbers), str(value.n), _method(value)]
    told += [str(number) for number in tested]
    return ["null" if text in ("nan", "None") else text for text in told]


def _method(estimate: Estimate) -> str:
    told = f"none: {estimate.missing}" if estimate.missing else estimate.method
    return f"{told}, over {estimate.unit}"


def estimates(table: Mapping[str, Sequence[float | str] | NDArray], name: str) -> list[Estimate]:
    """The estimates of a column of a table that `read_table` read.

    Args:
      table: as `read_table` or `Tables` give it.
      name: of the column, x of x, x_low, ...

    Raises:
      KeyError: no such column of estimates.
    """

    def number(end: str, i: int) -> float | None:
        value = float(table[name + end][i]) if name + end in table else math.nan
        return None if math.isnan(value) else value

    found = []
    for i, value in enumerate(table[name]):
        told, over, unit = str(table[f"{name}_method"][i]).rpartition(", over ")
        told, unit = (told, unit) if over else (unit, "")  # Of a table made before units were kept.
        missing = told.removeprefix("none: ") if told.startswith("none: ") else ""
        low, high, n = (float(table[name + end][i]) for end in _ESTIMATED[:3])
        found.append(
            Estimate(
                value=np.asarray(float(value)),
                low=np.asarray(low),
                high=np.asarray(high),
                n=int(n),
                unit=unit,
                method="none" if missing else told,
                missing=missing,
                p_value=number("_p", i),
                least_p_value=number("_least_p", i),
            )
        )
    return found


def estimate_lines(
    title: str, estimates_: Mapping[str, Estimate], form: str = ".2f", *, never: str = "never"
) -> list[str]:
    r"""Estimates below each other, as a screen shows them; what all share is said once, on top.

    Args:
      title: what they are.
      estimates_: {name: a number}.
      form: of the numbers.
      never: what stands for infinity.

    >>> from spectral_tf.spectra import mean_over_runs
    >>> found = {"depth 3": mean_over_runs([1.0, 2.0]), "depth 10": mean_over_runs([3.0, 3.0])}
    >>> print(*estimate_lines("loss", found, ".1f"), sep="\n")
    loss (95 % intervals, n = 2 runs)
       depth 3: 1.5 (-4.9 to 7.9)
      depth 10: 3.0 (3.0 to 3.0)
    """
    known = [not np.isnan([e.value, e.low, e.high]).any() for e in estimates_.values()]
    shared = {
        f"95 % intervals, n = {e.n} {e.unit}" if whole else f"no intervals: {e.missing}"
        for e, whole in zip(estimates_.values(), known, strict=True)
    }
    valued = not any(np.isnan(e.value) for e in estimates_.values())
    once = len(shared) == 1 and valued
    width = 2 + max(map(len, estimates_), default=0)
    lines = [f"{title} ({shared.pop()})" if once else title]
    for (name, e), whole in zip(estimates_.items(), known, strict=True):
        text = e.text(form, never=never)
        if once:
            value, low, high = (
                never if np.isposinf(x) else format(float(x), form)
                for x in (e.value, e.low, e.high)
            )
            text = f"{value} ({low} to {high})" if whole and not np.isposinf(e.low) else value
        lines.append(f"{name:>{width}}: {text}")
    return lines


def averaged(num_runs: int) -> str:
    """What titles and lines say of means over runs.

    >>> averaged(1), averaged(5)
    ('one run', 'mean of 5 runs')
    """
    return "one run" if num_runs == 1 else f"mean of {num_runs} runs"


def read_table(path: epath.Path) -> dict[str, list[float | str]]:
    """Reads what `write_table` wrote: {column: values}, numbers as floats, `null` as NaN.

    Names and words of older tables become those of now (`former_names`).
    """
    header, *rows = csv.reader(io.StringIO(path.read_bytes().decode(), newline=""))
    return _columns(header, rows)


class Head(NamedTuple):
    """How a table begins.

    Attributes:
      columns: {column: its first entries}, as of `Tables`.
      num_rows: of the whole table.
    """

    columns: Mapping[str, NDArray]
    num_rows: int


def read_head(path: epath.Path, most: int) -> Head:
    """Reads the first rows of a table, and counts them all, row by row: it may be of any size.

    Args:
      path: of the file.
      most: rows to read.

    Raises:
      ValueError: a row has not as many entries as the first line, or the file ends within one.
    """
    with local_copy(path) as file, open(file, newline="", encoding="utf-8") as text:
        rows = csv.reader(text)
        header = next(rows, [])
        first, count = [], 0
        for row in rows:
            count += 1
            if len(row) != len(header):
                raise ValueError(f"row {count:,} has {len(row)} entries of {len(header)}")
            if count <= most:
                first.append(row)
        if not header:
            raise ValueError("it has no first line")
        with open(file, "rb") as end:
            end.seek(-1, os.SEEK_END)
            if end.read() != b"\n":
                raise ValueError("it ends within a row")
    return Head(_arrays(_columns(header, first)), count)


def _columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, list[float | str]]:
    """{column: values} of cells, by the names of now."""
    named = [current_column(name, header) for name in header]
    return {
        name: [_value(current_text(row[i]) if name in _TEXTS else row[i]) for row in rows]
        for i, name in enumerate(named)
    }


def _arrays(columns: Mapping[str, Sequence[float | str]]) -> dict[str, NDArray]:
    return {name: np.asarray(entries) for name, entries in columns.items()}


class Tables(Mapping[str, Mapping[str, NDArray]]):
    """The tables of a run folder, each read when it is first asked for.

    Columns of numbers are float64, `null` NaN in them and "never" infinite; others are texts.

    Args:
      folder: of the run.
      names: of those that are to be seen; None: all.
    """

    def __init__(self, folder: epath.Path, names: Collection[str] | None = None) -> None:
        self._folder, self._read = folder, dict[str, Mapping[str, NDArray]]()
        self._names = names

    def __getitem__(self, name: str) -> Mapping[str, NDArray]:
        """Reads a table, by its name without `.csv`.

        Raises:
          KeyError: there is none.
          UserError: it is damaged.
        """
        if name not in self._read:
            path = self._folder / f"{name}.csv"
            if not self._seen(name) or not path.is_file():
                raise KeyError(name)
            self._read[name] = _arrays(read_table(path))
        return self._read[name]

    def _seen(self, name: str) -> bool:
        return self._names is None or name in self._names

    def __iter__(self) -> Iterator[str]:
        """Their names."""
        names = (path.stem for path in self._folder.glob("*.csv"))
        return iter(sorted(filter(self._seen, names)))

    def __len__(self) -> int:
        """Their number."""
        return sum(1 for _ in self)


def _value(text: str) -> float | str:
    try:
        return float("nan" if text == "null" else text)
    except ValueError:
        return text
