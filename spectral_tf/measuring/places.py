"""Where a function is asked: a grid, a curve, straight paths between examples."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf import spectra
from spectral_tf.errors import UserError
from spectral_tf.measuring.measurement import Coordinate, Quantity, number
from spectral_tf.spectra.path import path_measures

# Samples of a grid.
_MOST = 2**26
# Samples that a measurement keeps.
_KEPT = 200_000
# A target has a frequency with more than this share of its varying power.
_PRESENT = 1e-4
# A jump at the border that is so many times the largest step inside is none of a periodic function.
_JUMP = 3.0
# How the note of one begins.
JUMPS = "the function jumps"
_PATHS_AT_ONCE = 64
_ROUNDING = 2.0**-22


class Found(NamedTuple):
    """What a place makes of a function's values there.

    Attributes:
      quantities, coordinates, notes: as of a `Measurement`.
    """

    quantities: dict[str, Quantity]
    coordinates: dict[str, Coordinate]
    notes: list[str]


class Place(Protocol):
    """Where a function is asked, and what its values there say.

    Attributes:
      name: of the kind, for people.
      count: samples in all.
      of_logarithms: whether it wants the logarithms of probabilities.
    """

    name: str
    of_logarithms: bool

    @property
    def count(self) -> int: ...  # noqa: D102

    def samples(self, rows: slice) -> NDArray:
        """The samples of these rows, [b, ...]."""

    def found(self, values: NDArray[np.float64], targets: NDArray[np.float64] | None) -> Found:
        """What values [n, c] of all samples say, and targets of the same shape beside them."""

    def record(self) -> dict[str, Any]:
        """What a measurement says of it."""


def asked_in_words(place: Any) -> None:
    """Raises a UserError for what is no place."""
    there = all(hasattr(place, name) for name in ("samples", "found", "count"))
    if not there or isinstance(place, type):
        raise UserError(
            "where",
            expected="a Grid, Curve, StraightPaths, Scatter or LabelWave",
            got=f"the class {place.__name__}" if isinstance(place, type) else type(place).__name__,
            hint="for example Grid(200), 200 samples of [0, 1)",
        )


@dataclasses.dataclass(frozen=True)
class Grid:
    """A uniform grid on a box of one, two or three dimensions, its far faces not included.

    A sample is a point [d]; give `to_inputs=` to `measure` for a model that takes something else,
    such as a picture made from the point. On [low, high) bin k is k / (high - low) cycles per unit.

    Of a function it tells `power` by frequency (in more dimensions by the radius of the wave
    vector), the sum over outputs of |F|^2, both signs: a wave of amplitude A has A^2 / 2, and all
    together are the mean square. What is faster than half of the samples per unit is folded to a
    lower frequency, as everywhere. In two and three dimensions also `power_along_1`, ... by one
    component, in two `power_by_angle`. `centroid`: their mean frequency, without the mean.

    Args:
      num_samples: along each axis, at least 4: one number for all, or one for each.
      low, high: the box; one number for all axes, or one for each.
      dimensions: d; default: as many as the lists above have, else 1.
      window: `none` or `hann`, as for `spectra.box_spectrum`: a function that does not come back to
        itself from one face to the other jumps there, which a measurement notes.

    Raises:
      UserError: other dimensions, fewer samples, a box without volume, an unknown window.

    >>> Grid(64, low=-1, high=1, dimensions=2).count
    4096
    """

    num_samples: int | Sequence[int] = 200
    low: float | Sequence[float] = 0.0
    high: float | Sequence[float] = 1.0
    dimensions: int | None = None
    window: str = "none"
    name = "grid"
    of_logarithms = False

    def __post_init__(self) -> None:
        for value in self._lists:
            numbers("Grid", value)
        given = [np.ndim(value) and len(value) for value in self._lists]
        d = (max(given) or 1) if self.dimensions is None else self.dimensions
        fits = d in (1, 2, 3) and all(size in (0, d) for size in given)
        sides, low, high = (
            (np.broadcast_to(np.asarray(value, np.float64), d) for value in self._lists)
            if fits
            else (np.empty(0),) * 3
        )
        whole = fits and bool(np.all(sides == np.round(sides)))
        if not fits or not whole or not np.all(sides >= 4) or not np.all(high > low):
            raise UserError(
                "Grid",
                expected="1 to 3 dimensions, 4 or more samples along each, and low below high",
                got=f"{d} dimensions, num_samples {self.num_samples}, {self.low} to {self.high}",
                hint="one number for all axes, or one for each",
            )
        if math.prod(sides.tolist()) > _MOST:
            raise UserError(
                "Grid",
                expected=f"at most {_MOST:,} samples, whose outputs are held in memory",
                got=f"{math.prod(sides.tolist()):,.0f}",
                hint="take fewer along each axis",
            )
        if self.window not in ("none", "hann"):
            raise UserError("window", expected="none or hann", got=self.window, hint="choose one")
        object.__setattr__(self, "dimensions", int(d))

    @property
    def _lists(self) -> tuple[Any, Any, Any]:
        return self.num_samples, self.low, self.high

    @property
    def _box(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Samples along each axis, lowest corner and lengths, [d] each."""
        sides, low, high = (
            np.broadcast_to(np.asarray(value, np.float64), self.dimensions or 1)
            for value in self._lists
        )
        return sides.astype(np.int64), low, high - low

    @property
    def count(self) -> int:
        """Samples in all."""
        return math.prod(self._box[0].tolist())

    def samples(self, rows: slice) -> NDArray[np.float32]:
        """Points [b, d], the last coordinate fastest."""
        sides, low, lengths = self._box
        at = np.unravel_index(np.arange(*rows.indices(self.count)), sides)
        return (low + np.stack(at, axis=1) * (lengths / sides)).astype(np.float32)

    def record(self) -> dict[str, Any]:
        """What a measurement says of it."""
        sides, low, lengths = self._box
        return {
            "samples": sides.tolist(),
            "low": low.tolist(),
            "high": (low + lengths).tolist(),
            "window": self.window,
        }

    def found(self, values: NDArray[np.float64], targets: NDArray[np.float64] | None) -> Found:
        """What values [n, c] say; see the class."""
        sides, _, lengths = self._box

        def of(samples: NDArray[np.float64]) -> spectra.BoxSpectrum:
            values_of = samples.T.reshape(-1, *sides)
            return spectra.box_spectrum(values_of, lengths.tolist(), self.window)

        own = of(values)
        quantities = _powers(own.power)
        coordinates = {"frequency": Coordinate(own.frequencies, "cycles per unit")}
        if sides.size > 1:
            quantities["power_beyond"] = number(own.beyond.sum())
            for i, (k, power) in enumerate(own.along, start=1):
                axis = f"frequency_along_{i}"
                quantities[f"power_along_{i}"] = Quantity(power.sum(axis=0), (axis,))
                coordinates[axis] = Coordinate(k, "cycles per unit")
        if sides.size == 2:
            quantities["power_by_angle"] = Quantity(own.by_angle.sum(axis=0), ("angle",))
            coordinates["angle"] = Coordinate(own.angles, "degrees")
        centroid = _weighted(own.centroid, own.varying)
        quantities["centroid"] = number(centroid, "cycles per unit")
        positions = self.samples(slice(None))[:, 0] if sides.size == 1 else None
        _keep(quantities, coordinates, values, targets, positions)
        if targets is not None:
            wanted = of(targets)
            _beside_target(quantities, coordinates, own.power, wanted.power, wanted.frequencies)
            quantities["error_power"] = Quantity(
                of(values - targets).power.sum(axis=0), ("frequency",)
            )
        notes = []
        if self.window == "none":
            jumps = spectra.border_jumps(values.T.reshape(-1, *sides), sides.size)
            if jumps.max() > _JUMP:
                notes.append(
                    f"{JUMPS} by {jumps.max():.3g} times its largest step where the box "
                    "ends, and a jump has power at all frequencies, falling as 1/k^2; "
                    "window='hann' takes it out"
                )
        return Found(quantities, coordinates, notes)


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """Samples along a curve or line in the space of a model's inputs.

    Of a function it tells `power` by frequency (`spectra.curve_spectrum`: of a closed curve the
    DFT, of an open one there and back, so that its ends make no jump; samples that are not evenly
    spaced are weighted by the trapezoidal rule) and its `centroid`.

    Args:
      inputs: in their order along the curve, [n, ...], n at least 4.
      positions: where they lie, [n], rising, in any unit, which frequencies are counted by;
        default: the distance along the curve, as the straight lines between neighbours make it.
      closed: whether the curve goes back from the last sample to the first. A last sample that
        repeats the first one is left out, which is noted.

    Raises:
      UserError: fewer than 4 samples, neighbours that are equal, positions that do not rise.

    >>> turns = 2 * np.pi * np.arange(64) / 64
    >>> circle = Curve(np.stack([np.cos(turns), np.sin(turns)], axis=1), turns, closed=True)
    >>> circle.count
    64
    """

    inputs: ArrayLike
    positions: ArrayLike | None = None
    closed: bool = False
    name = "curve"
    of_logarithms = False
    # Where the samples lie from the first on; the way around a closed curve, 0 of an open one.
    _way: NDArray[np.float64] = dataclasses.field(init=False, repr=False)
    _length: float = dataclasses.field(init=False, repr=False)
    _repeated: bool = dataclasses.field(init=False, repr=False)
    _unit: str = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        x = as_unit(numbers("Curve", self.inputs))
        if x.ndim < 1 or len(x) < 4:
            raise UserError(
                "Curve", expected="at least 4 samples", got=f"shape {x.shape}", hint="take more"
            )
        t = None if self.positions is None else np.asarray(self.positions, np.float64)
        if t is not None and t.shape != x.shape[:1]:
            raise UserError(
                "positions",
                expected=f"one for each of {len(x)} samples",
                got=f"shape {t.shape}",
                hint="leave them out for the distance along the curve",
            )
        flat = x.reshape(len(x), -1).astype(np.float64)
        steps = np.sqrt(np.sum(np.diff(flat, axis=0) ** 2, axis=1))
        way = np.concatenate([[0.0], np.cumsum(steps)]) if t is None else t - t[0]
        back = float(np.sqrt(np.sum((flat[-1] - flat[0]) ** 2)))
        # As linspace gives a circle, but for rounding.
        repeated = self.closed and back < 1e-3 * float(np.median(steps))
        if not np.all(np.diff(way) > 0):
            raise UserError(
                "Curve",
                expected="samples that move along it" if t is None else "positions that rise",
                got=f"numbers {int(np.argmin(np.diff(way)))} and the next one, which do not",
                hint="leave out repeated samples" if t is None else "sort them",
            )
        if repeated:
            x, length, way = x[:-1], float(way[-1]), way[:-1]
        elif self.closed:
            # Positions say nothing of the way back: it is taken for a step like the mean one.
            length = float(way[-1] + (back if t is None else way[-1] / (len(way) - 1)))
        else:
            length = 0.0
        object.__setattr__(self, "inputs", x)
        object.__setattr__(self, "_way", way)
        object.__setattr__(self, "_length", length)
        object.__setattr__(self, "_repeated", repeated)
        object.__setattr__(self, "_unit", "distance" if t is None else "the positions")

    @classmethod
    def line(cls, start: ArrayLike, stop: ArrayLike, num_samples: int = 200) -> Curve:
        """The straight line between two inputs, both ends included."""
        first, last = (as_unit(numbers("Curve.line", end)) for end in (start, stop))
        if first.shape != last.shape:
            raise UserError(
                "Curve.line",
                expected="two inputs of one shape",
                got=f"{first.shape} and {last.shape}",
                hint="give two single inputs, without an axis of samples",
            )
        t = np.linspace(0, 1, num_samples).reshape(-1, *(1,) * first.ndim)
        return cls(((1 - t) * first + t * last).astype(np.float32))

    @property
    def count(self) -> int:
        """Samples in all."""
        return len(np.asarray(self.inputs))

    def samples(self, rows: slice) -> NDArray:
        """Inputs [b, ...]."""
        return np.asarray(self.inputs)[rows]

    def record(self) -> dict[str, Any]:
        """What a measurement says of it."""
        whole = self._length or float(self._way[-1])
        return {
            "samples": self.count,
            "length": whole,
            "closed": self.closed,
            "sha256": digest(self.inputs, self._way),
        }

    def found(self, values: NDArray[np.float64], targets: NDArray[np.float64] | None) -> Found:
        """What values [n, c] say; see the class."""
        way, length = self._way, self._length
        unit = f"cycles per unit of {self._unit}"
        own = spectra.curve_spectrum(values.T, way, length)
        quantities = _powers(own.power)
        coordinates = {"frequency": Coordinate(own.frequencies, unit)}
        quantities["centroid"] = number(_centroid(own.frequencies, own.power.sum(axis=0)), unit)
        _keep(quantities, coordinates, values, targets, way)
        if targets is not None:
            wanted = spectra.curve_spectrum(targets.T, way, length)
            _beside_target(quantities, coordinates, own.power, wanted.power, own.frequencies)
            error = spectra.curve_spectrum((values - targets).T, way, length)
            quantities["error_power"] = Quantity(error.power.sum(axis=0), ("frequency",))
        notes = []
        if self._repeated:
            notes.append("the last sample repeats the first one of a closed curve and is left out")
        if not own.uniform:
            widest = float(np.diff(way).max())
            notes.append(
                "the samples are not evenly spaced: they are weighted by the trapezoidal rule, up "
                f"to {own.frequencies[-1]:.4g} {unit}, which gaps of {widest:.3g} tell"
            )
        return Found(quantities, coordinates, notes)


