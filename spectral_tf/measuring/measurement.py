"""What was measured: named arrays with named axes, to read, draw, save and read again."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from etils import epath
from numpy.typing import ArrayLike, NDArray

from spectral_tf import spectra
from spectral_tf.errors import UserError
from spectral_tf.records import Found, Report, Table, tidy
from spectral_tf.records.json_values import json_value
from spectral_tf.storage import as_path, atomic_write, is_local, reason, try_to_write

if TYPE_CHECKING:
    from spectral_tf.records.figures import Figure
    from spectral_tf.records.tensorboard import EventWriter

_FILE = "measurement.npz"
_SUMMARY = "summary.json"
# Frequencies that a summary names.
_STRONGEST = 5
# Numbers of one kind in a summary line.
_FEW = 12
# What the note of a measurement that is none begins with.
DIVERGED = "diverged: "
# They say what a path is, not what is measured of it.
PLACES = ("cluster", "kind_of_path", "distance")


class Quantity(NamedTuple):
    """An array with the names of its axes.

    Attributes:
      values: float64.
      axes: one name for each axis of the values; an axis with a coordinate has its values there.
      unit: of the values, "" for none.
    """

    values: NDArray[np.float64]
    axes: tuple[str, ...] = ()
    unit: str = ""


class Coordinate(NamedTuple):
    """Where the entries along an axis stand.

    Attributes:
      values: shape [n]; numbers, or names.
      unit: of these, "" for none.
    """

    values: NDArray
    unit: str = ""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What `measure` gives, a probe's `history`, and what `load` reads.

    `measurement["power"]` is the array, `measurement.quantities["power"].axes` names its axes and
    `measurement.coordinates["frequency"].values` says where its entries stand.

    Attributes:
      where: what was sampled: `grid`, `curve`, `straight paths`, `scattered points` or `label
        wave`.
      outputs: what the model gives.
      quantities: {name: array with named axes}; those without axes are the headline numbers.
      coordinates: {axis: where its entries stand}; the axis `step` if it was measured in training.
      record: what was asked for: sizes, extents, ranges; JSON values.
      notes: what a reader has to know, in sentences.
    """

    where: str
    outputs: str
    quantities: Mapping[str, Quantity]
    coordinates: Mapping[str, Coordinate]
    record: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """The values of a quantity.

        Raises:
          UserError: there is none of that name.
        """
        if name not in self.quantities:
            raise UserError(
                "quantity", expected=", ".join(self.quantities), got=name, hint="choose one"
            )
        return self.quantities[name].values

    @property
    def in_training(self) -> bool:
        """Whether it was measured at several steps."""
        return "step" in self.coordinates

    @property
    def last_step(self) -> int:
        """Of those at which it was measured; 0 if it was measured once."""
        return int(self.coordinates["step"].values[-1]) if self.in_training else 0

    def estimate(self, name: str, kind: str = "") -> spectra.Estimate:
        """The mean of a quantity of paths over them, with its interval.

        What varies: paths. Held fixed: the model; others of its kind are not in the interval.
        Paths that the quantity does not tell (NaN) do not count.

        Args:
          name: of a quantity whose first axis is `path`.
          kind: of paths; default: all of them.

        Returns:
          of the shape of the other axes.

        Raises:
          UserError: another quantity or kind.
        """
        of_paths = [n for n, q in self.quantities.items() if q.axes[:1] == ("path",)]
        if name not in of_paths:
            raise UserError(
                "quantity",
                expected=", ".join(of_paths) or "one of paths, of which there is none",
                got=name,
                hint="compare several measurements for intervals over runs",
            )
        chosen = np.ones(len(self[name]), bool)
        if kind:
            known = [str(one) for one in self.places("kind", 0)]
            if kind not in known:
                expected = ", ".join(known) or "none, of paths that have no kinds"
                raise UserError("kind", expected=expected, got=kind, hint="leave it out")
            chosen = self["kind_of_path"] == known.index(kind)
        clusters = self.quantities.get("cluster")
        own = None if clusters is None else clusters.values[chosen].astype(np.int64)
        return over_paths(self[name][chosen][np.newaxis], own)

    def learning_times(self, level: float = 0.5) -> NDArray[np.float64]:
        """The first step at which each frequency of the target is learned to a level, [k].

        Of `normalised_magnitude`, by `spectra.learning_times`: interpolated, `inf` for never. The
        frequencies are those of the coordinate `target_frequency`.

        Raises:
          UserError: it was not measured in training, or without a target.
        """
        if "normalised_magnitude" not in self.quantities or not self.in_training:
            raise UserError(
                "measurement",
                expected="one in training, of a function that has a target",
                got="no target" if self.in_training else "a single step",
                hint="give targets= to the probe or callback",
            )
        steps = self.coordinates["step"].values
        return spectra.learning_times(steps, self["normalised_magnitude"], level)

    def summary(self) -> str:
        """What was measured, in a few lines; the same as saving it prints into summary.json."""
        steps = self.coordinates.get("step")
        asked = ", ".join(f"{name} {_words(value)}" for name, value in self.record.items())
        lines = [f"{self.where}, {self.outputs}" + (f" ({asked})" if asked else "")]
        if steps is not None:
            s = steps.values
            lines[0] += f", at {len(s)} steps from {s[0]:,.0f} to {s[-1]:,.0f}"
        if self.in_training and "normalised_magnitude" in self.quantities:
            k = self.coordinates["target_frequency"]
            times = [
                f"{f:g}: {'never' if np.isinf(t) else f'{t:,.0f}'}"
                for f, t in zip(k.values[:_FEW], self.learning_times()[:_FEW], strict=True)
            ]
            more = ", ..." * (len(k.values) > _FEW)
            lines.append(f"learned to half at step, by {k.unit}: {', '.join(times)}{more}")
        for name, quantity in self.quantities.items():
            unit = f" {quantity.unit}".rstrip()
            said = name.replace("_", " ")
            if quantity.axes == ():
                lines.append(f"{said}: {float(quantity.values):.4g}{unit}")
            elif name == "power":
                lines += self._strongest()
            elif quantity.axes == ("step",):
                ends = f"{quantity.values[0]:.4g} at first, {quantity.values[-1]:.4g} at last"
                lines.append(f"{said}: {ends}{unit}")
            elif quantity.axes == ("path",) and name not in PLACES:
                for kind in [str(one) for one in self.places("kind", 0)] or [""]:
                    of = f" {kind}" if kind else ""
                    lines.append(f"{said}{of}: {self.estimate(name, kind).text('.4g')}{unit}")
            elif len(quantity.axes) == 1 and quantity.values.size <= _FEW and name not in PLACES:
                axis = quantity.axes[0]
                told = ", ".join(
                    f"{_words(place)}: {value:.4g}"
                    for place, value in zip(
                        self.places(axis, quantity.values.size), quantity.values, strict=True
                    )
                )
                lines.append(f"{said} by {axis}: {told}{unit}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def _headline(self) -> str:
        """The lines of `summary` that hold numbers, as one sentence."""
        told = [line for line in self.summary().split("\n")[1:] if not line.startswith("note: ")]
        sentence = "; ".join(told)
        return f"{sentence[:1].upper()}{sentence[1:]}." if told else ""

    def _strongest(self) -> list[str]:
        """Where most of what varies lies, of a single measurement."""
        place, power = self.coordinates["frequency"], self["power"]
        if power.ndim != 1 or power.size < 2 or not power[1:].max() > 0:
            return []
        first = np.argsort(-power[1:], kind="stable")[:_STRONGEST] + 1
        shares = ", ".join(
            f"{place.values[k]:.4g}: {power[k] / power[1:].sum():.0%}"
            for k in first
            if power[k] > 0.01 * power[1:].sum()
        )
        return [f"strongest, by {place.unit}: {shares} of what varies"] if shares else []

    def tables(self) -> dict[str, Table]:
        """All arrays as tidy tables, one for each combination of axes, by the axes' names.

        Spectra of single paths, which are many, are in `measurement.npz` alone.
        """
        groups: dict[tuple[str, ...], dict[str, Quantity]] = {}
        for name, quantity in self.quantities.items():
            if quantity.axes not in ((), ("path",), ("step",), ("path", "frequency")):
                groups.setdefault(quantity.axes, {})[name] = quantity
        tables = {}
        for axes, group in groups.items():
            shape = next(iter(group.values())).values.shape
            places = {axis: self.places(axis, n) for axis, n in zip(axes, shape, strict=True)}
            tables["by_" + "_and_".join(axes)] = tidy(
                places, **{name: quantity.values for name, quantity in group.items()}
            )
        for axis in ("path", "step"):
            group = {n: q for n, q in self.quantities.items() if q.axes == (axis,)}
            if group:
                size = len(next(iter(group.values())).values)
                tables[f"{axis}s"] = tidy(
                    {axis: self.places(axis, size)}, **{n: q.values for n, q in group.items()}
                )
        return tables

    def places(self, axis: str, size: int) -> Sequence[Any]:
        """Where the entries along an axis stand; their numbers if nothing says."""
        if axis in self.coordinates:
            return self.coordinates[axis].values.tolist()
        return range(size)

    def plot(self) -> Figure:
        """One figure that shows it: a heat map over steps, or spectra."""
        from spectral_tf.measuring.figures import figure_of

        return figure_of(self)

    def at_step(self, step: int) -> Measurement:
        """The same with an axis `step` of length 1."""
        return stacked([step], [self])

    def write_arrays(self, folder: epath.Path) -> None:
        """Writes `measurement.npz` alone, which `load` reads."""
        self._found().save(folder / _FILE)

    def save(
        self,
        folder: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        events: bool = True,
    ) -> os.PathLike[str]:
        """Writes tables, figure, `measurement.npz`, `summary.json`, events and `report.html`.

        `load` reads the folder.

        Args:
          folder: new, empty, or one that holds a measurement.
          overwrite: replace the measurement that it holds.
          events: whether to write those of TensorBoard.

        Returns:
          the folder: a `pathlib.Path`, or of a bucket what `etils.epath` has for it.

        Raises:
          UserError: the folder holds something else, or a measurement that is not to be replaced,
            or cannot be written.
        """
        from spectral_tf import web  # It is not needed to measure.

        path = writable_folder(folder, overwrite=overwrite)
        summary = {
            "experiment": "measure",
            "headline": self._headline(),
            "where": self.where,
            "outputs": self.outputs,
            **{n: float(q.values) for n, q in self.quantities.items() if q.axes == ()},
            **{
                n: self.estimate(n)
                for n, q in self.quantities.items()
                if q.axes == ("path",) and n not in PLACES
            },
            "record": dict(self.record),
            "notes": list(self.notes),
        }
        figure = self.plot()
        try:
            # Written last, so a whole folder has both.
            for name in (_SUMMARY, web.REPORT):
                (path / name).unlink(missing_ok=True)
            # Not what somebody keeps in folders below.
            for folder_of, suffix in ((path, ".csv"), (path / "figures", ".png")):
                for file in [f for f in _entries(folder_of) if f.suffix == suffix]:
                    file.unlink()  # They are of the measurement that is replaced.
            writer = _Events(path, events, self.last_step)
            report = Report(summary, tables=self.tables(), figures={"measurement": figure})
            report.write(path, writer.image)
            writer.scalars(self)
            self.write_arrays(path)
            with atomic_write(path / _SUMMARY) as temporary:
                text = json.dumps(json_value(summary), indent=2, allow_nan=False)
                temporary.write_text(text + "\n")
            web.write_report(path)
        except OSError as error:
            raise UserError(
                "folder",
                expected="one that can be written",
                got=f"{path} ({reason(error)})",
                hint="name another folder or mend its permissions",
            ) from error
        return returned(path)

    def _found(self) -> Found:
        facts: dict[str, Any] = {
            "format": 1,
            "where": self.where,
            "outputs": self.outputs,
            "record": dict(self.record),
            "notes": list(self.notes),
            "axes": {name: list(q.axes) for name, q in self.quantities.items()},
            "units": {name: q.unit for name, q in self.quantities.items()},
            "coordinate_units": {name: c.unit for name, c in self.coordinates.items()},
        }
        facts |= {f"quantity/{name}": np.asarray(q.values) for name, q in self.quantities.items()}
        facts |= {f"coordinate/{name}": c.values for name, c in self.coordinates.items()}
        return Found(facts=facts)


def load(folder: str | os.PathLike[str]) -> Measurement:
    """Reads what `Measurement.save` wrote.

    Args:
      folder: that it was saved in.

    Raises:
      UserError: there is no measurement, or it is not whole.

    >>> import tempfile
    >>> from spectral_tf import Grid, load, measure
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = measure(lambda x: np.sin(2 * np.pi * 3 * x), Grid(64)).save(folder)
    ...     again = load(saved)
    >>> round(float(again["power"][3]), 6)
    0.5
    """
    path = as_path(folder, "folder")
    if not (path / _FILE).is_file():
        raise UserError(
            "folder",
            expected=f"one with {_FILE}, which Measurement.save writes",
            got=str(path),
            hint="name the folder that save was given",
        )
    try:
        facts = Found.read(path / _FILE).facts
    except UserError as error:
        raise UserError(
            "folder",
            expected="a whole measurement",
            got=f"{path / _FILE}, damaged",
            hint="measure again, and save it with overwrite=True",
        ) from error
    return Measurement(
        where=facts["where"],
        outputs=facts["outputs"],
        quantities={
            name: Quantity(facts[f"quantity/{name}"], tuple(axes), facts["units"][name])
            for name, axes in facts["axes"].items()
        },
        coordinates={
            name: Coordinate(facts[f"coordinate/{name}"], unit)
            for name, unit in facts["coordinate_units"].items()
        },
        record=facts["record"],
        notes=tuple(facts["notes"]),
    )


def over_paths(values: NDArray[np.float64], clusters: NDArray[np.int64] | None) -> spectra.Estimate:
    """Mean over paths of one run [1, p, ...], or over runs and paths; a path with NaN is left out.

    Args:
      values: runs on the first axis, paths on the second.
      clusters: of the paths, [p].
    """
    told = np.isfinite(values).all(axis=(0, *range(2, values.ndim)))
    kept, own = values[:, told], None if clusters is None else clusters[told]
    if not told.any():
        return spectra.not_enough(0, 2, "paths")
    if len(values) > 1:
        return spectra.crossed_mean(kept, clusters=own, units=("runs", "paths"))
    if kept.ndim == 2:
        return spectra.mean_over_clusters(kept[0], own, unit="paths")
    if own is None:
        return spectra.mean_over_runs(kept[0], unit="paths")
    columns = kept[0].reshape(len(kept[0]), -1).T
    each = [spectra.mean_over_clusters(column, own, unit="paths") for column in columns]
    shape = kept.shape[2:]
    ends = (np.reshape([getattr(e, end) for e in each], shape) for end in ("value", "low", "high"))
    value, low, high = ends
    return dataclasses.replace(each[0], value=value, low=low, high=high)


def stacked(steps: Sequence[int], taken: Sequence[Measurement]) -> Measurement:
    """Measurements of one kind as one with the axis `step` first.

    Samples of the function are kept of the last step alone.

    Raises:
      UserError: they are of different kinds or sizes.
    """
    first, last = taken[0], taken[-1]
    quantities = {}
    for name, quantity in last.quantities.items():
        if "sample" in quantity.axes:
            quantities[name] = quantity
            continue
        rows = [each.quantities[name].values for each in taken]
        if any(row.shape != rows[0].shape for row in rows):
            raise UserError(
                "update",
                expected=f"{name} of shape {rows[0].shape}, as before",
                got=f"{next(row.shape for row in rows if row.shape != rows[0].shape)}",
                hint="measure another function with a probe of its own",
            )
        quantities[name] = Quantity(np.stack(rows), ("step", *quantity.axes), quantity.unit)
    # Most are true of every step, in other numbers.
    diverged = next((each.notes for each in taken if DIVERGED in "".join(each.notes)), ())
    coordinates = {"step": Coordinate(np.asarray(steps, np.int64), "training steps")}
    return dataclasses.replace(
        first,
        quantities=quantities,
        coordinates={**coordinates, **last.coordinates},
        notes=tuple(dict.fromkeys((*diverged, *last.notes))),
    )


class _Events:
    """TensorBoard's part of a saved measurement, if it is wanted."""

    def __init__(self, path: epath.Path, wanted: bool, step: int) -> None:
        self._writer: Any = None
        self._name, self._step = path.name, step
        if not wanted:
            return
        self._writer = new_events(path)

    def image(self, name: str, pixels: NDArray[np.uint8]) -> None:
        if self._writer:
            self._writer.image(name, pixels, self._step)

    def scalars(self, measurement: Measurement) -> None:
        if not self._writer:
            return
        for step, values in scalars(measurement).items():
            self._writer.scalars(values, step)
        said = {"where": measurement.where, "outputs": measurement.outputs}
        said |= {name: _words(value) for name, value in measurement.record.items()}
        tags = sorted({tag.rpartition("/")[0] for tag in curves(measurement) if "/" in tag})
        self._writer.begin(self._name, said, {tag: [f"{tag}/.*"] for tag in tags})
        self._writer.end(self._step)
        self._writer.commit()


def new_events(path: epath.Path) -> EventWriter:
    """A writer of TensorBoard's events of a folder, under its name, instead of those it holds.

    They are of a measurement that is replaced, or written again; the folder, or the version that
    wrote them, may have called them otherwise.

    Args:
      path: of the measurement's folder.
    """
    from spectral_tf.records.tensorboard import EventWriter, remove_events

    events = path / "tensorboard"
    remove_events(events)
    return EventWriter(events / (path.name or "measurement"))


def curves(measurement: Measurement) -> dict[str, NDArray[np.float64]]:
    """{tag: values by step}: numbers and spectra of a training, as TensorBoard shows them."""
    found: dict[str, NDArray[np.float64]] = {}
    for name, quantity in measurement.quantities.items():
        if quantity.axes == ("step",):
            found[name] = quantity.values
        elif len(quantity.axes) == 2 and quantity.axes[0] == "step":
            axis = quantity.axes[1]
            places = measurement.places(axis, quantity.values.shape[1])
            if len(places) <= 64 and axis != "path":
                width = max(len(f"{place:g}" if _is_number(place) else "") for place in places)
                for i, place in enumerate(places):
                    label = f"{place:0{width}g}" if _is_number(place) else str(place)
                    found[f"{name}/{axis}={label}"] = quantity.values[:, i]
    return found


def scalars(measurement: Measurement) -> dict[int, dict[str, float]]:
    """{step: {tag: number}} of all finite ones; a single measurement stands at step 0."""
    if not measurement.in_training:
        numbers = {n: float(q.values) for n, q in measurement.quantities.items() if q.axes == ()}
        return {0: {name: value for name, value in numbers.items() if np.isfinite(value)}}
    found: dict[int, dict[str, float]] = {}
    steps = measurement.coordinates["step"].values
    for tag, values in curves(measurement).items():
        for step, value in zip(steps, values, strict=True):
            if np.isfinite(value):
                found.setdefault(int(step), {})[tag] = float(value)
    return found


def _is_number(place: Any) -> bool:
    return isinstance(place, (int, float))


def writable_folder(
    folder: str | os.PathLike[str], *, overwrite: bool, marker: str = _FILE
) -> epath.Path:
    """The folder, if a measurement may be written there.

    Args:
      folder: asked for.
      overwrite: whether what it holds may be replaced.
      marker: the file that tells that it holds one.

    Raises:
      UserError: it is a file, cannot be written, holds something else, or a measurement that is not
        to be replaced.
    """
    path = as_path(folder, "folder")
    try:
        if path.exists() and not path.is_dir():
            raise UserError(
                "folder", expected="a folder", got=f"the file {path}", hint="name another"
            )
        try_to_write(path)
        there = [entry.name for entry in _entries(path) if not entry.name.startswith(".")]
    except OSError as error:
        raise UserError(
            "folder",
            expected="a folder that can be written",
            got=f"{path} ({reason(error)})",
            hint="name another folder or mend its permissions",
        ) from error
    if there == ["tensorboard"]:  # What a training leaves that was stopped at once.
        return path
    if there and not (path / marker).is_file():
        raise UserError(
            "folder",
            expected="a new or empty folder, or one with a measurement",
            got=f"{path} with {there[0]}",
            hint="name another folder",
        )
    if there and not overwrite:
        raise UserError(
            "folder",
            expected="one without a measurement",
            got=str(path),
            hint="say overwrite=True to replace it, or name another",
        )
    return path


def returned(path: epath.Path) -> os.PathLike[str]:
    """A folder as users know them."""
    return pathlib.Path(path) if is_local(path) else path


def _entries(folder: epath.Path) -> list[epath.Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _words(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_words, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def number(value: ArrayLike, unit: str = "") -> Quantity:
    """A headline number."""
    return Quantity(np.asarray(value, np.float64), (), unit)
