"""Label waves as they are asked for, and as they lie on a data set."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectral_tf.errors import UserError
from spectral_tf.spectra.noise_fit import correlation_ratio
from spectral_tf.tasks.label_waves import SmoothingWave, frequency_for_cycles

# Batches of images [b, h, w, c] as the network sees them, and their labels.
Batches = Iterable[tuple[NDArray, NDArray]]


class AskedWave(NamedTuple):
    """A wave by what is asked of it.

    Attributes:
      name: of its trainings.
      coordinate: what it runs along, one of `WAVES`.
      kind: what `value` is, `cycles` or `frequency`; `control`: uniform smoothing.
      value: above 0; 0 for the control.
      direction_parameter: spatial frequency or exponent of its direction; 0 for other coordinates.
      direction: number of its direction among those of one parameter.
    """

    name: str
    coordinate: str
    kind: str
    value: float
    direction_parameter: float
    direction: int = 0


class PlacedWave(NamedTuple):
    """A wave on the labels of a data set, before any training.

    Attributes:
      name, kind, value, direction_parameter, direction: as asked for.
      image_frequency: spatial frequency of the direction (fourier) or its exponent (power_law); NaN
        for other waves.
      frequency: f, in cycles per unit of the coordinate.
      cycles: across the training images, not augmented.
      mean, std: of the coordinate on those images.
      augmented_mean, augmented_std: on training images as the network sees them.
      held_out_mean, held_out_std: on held-out images.
      levels: the smoothing of every held-out image that is measured, [m].
      correlation_ratio: the share of their variance that the classes alone tell.
      smoothing: the wave itself; None where it is only read about.
    """

    name: str
    kind: str
    value: float
    direction_parameter: float
    direction: int
    image_frequency: float
    frequency: float
    cycles: float
    mean: float
    std: float
    augmented_mean: float
    augmented_std: float
    held_out_mean: float
    held_out_std: float
    levels: NDArray[np.float64]
    correlation_ratio: float
    smoothing: SmoothingWave | None = None

    def __str__(self) -> str:
        if self.kind == "control":
            return "uniform"
        return wave_title(self.kind, self.frequency, self.cycles, self.image_frequency)


def wave_title(kind: str, frequency: float, cycles: float, image_frequency: float) -> str:
    """How lines, legends and records call a wave.

    Args:
      kind: what was asked for, `cycles` or `frequency`.
      frequency: in cycles per unit of the coordinate.
      cycles: across the data.
      image_frequency: of the wave's direction; NaN for a coordinate without one.

    >>> wave_title("cycles", 0.2, 1, float("nan")), wave_title("frequency", 0.15, 0.99, 2.236)
    ('1 cycle', 'F = 2.24, f = 0.15, 0.99 cycles')
    """
    along = "" if math.isnan(image_frequency) else f"F = {image_frequency:.3g}, "
    by = f"f = {frequency:.3g}, " if kind == "frequency" else ""
    return f"{along}{by}{cycles:.3g} cycle{'s' * (cycles != 1)}"


def ask_waves(
    coordinate: str,
    *,
    cycles: Sequence[float] = (),
    frequencies: Sequence[float] = (),
    direction_parameters: Sequence[float] = (),
    directions: int = 1,
) -> list[AskedWave]:
    """Every frequency along every direction, and the uniform control last.

    The order is that of direction parameters, then directions, then frequencies.

    Args:
      coordinate: one of `WAVES`; `uniform` gives the control alone.
      cycles: frequencies as cycles across the data.
      frequencies: frequencies as such.
      direction_parameters: spatial frequencies (fourier) or exponents (power_law); none for other
        coordinates.
      directions: of each parameter, 1 or more; other coordinates than these and `random` have one.

    Raises:
      UserError: no frequency at all, two waves of one name (6 digits), or more directions than the
        coordinate has.
    """
    if directions > 1 and coordinate not in ("fourier", "random", "power_law"):
        raise UserError(
            "directions",
            expected=f"1, since {coordinate} waves have no direction",
            got=directions,
            hint="leave it out, or choose --wave=fourier, random or power_law",
        )
    control = AskedWave("uniform", "uniform", "control", 0.0, 0.0)
    if coordinate == "uniform":
        return [control]
    values = [("cycles", value) for value in cycles] + [("frequency", f) for f in frequencies]
    if not values:
        raise UserError(
            "cycles", expected="numbers above 0, here or in --frequencies", got="none", hint="1,4"
        )
    waves = [
        AskedWave(
            f"{coordinate}{f'_{parameter:g}' if direction_parameters else ''}_{kind}_{value:g}"
            f"{f'_direction_{direction}' if directions > 1 else ''}",
            *(coordinate, kind, value, parameter, direction),
        )
        for parameter, direction, (kind, value) in itertools.product(
            direction_parameters or [0.0], range(directions), values
        )
    ]
    names = [wave.name for wave in waves]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(
            "cycles and frequencies",
            expected="waves that differ in their first 6 digits",
            got=f"{twice} twice",
            hint="leave one out",
        )
    return [*waves, control]


def place_waves(
    asked: Sequence[AskedWave],
    still: Callable[[str, float, int], tuple[SmoothingWave, float]],
    *,
    unaugmented: Batches,
    augmented: Batches,
    held_out: Batches,
) -> tuple[list[PlacedWave], NDArray, NDArray[np.bool_]]:
    """Places waves on training images, and tells what they are on held-out ones.

    Not on augmented or mixed images: so a wave is the same function of an image in all runs on the
    same data, whatever else is done. One pass over each of the three, whatever the number of waves.

    Args:
      asked: of `ask_waves`.
      still: coordinate, direction_parameter, number of the direction -> wave of frequency 0, true
        parameter (`still_wave`).
      unaugmented: a sample of the training images.
      augmented: the same as the network sees them.
      held_out: all held-out images, in the order of the evaluation.

    Returns:
      the waves; the held-out labels, [n]; which held-out images are measured, bool [n]: all, or
      those of the noise class.

    Raises:
      UserError: as `SmoothingWave` and `frequency_for_cycles`; a noise class with fewer than 2
        held-out images.
    """
    lines = {line: still(*line) for line in dict.fromkeys(map(_line, asked))}

    def coordinates(batches: Batches) -> tuple[dict[_Line, NDArray], NDArray]:
        """Those of all images along each line, [n], and their labels."""
        rows, labels = zip(
            *(([wave.coordinates(x) for wave, _ in lines.values()], y) for x, y in batches),
            strict=True,
        )
        columns = map(np.concatenate, zip(*rows, strict=True))
        return dict(zip(lines, columns, strict=True)), np.concatenate(labels)

    (seen, _), (changed, _) = coordinates(unaugmented), coordinates(augmented)
    unseen, labels = coordinates(held_out)
    measured = _measured(labels, next(iter(lines.values()))[0].noise_class)
    waves = []
    for wave in asked:
        line = _line(wave)
        (smoothing, image_frequency), c = lines[line], seen[line]
        if wave.kind != "control":
            given = wave.kind == "cycles"
            frequency = frequency_for_cycles(wave.value, c) if given else wave.value
            smoothing = dataclasses.replace(smoothing, frequency=frequency).placed(c)
        levels = smoothing.smoothing(unseen[line], labels)[measured]
        waves.append(
            PlacedWave(
                name=wave.name,
                kind=wave.kind,
                value=wave.value,
                direction_parameter=wave.direction_parameter,
                direction=wave.direction,
                image_frequency=image_frequency,
                frequency=smoothing.frequency,
                # As given: what goes through the frequency comes back rounded.
                cycles=wave.value if wave.kind == "cycles" else smoothing.cycles(c),
                mean=float(c.mean()),
                std=float(c.std()),
                augmented_mean=float(changed[line].mean()),
                augmented_std=float(changed[line].std()),
                held_out_mean=float(unseen[line].mean()),
                held_out_std=float(unseen[line].std()),
                levels=levels,
                correlation_ratio=correlation_ratio(levels, labels[measured]),
                smoothing=smoothing,
            )
        )
    return waves, labels, measured


_Line = tuple[str, float, int]


def _line(wave: AskedWave) -> _Line:
    """What the coordinate of a wave depends on."""
    return wave.coordinate, wave.direction_parameter, wave.direction


def _measured(labels: NDArray, noise_class: int) -> NDArray[np.bool_]:
    if noise_class < 0:
        return np.ones(len(labels), bool)
    chosen = labels == noise_class
    if chosen.sum() < 2:
        raise UserError(
            "noise_class",
            expected="a class with at least 2 held-out images",
            got=f"{noise_class} with {chosen.sum()}",
            hint="choose another, or another --held_out",
        )
    return chosen