@dataclasses.dataclass(frozen=True, eq=False)
class StraightPaths:
    """Straight paths from some examples to others, and how fast predictions change on the way.

    Of every path the measures of `spectra.path`: `centroid` (mean frequency of what varies, NaN
    where nothing does), `total_variation`, `maximum_slope`, `dft_share`, `dct_share`,
    `released_share`; of all, and of each kind, the mean `power` by cycles per path (there and
    back), and unless there are very many of each path. Distances, and with them centroid, variation
    and slope, are in the units of the examples as they are given (bytes as pixels of [0, 1]),
    whatever `to_inputs=` makes of them for the model. Variation and slope grow with the confidence
    of the predictions, and the others depend on it: compare models at one, by `temperature=`.

    Args:
      first, last: examples at the ends, [p, ...] each, of one shape; uint8 counts as 0 to 1.
      num_samples: of each path, both ends included, at least 4. Shares depend on it; the others
        converge.
      kinds: what each path is, such as `within` and `between`, [p].
      clusters: whole numbers, [p]: paths of one number are no independent draws.

    Attributes:
      distances: between the ends, [p].

    Raises:
      UserError: shapes that differ, ends that are equal, fewer than 4 samples.
    """

    first: ArrayLike
    last: ArrayLike
    num_samples: int = 100
    kinds: Sequence[str] | None = None
    clusters: ArrayLike | None = None
    name = "straight paths"
    of_logarithms = False
    distances: NDArray[np.float64] = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        ends = [
            as_unit(numbers("StraightPaths", end)).astype(np.float32)
            for end in (self.first, self.last)
        ]
        p = len(ends[0]) if ends[0].ndim > 1 else 0
        named = [len(part) for part in (self.kinds, self.clusters) if part is not None]  # type: ignore[arg-type]
        if not p or ends[0].shape != ends[1].shape or any(size != p for size in named):
            raise UserError(
                "StraightPaths",
                expected="as many last as first examples, of one shape, and a kind for each",
                got=f"shapes {ends[0].shape} and {ends[1].shape}, {named}",
                hint="give [p, ...] twice",
            )
        if self.num_samples < 4:
            raise UserError(
                "num_samples", expected="at least 4", got=self.num_samples, hint="100 is usual"
            )
        away = (ends[1].astype(np.float64) - ends[0]).reshape(p, -1)
        distances = np.sqrt(np.sum(away**2, axis=1))
        if not np.all(distances > 0):
            raise UserError(
                "StraightPaths",
                expected="examples that differ at the ends of a path",
                got=f"equal ones for path {int(np.argmin(distances))}",
                hint="take duplicates out",
            )
        object.__setattr__(self, "first", ends[0])
        object.__setattr__(self, "last", ends[1])
        object.__setattr__(self, "distances", distances)

    @property
    def count(self) -> int:
        """Samples in all."""
        return len(self.first) * self.num_samples  # type: ignore[arg-type]

    def samples(self, rows: slice) -> NDArray[np.float32]:
        """Examples [b, ...], path after path."""
        number_of = np.arange(*rows.indices(self.count))
        owner, step = np.divmod(number_of, self.num_samples)
        first, last = np.asarray(self.first), np.asarray(self.last)
        t = (step / (self.num_samples - 1)).astype(np.float32)
        t = t.reshape(-1, *(1,) * (first.ndim - 1))
        return (1 - t) * first[owner] + t * last[owner]

    def record(self) -> dict[str, Any]:
        """What a measurement says of it."""
        return {
            "paths": len(self.first),  # type: ignore[arg-type]
            "samples": self.num_samples,
            "sha256": digest(self.first, self.last),
        }

    def found(self, values: NDArray[np.float64], targets: NDArray[np.float64] | None) -> Found:
        """What values [p N, c] say; see the class."""
        if targets is not None:
            raise UserError(
                "targets",
                expected="none along paths between examples, where nobody knows them",
                got="some",
                hint="leave them out",
            )
        distances = self.distances
        along = values.reshape(len(distances), self.num_samples, -1)
        parts, powers = [], []
        t = np.linspace(0, 1, self.num_samples)
        for start in range(0, len(along), _PATHS_AT_ONCE):
            rows = slice(start, start + _PATHS_AT_ONCE)
            own = along[rows]
            parts.append(np.stack(path_measures(own, distances[rows] / (self.num_samples - 1))))
            spectrum = spectra.curve_spectrum(np.moveaxis(own, 2, 1), t)
            powers.append(spectrum.power.sum(axis=1))
        measured = np.concatenate(parts, axis=1)
        power = np.concatenate(powers)
        names = ("dft_share", "dct_share", "released_share", "maximum_slope")
        units = dict.fromkeys(names[:3], "") | {"maximum_slope": "per unit of distance"}
        quantities = {
            name: Quantity(measured[i], ("path",), units[name]) for i, name in enumerate(names)
        }
        quantities["total_variation"] = Quantity(
            measured[4] / distances, ("path",), "per unit of distance"
        )
        varies = measured[5] > 0
        quantities["centroid"] = Quantity(
            np.where(varies, measured[5], np.nan), ("path",), "cycles per unit of distance"
        )
        quantities["distance"] = Quantity(distances, ("path",))
        if self.clusters is not None:
            quantities["cluster"] = Quantity(np.asarray(self.clusters, np.float64), ("path",))
        quantities["power"] = Quantity(power.mean(axis=0), ("frequency",))
        if power.size <= _KEPT:
            quantities["power_by_path"] = Quantity(power, ("path", "frequency"))
        coordinates = {"frequency": Coordinate(spectrum.frequencies, "cycles per path")}
        if self.kinds is not None:
            kinds = np.asarray(self.kinds, str)
            known = np.unique(kinds)
            coordinates["kind"] = Coordinate(known)
            quantities["kind_of_path"] = Quantity(
                np.searchsorted(known, kinds).astype(np.float64), ("path",)
            )
            quantities["power_by_kind"] = Quantity(
                np.stack([power[kinds == kind].mean(axis=0) for kind in known]),
                ("kind", "frequency"),
            )
        if np.allclose(values.sum(axis=1), 1, atol=1e-3) and values.min() >= 0:
            quantities["confidence"] = Quantity(along.max(axis=2).mean(axis=1), ("path",))
        still = int(np.sum(~varies))
        note = f"nothing varies along {still} of {len(varies)} paths: they have no centroid"
        return Found(quantities, coordinates, [note] if still else [])


