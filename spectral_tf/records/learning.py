"""The tables of learning curves, and the one that a run ends with on the screen."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.records.found import Series
from spectral_tf.records.tables import Table, averaged, joined, tidy
from spectral_tf.spectra import Estimate, LearningCurves, mean_over_runs
from spectral_tf.spectra.learning import POINTS_FOR_POWER_LAW

# Numbers of functions that are kept to be looked at.
_PICTURED = 100_000

# What distinguishes the groups of runs in one table, e.g. (4,) for four petals; () if nothing does.
Setting = tuple[Any, ...]


def going(recorded: ArrayLike) -> NDArray[np.bool_]:
    """Where runs had not stopped: their record is NaN from there on."""
    return ~np.isnan(np.asarray(recorded, np.float64))


def over_runs(recorded: ArrayLike, axis: int = 1) -> Estimate:
    """Mean over runs of what was recorded while they trained and is not negative: losses, norms.

    A run that has stopped is NaN in the record from there on: it does not count there, and the
    estimate says how many did.

    Args:
      recorded: e.g. losses, shape [s, runs].
      axis: that of the runs.

    >>> found = over_runs([[1.0, 3.0], [2.0, float("nan")]])
    >>> found.value.tolist(), found.n.tolist()
    ([2.0, 2.0], [2, 1])
    """
    values = np.moveaxis(np.asarray(recorded, np.float64), axis, 0)
    return not_negative(mean_over_runs(values, where=going(values)))


def not_negative(estimate: Estimate) -> Estimate:
    """An estimate of what cannot be below 0: its interval ends there."""
    return estimate.map(lambda ends: np.maximum(ends, 0.0))


def curve_tables(
    curves: Mapping[Setting, LearningCurves], columns: Sequence[str] = ()
) -> dict[str, Table]:
    """The tables of learning curves, by what they are called.

    `spectra`: step, frequency [cycles per unit], mean normalised magnitude over runs.
    `learning_times`: level, frequency, step at which the mean reaches the level (`inf`: never).
    Both with 95 % interval, number of runs and method. `columns` name the settings and come first.
    """
    means, times = {}, {}
    for setting, group in curves.items():
        k = [f"{value:g}" for value in group.frequencies]
        means[setting] = tidy(
            {"step": group.steps, "frequency": k}, magnitude=not_negative(group.mean)
        )
        rows = [
            (level, *row)
            for level, of_level in group.times.items()
            for row in tidy({"frequency": k}, step=of_level).rows
        ]
        times[setting] = Table(("level", "frequency", "step"), rows)
    return {"spectra": joined(means, columns), "learning_times": joined(times, columns)}


def loss_tables(
    steps: Sequence[int], losses: Mapping[Setting, NDArray], columns: Sequence[str] = ()
) -> dict[str, Table]:
    """The tables of losses [s, runs], by what they are called.

    `runs`: run, step, loss, one row for each run and probe (`nan` after a run has diverged).
    `losses`: step, mean loss over the runs that still go, with 95 % interval, number and method.
    `columns` name the settings and come first.
    """
    runs = {
        setting: tidy({"run": range(values.shape[1]), "step": steps}, loss=values.T)
        for setting, values in losses.items()
    }
    means = {s: tidy({"step": steps}, loss=over_runs(values)) for s, values in losses.items()}
    return {"runs": joined(runs, columns), "losses": joined(means, columns)}


def function_arrays(
    found: Series, positions: ArrayLike, targets: ArrayLike
) -> dict[str, dict[str, NDArray]]:
    """Learned functions at some steps, to be looked at, by the name of their file.

    `functions`: step [s], position [n], target [g, n] and function [s, g, n], which has the digits
    that a picture needs (float16). Steps are denser at the beginning, and fewer where functions are
    many or long, so that the file stays light.

    Args:
      found: of the series `function`, [steps, n] or [steps, g, n]; g as the settings of a table.
      positions: of the samples, [n].
      targets: [n], or [g, n] where they differ.
    """
    functions = found.values.reshape(len(found.steps), -1, found.values.shape[-1])
    kept = thinned(len(found.steps), max(10, min(80, _PICTURED // functions[0].size)))
    return {
        "functions": {
            "step": np.asarray(found.steps)[kept],
            "position": np.asarray(positions, np.float32),
            "target": np.broadcast_to(targets, functions.shape[1:]).astype(np.float32),
            "function": np.clip(functions[kept], -6e4, 6e4).astype(np.float16),
        }
    }


def thinned(count: int, most: int) -> NDArray[np.int64]:
    """Which of so many are kept, at most so many, denser at the beginning; first and last are.

    >>> thinned(5, 10).tolist(), thinned(100, 6).tolist()
    ([0, 1, 2, 3, 4], [0, 2, 5, 15, 39, 99])
    """
    if count <= most:
        return np.arange(count)
    # Rounding joins those at the beginning: ask for more, until they are as many as may be.
    kept, asked = np.array([0, count - 1]), most
    while True:
        more = np.unique(np.geomspace(1, count, asked).round().astype(np.int64) - 1)
        if len(more) > most:
            return kept
        kept, asked = more, asked + 1


def learning_table(curves: LearningCurves, unit: str = "cycles per unit") -> str:
    """The learning times as lines of text, with the exponent of their power law.

    Args:
      curves: of which they are.
      unit: of the frequencies.
    """
    last = int(curves.steps[-1])
    level, times = next(iter(curves.times.items()))
    known = not np.isnan(times.low).all()  # "Never" is a legal end.
    how = f"95 % intervals ({times.method})" if known else f"no interval: {times.missing}"
    runs = averaged(curves.num_runs)
    left = int(np.min(np.broadcast_to(curves.mean.n, curves.mean.value.shape)[-1]))
    runs += f" ({curves.num_runs - left} stopped)" * (left < curves.num_runs)
    lines = [f"learning times [steps], {runs}, {how}"]
    width = max(15, len(unit))
    lines.append(f"{unit:>{width}}" + "".join(f"{f'level {x:g}':>34}" for x in curves.times))
    for j, k in enumerate(curves.frequencies):
        cells = (_cell(of_level[j], last) for of_level in curves.times.values())
        lines.append(f"{k:>{width}g}" + "".join(f"{cell:>34}" for cell in cells))
    law, count = curves.law, curves.frequencies.size
    lines.append(
        f"no power law of the learning times at level {level:g}: {law.num_points} of {count} "
        f"frequencies learned, {POINTS_FOR_POWER_LAW} needed"
        if math.isnan(law.exponent.value)
        else f"learning time at level {level:g} grows as frequency^{law.exponent.text()}, "
        f"from {law.num_points} of {count} frequencies"
    )
    return "\n".join(lines)


def _cell(time: Estimate, last: int) -> str:
    def text(value: float) -> str:
        return f"{value:,.0f}" if math.isfinite(value) else f"> {last:,}"

    at, low, high = (float(number) for number in (time.value, time.low, time.high))
    if math.isnan(at):
        return "no run"
    if math.isinf(low):  # All of the interval.
        return text(at)
    return text(at) if math.isnan(low) else f"{text(at)} ({text(low)} to {text(high)})"
