"""Several measurements side by side: means over runs with intervals, and what differs."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spectral_tf import spectra
from spectral_tf.errors import UserError
from spectral_tf.measuring.measurement import (
    PLACES,
    Coordinate,
    Measurement,
    over_paths,
    returned,
    writable_folder,
)
from spectral_tf.records import Report, Table

if TYPE_CHECKING:
    from spectral_tf.records.figures import Figure

# They say where something is measured, not what.
# What a record says of the model, not of the place.
_OF_THE_MODEL = ("temperature", "to_inputs", "layer", "output")
# Models that differ more are not comparable along paths.
_CONFIDENCE = 0.02
_PLACES = (*PLACES, "samples", "targets")


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Groups of measurements, quantity by quantity.

    Attributes:
      estimates: {group: {quantity: its mean over runs, or over paths, or over both}}.
      differences: {group: {quantity: its difference to the first group's}}, all groups but that.
      axes: {quantity: the names of the axes of its estimates}.
      coordinates: of these axes.
      unit: what varies in the intervals.
      paired: whether differences are of the same runs, or along the same paths.
    """

    estimates: Mapping[str, Mapping[str, spectra.Estimate]]
    differences: Mapping[str, Mapping[str, spectra.Estimate]]
    axes: Mapping[str, tuple[str, ...]]
    coordinates: Mapping[str, Coordinate]
    unit: str
    paired: bool

    def table(self, quantity: str) -> Table:
        """One row for each group and place: its estimate, and its difference to the first group.

        Raises:
          UserError: there is no such quantity.
        """
        if quantity not in self.axes:
            raise UserError("quantity", expected=", ".join(self.axes), got=quantity, hint="choose")
        axes, first = self.axes[quantity], next(iter(self.estimates))
        rows = []
        for group, found in self.estimates.items():
            estimate = found[quantity]
            for index in np.ndindex(estimate.value.shape):
                places = (
                    self.coordinates[axis].values[i].item() if axis in self.coordinates else i
                    for axis, i in zip(axes, index, strict=True)
                )
                own = estimate[index] if index else estimate
                if group == first:
                    away = spectra.not_enough(0, 1, "other groups")
                else:
                    other = self.differences[group][quantity]
                    away = other[index] if index else other
                rows.append((group, *places, own, away))
        return Table(("group", *axes, quantity, f"{quantity}_difference"), rows)

    def summary(self) -> str:
        """The headline numbers of every group, and what differs from the first one."""
        first = next(iter(self.estimates))
        lines = [f"intervals over {self.unit}; differences to {first}, {self._pairing}"]
        count = 0
        for name, axes in self.axes.items():
            if axes and (len(axes) > 1 or axes[0] != "cutoff"):
                continue
            if axes:
                lines += self._by_cutoff(name)
                continue
            for group, found in self.estimates.items():
                line = f"{name.replace('_', ' ')} of {group}: {found[name].text('.4g')}"
                if group != first:
                    count += 1
                    line += f"; difference {self.differences[group][name].text('.4g')}"
                lines.append(line)
        confidence = [
            float(found["confidence"].value)
            for found in self.estimates.values()
            if "confidence" in found
        ]
        if confidence and max(confidence) - min(confidence) > _CONFIDENCE:
            lines.append(
                f"mean confidences from {min(confidence):.2f} to {max(confidence):.2f}: what "
                "varies grows with confidence; measure all at one with temperature="
            )
        if count > 1:
            lines.append(f"{count} differences: each interval is of 95 % by itself")
        return "\n".join(lines)

    def _by_cutoff(self, name: str) -> list[str]:
        """One line for each group: what is told by cutoff, in the middle of these."""
        place = self.coordinates["cutoff"]
        i = len(place.values) // 2
        return [
            f"{name.replace('_', ' ')} of {group} at {place.values[i]:.3g} {place.unit}: "
            f"{found[name][i].text('.4g')}"
            for group, found in self.estimates.items()
        ]

    @property
    def _pairing(self) -> str:
        return "of the same in both" if self.paired else "of independent ones"

    def plot(self, quantity: str = "power") -> Figure:
        """A quantity of every group by its coordinate, with intervals.

        Raises:
          UserError: there is none of that name with one axis.
        """
        from spectral_tf.records import figures

        axes = self.axes.get(quantity, ())
        if len(axes) != 1:
            one = [name for name, own in self.axes.items() if len(own) == 1]
            raise UserError(
                "quantity",
                expected=", ".join(one) or "one along an axis",
                got=quantity,
                hint="choose",
            )
        place = self.coordinates[axes[0]]
        first = int(axes[0] == "frequency")  # The mean is no frequency.
        return figures.lines(
            [
                figures.Line.of(place.values[first:], found[quantity][first:], group)
                for group, found in self.estimates.items()
            ],
            xlabel=f"{axes[0].replace('_', ' ')} [{place.unit}]",
            ylabel=quantity.replace("_", " "),
            title=f"{quantity.replace('_', ' ')}, intervals over {self.unit}",
            yscale="log" if quantity.endswith("power") else "linear",
        )

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> os.PathLike[str]:
        """Writes a table of every quantity, figures, and `summary.json`; errors as a measurement.

        Raises:
          UserError: as `Measurement.save`.
        """
        path = writable_folder(folder, overwrite=overwrite, marker="comparison.csv")
        names = [name for name, axes in self.axes.items() if not axes]
        rows = [
            (name, group, own, away) for name in names for group, own, away in self.table(name).rows
        ]
        tables = {name: self.table(name) for name, axes in self.axes.items() if axes}
        tables["comparison"] = Table(("quantity", "group", "value", "difference"), rows)
        shown = [n for n, axes in self.axes.items() if len(axes) == 1 and "power" in n]
        Report({}, tables=tables, figures={n: self.plot(n) for n in shown}).write(path)
        return returned(path)


