"""The page of one folder."""

from __future__ import annotations

import functools
import os
import pathlib
import shlex
from collections.abc import Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

from etils import epath
from markupsafe import Markup

import spectral_tf
from spectral_tf import program
from spectral_tf.errors import UserError
from spectral_tf.records.arrays import Damaged
from spectral_tf.records.found import Found
from spectral_tf.storage import as_path, atomic_write, is_local
from spectral_tf.web import numbers, tables, training
from spectral_tf.web.contents import REPORT, Contents, read_contents
from spectral_tf.web.figures import figure, in_order, is_snapshot
from spectral_tf.web.private import shortened
from spectral_tf.web.units import unit_of

if TYPE_CHECKING:
    import jinja2

# Flags that name what has to be there before a run can be repeated.
_NEEDED = ("from_run", "teacher", "folders", "baseline", "cases", "features", "target")
_FLAGS = "run.flags"
# Long summaries are read in their file.
_MOST_NUMBERS = 120


class Setting(NamedTuple):
    """A flag of a run.

    Attributes:
      name: without dashes.
      value: as the run had it.
      default: what it is if nothing is said; None where that is not known.
    """

    name: str
    value: str
    default: str | None

    @property
    def differs(self) -> bool:
        """Whether it was chosen."""
        return self.default is not None and self.default != self.value


def write_report(
    folder: str | os.PathLike[str], defaults: Mapping[str, str] | None = None
) -> epath.Path:
    """Writes `report.html` of what a folder holds.

    Args:
      folder: of a run, finished or not, of results, or of `Measurement.save`.
      defaults: {flag: its default} of the experiment, to tell what was chosen; None: not known.

    Returns:
      the file.

    Raises:
      UserError: as `read_contents`.
    """
    return write_page(read_contents(folder), defaults)


def output_file(file: str | os.PathLike[str], overwrite: bool) -> epath.Path:
    """Where a page is to be written that lies in no folder of its own.

    Raises:
      UserError: a folder; a file that is there, unless it may be replaced.
    """
    path = as_path(file, "output")
    if path.is_dir():
        raise UserError(
            "output", expected="the file to write", got=f"the folder {path}", hint="add a name"
        )
    if path.exists() and not overwrite:
        raise UserError(
            "output",
            expected="a file that is not there yet",
            got=f"{path}",
            hint="--output=FILE writes another one, --overwrite replaces it",
        )
    return path


