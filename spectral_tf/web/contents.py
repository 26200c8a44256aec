"""What a folder of results holds, and what of it cannot be told."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from etils import epath

import spectral_tf
from spectral_tf import catalogue, headlines
from spectral_tf.errors import UserError
from spectral_tf.records import (
    Head,
    RunFolder,
    Tables,
    read_flags,
    read_head,
    read_json,
    reading,
)
from spectral_tf.records.folder import REPORT as REPORT
from spectral_tf.records.former_names import current_entries
from spectral_tf.storage import as_path

_SUMMARY, _ENVIRONMENT = "summary.json", "environment.json"
# Bytes of a table that is read whole, to be drawn; of any other one the first rows are.
LARGEST_WHOLE = 20_000_000
# Up to so many rows a table is shown whole.
MOST_ROWS = 250


class Contents(NamedTuple):
    """What a folder holds.

    Attributes:
      path: of the folder.
      experiment: whose results these are.
      flags: {name: text} of the run; none of a measurement.
      environment: what `environment.json` says.
      summary: what `summary.json` says, by the names of now; empty where a run is unfinished.
      headline: what was found, in a sentence; "" where none can be made.
      heads: {name: how it begins} of the tables that are not damaged.
      tables: those of them that are small enough to be read whole, each when it is asked for.
      figures: names of PNG files without their ends.
      animations: names of GIF files likewise.
      remarks: what a reader has to know first: what is damaged, missing or unfinished.
    """

    path: epath.Path
    experiment: catalogue.Experiment
    flags: dict[str, str]
    environment: dict[str, Any]
    summary: dict[str, Any]
    headline: str
    heads: dict[str, Head]
    tables: Tables
    figures: list[str]
    animations: list[str]
    remarks: list[str]

    @property
    def finished(self) -> bool:
        """Whether there is a summary, which is written last."""
        return bool(self.summary)

    @property
    def title(self) -> str:
        """What stands behind `results` or `runs` in its path, else the folder's own name."""
        return title_of(self.path)


def read_contents(folder: str | os.PathLike[str]) -> Contents:
    """Reads a run folder, a folder of results, or one of `Measurement.save`.

    A table that is damaged is left out and remarked; so is, as long as there is no summary, that
    the run is unfinished.

    Raises:
      UserError: it is none of these; a newer version has made it; its summary is damaged.
    """
    path = as_path(folder, "folder")
    flags = read_flags(path) if path.is_dir() else None
    summary = _entries(path / _SUMMARY)
    if flags is None and "experiment" not in summary:
        raise UserError(
            "folder",
            expected="one that an experiment or Measurement.save has written",
            got=_instead(path),
            hint="name the --workdir of a run, or a folder of results",
        )
    environment = _entries(path / _ENVIRONMENT)
    _refuse_newer(path, environment)
    name = str(summary.get("experiment") or environment.get("experiment") or _guessed(path))
    heads, damaged = _heads(path)
    small = [n for n in heads if (path / f"{n}.csv").stat().length <= LARGEST_WHOLE]
    tables = Tables(path, small)
    remarks = [f"A table is left out. {told}" for told in damaged.values()]
    if not summary:
        remarks.append(
            "This run is unfinished: it has no summary yet. What is here is what it had written "
            "when this page was made; the same command goes on with it."
        )
    elif altered := [n for n in _altered(path, flags) if n.removesuffix(".csv") not in damaged]:
        remarks.append(
            f"Missing, or not as the run wrote it: {', '.join(altered)}. The same command makes "
            "it again where all that was measured is there."
        )
    return Contents(
        path=path,
        experiment=catalogue.EVERY.get(name) or catalogue.Experiment(name, name, "", 0, ""),
        flags=flags or {},
        environment=environment,
        summary=current_entries(summary),
        headline=str(summary.get("headline") or _headline(name, summary, tables)),
        heads=heads,
        tables=tables,
        figures=_names(path, "png"),
        animations=_names(path, "gif"),
        remarks=remarks,
    )


def title_of(path: epath.Path) -> str:
    """What stands behind `results` or `runs` in a path, else the folder's own name.

    >>> title_of(epath.Path("/home/me/results/lf_first/equal")), title_of(epath.Path("/x/mine"))
    ('lf_first/equal', 'mine')
    """
    parts = path.resolve().parts
    homes = [i for i, part in enumerate(parts[:-1]) if part in ("results", "runs")]
    return "/".join(parts[homes[-1] + 1 :]) if homes else parts[-1]


def _entries(file: epath.Path) -> dict[str, Any]:
    """The object of a JSON file, empty where there is none."""
    return read_json(file, file.name) if file.exists() else {}


def _heads(path: epath.Path) -> tuple[dict[str, Head], dict[str, str]]:
    """{name: how it begins} of the tables of a folder, {name: why it cannot be read} of others."""
    heads, damaged = dict[str, Head](), dict[str, str]()
    for file in sorted(path.glob("*.csv")):
        try:
            with reading(file, file.name, "a whole table"):
                heads[file.stem] = read_head(file, MOST_ROWS)
        except UserError as error:
            damaged[file.stem] = str(error)
    return heads, damaged


def _instead(path: epath.Path) -> str:
    if not path.exists():
        return f"{path}, which is not there"
    if not path.is_dir():
        return f"the file {path}"
    inside = sorted(entry.name for entry in path.iterdir() if read_flags(entry) is not None)
    return f"{path}, a folder of such folders ({', '.join(inside[:3])})" if inside else str(path)


def _refuse_newer(path: epath.Path, environment: Mapping[str, Any]) -> None:
    """A newer version may mean something else by the same names; its own page is there."""
    made_by, own = str(environment.get("spectral_tf", "")), spectral_tf.__version__
    if _numbers(made_by) > _numbers(own):
        raise UserError(
            "folder",
            expected=f"results of spectral_tf {own} or before",
            got=f"{path} of version {made_by}",
            hint="bring this installation up to date; the page that came with them is whole",
        )


def _numbers(version: str) -> list[int]:
    """Those of a version, to compare.

    >>> _numbers("0.10.1") > _numbers("0.9")
    True
    """
    return [int(number) for number in re.findall(r"\d+", version)]


def _guessed(path: epath.Path) -> str:
    """Older runs that are unfinished say nowhere whose they are; their folders mostly do."""
    around = (path.resolve().name, path.resolve().parent.name)
    return next((name for name in around if name in catalogue.EXPERIMENTS), path.name)


def _headline(name: str, summary: Mapping[str, Any], tables: Tables) -> str:
    """The sentence of a summary that has none; "" of one that no run has written so."""
    try:
        return headlines.headline(name, summary, tables)
    except (AttributeError, KeyError, TypeError, ValueError):
        return ""


def _altered(path: epath.Path, flags: Mapping[str, str] | None) -> list[str]:
    return RunFolder(path, {}, writes=False).altered() if flags is not None else []


def _names(path: epath.Path, kind: str) -> list[str]:
    return sorted(file.stem for file in (path / "figures").glob(f"*.{kind}"))
