"""One figure for every kind of measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spectral_tf.records import figures

if TYPE_CHECKING:
    from spectral_tf.measuring.measurement import Measurement

# Of the largest power: less is what float32 leaves of nothing.
_ROUNDING = 1e-13
# Lines of one panel.
_LINES = 12
# Axes that `_spectra` draws, or that are no places.
_SPECTRAL = ("frequency", "target_frequency", "angle", "path", "sample", "step", "kind", "output")


def figure_of(measurement: Measurement) -> figures.Figure:
    """A heat map of what was measured in training, else its spectra."""
    if measurement.in_training:
        return _in_training(measurement)
    return _once(measurement)


def _in_training(measurement: Measurement) -> figures.Figure:
    steps = measurement.coordinates["step"].values
    maps = (
        ("normalised_magnitude", "target_frequency", "normalised magnitude"),
        ("power", "frequency", "power / its largest at the last step"),
    )
    for name, axis, label in maps:
        quantity = measurement.quantities.get(name)
        if quantity is None or quantity.axes != ("step", axis) or len(steps) < 2:
            continue
        place, values = measurement.coordinates[axis], quantity.values
        columns = place.values
        if name == "power":  # The mean is no frequency.
            values, columns = values[:, 1:], columns[1:]
            values = values / max(float(np.nanmax(values[-1], initial=0.0)), 1e-300)
        figure = figures.heat_maps(
            steps,
            columns,
            {"": values},
            title=f"{measurement.where}: {name.replace('_', ' ')} by training step",
            xlabel=f"frequency [{place.unit}]",
            label=label,
        )
        if steps[0] > 0:
            figure.axes[0].set_yscale("log")
        else:
            figure.axes[0].set_yscale("symlog", linthresh=1)
        return figure
    return figures.line_panels(_over_steps(measurement), title=f"{measurement.where} by step")


def _over_steps(measurement: Measurement) -> list[figures.Panel]:
    """Numbers, and what has few places along one other axis, by training step."""
    steps = measurement.coordinates["step"].values
    found = []
    for name, quantity in measurement.quantities.items():
        said = name.replace("_", " ")
        if quantity.axes == ("step",):
            series = [figures.Line(steps, quantity.values, style="o-")]
        elif len(quantity.axes) == 2 and quantity.axes[:1] == ("step",):
            axis = quantity.axes[1]
            size = quantity.values.shape[1]
            if size > _LINES or axis == "path":
                continue
            series = [
                figures.Line(steps, values, f"{axis} {place:.3g}", style="o-")
                for place, values in zip(
                    measurement.places(axis, size), quantity.values.T, strict=True
                )
            ]
        else:
            continue
        found.append(figures.Panel(series, "training step", said))
    return found[:4]


def _once(measurement: Measurement) -> figures.Figure:
    panels = _spectra(measurement) + _others(measurement)
    return figures.line_panels(panels, title=f"{measurement.where}, {measurement.outputs}")


def _spectra(measurement: Measurement) -> list[figures.Panel]:
    found = []
    if "power" in measurement.quantities:
        place = measurement.coordinates["frequency"]
        known = {"function": "power", "target": "target_power", "error": "error_power"}
        series = [
            _line(place.values, measurement[name], label)
            for label, name in known.items()
            if name in measurement.quantities and measurement[name][1:].max() > 0
        ]
        if "power_by_kind" in measurement.quantities:
            kinds = measurement.coordinates["kind"].values
            series = [
                _line(place.values, row, str(kind))
                for kind, row in zip(kinds, measurement["power_by_kind"], strict=True)
            ]
        xlabel = f"frequency [{place.unit}]"
        found.append(figures.Panel(series[:_LINES], xlabel, "power", yscale="log"))
    along = [name for name in measurement.quantities if name.startswith("power_along_")]
    if along:
        series = []
        for name in along:
            place = measurement.coordinates[f"frequency_{name.removeprefix('power_')}"]
            label = f"along axis {name.rpartition('_')[2]}"
            series.append(_line(place.values, measurement[name], label)._replace(style="--"))
        found.append(figures.Panel(series, "frequency [cycles per unit]", "power", yscale="log"))
    if "power_by_angle" in measurement.quantities:
        angle = measurement.coordinates["angle"]
        line = figures.Line(angle.values, measurement["power_by_angle"], style="o-")
        found.append(figures.Panel([line], "direction [degrees]", "power"))
    return found


def _others(measurement: Measurement) -> list[figures.Panel]:
    """What is told by one coordinate of another kind: a cutoff, the smoothing of labels."""
    found = []
    for axis, place in measurement.coordinates.items():
        if axis in _SPECTRAL or axis.startswith("frequency"):
            continue
        units: dict[str, list[figures.Line]] = {}
        for name, quantity in measurement.quantities.items():
            if quantity.axes == (axis,):
                line = figures.Line(
                    place.values, quantity.values, name.replace("_", " "), style="o-"
                )
                units.setdefault(quantity.unit, []).append(line)
        for unit, series in units.items():
            scale = "log" if axis == "cutoff" else "linear"
            xlabel = f"{axis} [{place.unit}]" if place.unit else axis
            ylabel = series[0].label if len(series) == 1 else unit or "value"
            found.append(figures.Panel(series, xlabel, ylabel, xscale=scale))
    return found


def _line(frequencies: NDArray, power: NDArray, label: str) -> figures.Line:
    """Without the mean, which is no frequency; what is no more than rounding is left out."""
    values = np.where(power[1:] > _ROUNDING * power.max(), power[1:], np.nan)
    return figures.Line(frequencies[1:], values, label)