def write_page(
    contents: Contents,
    defaults: Mapping[str, str] | None = None,
    page: epath.Path | None = None,
) -> epath.Path:
    """The same of what was read; a file, where it is not to lie in its folder."""
    text = shortened(page_of(contents, defaults), contents.path)
    page = page or contents.path / REPORT
    with atomic_write(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return page


def page_of(contents: Contents, defaults: Mapping[str, str] | None = None) -> str:
    """The page as text."""
    trained = training.training_of(contents.tables, contents.path)
    of = contents.experiment
    unit = units_of(contents).get("frequency") or unit_of("frequency", of.name)
    every = in_order(contents.figures, of.main_figure)
    snapshots = [name for name in every if is_snapshot(name)]
    drawn = every if not contents.finished else [n for n in every if n not in snapshots]
    pictures = {name: figure(contents.path / "figures" / f"{name}.png") for name in drawn}
    remarks = [
        *contents.remarks,
        *(f"figures/{n}.png is no picture that can be read." for n, p in pictures.items() if not p),
        *(
            f"{n}.csv is too long to drag through its training: see the figures and its first rows."
            for n in (*training.SPECTRA, training.FUNCTIONS)
            if n in contents.heads and n not in contents.tables
        ),
    ]
    key = numbers.key_numbers(contents.summary)
    return render(
        "report.html",
        contents=contents,
        of=of,
        remarks=remarks,
        notes=contents.summary.get("notes", []),
        key_numbers=key[:_MOST_NUMBERS],
        with_intervals=any(" to " in number.text for number in key),
        how_told=any(number.over for number in key),
        more_numbers=max(0, len(key) - _MOST_NUMBERS),
        figures=[picture for picture in pictures.values() if picture],
        snapshots=snapshots if contents.finished else [],
        training=training.record(trained, unit) if trained else None,
        tables=shown_tables(contents),
        settings=settings(contents.flags, defaults),
        defaults_known=defaults is not None,
        environment=environment_rows(contents.environment),
        command=command(contents),
        needs=needs(contents),
        minutes=(contents.environment.get("wall_seconds") or 0) / 60,
    )


def shown_tables(contents: Contents) -> list[tables.Shown]:
    """All tables, the main one first, the long ones last."""
    units = units_of(contents)
    every = [
        tables.shown(name, head, contents.experiment.name, units)
        for name, head in contents.heads.items()
    ]
    main = contents.experiment.main_table
    return sorted(every, key=lambda table: (table.name != main, table.cut, table.name))


def units_of(contents: Contents) -> dict[str, str]:
    """{column: unit} where the folder itself says them."""
    target = contents.summary.get("target")
    if isinstance(target, Mapping) and "frequency_unit" in target:
        return {"frequency": str(target["frequency_unit"]), "position": ""}
    file = contents.path / "measurement.npz"
    if contents.experiment.name == "measure" and file.is_file():
        try:
            facts = Found.load(file).facts
        except (OSError, Damaged):  # Its tables are shown, without units.
            return {}
        units = {**facts.get("units", {}), **facts.get("coordinate_units", {})}
        return {name: str(unit) for name, unit in units.items()}
    return {}


def settings(flags: Mapping[str, str], defaults: Mapping[str, str] | None) -> list[Setting]:
    """The flags, those first that differ from their defaults."""
    every = [
        Setting(name, value, None if defaults is None else defaults.get(name, ""))
        for name, value in flags.items()
    ]
    return sorted(every, key=lambda setting: (not setting.differs, setting.name))


def environment_rows(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a run was made with, one line for each fact."""
    rows: list[tuple[str, str]] = []
    for name, entry in environment.items():
        if name == "experiment" or entry in (None, "", [], {}):
            continue
        if name == "versions":
            rows += [(f"{package}, version", str(version)) for package, version in entry.items()]
        elif isinstance(entry, Mapping):
            rows += [
                (f"{numbers.words(name)}: {within}", text)
                for within, text in environment_rows(entry)
            ]
        elif isinstance(entry, list):
            rows.append((numbers.words(name), ", ".join(map(numbers.number_text, entry))))
        elif name == "wall_seconds":
            rows.append(("seconds of training and measuring", numbers.number_text(entry)))
        else:
            rows.append((numbers.words(name), numbers.number_text(entry)))
    return rows


def command(contents: Contents) -> str:
    """What repeats the run, in a folder of its own; "" of a measurement."""
    if not contents.flags:
        return ""
    own = contents.title.replace("/", "_")
    flags = (f"--flagfile={flagfile(contents.path)}", f"--workdir=runs/{own}_again")
    return f"{program.command(contents.experiment.name)} {shlex.join(flags)}"


def flagfile(folder: epath.Path) -> str:
    """The flags of a run as they are named from where one works; those from elsewhere, from there.

    So no path of this machine gets into a page that is passed on.
    """
    if not is_local(folder):
        return str(folder / _FLAGS)
    here, path = pathlib.Path.cwd(), pathlib.Path(os.path.abspath(folder))
    return str(path.relative_to(here) / _FLAGS) if path.is_relative_to(here) else _FLAGS


def needs(contents: Contents) -> list[str]:
    """What has to be there before the command can run."""
    told = [f"{_FLAGS}, beside this page"] if flagfile(contents.path) == _FLAGS else []
    told += [
        f"what --{name}={contents.flags[name]} names"
        for name in _NEEDED
        if contents.flags.get(name)
    ]
    data = contents.environment.get("data")
    name = str(data.get("dataset", "")) if isinstance(data, Mapping) else ""
    if name and "embedded" not in name:
        told.append(f"the data set {name}, in the folder that TFDS_DATA_DIR or --data_dir names")
    return told


def render(template: str, **values: Any) -> str:
    """A page of a template; whatever is put in is escaped."""
    return _templates().get_template(template).render(version=spectral_tf.__version__, **values)


@functools.cache
def _templates() -> jinja2.Environment:
    # Loaded with the first page: the command line and every run import this module.
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.PackageLoader("spectral_tf.web"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "words": numbers.words,
        "capitalize_first": lambda text: text[:1].upper() + text[1:],
    }
    environment.globals["asset"] = asset
    return environment


def asset(name: str) -> Markup:
    """A style or a program of ours, as it stands in the page."""
    file = resources.files("spectral_tf.web") / "static" / name
    return Markup(file.read_text(encoding="utf-8"))  # It is ours.
