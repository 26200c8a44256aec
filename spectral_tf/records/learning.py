"""The tables of learning curves, and the one that a run ends with on the screen."""

import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.records.tables import Table, averaged, joined, tidy, write_table
from spectral_tf.spectra import Estimate, LearningCurves, mean_over_runs

# What distinguishes the groups of runs in one table, e.g. (4,) for four lobes; () if nothing does.
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
    """`spectra` and `learning_times`, as `write_learning_curves` writes them."""
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
    """`runs` and `losses` from losses [s, runs], as `write_losses` writes them."""
    runs = {
        setting: tidy({"run": range(values.shape[1]), "step": steps}, loss=values.T)
        for setting, values in losses.items()
    }
    means = {s: tidy({"step": steps}, loss=over_runs(values)) for s, values in losses.items()}
    return {"runs": joined(runs, columns), "losses": joined(means, columns)}


def write_learning_curves(
    folder: pathlib.Path, curves: Mapping[Setting, LearningCurves], columns: Sequence[str] = ()
) -> None:
    """Writes `spectra.csv` and `learning_times.csv`.

    `spectra.csv`: step, frequency [cycles per unit], mean normalised magnitude over runs.
    `learning_times.csv`: level, frequency, step at which the mean reaches the level (`inf`: never).
    Both with 95 % interval, number of runs and method. `columns` name the settings and come first.
    """
    write_table(
        folder / "spectra.csv",
        (*columns, "step", "frequency", "magnitude"),
        (
            (*setting, step, f"{k:g}", mean[i, j])
            for setting, group in curves.items()
            for mean in [not_negative(group.mean)]
            for i, step in enumerate(group.steps)
            for j, k in enumerate(group.frequencies)
        ),
    )
    write_table(
        folder / "learning_times.csv",
        (*columns, "level", "frequency", "step"),
        (
            (*setting, level, f"{k:g}", times[j])
            for setting, group in curves.items()
            for level, times in group.times.items()
            for j, k in enumerate(group.frequencies)
        ),
    )


def write_losses(
    folder: pathlib.Path,
    steps: Sequence[int],
    losses: Mapping[Setting, NDArray],
    columns: Sequence[str] = (),
) -> dict[Setting, Estimate]:
    """Writes `runs.csv` and `losses.csv` from losses [s, runs]; returns their means over runs [s].

    `runs.csv`: run, step, loss, one row for each run and probe (`nan` after a run has diverged).
    `losses.csv`: step, mean loss over the runs that still go, with 95 % interval, number and
    method. `columns` name the settings and come first.
    """
    write_table(
        folder / "runs.csv",
        (*columns, "run", "step", "loss"),
        (
            (*setting, run, step, values[i, run])
            for setting, values in losses.items()
            for run in range(values.shape[1])
            for i, step in enumerate(steps)
        ),
    )
    means = {setting: over_runs(values) for setting, values in losses.items()}
    write_table(
        folder / "losses.csv",
        (*columns, "step", "loss"),
        (
            (*setting, step, mean[i])
            for setting, mean in means.items()
            for i, step in enumerate(steps)
        ),
    )
    return means


def write_norms(
    folder: pathlib.Path, steps: Sequence[int], layers: Sequence[str], norms: NDArray
) -> dict[str, Estimate]:
    """Writes `norms.csv` from spectral norms [s, runs, layers]; returns {layer: mean over runs}.

    `norms.csv`: step, layer, mean spectral norm with 95 % interval, number of runs and method.
    """
    mean = over_runs(norms)
    write_table(
        folder / "norms.csv",
        ("step", "layer", "spectral_norm"),
        (
            (step, layer, mean[i, j])
            for i, step in enumerate(steps)
            for j, layer in enumerate(layers)
        ),
    )
    return {layer: mean[:, j] for j, layer in enumerate(layers)}


def learning_table(curves: LearningCurves) -> str:
    """The learning times as lines of text, with the exponent of their power law."""
    last = int(curves.steps[-1])
    level, times = next(iter(curves.times.items()))
    known = np.isfinite(times.low).any()
    how = f"95 % intervals ({times.method})" if known else f"no interval: {times.missing}"
    runs = averaged(curves.num_runs)
    left = int(np.min(np.broadcast_to(curves.mean.n, curves.mean.value.shape)[-1]))
    runs += f" ({curves.num_runs - left} stopped)" * (left < curves.num_runs)
    lines = [f"learning times [steps], {runs}, {how}"]
    lines.append(
        f"{'cycles per unit':>15}" + "".join(f"{f'level {x:g}':>34}" for x in curves.times)
    )
    for j, k in enumerate(curves.frequencies):
        cells = (_cell(of_level[j], last) for of_level in curves.times.values())
        lines.append(f"{k:>15g}" + "".join(f"{cell:>34}" for cell in cells))
    law, count = curves.law, curves.frequencies.size
    lines.append(
        f"no power law of the learning times at level {level:g}: {law.exponent.text()}"
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
    return text(at) if math.isnan(low) else f"{text(at)} ({text(low)} to {text(high)})"