def compare(
    groups: Mapping[str, Measurement | Sequence[Measurement]], *, paired: bool = False
) -> Comparison:
    """Holds measurements of several kinds of models against each other.

    What varies: runs, where a group has several measurements (networks of different seeds); along
    straight paths, paths, and where there are both, both. Of a group of one measurement that is not
    of paths nothing varies, so that it has no interval: measure several networks of it.

    Args:
      groups: {name: its measurement, or those of its runs}, at least two; of one place, which
        is the same for all. The first is what others are compared with.
      paired: whether the i-th runs of all groups belong together (the same seed, the same data),
        so that differences are of pairs. Paths are the same in all groups, and compared path by
        path; independent runs are then taken in pairs as they come, as many of each group.

    Returns:
      means, and differences with intervals of 95 %, each by itself: of many differences some
      exclude 0 by chance. Independent groups: MOVER, from both intervals (Zou and Donner, 2008).

    Raises:
      UserError: fewer than two groups, measurements of different places or of values and classes,
        other numbers of runs where they are paired or measured along paths.

    >>> from spectral_tf import Grid, compare, measure
    >>> def runs(k):
    ...     return [measure(lambda x: a * np.sin(2 * np.pi * k * x), Grid(32)) for a in (1, 2, 3)]
    >>> found = compare({"slow": runs(2), "fast": runs(5)}, paired=True)
    >>> found.differences["fast"]["centroid"].value.round(6).item()
    3.0
    """
    if not isinstance(groups, Mapping):
        raise UserError(
            "groups",
            expected="{name: measurement, or list of those of its runs}",
            got=type(groups).__name__,
            hint="give every group a name",
        )
    named = {
        name: [one] if isinstance(one, Measurement) else list(one) for name, one in groups.items()
    }
    _refuse_misfits(named, paired)
    first = next(iter(named.values()))[0]
    of_paths = first.where == "straight paths"
    several = max(map(len, named.values())) > 1
    axes: dict[str, tuple[str, ...]] = {}
    estimates: dict[str, dict[str, spectra.Estimate]] = {name: {} for name in named}
    differences: dict[str, dict[str, spectra.Estimate]] = {name: {} for name in list(named)[1:]}
    base = next(iter(named))
    for quantity, kept in first.quantities.items():
        if quantity in _PLACES or any("sample" in axis for axis in kept.axes):
            continue
        per_path = kept.axes[:1] == ("path",)
        if f"{quantity}_by_path" in first.quantities:
            continue  # That is the same, with the paths that it varies over.
        stacks = {n: np.stack([m[quantity] for m in each]) for n, each in named.items()}
        quantity = quantity.removesuffix("_by_path")
        axes[quantity] = kept.axes[1:] if per_path else kept.axes
        clusters = first.quantities.get("cluster") if per_path else None
        own = None if clusters is None else clusters.values.astype(np.int64)
        # What all groups tell, so that differences are of the same.
        told = np.all([np.isfinite(v).all(axis=0) for v in stacks.values()], axis=0)
        stacks = {name: np.where(told, values, np.nan) for name, values in stacks.items()}
        for name, values in stacks.items():
            estimates[name][quantity] = _mean(values, per_path, own)
            if name == base:
                continue
            if per_path:
                found = _mean(values - stacks[base], per_path, own)
            elif paired:
                found = _mean(values - stacks[base], False, own)
            else:
                found = difference_of(estimates[name][quantity], estimates[base][quantity])
            differences[name][quantity] = found
    unit = "runs x paths" if of_paths and several else "paths" if of_paths else "runs"
    return Comparison(estimates, differences, axes, first.coordinates, unit, paired or of_paths)