def as_unit(examples: NDArray) -> NDArray:
    """Bytes, uint8 of 0 to 255, as 0 to 1 in float32; everything else as it is."""
    return examples / np.float32(255) if examples.dtype == np.uint8 else examples


def numbers(subject: str, given: ArrayLike) -> NDArray:
    """An array of finite numbers.

    Raises:
      UserError: something else.
    """
    try:
        found = np.asarray(given)
    except ValueError:  # Rows of different lengths.
        found = np.empty(0, object)
    if found.dtype.kind not in "fiub" or not np.isfinite(found).all():
        got = found.dtype if found.dtype.kind not in "fiub" else "others among them"
        raise UserError(
            subject, expected="finite numbers", got=got, hint="give an array of one shape"
        )
    return found


def digest(*arrays: Any) -> str:
    """What tells samples from others: the first 16 digits of a SHA-256."""
    whole = hashlib.sha256()
    for array in arrays:
        found = np.ascontiguousarray(array)
        whole.update(f"{found.shape}{found.dtype}".encode())
        whole.update(found.tobytes())
    return whole.hexdigest()[:16]


def _powers(power: NDArray[np.float64]) -> dict[str, Quantity]:
    """Of outputs [c, k]: all together, and each if there are several."""
    found = {"power": Quantity(power.sum(axis=0), ("frequency",))}
    if 1 < len(power) <= 256:
        found["power_by_output"] = Quantity(power, ("output", "frequency"))
    return found


