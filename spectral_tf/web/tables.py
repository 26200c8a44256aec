"""Tables as a page shows them: an estimate in one cell, a unit under each name, not too long."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from spectral_tf.records import Head
from spectral_tf.web.numbers import interval_text, number_text, words
from spectral_tf.web.units import unit_of

# So many rows are shown of a table that is not shown whole, since figures show it better and a page
# should stay light.
FIRST = 30


class Cell(NamedTuple):
    """What a cell says.

    Attributes:
      text: as it is read.
      key: the number that rows are sorted by, "" where the text itself is.
    """

    text: str
    key: str = ""


class Column(NamedTuple):
    """A column of a table that is shown.

    Attributes:
      name: in words.
      unit: of its numbers, if they have one.
      numbers: whether it holds numbers.
    """

    name: str
    unit: str
    numbers: bool


class Shown(NamedTuple):
    """A table that is shown.

    Attributes:
      name: of its file without the end.
      title: in words.
      columns: its columns.
      rows: of cells.
      num_rows: of the file.
      notes: what holds of all rows: what intervals are over, how they are made.
    """

    name: str
    title: str
    columns: list[Column]
    rows: list[list[Cell]]
    num_rows: int
    notes: list[str]

    @property
    def cut(self) -> bool:
        """Whether rows are left out."""
        return self.num_rows > len(self.rows)


def shown(
    name: str,
    head: Head,
    experiment: str,
    units: Mapping[str, str] | None = None,
) -> Shown:
    """A table as it is shown.

    Args:
      name: of its file without the end.
      head: how it begins; all of it if it is to be shown whole.
      experiment: whose it is; units depend on that.
      units: {column: unit} that the folder itself says.
    """
    own = units or {}
    known = len(next(iter(head.columns.values()), ()))
    many = known if known == head.num_rows else FIRST
    part = {column: entries[:many].tolist() for column, entries in head.columns.items()}
    columns: list[Column] = []
    cells: list[list[Cell]] = []
    notes: list[str] = []
    for column in part:
        if _belongs(column, part):
            continue
        unit = "" if "unit" in part else own.get(column, unit_of(column, experiment))
        columns.append(Column(words(column), unit, _numeric(part[column])))
        if f"{column}_low" in part:
            ends = (part[column], part[f"{column}_low"], part[f"{column}_high"])
            cells.append([Cell(interval_text(*e), _key(e[0])) for e in zip(*ends, strict=True)])
            extra, told = _beside(column, part)
            notes += told
            columns += [of for of, _ in extra]
            cells += [entries for _, entries in extra]
        else:
            cells.append([Cell(number_text(entry), _key(entry)) for entry in part[column]])
    filled = [i for i, entries in enumerate(cells) if any(cell.text for cell in entries)]
    if empty := [columns[i].name for i in range(len(cells)) if i not in filled]:
        notes.append(f"without an entry, and left out: {', '.join(empty)}")
    rows = [list(row) for row in zip(*(cells[i] for i in filled), strict=True)]
    return Shown(name, words(name), [columns[i] for i in filled], rows, head.num_rows, notes)


# What stands beside an estimate: its end, and how that is called.
_BESIDE = {"_n": "n", "_method": "how", "_p": "p-value", "_least_p": "least p-value"}


def _belongs(column: str, table: Mapping[str, Any]) -> bool:
    """Whether a column is a part of an estimate."""
    return any(
        column.endswith(end) and f"{column.removesuffix(end)}_low" in table
        for end in ("_low", "_high", *_BESIDE)
    )


def _beside(
    column: str, table: Mapping[str, Sequence[Any]]
) -> tuple[list[tuple[Column, list[Cell]]], list[str]]:
    """Columns of what differs from row to row beside an estimate, and notes of what does not."""
    extra: list[tuple[Column, list[Cell]]] = []
    notes: list[str] = []
    name = words(column)
    for end, called in _BESIDE.items():
        entries = table.get(f"{column}{end}", ())
        texts = [number_text(entry) for entry in entries]
        kinds = list(dict.fromkeys(texts))
        if end in ("_n", "_method") and len(kinds) == 1:
            notes.append(f"{name}: {called} = {kinds[0]}")
        elif end == "_method" and kinds:  # They are long: letters stand for them.
            letters = {text: _letter(i) for i, text in enumerate(kinds)}
            notes += [f"{name}, how: {letter} = {text}" for text, letter in letters.items()]
            cells = [Cell(letters[text]) for text in texts]
            extra.append((Column(f"{name}: how", "", numbers=False), cells))
        elif any(texts):
            cells = [Cell(number_text(entry), _key(entry)) for entry in entries]
            extra.append((Column(f"{name}: {called}", "", _numeric(entries)), cells))
    return extra, notes


def _letter(number: int) -> str:
    """a, b, ... z, then numbers.

    >>> _letter(0), _letter(26)
    ('a', '27')
    """
    return chr(ord("a") + number) if number < 26 else str(number + 1)


def _numeric(entries: Sequence[Any]) -> bool:
    return all(isinstance(entry, float | int) for entry in entries)


def _key(entry: Any) -> str:
    """What a number is sorted by; what is not there goes last in either direction."""
    if isinstance(entry, str):
        return ""
    return "" if math.isnan(entry) else repr(float(entry)).replace("inf", "Infinity")