def difference_of(more: spectra.Estimate, less: spectra.Estimate) -> spectra.Estimate:
    """The difference of two independent estimates: m - l -+ sqrt of the sum of squared distances.

    Low: d - sqrt((m - m_low)^2 + (l_high - l)^2), high likewise (MOVER).

    Source: Zou and Donner (2008).
    """
    away = more.value - less.value
    low = away - np.sqrt((more.value - more.low) ** 2 + (less.high - less.value) ** 2)
    high = away + np.sqrt((more.high - more.value) ** 2 + (less.value - less.low) ** 2)
    least = min(int(np.min(more.n)), int(np.min(less.n)))
    return dataclasses.replace(
        more,
        value=away,
        low=low,
        high=high,
        n=least,
        method=f"difference of independent means (MOVER of: {more.method})",
        missing=more.missing or less.missing,
        p_value=None,
        least_p_value=None,
    )


def _mean(
    values: NDArray[np.float64], per_path: bool, clusters: NDArray | None
) -> spectra.Estimate:
    """Over runs [r, ...], over paths of one run [1, p, ...], or over both."""
    if per_path:
        return over_paths(values, clusters)
    told = np.isfinite(values)
    return spectra.mean_over_runs(np.where(told, values, 0.0), where=told)


def _refuse_misfits(named: Mapping[str, Sequence[Measurement]], paired: bool) -> None:
    sizes = {name: len(each) for name, each in named.items()}
    if len(named) < 2 or not all(sizes.values()):
        raise UserError(
            "groups",
            expected="two or more, with a measurement in each",
            got=", ".join(f"{name} with {size}" for name, size in sizes.items()) or "none",
            hint="give {name: measurement or list of those of its runs}",
        )
    of_paths = any(one.where == "straight paths" for each in named.values() for one in each)
    if (paired or of_paths) and len(set(sizes.values())) > 1:
        raise UserError(
            "groups",
            expected="as many runs in all of them, for paths or pairs",
            got=", ".join(f"{size} of {name}" for name, size in sizes.items()),
            hint="leave some out" if of_paths else "leave paired out",
        )
    first_name, (first, *_) = next(iter(named.items()))
    for name, each in named.items():
        for one in each:
            if not _same_place(first, one):
                raise UserError(
                    "groups",
                    expected=f"measurements of one place, as of {first_name}",
                    got=f"another one in {name}: {one.where}, {dict(one.record)}",
                    hint="measure all of them with the same where="
                    + ", on the paths that spectra.common_paths gives for all" * of_paths,
                )


def _same_place(first: Measurement, one: Measurement) -> bool:
    """Whether two measurements tell the same quantities of the same samples."""
    records = [{k: v for k, v in m.record.items() if k not in _OF_THE_MODEL} for m in (one, first)]
    if one.where != first.where or records[0] != records[1]:
        return False
    if "values" in (one.outputs, first.outputs) and one.outputs != first.outputs:
        return False
    if one.quantities.keys() != first.quantities.keys():
        return False
    shapes = all(one[name].shape == own.values.shape for name, own in first.quantities.items())
    places = all(
        np.array_equal(one.coordinates[axis].values, own.values)
        for axis, own in first.coordinates.items()
    )
    return shapes and places