def _keep(
    quantities: dict[str, Quantity],
    coordinates: dict[str, Coordinate],
    values: NDArray[np.float64],
    targets: NDArray[np.float64] | None,
    positions: NDArray | None,
) -> None:
    """The samples themselves, unless there are too many."""
    if values.size > _KEPT:
        return
    quantities["samples"] = Quantity(values, ("sample", "output"))
    if targets is not None:
        quantities["targets"] = Quantity(targets, ("sample", "output"))
    if positions is not None:
        coordinates["sample"] = Coordinate(np.asarray(positions, np.float64), "units")


def _beside_target(
    quantities: dict[str, Quantity],
    coordinates: dict[str, Coordinate],
    power: NDArray[np.float64],
    target_power: NDArray[np.float64],
    frequencies: NDArray[np.float64],
) -> None:
    """The magnitude of each frequency of the target over the target's.

    0 without it, 1 as much as the target has; blind to phase, and what leaks there from other
    frequencies counts (`error_power` is blind to neither).
    """
    own, wanted = power.sum(axis=0), target_power.sum(axis=0)
    # What varies no more than by rounding has no frequencies.
    varying = max(float(wanted[1:].sum()), _ROUNDING**2 * float(wanted.sum()))
    present = wanted > _PRESENT * varying
    present[0] = False
    quantities["target_power"] = Quantity(wanted, ("frequency",))
    if present.any():
        quantities["normalised_magnitude"] = Quantity(
            np.sqrt(own[present] / wanted[present]), ("target_frequency",)
        )
        coordinates["target_frequency"] = Coordinate(
            frequencies[present], coordinates["frequency"].unit
        )


def _centroid(frequencies: NDArray[np.float64], power: NDArray[np.float64]) -> float:
    """Mean frequency of power, without the mean; NaN where nothing varies."""
    total, varying = power.sum(), power[1:].sum()
    if not varying > _ROUNDING**2 * total:
        return math.nan
    return float(frequencies[1:] @ power[1:] / varying)


def _weighted(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Mean over outputs by how much each varies; NaN where none does."""
    told = np.isfinite(values) & (weights > 0)
    if not told.any():
        return math.nan
    return float(values[told] @ weights[told] / weights[told].sum())


def batches(place: Place, to_inputs: Callable[[NDArray], Any] | None) -> Callable[[slice], Any]:
    """Rows -> what the model takes of them."""
    return place.samples if to_inputs is None else lambda rows: to_inputs(place.samples(rows))
