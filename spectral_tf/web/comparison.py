"""The page of several folders of one experiment, beside each other."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from etils import epath

from spectral_tf.errors import UserError
from spectral_tf.storage import atomic_write
from spectral_tf.web.contents import Contents, read_contents
from spectral_tf.web.figures import Figure, figure, in_order, is_snapshot
from spectral_tf.web.numbers import key_numbers
from spectral_tf.web.page import output_file, render
from spectral_tf.web.private import shortened

# Figures of so many kinds are shown beside each other.
_MOST_FIGURES = 12
_MOST_NUMBERS = 200


class Row(NamedTuple):
    """One line of a table with a column for each folder.

    Attributes:
      name: what it is.
      texts: of each folder, "" where it has none.
    """

    name: str
    texts: list[str]


def write_comparison(
    folders: Sequence[str | os.PathLike[str]],
    file: str | os.PathLike[str],
    *,
    overwrite: bool = False,
) -> epath.Path:
    """Writes one page of several folders.

    Args:
      folders: two or more of one experiment.
      file: to write.
      overwrite: whether one that is there may be replaced.

    Returns:
      the file.

    Raises:
      UserError: fewer than two, two that are one, of different experiments; the file is there; as
        `read_contents`.
    """
    path = output_file(file, overwrite)
    if len(folders) < 2:
        raise UserError(
            "folders", expected="two or more", got=len(folders), hint="name those to compare"
        )
    every = [read_contents(folder) for folder in folders]
    experiments = {contents.experiment.name: contents for contents in every}
    if len(experiments) > 1:
        raise UserError(
            "folders",
            expected="results of one experiment",
            got=", ".join(f"{of.path} of {name}" for name, of in experiments.items()),
            hint="compare those that ask the same",
        )
    if len({str(contents.path.resolve()) for contents in every}) < len(every):
        raise UserError(
            "folders", expected="different ones", got="the same one twice", hint="leave one out"
        )
    with atomic_write(path) as temporary:
        temporary.write_text(shortened(page_of(every)), encoding="utf-8")
    return path


def page_of(every: Sequence[Contents]) -> str:
    """The page as text."""
    names = titles(every)
    of = every[0].experiment
    numbers = rows([{n.name: n.text for n in key_numbers(c.summary)} for c in every])
    kinds = in_order(
        list(dict.fromkeys(n for c in every for n in c.figures if not is_snapshot(n))),
        of.main_figure,
    )
    return render(
        "comparison.html",
        of=of,
        every=list(zip(names, every, strict=True)),
        names=names,
        remarks=[
            f"{name}: {remark}"
            for name, contents in zip(names, every, strict=True)
            for remark in contents.remarks
        ],
        settings=differing(
            rows([{f"--{name}": text for name, text in c.flags.items()} for c in every])
        ),
        flagged=any(c.flags for c in every),
        numbers=numbers[:_MOST_NUMBERS],
        more_numbers=max(0, len(numbers) - _MOST_NUMBERS),
        figures={kind: _figures(kind, names, every) for kind in kinds[:_MOST_FIGURES]},
        left_out=kinds[_MOST_FIGURES:],
    )


def titles(every: Sequence[Contents]) -> list[str]:
    """Names of folders that tell them apart: what their paths do not share."""
    parts = [contents.path.resolve().parts for contents in every]
    shared = 0
    while len({own[: shared + 1] for own in parts}) == 1:
        shared += 1
    # A folder in another one is called by its own name, too.
    return ["/".join(own[min(shared, len(own) - 1) :]) for own in parts]


def rows(columns: Sequence[Mapping[str, str]]) -> list[Row]:
    """One line for each name that any of the columns has, in their order.

    >>> rows([{"a": "1"}, {"a": "2", "b": "3"}])
    [Row(name='a', texts=['1', '2']), Row(name='b', texts=['', '3'])]
    """
    names = dict.fromkeys(name for column in columns for name in column)
    return [Row(name, [column.get(name, "") for column in columns]) for name in names]


def differing(every: Sequence[Row]) -> list[Row]:
    """Those whose texts are not all the same."""
    return [row for row in every if len(set(row.texts)) > 1]


def _figures(
    kind: str, names: Sequence[str], every: Sequence[Contents]
) -> list[tuple[str, Figure | None]]:
    return [
        (
            name,
            figure(contents.path / "figures" / f"{kind}.png") if kind in contents.figures else None,
        )
        for name, contents in zip(names, every, strict=True)
    ]
